"""What a command prints: findings and changes as text for people, JSON for programs, annotations for GitHub."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TextIO, TypeVar

from kargo_fleet.findings import Finding, Severity, grouped
from kargo_fleet.terminal import progress
from kargo_fleet.terminal.invocation import Invocation

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
            print(_diff(change.diff, sys.stdout) or _line(change, dry_run=report.dry_run))
        for finding in _folded(report.findings):
            print(_annotation(finding) if self.format is Format.GITHUB else self._text(finding, sys.stdout))
        sys.stdout.flush()
        if report.summary:
            self.note(f"{'dry run: ' * report.dry_run}{report.summary}")

    def data(self, data: Any) -> None:
        """Print plain data as JSON."""
        print(json.dumps(data, indent=2, ensure_ascii=False), flush=True)

    def note(self, text: str) -> None:
        """Print a sentence on stderr, unless `quiet`."""
        if not self.quiet:
            print(self.invocation.pasteable(text), file=sys.stderr)

    def bar(self, items: Iterable[T], total: int, what: str, patience: float = 0) -> Iterator[T]:
        """Yield the items, with a progress bar on a terminal unless `quiet`; see progress.bar."""
        return iter(items) if self.quiet else progress.bar(items, total, what, patience)

    def _text(self, finding: Finding, stream: TextIO) -> str:
        severity = _coloured(finding.severity.value, "1;31" if finding.severity is Severity.ERROR else "1;33", stream)
        text = f"{finding.code}: {finding.message}" + (f"\n    fix: {finding.fix}" if finding.fix else "")
        return f"{finding.place}: {severity} {self.invocation.pasteable(text)}"


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
    moves = f" (shard {change.shard[0] or 'none'} → {change.shard[1] or 'none'})" if change.shard else ""
    if dry_run:
        return f"dry run: would {_INFINITIVES[change.action]} {change.path}{moves}"
    return f"{change.action:8} {change.path}{moves}"


def _diff(text: str, stream: TextIO) -> str:
    """Return a unified diff without its last newline, with colours on a terminal."""
    lines = text.removesuffix("\n").split("\n")
    colours = {"---": "1", "+++": "1", "@@": "36", "-": "31", "+": "32"}
    for number, line in enumerate(lines):
        colour = next((colour for start, colour in colours.items() if line.startswith(start)), "")
        lines[number] = _coloured(line, colour, stream) if colour else line
    return "\n".join(lines)


def counts(findings: Sequence[Finding]) -> str:
    """Return the number of errors and warnings: "1 error, 2 warnings"."""
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    warnings = len(findings) - errors
    return f"{errors:,} error{'s' * (errors != 1)}, {warnings:,} warning{'s' * (warnings != 1)}"


def _coloured(text: str, colour: str, stream: TextIO) -> str:
    if os.environ.get("NO_COLOR") or not stream.isatty():
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"


def _annotation(finding: Finding) -> str:
    """Return a workflow command: https://docs.github.com/actions/reference/workflow-commands-for-github-actions."""
    properties = {
        "file": finding.place.file,
        "line": finding.place.line,
        "col": finding.place.column,
        "title": finding.code,
    }
    values = ",".join(f"{key}={_escaped(str(value), properties=True)}" for key, value in properties.items() if value)
    message = finding.message + (f"\nfix: {finding.fix}" if finding.fix else "")
    return f"::{finding.severity.value} {values}::{_escaped(message)}"


def _escaped(text: str, *, properties: bool = False) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if properties else text
