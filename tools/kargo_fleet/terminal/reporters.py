"""Reporters for findings and changes: text for people, JSON for programs, annotations for GitHub."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TextIO

from kargo_fleet.findings import Finding, Severity


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


@dataclass(frozen=True)
class Change:
    """What a run did to a file, or would do: created, updated, removed, kept.

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


def show(report: Report, output: Format) -> None:
    """Print a report: changes and findings on stdout, the summary on stderr."""
    if output is Format.JSON:
        print(json.dumps(as_data(report), indent=2, ensure_ascii=False), flush=True)
        return
    for change in report.changes:
        print(change.diff or _line(change), end="" if change.diff else "\n")
    for finding in report.findings:
        print(_annotation(finding) if output is Format.GITHUB else _text(finding, sys.stdout))
    sys.stdout.flush()
    if report.summary:
        print(report.summary, file=sys.stderr)


def as_data(report: Report) -> dict[str, Any]:
    """Return a report as plain data; docs/findings.md describes it."""
    return {
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


def _line(change: Change) -> str:
    moves = f" (shard {change.shard[0] or 'none'} → {change.shard[1] or 'none'})" if change.shard else ""
    return f"{change.action:8} {change.path}{moves}"


def counts(findings: Sequence[Finding]) -> str:
    """Return the number of errors and warnings: "1 error, 2 warnings"."""
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    warnings = len(findings) - errors
    return f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}"


def _text(finding: Finding, stream: TextIO) -> str:
    severity = _coloured(finding.severity.value, "31" if finding.severity is Severity.ERROR else "33", stream)
    fix = f"\n    fix: {finding.fix}" if finding.fix else ""
    return f"{finding.place}: {severity} {finding.code}: {finding.message}{fix}"


def _coloured(text: str, colour: str, stream: TextIO) -> str:
    import os

    if os.environ.get("NO_COLOR") or not stream.isatty():
        return text
    return f"\x1b[1;{colour}m{text}\x1b[0m"


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
