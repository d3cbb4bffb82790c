"""The services of a fleet: which ones there are, which ones a person means, and which names they may have."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from kargo_fleet.errors import FleetError
from kargo_fleet.findings import Finding, Place
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.failures import failure
from kargo_fleet.fleet.names import (
    LONGEST_RELEASE,
    LONGEST_SERVICE,
    PROJECT,
    NameFault,
    fault_of,
)
from kargo_fleet.fleet.projects import filled
from kargo_fleet.text.words import did_you_mean


def services(fleet: Fleet) -> tuple[list[str], list[Finding]]:
    """Return the names of the services, sorted; or none, and the reason. The names are not validated: see `name_findings`."""
    return fleet.tree.names, list(fleet.tree.findings)


def some(fleet: Fleet, names: Iterable[str] = ()) -> list[str]:
    """Return the services that a person means by `names`, all when there are none. Raises FleetError without any service."""
    known, found = services(fleet)
    for finding in found:
        if not known:
            raise failure(finding)
    return chosen(fleet, names, known) or known


def chosen(
    fleet: Fleet,
    names: Iterable[str],
    known: Collection[str],
    *,
    where: str = "",
    also: Callable[[str], bool] = lambda _: False,
) -> list[str]:
    """Return the services that a person means by `names`, sorted, each once.

    A name may be a glob (`pay-*`) over the `known` services, or the path of the service's folder or of a file in it, with
    or without a slash at its end. Where there are teams, it may be a team's service (`payments/api`) or a glob over these.
    Other names count only if `also` accepts them. Raises FleetError for all names that are none of these, with suggestions;
    they are missing `where`, by default in the folder of all services.
    """
    found: set[str] = set()
    missing = []
    for name in (_name(fleet, given) for given in names):
        matches = [name] if name in known or also(name) else fnmatch.filter(known, name) or _of_team(fleet, name, known)
        found.update(matches)
        missing += [] if matches else [name]
    if missing:
        raise unknown(missing, known, where or f"{fleet.layout.base}/")
    return sorted(found)


def is_glob(name: str) -> bool:
    """Return whether a name on the command line is a pattern for several services."""
    return bool(set(name) & set("*?["))


def _of_team(fleet: Fleet, name: str, known: Collection[str]) -> list[str]:
    """Return the services that a name such as payments/api or payments/* means."""
    return [one.service for one in fleet.tree.folders if one.service in known and fnmatch.fnmatchcase(one.path, name)]


def _name(fleet: Fleet, given: str) -> str:
    """Return the name of a service that is given by its name or, as a shell completes it, by a path.

    A path is relative to the current folder, as those of other programs, or else to the repository.
    """
    if "/" not in given and given not in (".", ".."):
        return given
    services = os.path.realpath(fleet.root / fleet.layout.base)
    for start in (os.getcwd(), fleet.root):
        path = os.path.relpath(os.path.realpath(os.path.join(start, given)), services)
        if not path.startswith("..") and (found := fleet.layout.find(path)):
            return found
    return given.rstrip("/")


def unknown(names: Iterable[str], known: Iterable[str], where: str) -> FleetError:
    """Return the error for names that are not services in `where`, with suggestions from the `known` ones."""
    known = list(known)
    lines = []
    for name in names:
        hint = did_you_mean(Path(name).name, known)
        if "," in name:
            hint = f"separate services with spaces: {' '.join(filter(None, name.split(',')))}"
        what = "no service matches" if is_glob(name) else "there is no service"
        lines.append(f"{what} {name!r} in {where}{hint and f'; {hint}'}")
    return FleetError("\n".join(lines))


def name_findings(folder: str, name: str) -> list[Finding]:
    """Return the findings about the name of the service in `folder`."""
    place = Place(folder)
    fault = fault_of(name)
    if fault is NameFault.NOT_A_LABEL:
        suggestion = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        fix = "rename the folder" + (f" to {suggestion}" if suggestion else "")
        message = (
            f'"{name}" is not a valid service name: only a-z, 0-9 and -, starting and ending with a letter or digit'
        )
        return [Finding(place, "KF201", message, fix, name)]
    if fault is NameFault.TOO_LONG:
        message = f'"{name}" is {len(name)} characters long; service names are limited to {LONGEST_SERVICE} characters'
        return [Finding(place, "KF201", message, "rename the folder", name)]
    if fault is NameFault.RESERVED:
        message = f'"{name}" is reserved; Kargo itself uses the namespace {filled(PROJECT, name)}'
        return [Finding(place, "KF202", message, "rename the folder", name)]
    if len(name) > LONGEST_RELEASE:
        message = (
            f'"{name}" is {len(name)} characters long; Helm release names are limited to {LONGEST_RELEASE} characters'
        )
        fix = "rename the folder, or pass a shorter release name to helm install"
        return [Finding(place, "KFW202", message, fix, name)]
    return []
