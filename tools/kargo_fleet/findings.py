"""What is wrong in a fleet: one small object per mistake, with a place, a stable code, a message and a fix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


class Place(NamedTuple):
    """A place in a file of the repository. Line and column count from 1; 0 means the file or folder as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ":".join(str(part) for part in self if part)


@dataclass(frozen=True, order=True)
class Finding:
    """One mistake. They sort by file, line and column."""

    place: Place
    code: str
    message: str
    fix: str = ""
    service: str = ""

    @property
    def severity(self) -> Severity:
        return Severity.WARNING if self.code.startswith("KFW") else Severity.ERROR


# Every code, with what it stands for. docs/findings.md explains each; a test holds the two together.
CODES = {
    "KF001": "file cannot be read",
    "KF002": "not valid YAML",
    "KF003": "key appears twice",
    "KF004": "not plain data",
    "KF101": "unknown key",
    "KF102": "wrong type",
    "KF103": "value is not allowed",
    "KF104": "required value is missing",
    "KF105": "chart cannot be used",
    "KF201": "folder's name cannot be the name of a service",
    "KF202": "name is reserved",
    "KF203": "no services",
    "KF204": "name is decided by the folder",
    "KF205": "group has mistakes",
    "KF301": "pipeline cannot work",
    "KF302": "not a version constraint",
    "KF303": "not a regular expression",
    "KF304": "image is subscribed to twice",
    "KF305": "two stages write the same file",
    "KF306": "promotion steps cannot work",
    "KF307": "access rule cannot work",
    "KF308": "unknown shard",
    "KF401": "values file of a stage is missing",
    "KF402": "values file of a stage cannot be updated",
    "KF501": "generated file is out of date",
    "KF502": "generated file was edited",
    "KF503": "generated file belongs to no service",
    "KF504": "pruning was refused",
    "KF601": "Argo CD cannot work with this",
    "KF801": "unit could not be deployed",
    "KF802": "unit could not be deleted",
    "KF803": "unit could not be rendered",
    "KF804": "manifest does not fit Kargo's CRDs",
    "KF901": "registry is asked too often",
    "KF902": "controller cannot keep up",
    "KF903": "branch takes fewer pushes",
    "KF904": "etcd is too small",
    "KF905": "ApplicationSets cannot keep up",
    "KF906": "quota stops promotions",
    "KFW101": "group matches no service",
    "KFW201": "file is not read",
    "KFW202": "name is too long for a Helm release",
    "KFW301": "constraint matches one version only",
    "KFW302": "production promotes itself",
    "KFW303": "Git URL will stop working",
    "KFW304": "Git URL is not encrypted",
    "KFW305": "interval is below Kargo's floor",
    "KFW306": "value has no effect",
    "KFW307": "promotion writes another service's file",
    "KFW308": "constraint is empty",
    "KFW401": "comment will be lost",
    "KFW501": "generated file was edited and is kept",
    "KFW502": "generated file belongs to no service",
    "KFW503": "file was not generated",
    "KFW601": "ApplicationSets get new names",
    "KFW801": "rendered file belongs to no service",
    "KFW901": "registry is nearly asked too often",
    "KFW902": "controller is nearly full",
    "KFW903": "branch is nearly full",
    "KFW904": "etcd is nearly full",
    "KFW905": "ApplicationSets are nearly too slow",
    "KFW906": "quota is nearly full",
}


def has_errors(findings: Iterable[Finding]) -> bool:
    """Say whether any of the findings is an error, which makes the exit status 1."""
    return any(finding.severity is Severity.ERROR for finding in findings)
