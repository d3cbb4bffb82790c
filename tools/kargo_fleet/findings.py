"""Findings: one small object per mistake in a fleet, with a place, a stable code, a message and a fix.

A check returns Problems, which locate a mistake in a text or in merged values. The caller that knows the file turns them
into Findings (`Problem.at`; fleet/layers.py for values that come from several files), and `merged` combines those of all
services.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

#: A path into a document: keys and list indices from the root.
KeyPath = tuple[str | int, ...]


def dotted(path: KeyPath) -> str:
    """Return a path as people write it: stages.prod.upstream[0]."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def value_at(values: Any, path: KeyPath) -> Any:
    """Return the value that a path of keys leads to in nested mappings, None when there is none."""
    for part in path:
        values = values.get(part) if isinstance(values, dict) else None
    return values


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


class Position(NamedTuple):
    """A place in a text. Line and column count from 1."""

    line: int
    column: int


def position_at(text: str, offset: int) -> Position:
    """Return the position of the character at `offset` of a text."""
    before = text[:offset]
    return Position(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)


class Place(NamedTuple):
    """A place in a file of the repository. Line and column count from 1; 0 means the file or folder as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ":".join(str(part) for part in self if part)


@dataclass(frozen=True, order=True)
class Finding:
    """One mistake. Findings sort by file, line and column.

    `service` is empty when the mistake does not belong to a single service. `path` leads to the invalid value, if it is a
    value of the fleet. `cause` is what several findings have in common whose messages differ, such as a host that does not answer.
    """

    place: Place
    code: str
    message: str
    fix: str = ""
    service: str = ""
    path: KeyPath = field(default=(), compare=False)
    cause: str = field(default="", compare=False)

    @property
    def severity(self) -> Severity:
        return severity_of(self.code)


def severity_of(code: str) -> Severity:
    """Return the severity of a code."""
    return Severity.WARNING if code.startswith("KFW") else Severity.ERROR


class Problem(NamedTuple):
    """One mistake in a document, without the file that the document is in.

    It is located at `position` if that is known, else at the value that `path` leads to; with `at_key`, at its key. A
    problem with neither concerns the document as a whole.
    """

    code: str
    message: str
    fix: str = ""
    path: KeyPath = ()
    at_key: bool = False
    position: Position | None = None

    @property
    def is_error(self) -> bool:
        return severity_of(self.code) is Severity.ERROR

    def at(self, place: Place, service: str = "") -> Finding:
        """Return the finding for this problem at `place`. `service` is empty when it does not belong to a single service."""
        return Finding(place, self.code, self.message, self.fix, service, self.path)

    def in_file(self, file: str, service: str = "") -> Finding:
        """Return the finding for this problem in `file`, at its position or, without one, in the file as a whole."""
        return self.at(Place(file, *(self.position or ())), service)


def problem_at(path: KeyPath, code: str, message: str, fix: str = "") -> Problem:
    """Return the problem at a path of the values, in the words of the chart, which has no fixes: "<path>: <message>"."""
    return Problem(code, f"{dotted(path)}: {message}", fix, path)


# The title of every code. docs/findings.md explains each; a test compares the two.
CODES = {
    "KF001": "file cannot be read",
    "KF002": "not valid YAML",
    "KF003": "duplicate key",
    "KF004": "not plain data",
    "KF006": "further errors are not listed",
    "KF009": "symbolic link is not followed",
    "KF010": "file could not be written",
    "KF101": "unknown key",
    "KF102": "wrong type",
    "KF103": "value is not allowed",
    "KF104": "required value is missing",
    "KF105": "chart cannot be used",
    "KF106": "chart has another version",
    "KF201": "folder name is not a valid service name",
    "KF202": "name is reserved",
    "KF203": "no services",
    "KF204": "name must not be set here",
    "KF205": "group is invalid",
    "KF206": "two services have the same name",
    "KF207": "services are at another level",
    "KF208": "kind of object is not allowed",
    "KF209": "object does not belong to the unit",
    "KF210": "folder of a service is a symbolic link",
    "KF301": "pipeline is invalid",
    "KF302": "not a version constraint",
    "KF303": "not a regular expression",
    "KF304": "repository is subscribed to twice",
    "KF305": "two stages write the same file",
    "KF306": "promotion is invalid",
    "KF307": "access rule is invalid",
    "KF308": "unknown shard",
    "KF309": "placeholder is not replaced",
    "KF310": "null removes nothing",
    "KF311": "config of a step is invalid",
    "KF312": "requires a newer Kargo",
    "KF313": "artifact is not in the Freight",
    "KF316": "pull requests are not supported there",
    "KF317": "label is set by Kargo",
    "KF351": "value breaks a rule",
    "KF352": "exception from a rule has ended",
    "KF353": "policy is invalid",
    "KF401": "values file of a stage is missing",
    "KF402": "values file of a stage cannot be updated",
    "KF403": "key holds a whole image",
    "KF501": "generated file is out of date",
    "KF502": "generated file was edited",
    "KF503": "generated file belongs to no service",
    "KF504": "pruning was refused",
    "KF505": "file to edit is a symbolic link",
    "KF601": "not valid for Argo CD",
    "KF602": "file that Argo CD reads is missing",
    "KF603": "source of Argo CD could not be checked",
    "KF801": "unit could not be deployed",
    "KF802": "unit could not be deleted",
    "KF803": "unit could not be rendered",
    "KF804": "manifest does not fit Kargo's CRDs",
    "KF901": "registry limit is exceeded",
    "KF902": "controller is overloaded",
    "KF903": "branch gets too many pushes",
    "KF904": "etcd is too small",
    "KF905": "ApplicationSets are too slow",
    "KF906": "quota is too small",
    "KFW006": "further warnings are not listed",
    "KFW101": "group matches no service",
    "KFW102": "example of the template is not replaced",
    "KFW201": "file is ignored",
    "KFW202": "name is too long for a Helm release",
    "KFW203": "folder is not watched by Argo CD",
    "KFW208": "name is probably misspelled",
    "KFW209": "variable is evaluated later",
    "KFW301": "constraint matches one version only",
    "KFW302": "production is promoted automatically",
    "KFW303": "Git URL is deprecated",
    "KFW304": "Git URL is not encrypted",
    "KFW305": "interval is below Kargo's minimum",
    "KFW306": "value has no effect",
    "KFW307": "promotion writes another service's file",
    "KFW308": "constraint is empty",
    "KFW309": "text has a placeholder that is not replaced",
    "KFW310": "null has no effect",
    "KFW311": "repository will be refused the second time",
    "KFW312": "key of a step is deprecated",
    "KFW316": "Git subscription sees the promotions' commits",
    "KFW317": "step needs what is not checked out",
    "KFW318": "commits are not signed",
    "KFW319": "soak time is never honoured",
    "KFW320": "pattern is taken for a name",
    "KFW321": "promotion writes another stage's file",
    "KFW322": "Freight is taken directly and from upstream",
    "KFW351": "value breaks a rule that only warns",
    "KFW352": "exception from a rule ends soon",
    "KFW401": "comment will be lost",
    "KFW402": "Warehouse would never take the present tag",
    "KFW406": "values file of no stage",
    "KFW501": "generated file was edited and is kept",
    "KFW502": "generated file belongs to no service",
    "KFW503": "file was not generated",
    "KFW504": "ApplicationSet does not list a service",
    "KFW601": "ApplicationSets are renamed",
    "KFW602": "vendored chart is of another version",
    "KFW603": "fleet is not in the root of its Git repository",
    "KFW801": "rendered file belongs to no service",
    "KFW901": "registry limit is nearly reached",
    "KFW902": "controller is nearly overloaded",
    "KFW903": "branch gets nearly too many pushes",
    "KFW904": "etcd is nearly too small",
    "KFW905": "ApplicationSets are nearly too slow",
    "KFW906": "quota is nearly too small",
}


def merged(services: Iterable[Iterable[Finding]]) -> list[Finding]:
    """Return the findings of many services, sorted, each mistake once.

    A finding about inherited values names no service: it is kept from the first service that has it, for all others.
    """
    found: set[Finding] = set()
    inherited: set[tuple[Place, str, str]] = set()
    for findings in services:
        new = set()
        for finding in findings:
            # One mistake per place of a shared file; the messages may differ in the name of the service.
            key = (finding.place, finding.code, "" if finding.place.line else finding.message)
            if finding.service:
                found.add(finding)
            elif key not in inherited:
                found.add(finding)
                new.add(key)
        inherited |= new
    return sorted(found)


def grouped(findings: Iterable[Finding]) -> list[tuple[Finding, list[Finding]]]:
    """Return findings of many services, those that differ only in the service, or have one cause, together: the first, and the others.

    The groups are in the order of their first findings, and each has a service once. A finding at a line of a file that is
    not the service's own stands for itself.
    """
    groups: dict[tuple[object, ...], list[Finding]] = {}
    seen: Counter[tuple[object, ...]] = Counter()
    for finding in findings:
        file = _without_service(finding, finding.place.file)
        is_own = not finding.place.line or file != finding.place.file
        where: object = (finding.place.line and file) if is_own else finding.place
        key: tuple[object, ...] = (finding.code, finding.cause)
        if not finding.cause:
            key = (
                finding.code,
                _without_service(finding, finding.message),
                _without_service(finding, finding.fix),
                where,
            )
        again = (finding.service, *key)
        groups.setdefault((*key, seen[again] if finding.place.line else 0), []).append(finding)
        seen[again] += 1
    return [(first, others) for first, *others in groups.values()]


def _without_service(finding: Finding, text: str) -> str:
    """Return a part of a finding with the service's name left open, where it is a whole word."""
    if not finding.service:
        return text
    return re.sub(rf"(?<![\w-]){re.escape(finding.service)}(?![\w-])", "<service>", text)


def has_errors(findings: Iterable[Finding]) -> bool:
    """Return whether any of the findings is an error, which makes the exit status 1."""
    return any(finding.severity is Severity.ERROR for finding in findings)
