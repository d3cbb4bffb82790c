"""The services of a repository, as its folders and values files show them: names, stages, the tag's key, the registry."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kargo_fleet.errors import FleetError
from kargo_fleet.files.reading import MOST, read_bytes
from kargo_fleet.fleet.folder_pattern import TEAM, FolderPattern
from kargo_fleet.fleet.service_file import EXAMPLE
from kargo_fleet.onboard.candidates import Candidate, candidates, position, rank, stages_in_the_root, unusable
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.image_references import is_registry
from kargo_fleet.text.words import first_of, plural

_RESEMBLES = re.compile(r"(.*/)?(values[^/]*|[^/]*values)\.ya?ml")
_MOST_FILES = 300  # that are read: enough to see what is usual


@dataclass(frozen=True)
class Layout:
    """What was seen. `services` has each service's stages; `others` how many such folders stand elsewhere.

    `folders` is the pattern of the services' folders, `file` what the values file of a stage is called. `twice` are services whose
    name several teams have. `unusable` are words in place of a registry that are none, such as a variable of another tool.
    """

    folders: FolderPattern
    file: str
    services: Mapping[str, frozenset[str]]
    others: Mapping[str, int]
    twice: Sequence[str]
    service_file: str
    tag_key: str
    registry: str
    registries: Mapping[str, int]
    unusable: Sequence[str]

    @property
    def stages(self) -> list[str]:
        """The stages that at least half of the services have, in order."""
        count = Counter(stage for stages in self.services.values() for stage in stages)
        usual = [stage for stage, number in count.items() if 2 * number >= len(self.services)]
        return sorted(usual or count, key=lambda stage: (rank(stage), position(stage), stage))

    @property
    def unusual(self) -> list[str]:
        """The services with other stages than the usual ones."""
        return sorted(name for name, stages in self.services.items() if stages != frozenset(self.stages))


def layout_of(root: Path, files: Sequence[str]) -> Layout:
    """Return the services in `files`, paths in the repository. Raises FleetError when there are none."""
    known = candidates(files)
    if not known and (taken := unusable(files)):
        raise FleetError(
            f"the services are in {first_of(taken)}, where kargo-fleet writes its own files\n"
            f"Move them to another folder, such as services: `git mv {taken[0]} services`."
        )
    if not known:
        raise FleetError(_nothing(files))
    best, *rest = known
    others = [one for one in rest if not one.folders.keys() & best.folders.keys()]
    services = {name: frozenset(stages) for name, stages in sorted(best.services.items())}
    values = list(_values(root, best, files))
    named = Counter(registry for service, data in values for registry in _of_team(best, service, data))
    registries = {name: count for name, count in named.items() if is_registry(name)}
    return Layout(
        folders=best.layout,
        file=best.file,
        services=services,
        others={one.folder: len(one.services) for one in sorted(others, key=lambda one: one.folder)},
        twice=best.twice,
        service_file=_service_file(best, files),
        tag_key=_tag_key(data for _, data in values),
        registry=_most(registries),
        registries=registries,
        unusable=[name for name in named if name not in registries],
    )


def _service_file(layout: Candidate, files: Sequence[str]) -> str:
    """Return `serviceFile` for an environment-first tree, unless its folder is there and is something else."""
    folder = EXAMPLE.partition("/")[0]
    is_free = not any(file.startswith(f"{folder}/") for file in files)
    return EXAMPLE if layout.layout.has_stages and is_free else ""


def _of_team(layout: Candidate, service: str, data: dict[str, Any]) -> Iterator[str]:
    """Yield the registries of a service's images, with `<team>` for a team's name at the end."""
    (team, *_) = sorted(layout.teams.get(service, ())) or [""]
    for registry in _registries(data, service):
        above, slash, last = registry.rpartition("/")
        yield f"{above}/{TEAM}" if slash and team and last == team else registry


def _nothing(files: Sequence[str]) -> str:
    resembling = [file for file in files if _RESEMBLES.fullmatch(file)]
    seen = f"; files that resemble one: {first_of(resembling)}" if resembling else ""
    if stages := stages_in_the_root(files):
        return (
            f"no services: the folders of the stages ({first_of(stages)}) are in the root of the repository\n"
            f"Move the folders of the stages into one: `mkdir envs && git mv {' '.join(stages)} envs/`."
        )
    return (
        f"no services: none of {plural(len(files), 'file')} is <service>/values-<stage>.yaml in some folder{seen}\n"
        "Every service is a folder with one values file per stage, such as services/nginx/values-dev.yaml."
    )


def _values(root: Path, layout: Candidate, files: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the content of values files, up to a limit; a file that cannot be read is left to `check`."""
    count = 0
    for file in files:
        folder, _, name = file.rpartition("/")
        if folder not in layout.folders or not _RESEMBLES.fullmatch(name):
            continue
        count += 1
        if count > _MOST_FILES:
            return
        try:
            yield layout.folders[folder], yaml_reader.parse(read_bytes(root / file, MOST).decode("utf-8-sig"))
        except (OSError, UnicodeDecodeError, yaml_reader.YamlError):
            continue


def _images(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield the mappings that describe an image, each with its path: `image`, or one above."""
    if not isinstance(values, dict):
        return
    if path and path[-1].lower().endswith("image") and {"tag", "repository", "registry"} & values.keys():
        yield path, values
    for key, value in values.items():
        yield from _images(value, (*path, str(key)))


def _tag_key(files: Iterable[dict[str, Any]]) -> str:
    """Return the key of the tag that most files have; image.tag when none has another."""
    keys = Counter(
        ".".join((*(part.replace(".", "\\.") for part in path), "tag"))
        for data in files
        for path, image in _images(data)
        if isinstance(image.get("tag"), str | int | float)
    )
    return "image.tag" if not keys or keys["image.tag"] == max(keys.values()) else _most(keys)


def _registries(data: dict[str, Any], service: str) -> Iterator[str]:
    """Yield what stands before the service's name in its image."""
    for _, image in _images(data):
        parts = [image.get("registry"), image.get("repository")]
        name = "/".join(part.strip("/") for part in parts if isinstance(part, str) and part.strip("/"))
        registry, slash, last = name.rpartition("/")
        if slash and last == service:
            yield registry.removeprefix("https://")


def _most(counted: Mapping[str, int]) -> str:
    return min(counted, key=lambda name: (-counted[name], name), default="")
