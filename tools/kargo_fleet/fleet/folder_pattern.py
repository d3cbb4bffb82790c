"""Where the services of a repository are: `services` of fleet.yaml, a folder or a pattern of their folders.

services/<team>/<service> has a folder per service, envs/<stage>/<service> one per stage and service.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from kargo_fleet.fleet.names import WRITTEN_FOLDERS

#: One part of a path from the root of the repository, as a regular expression.
_PART = r"[A-Za-z0-9_-][A-Za-z0-9_.-]*"
_FOLDER = rf"{_PART}(/{_PART})*"
#: A path from the root of the repository.
FOLDER_PATTERN = f"^{_FOLDER}$"
#: What `services` may be. The first part is fixed: `<team>/<service>` would take charts/kargo-service for a service.
SERVICES_PATTERN = rf"^{_FOLDER}((/<(team|stage)>(/{_PART})*)?/<service>)?$"
#: What it may not be: what this tool writes.
WRITTEN_PATTERN = rf"^({'|'.join(WRITTEN_FOLDERS)})(/|$)"

SERVICE, TEAM, STAGE = "<service>", "<team>", "<stage>"


def is_services(text: str) -> bool:
    """Return whether a text may be `services` of fleet.yaml."""
    return re.search(SERVICES_PATTERN, text) is not None and not re.search(WRITTEN_PATTERN, text)


class Found(NamedTuple):
    """A folder of a service, from the root of the repository; `team` is "" where the layout has no teams.

    `stage` is the stage that the folder is for, "" where a service has one folder for all. `link` is the folder on this path
    that is a symbolic link, "" when none is. `fault` is why the folder cannot be looked at, "" when it can; then `service` may be
    "" for a folder above those of services.
    """

    service: str
    team: str
    folder: str
    link: str = ""
    stage: str = ""
    fault: str = ""

    @property
    def path(self) -> str:
        """The service's name with the team's, as people write it: payments/api."""
        return f"{self.team}/{self.service}" if self.team else self.service


@dataclass(frozen=True)
class FolderPattern:
    """A pattern of the services' folders, from the root of the repository. It ends with `/<service>`."""

    pattern: str

    @classmethod
    def of(cls, services: str) -> FolderPattern:
        """Return the layout that `services` of fleet.yaml stands for; a folder stands for one with a folder per service."""
        services = services.strip("/")
        return cls(services if SERVICE in services else f"{services}/{SERVICE}")

    @cached_property
    def parts(self) -> list[str]:
        """The parts of the pattern."""
        return self.pattern.split("/")

    @property
    def has_teams(self) -> bool:
        """Whether each service belongs to a team."""
        return TEAM in self.parts

    @property
    def has_stages(self) -> bool:
        """Whether each service has a folder per stage: an environment-first tree."""
        return STAGE in self.parts

    @property
    def is_flat(self) -> bool:
        """Whether it is one folder with a folder per service."""
        return not (self.has_teams or self.has_stages)

    @property
    def values_file(self) -> str:
        """The pattern of the values files that promotions write, unless the values say another."""
        return f"{self.pattern}/{'values' if self.has_stages else 'values-<stage>'}.yaml"

    @property
    def team_index(self) -> int:
        """Which part of the path of a service's folder is the team; only where there are teams."""
        return self.parts.index(TEAM)

    @property
    def parent(self) -> str:
        """The pattern of the folder that a service's folder is in: services, or services/<team>."""
        return "/".join(self.parts[:-1])

    @cached_property
    def base(self) -> str:
        """The folder that all services are below."""
        return "/".join(self.parts[: next(index for index, part in enumerate(self.parts) if part[0] == "<")])

    def folder(self, service: str, team: str = "", stage: str = STAGE) -> str:
        """Return the folder of a service; in an environment-first tree that of one stage, or else a pattern of them."""
        return self.pattern.replace(TEAM, team).replace(STAGE, stage).replace(SERVICE, service)

    def scan(self, root: Path) -> list[Found]:
        """Return the folders of services, sorted. Raises OSError when the folder that all are below cannot be read.

        Files, hidden folders and folders that start with `_` are ignored. Symbolic links to folders are followed, and told. A
        folder below that cannot be looked at, such as a link to itself, is told as well: it may be a service's.
        """
        above = self.parts[: self.base.count("/") + 1]
        link = next((path for path in accumulate(above, "{}/{}".format) if (root / path).is_symlink()), "")
        return sorted(_matches(root, self.base, self.parts[len(above) :], {}, link))

    def find(self, path: str) -> str:
        """Return the service that a path below `base` leads to, as `Found.path` has it; "" when it leads to none.

        The path of a team's folder is a pattern for the team's services.
        """
        wanted = self.parts[self.base.count("/") + 1 :]
        given = path.split("/")
        words: dict[str, str] = {}
        for part, name in zip(wanted, given, strict=False):
            if part[0] == "<":
                words[part] = name
            elif part != name:
                return ""
        if (self.has_teams and TEAM not in words) or (self.has_stages and SERVICE not in words):
            return ""
        return "/".join([*([words[TEAM]] if self.has_teams else []), words.get(SERVICE, "*")])


def _matches(root: Path, folder: str, below: list[str], words: dict[str, str], link: str) -> Iterator[Found]:
    """Yield the services in `folder` whose path in it matches the parts of a pattern.

    `words` are the placeholders that the path has so far, `link` is a link on the way there.
    """
    part, *rest = below
    try:
        entries = _subfolders(root / folder) if part[0] == "<" else _fixed(root / folder / part)
    except OSError as error:
        if not words:  # the folder that all services are below
            raise
        yield Found("", words.get(TEAM, ""), folder, link, words.get(STAGE, ""), error.strerror or str(error))
        return
    for name, is_link, fault in entries:
        inner = f"{folder}/{name}"
        linked = link or (inner if is_link else "")
        known = words if part[0] != "<" else {**words, part: name}
        if part == SERVICE or fault:
            yield Found(known.get(SERVICE, ""), known.get(TEAM, ""), inner, linked, known.get(STAGE, ""), fault)
        else:
            yield from _matches(root, inner, rest, known, linked)


def _subfolders(folder: Path) -> list[tuple[str, bool, str]]:
    """Return the names of the folders in a folder, each with whether it is a symbolic link, and why it cannot be looked at."""
    with os.scandir(folder) as entries:
        found = [
            (entry.name, entry.is_symlink(), *_look(entry.is_dir)) for entry in entries if entry.name[0] not in "._"
        ]
    return sorted((name, is_link, fault) for name, is_link, is_folder, fault in found if is_folder)


def _fixed(folder: Path) -> list[tuple[str, bool, str]]:
    """Return the same for the one folder with a fixed name, if there is one."""
    is_folder, fault = _look(lambda: stat.S_ISDIR(os.stat(folder).st_mode))
    return [(folder.name, folder.is_symlink(), fault)] if is_folder else []


def _look(is_folder: Callable[[], bool]) -> tuple[bool, str]:
    """Return whether something is a folder, or may be one, and then why nobody can tell."""
    try:
        return is_folder(), ""
    except (FileNotFoundError, NotADirectoryError):
        return False, ""
    except OSError as error:
        return True, error.strerror or str(error)
