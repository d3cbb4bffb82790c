"""The services of a repository, as its folders and values files show them: names, stages, the tag's key, the registry."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kargo_fleet.errors import FleetError
from kargo_fleet.fleet.folder_pattern import FOLDER_PATTERN
from kargo_fleet.fleet.names import WRITTEN_FOLDERS
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.image_references import is_registry
from kargo_fleet.text.words import first_of, plural

_VALUES = re.compile(r"(?P<parent>.+)/(?P<service>[^/]+)/values-(?P<stage>[a-z0-9]([-a-z0-9]*[a-z0-9])?)\.yaml")
_RESEMBLES = re.compile(r"(.*/)?(values[^/]*|[^/]*values)\.ya?ml")
#: Folders that are preferred among those with the same number of services.
_USUAL_FOLDERS = ("services", "apps", "applications", "workloads")
#: Words of stages, from the first to the last; a part of a name counts, as in prod-eu.
_ORDER = (
    ("dev", "develop", "development"),
    ("test", "testing", "int", "integration", "sit", "qa"),
    ("staging", "stage", "stg", "uat", "acceptance", "acc", "preprod", "pre"),
    ("prod", "production", "prd", "live"),
)
#: The rank of prod.
PROD = len(_ORDER) - 1
_MOST_FILES = 300  # that are read: enough to see what is usual


@dataclass(frozen=True)
class Layout:
    """What was seen. `services` has each service's stages; `others` how many such folders stand elsewhere.

    `unusable` are words in place of a registry that are none, such as a variable of another tool.
    """

    folder: str
    services: Mapping[str, frozenset[str]]
    others: Mapping[str, int]
    tag_key: str
    registry: str
    registries: Mapping[str, int]
    unusable: Sequence[str] = ()

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


def layout_of(root: Path, files: Sequence[str]) -> Layout:
    """Return the services in `files`, paths in the repository. Raises FleetError when there are none."""
    folders: dict[str, dict[str, set[str]]] = {}
    for file in files:
        found = _VALUES.fullmatch(file)
        hidden = any(part[0] in "._" for part in PurePosixPath(file).parts)
        if found and not hidden and re.search(FOLDER_PATTERN, found["parent"]):
            folders.setdefault(found["parent"], {}).setdefault(found["service"], set()).add(found["stage"])
    taken = [name for name in folders if name.partition("/")[0] in WRITTEN_FOLDERS]
    if taken and len(taken) == len(folders):
        raise FleetError(
            f"the services are in {first_of(sorted(taken))}, where kargo-fleet writes its own files\n"
            f"Move them to another folder, such as services: `git mv {taken[0]} services`."
        )
    for name in taken:
        del folders[name]
    if not folders:
        raise FleetError(_nothing(files))
    folder = min(folders, key=lambda name: (-len(folders[name]), _preference(name), name))
    services = {name: frozenset(stages) for name, stages in sorted(folders[folder].items())}
    others = {name: len(found) for name, found in sorted(folders.items()) if name != folder}
    values = list(_values(root, folder, services, files))
    named = Counter(registry for service, data in values for registry in _registries(data, service))
    registries = {name: count for name, count in named.items() if is_registry(name)}
    tag_key = _tag_key(data for _, data in values)
    unusable = [name for name in named if name not in registries]
    return Layout(folder, services, others, tag_key, _most(registries), registries, unusable)


def _preference(folder: str) -> tuple[int, int]:
    name = folder.rpartition("/")[2]
    return (_USUAL_FOLDERS.index(name) if name in _USUAL_FOLDERS else len(_USUAL_FOLDERS)), folder.count("/")


def _nothing(files: Sequence[str]) -> str:
    resembling = [file for file in files if _RESEMBLES.fullmatch(file)]
    seen = f"; files that resemble one: {first_of(resembling)}" if resembling else ""
    return (
        f"no services: none of {plural(len(files), 'file')} is <service>/values-<stage>.yaml in some folder{seen}\n"
        "Every service is a folder with one values file per stage, such as services/nginx/values-dev.yaml."
    )


def _values(
    root: Path, folder: str, services: Iterable[str], files: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the content of values files, up to a limit; a file that cannot be read is left to `check`."""
    names = set(services)
    count = 0
    for file in files:
        service, _, name = file.removeprefix(f"{folder}/").partition("/")
        if not file.startswith(f"{folder}/") or service not in names or not _RESEMBLES.fullmatch(name) or "/" in name:
            continue
        count += 1
        if count > _MOST_FILES:
            return
        try:
            yield service, yaml_reader.parse((root / file).read_text(encoding="utf-8-sig"))
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
