"""The services of a fleet: the folders of `services/`."""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
from collections.abc import Callable, Collection, Iterable
from itertools import pairwise
from pathlib import Path

from kargo_fleet.errors import FleetError
from kargo_fleet.findings import Finding, Place
from kargo_fleet.fleet.names import (
    FLEET_FILE,
    LONGEST_RELEASE,
    LONGEST_SERVICE,
    NameFault,
    fault_of,
    project_of,
)
from kargo_fleet.text.words import did_you_mean


def services(root: Path, folder: str) -> tuple[list[str], list[Finding]]:
    """Return the names of the folders that are services, sorted; or none, and the reason.

    Files, hidden folders and folders that start with `_` are ignored. Symbolic links to folders are followed. The names are
    not validated: see `name_findings`.
    """
    try:
        with os.scandir(root / folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name[0] not in "._" and entry.is_dir())
    except FileNotFoundError:
        return [], [_nothing(root, folder, "the folder does not exist")]
    except OSError as error:
        return [], [
            Finding(
                Place(folder),
                "KF001",
                f"cannot be read: {error.strerror}",
                "check that it is a folder that you may read",
            )
        ]
    if not names:
        return [], [_nothing(root, folder, "the folder has no subfolders")]
    return names, []


def some(root: Path, folder: str, names: Iterable[str] = ()) -> list[str]:
    """Return the services that a person means by `names`, all when there are none. Raises FleetError without any service."""
    known, found = services(root, folder)
    for finding in found:
        raise FleetError(f"{finding.place}: {finding.message}\n{finding.fix}")
    return chosen(root, folder, names, known) or known


def chosen(
    root: Path,
    folder: str,
    names: Iterable[str],
    known: Collection[str],
    *,
    where: str = "",
    also: Callable[[str], bool] = lambda _: False,
) -> list[str]:
    """Return the services that a person means by `names`, sorted, each once.

    A name may be a glob (`pay-*`) over the `known` services, or the path of the service's folder or of a file in it, with
    or without a slash at its end. Other names count only if `also` accepts them. Raises FleetError for all names that are
    none of these, with suggestions; they are missing `where`, by default in `folder`.
    """
    found: set[str] = set()
    missing = []
    for name in (_name(root, folder, given) for given in names):
        matches = [name] if name in known or also(name) else fnmatch.filter(known, name)
        found.update(matches)
        missing += [] if matches else [name]
    if missing:
        raise unknown(missing, known, where or f"{folder}/")
    return sorted(found)


def is_glob(name: str) -> bool:
    """Return whether a name on the command line is a pattern for several services."""
    return bool(set(name) & set("*?["))


def _name(root: Path, folder: str, given: str) -> str:
    """Return the name of a service that is given by its name or, as a shell completes it, by a path.

    A path is relative to the current folder, as those of other programs, or else to the repository.
    """
    if "/" not in given and given not in (".", ".."):
        return given
    services = os.path.realpath(root / folder)
    for start in (os.getcwd(), root):
        path = os.path.relpath(os.path.realpath(os.path.join(start, given)), services)
        if not path.startswith(".."):
            return path.partition("/")[0]
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


def _above(root: Path) -> Path | None:
    """Return the closest parent folder of `root` that is a fleet, if there is one in the same Git repository."""
    here = root.resolve()
    for folder, parent in pairwise([here, *here.parents]):
        if (folder / ".git").exists():
            break
        if (parent / FLEET_FILE).is_file():
            return parent
    return None


def _nothing(root: Path, folder: str, why: str) -> Finding:
    fix = f"create {folder}/<service>/ with a values-<stage>.yaml per stage, or set `services` in {FLEET_FILE}"
    if not (root / FLEET_FILE).exists():
        fix = f"there is no {FLEET_FILE}: run `kargo-fleet init`, which finds the services in other folders, too"
        if above := _above(root):
            fix = f"the fleet is above this folder: pass -C {shlex.quote(str(above))}"
    return Finding(Place(folder), "KF203", f"no services: {why}", fix)


def name_findings(folder: str, name: str) -> list[Finding]:
    """Return the findings about the name of a service."""
    place = Place(f"{folder}/{name}")
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
        message = f'"{name}" is reserved; Kargo itself uses the namespace {project_of(name)}'
        return [Finding(place, "KF202", message, "rename the folder", name)]
    if len(name) > LONGEST_RELEASE:
        message = (
            f'"{name}" is {len(name)} characters long; Helm release names are limited to {LONGEST_RELEASE} characters'
        )
        fix = "rename the folder, or pass a shorter release name to helm install"
        return [Finding(place, "KFW202", message, fix, name)]
    return []
