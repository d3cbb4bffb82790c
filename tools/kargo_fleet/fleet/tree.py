"""The services that a repository has, by its folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kargo_fleet.files.reading import is_absent
from kargo_fleet.findings import Finding, Place
from kargo_fleet.fleet.folder_pattern import STAGE, TEAM, FolderPattern, Found
from kargo_fleet.fleet.names import FLEET_FILE


@dataclass(frozen=True)
class Tree:
    """The folders of services, in order. Without any, `findings` has the reason."""

    folders: tuple[Found, ...]
    findings: tuple[Finding, ...] = ()
    #: Whether there may be services that are not in `folders`: a folder above those of services cannot be read.
    incomplete: bool = False

    @cached_property
    def _by_name(self) -> dict[str, tuple[Found, ...]]:
        found: dict[str, tuple[Found, ...]] = {}
        for one in self.folders:
            found[one.service] = (*found.get(one.service, ()), one)
        return dict(sorted(found.items()))

    @property
    def names(self) -> list[str]:
        """The names of the services, sorted, each once."""
        return list(self._by_name)

    @property
    def paths(self) -> list[str]:
        """The names with their teams, such as payments/api, where there are teams."""
        return list(dict.fromkeys(one.path for one in self.folders))

    @property
    def twice(self) -> list[str]:
        """The folders of services whose name several teams have."""
        return [one.folder for one in self.folders if len({same.team for same in self._by_name[one.service]}) > 1]

    @cached_property
    def stages(self) -> list[str]:
        """The stages that have folders of services, sorted; only in an environment-first tree."""
        return sorted({one.stage for one in self.folders if one.stage})

    @property
    def faults(self) -> list[tuple[str, str]]:
        """The folders of services that cannot be looked at, each with the reason."""
        return [(one.folder, one.fault) for one in self.folders if one.fault]

    @property
    def links(self) -> list[str]:
        """The folders that are symbolic links, and have services."""
        return sorted({one.link for one in self.folders if one.link})

    def found(self, service: str) -> Sequence[Found]:
        """Return the folders of a service: several when teams have services of the same name, or for its stages."""
        return self._by_name.get(service, ())


def read_tree(root: Path, layout: FolderPattern) -> Tree:
    """Look for the services of the repository at `root`."""
    try:
        scanned = layout.scan(root)
    except FileNotFoundError:
        return Tree((), (_nothing(root, layout, "the folder does not exist"),))
    except OSError as error:
        return Tree((), (Finding(Place(layout.base), "KF001", *unreadable(error.strerror or str(error))),))
    folders = [one for one in scanned if one.service]
    above = [one for one in scanned if not one.service]
    unread = tuple(Finding(Place(one.folder), "KF001", *unreadable(one.fault)) for one in above)
    misplaced = (*unread, *_too_high(root, layout, folders))
    if not folders and not misplaced:
        why = "the folder has no subfolders" if layout.is_flat else f"no folder matches {layout.pattern}"
        return Tree((), (_nothing(root, layout, why),))
    return Tree(tuple(folders), misplaced, incomplete=bool(unread))


def unreadable(fault: str) -> tuple[str, str]:
    """Return message and fix for a folder that cannot be looked at."""
    return f"cannot be read: {fault}", "check that it is a folder that you may read"


def _too_high(root: Path, layout: FolderPattern, folders: Sequence[Found]) -> Iterator[Finding]:
    """Yield a finding for each service that stands where teams or stages do: a folder with values files, and without services."""
    above = layout.parts[-2]
    if above not in (TEAM, STAGE):
        return
    used = {*(one.team for one in folders), *(one.stage for one in folders)}
    for found in FolderPattern(f"{layout.pattern.rpartition('/' + above)[0]}/<service>").scan(root):
        if found.service not in used and not found.fault and any((root / found.folder).glob("values-*.yaml")):
            message = f"this folder has values files, but is not a service: services are {layout.pattern}"
            fix = f"move it to {layout.folder(found.service, TEAM)}"
            yield Finding(Place(found.folder), "KF207", message, fix)


def _nothing(root: Path, layout: FolderPattern, why: str) -> Finding:
    what = "a values.yaml" if layout.has_stages else "a values-<stage>.yaml per stage"
    fix = f"create {layout.pattern}/ with {what}, or set `services` in {FLEET_FILE}"
    if is_absent(root / FLEET_FILE):
        fix = f"there is no {FLEET_FILE}: run `kargo-fleet init`, which finds the services in other folders, too"
    return Finding(Place(layout.base), "KF203", f"no services: {why}", fix)
