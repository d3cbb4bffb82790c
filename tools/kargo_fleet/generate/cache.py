"""Results of earlier runs, by the content of everything that was read for them.

An entry is valid only while the lookups that were made for a service have the same answers (files/reading.py), and while
everything that all services share is the same: this tool and its libraries, the chart, fleet.yaml, the command line. File
times are ignored, because `git checkout` changes them. A cache file that is damaged, of another version or not writable
is ignored.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema_rs
import yaml

import kargo_fleet
from kargo_fleet import __version__
from kargo_fleet.files.writing import FileWriter
from kargo_fleet.findings import Finding, Place

_DAY = 24 * 3600
_KEEP = 30 * _DAY  # files that were unused for this long are removed
_NAME = "\0"  # stands for the service's name in a lookup: services then have the same ones

#: A stage's name, and that of its Argo CD Application where the service chose one itself.
Stages = tuple[tuple[str, str | None], ...]


class CacheEntry(NamedTuple):
    """The cached result of one service: the lookups, the fingerprint of the answers, and the result.

    `lookups` are those of any service, as `for_any_service` gives them. `wanted` is the digest of the values file that the
    service should have, "" if it has none.
    """

    lookups: tuple[str, ...]
    stages: Stages
    fingerprint: str
    wanted: str
    broken: bool
    shard: str
    findings: tuple[Finding, ...]

    def lookups_of(self, service: str) -> list[str]:
        """Return the lookups that were made for this service."""
        return [lookup.replace(_NAME, service) for lookup in self.lookups]


def for_any_service(service: str, lookups: Iterable[str]) -> tuple[str, ...]:
    """Return lookups with the service's name replaced, so that they are equal for services with the same lookups."""
    return tuple(lookup.replace(service, _NAME) for lookup in lookups)


class Cache:
    """The entries of one repository, by service. Without a `path` it holds nothing and saves nothing."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lookups: list[tuple[str, ...]] = []
        self._stages: list[Stages] = []
        self._services: dict[str, list[Any]] = {}
        if path is not None and (data := _load(path)):
            self._lookups = [tuple(lookups) for lookups in data["lookups"]]
            self._stages = [tuple((name, application) for name, application in found) for found in data["stages"]]
            self._services = data["services"]

    def __contains__(self, service: str) -> bool:
        return service in self._services

    def __getitem__(self, service: str) -> CacheEntry:
        """Return the entry of a service; the caller checks whether it is still valid."""
        lookups, stages, *rest, findings = self._services[service]
        found = tuple(
            [
                Finding(Place(*place), code, message, fix, name, tuple(path))
                for place, code, message, fix, name, path in findings
            ]
        )
        return CacheEntry._make((self._lookups[lookups], self._stages[stages], *rest, found))

    def holds(self, services: Iterable[str]) -> bool:
        """Return whether there are entries for exactly these services."""
        return self._services.keys() == set(services)

    def save(self, entries: dict[str, CacheEntry]) -> None:
        """Save these entries and no others. A folder that is not writable is ignored."""
        if self._path is None:
            return
        with suppress(OSError):
            with FileWriter(self._path.parent) as writer:
                writer.sweep([""])
                writer.write(self._path.name, _text(entries))
            _sweep(self._path.parent)


def open_cache(root: Path, shared: Iterable[str]) -> Cache:
    """Return the cache of the repository at `root`; `shared` is everything that all services' results depend on."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if not os.path.isabs(home):
        return Cache()
    try:
        parts = [*_tool(), str(root.resolve()), *shared]
    except OSError:  # the tool is not a folder of files, so nothing tells one version of it from another
        return Cache()
    key = hashlib.sha256()
    for part in parts:
        key.update(b"%d:" % len(part) + part.encode("utf-8", "surrogatepass"))
    return Cache(Path(home, "kargo-fleet", f"{key.hexdigest()[:32]}.json"))


def _tool() -> Iterator[str]:
    """Yield what identifies the running code: in a checkout, the version alone does not."""
    yield __version__
    yield sys.version
    for libraries in sorted({str(Path(module.__file__ or "").parents[1]) for module in (yaml, jsonschema_rs)}):
        yield "\n".join(sorted(name for name in os.listdir(libraries) if name.endswith("-info")))
    for folder, _, files in sorted(os.walk(Path(kargo_fleet.__file__).parent)):
        for file in sorted(name for name in files if name.endswith((".py", ".lua", ".json"))):
            yield file
            yield Path(folder, file).read_text(encoding="utf-8")


def _load(path: Path) -> dict[str, Any] | None:
    try:
        checksum, _, body = path.read_bytes().partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != checksum:
            return None
        data: dict[str, Any] = json.loads(body)
        if time.time() - path.stat().st_mtime > _DAY:
            os.utime(path)
    except (OSError, ValueError):
        return None
    return data


def _text(entries: dict[str, CacheEntry]) -> str:
    # Thousands of services have the same lookups and the same stages.
    lookups: dict[tuple[str, ...], int] = {}
    stages: dict[Stages, int] = {}
    services: dict[str, list[Any]] = {}
    for service, entry in entries.items():
        first = lookups.setdefault(entry.lookups, len(lookups)), stages.setdefault(entry.stages, len(stages))
        findings = [
            (found.place, found.code, found.message, found.fix, found.service, found.path) for found in entry.findings
        ]
        services[service] = [*first, *entry[2:-1], findings]
    body = json.dumps({"lookups": list(lookups), "stages": list(stages), "services": services}, separators=(",", ":"))
    return f"{hashlib.sha256(body.encode()).hexdigest()}\n{body}"


def _sweep(folder: Path) -> None:
    with os.scandir(folder) as files:
        for file in files:
            if time.time() - file.stat().st_mtime > _KEEP:
                os.unlink(file.path)
