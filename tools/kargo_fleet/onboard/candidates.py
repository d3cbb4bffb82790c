"""The layouts that the files of a repository may have: a folder of services, one per team, or one per stage."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from kargo_fleet.fleet.folder_pattern import FolderPattern, is_services
from kargo_fleet.fleet.names import NOT_STAGES

_VALUES = re.compile(r"(?P<parent>.+)/(?P<service>[^/]+)/values-(?P<stage>[a-z0-9]([-a-z0-9]*[a-z0-9])?)\.yaml")
_STAGE_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
#: Folders that are preferred among those with the same number of services.
_USUAL_FOLDERS = ("services", "apps", "applications", "workloads")
#: Folders whose subfolders are stages, whatever these are called.
_OF_STAGES = ("env", "envs", "environments", "stages")
#: Folders that are no team's.
_NO_TEAMS = (*_USUAL_FOLDERS, *_OF_STAGES, "charts", "deploy", "helm", "manifests")
#: Words of stages, from the first to the last; a part of a name counts, as in prod-eu.
_ORDER = (
    ("dev", "develop", "development"),
    ("test", "testing", "int", "integration", "sit", "qa"),
    ("staging", "stage", "stg", "uat", "acceptance", "acc", "preprod", "pre"),
    ("prod", "production", "prd", "live"),
)
#: The rank of prod.
PROD = len(_ORDER) - 1


def rank(stage: str) -> int:
    """Return where a stage belongs in a pipeline: 0 for dev up to 3 for prod, 4 when its name does not tell."""
    words = stage.split("-")
    for number, names in reversed(list(enumerate(_ORDER))):
        if any(word.rstrip("0123456789") in names for word in words):
            return number if number != PROD or "pre" not in words else PROD - 1
    return len(_ORDER)


def position(stage: str) -> int:
    """Return the place of a stage among those of its rank: test before qa."""
    names = _ORDER[rank(stage)] if rank(stage) < len(_ORDER) else ()
    return next((index for index, name in enumerate(names) if name in stage.split("-")), len(names))


@dataclass
class Candidate:
    """The services that one pattern of folders gives: each with its stages, its folders, and the team where there are teams.

    `file` is what the values file of a stage is called, with `<stage>` for the stage.
    """

    pattern: str
    file: str = "values-<stage>.yaml"
    services: dict[str, set[str]] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    teams: dict[str, set[str]] = field(default_factory=dict)

    @cached_property
    def layout(self) -> FolderPattern:
        """The pattern."""
        return FolderPattern(self.pattern)

    @property
    def folder(self) -> str:
        """The folder that all services are below."""
        return self.layout.base

    @property
    def preference(self) -> tuple[bool, int, bool, int, int, str]:
        """The order of candidates: the first one is the layout. One folder of a stage alone may be something else."""
        name = self.folder.rpartition("/")[2]
        usual = _USUAL_FOLDERS.index(name) if name in _USUAL_FOLDERS else len(_USUAL_FOLDERS)
        is_alone = self.layout.has_stages and len({stage for stages in self.services.values() for stage in stages}) < 2
        return is_alone, -len(self.services), self.layout.is_flat, usual, self.pattern.count("/"), self.pattern

    @property
    def twice(self) -> list[str]:
        """The services whose name several teams have."""
        return sorted(service for service, teams in self.teams.items() if len(teams) > 1)

    def add(self, folder: str, service: str, stage: str, team: str = "") -> None:
        """Add a values file."""
        self.services.setdefault(service, set()).add(stage)
        self.folders[folder] = service
        if team:
            self.teams.setdefault(service, set()).add(team)


def candidates(files: Iterable[str]) -> list[Candidate]:
    """Return the layouts that `files` may have, the likeliest first."""
    visible = [file for file in files if not any(part[0] in "._" for part in file.split("/"))]
    found: dict[tuple[str, str], Candidate] = {}
    for file in visible:
        for pattern, name, given in (*_flat(file), *_by_stage(file)):
            found.setdefault((pattern, name), Candidate(pattern, name)).add(*given)
    flat = [one for one in found.values() if not one.layout.has_stages]
    everything = [one for one in [*found.values(), *_by_team(flat)] if is_services(one.pattern)]
    return sorted(everything, key=lambda one: one.preference)


def unusable(files: Iterable[str]) -> list[str]:
    """Return the folders of services whose paths `services` of fleet.yaml cannot have, such as those that this tool writes."""
    parents = {pattern for file in files for pattern, _, _ in _flat(file)}
    return sorted(pattern.removesuffix("/<service>") for pattern in parents if not is_services(pattern))


def stages_in_the_root(files: Iterable[str]) -> list[str]:
    """Return the folders of stages that are not in a folder, as `services` of fleet.yaml requires."""
    paths = [file.split("/") for file in files]
    return sorted({path[0] for path in paths if len(path) > 2 and path[-1] == "values.yaml" and _is_stage("", path[0])})


_Given = tuple[str, str, tuple[str, str, str]]


def _flat(file: str) -> Iterator[_Given]:
    """Yield what a values file says of a folder with one folder per service."""
    found = _VALUES.fullmatch(file)
    if found and not any(part[0] in "._" for part in file.split("/")):
        folder = f"{found['parent']}/{found['service']}"
        yield f"{found['parent']}/<service>", "values-<stage>.yaml", (folder, found["service"], found["stage"])


def _by_stage(file: str) -> Iterator[_Given]:
    """Yield what a values file says of an environment-first tree: a part of its path is a stage, and the last folder a service."""
    *folders, name = file.split("/")
    for index, stage in enumerate(folders[:-1]):
        if (
            index == 0
            or not _is_stage(folders[index - 1], stage)
            or name not in ("values.yaml", f"values-{stage}.yaml")
        ):
            continue
        pattern = "/".join([*folders[:index], "<stage>", *folders[index + 1 : -1], "<service>"])
        yield pattern, name.replace(f"-{stage}.", "-<stage>."), ("/".join(folders), folders[-1], stage)


def _is_stage(above: str, name: str) -> bool:
    if not _STAGE_NAME.fullmatch(name) or name in NOT_STAGES:
        return False
    return above in _OF_STAGES or rank(name) <= PROD


def _by_team(flat: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates with teams: folders of services whose paths differ in one part, and whose services are others."""
    found: dict[str, dict[str, Candidate]] = {}
    for one in flat:
        parts = one.pattern.split("/")
        for index in range(1, len(parts) - 1):
            team = parts[index]
            if team not in _NO_TEAMS and not _is_stage(parts[index - 1], team):
                pattern = "/".join([*parts[:index], "<team>", *parts[index + 1 :]])
                found.setdefault(pattern, {})[team] = one
    return [_joined(pattern, teams) for pattern, teams in found.items() if len(teams) > 1 and not _is_repeated(teams)]


def _is_repeated(teams: Mapping[str, Candidate]) -> bool:
    """Return whether most services are in several folders, which are then clusters or regions, not teams."""
    counted = Counter(service for one in teams.values() for service in one.services)
    return 2 * sum(count > 1 for count in counted.values()) > len(counted)


def _joined(pattern: str, teams: Mapping[str, Candidate]) -> Candidate:
    joined = Candidate(pattern)
    for team, one in sorted(teams.items()):
        for folder, service in one.folders.items():
            for stage in one.services[service]:
                joined.add(folder, service, stage, team)
    return joined
