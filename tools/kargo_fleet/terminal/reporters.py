"""What a command prints: findings and changes as text for people, JSON for programs, annotations for GitHub."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeVar

from kargo_fleet.findings import Finding, Place, Severity, grouped
from kargo_fleet.terminal import output, progress
from kargo_fleet.terminal.invocation import Invocation
from kargo_fleet.terminal.output import Coloured

T = TypeVar("T")

#: This many findings that differ only in the service are shown as one, with the names of the first few.
_MANY, _SHOWN = 10, 3
#: What a dry run says instead of the past tense.
_INFINITIVES = {
    "created": "create",
    "updated": "update",
    "removed": "remove",
    "deployed": "deploy",
    "deleted": "delete",
    "kept": "keep",
}


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


@dataclass(frozen=True)
class Change:
    """What a run did to a file or a unit, or would do in a dry run: created, updated, removed, deployed, deleted.

    `shard` is the old and new shard of a service that moves to another shard.
    """

    action: str
    path: str
    diff: str = ""
    shard: tuple[str, str] | None = None


@dataclass(frozen=True)
class Report:
    """Everything that a command reports. `summary` is one sentence for people."""

    findings: Sequence[Finding]
    changes: Sequence[Change]
    summary: str
    dry_run: bool = False


@dataclass(frozen=True)
class Reporter:
    """How a command prints. `quiet` leaves findings and data: no changes, no summary, no notes, no progress.

    `invocation` is how commands in messages are written.
    """

    format: Format = Format.TEXT
    quiet: bool = False
    invocation: Invocation = field(default_factory=Invocation)

    def show(self, report: Report) -> None:
        """Print a report: changes and findings on stdout, the summary on stderr."""
        if self.format is Format.JSON:
            self.data(as_data(report))
            return
        for change in report.changes if not self.quiet else ():
            if change.diff:
                output.patch(_diff(change.diff))
            else:
                output.show(_line(change, dry_run=report.dry_run))
        for finding in _folded(report.findings):
            if self.format is Format.GITHUB:
                _annotate(finding)
            else:
                output.show(*self._text(finding))
        sys.stdout.flush()
        if report.summary:
            self.note(f"{'dry run: ' * report.dry_run}{report.summary}")

    def data(self, data: Any) -> None:
        """Print plain data as JSON."""
        output.document(f"{output.json_text(data)}\n")
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Print a sentence on stderr, unless `quiet`."""
        if not self.quiet:
            output.tell(self.invocation.pasteable(text))

    def bar(self, items: Iterable[T], total: int, what: str, patience: float = 0) -> Iterator[T]:
        """Yield the items, with a progress bar on a terminal unless `quiet`; see progress.bar."""
        return iter(items) if self.quiet else progress.bar(items, total, what, patience)

    def _text(self, finding: Finding) -> Iterator[str | Coloured]:
        """Yield the parts of a finding. What is more than one line is indented, so that each line at the margin is a finding."""
        yield f"{_place(finding.place)}: "
        yield Coloured(finding.severity.value, "1;31" if finding.severity is Severity.ERROR else "1;33")
        yield f" {finding.code}: {self._indented(finding.message)}"
        if finding.fix:
            yield f"\n    fix: {self._indented(finding.fix)}"

    def _indented(self, text: str) -> str:
        return self.invocation.pasteable(text).replace("\n", "\n    ")


#: Text, as in a terminal.
TEXT = Reporter()


def as_data(report: Report) -> dict[str, Any]:
    """Return a report as plain data; docs/findings.md describes it."""
    return ({"dryRun": True} if report.dry_run else {}) | {
        "findings": [
            {
                "file": finding.place.file,
                "line": finding.place.line,
                "column": finding.place.column,
                "severity": finding.severity.value,
                "code": finding.code,
                "message": finding.message,
                "fix": finding.fix,
                "service": finding.service,
            }
            for finding in report.findings
        ],
        "changes": [
            {"action": change.action, "path": change.path}
            | ({"diff": change.diff} if change.diff else {})
            | ({"shard": dict(zip(("from", "to"), change.shard, strict=True))} if change.shard else {})
            for change in report.changes
        ],
    }


def columns(widest: int = 110) -> int:
    """Return the width for text on stdout: that of the terminal, at most `widest`, which is also that of a pipe."""
    return min(widest, shutil.get_terminal_size().columns) if sys.stdout.isatty() else widest


def _folded(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the findings; many that differ only in the service are one, which counts the others and names the first."""
    for first, others in grouped(findings):
        if len(others) + 1 < _MANY:
            yield first
            yield from others
            continue
        names = ", ".join(other.service or other.place.file for other in others[: _SHOWN - 1])
        left = len(others) - (_SHOWN - 1)
        yield replace(first, message=f"{first.message} (and {len(others):,} others: {names} and {left:,} more)")


def _line(change: Change, *, dry_run: bool) -> str:
    path = output.visible(change.path, lines=False)
    moves = f" (shard {change.shard[0] or 'none'} → {change.shard[1] or 'none'})" if change.shard else ""
    if dry_run:
        return f"dry run: would {_INFINITIVES[change.action]} {path}{moves}"
    return f"{change.action:8} {path}{moves}"


def _diff(text: str) -> Iterator[str | Coloured]:
    """Yield the lines of a unified diff, those of its syntax with colours."""
    colours = {"---": "1", "+++": "1", "@@": "36", "-": "31", "+": "32"}
    for line in text.removesuffix("\n").split("\n"):
        colour = next((colour for start, colour in colours.items() if line.startswith(start)), "")
        yield Coloured(line, colour) if colour else line


def counts(findings: Sequence[Finding]) -> str:
    """Return the number of errors and warnings: "1 error, 2 warnings"."""
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    warnings = len(findings) - errors
    return f"{errors:,} error{'s' * (errors != 1)}, {warnings:,} warning{'s' * (warnings != 1)}"


def _place(place: Place) -> str:
    """Return a place on one line: a file's name may hold line breaks."""
    return output.visible(str(place), lines=False)


def _annotate(finding: Finding) -> None:
    line, column = (str(number) if number else "" for number in finding.place[1:])
    properties = {"file": finding.place.file, "line": line, "col": column, "title": finding.code}
    message = finding.message + (f"\nfix: {finding.fix}" if finding.fix else "")
    output.workflow_command(finding.severity.value, properties, message)
