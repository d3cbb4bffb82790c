"""What earlier runs found out about services, by the content of everything that they read for it.

An entry holds only while the questions that were asked for a service have the same answers (reading.Reader), and while
everything that all services share is the same: this tool and its libraries, the chart, fleet.yaml, the command line. Times
of files say nothing here, because `git checkout` changes them. The file is no more than a shortcut: damaged, of another
version or not writable, it is as if there were none.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from kargo_fleet import __version__, generated
from kargo_fleet.findings import Finding, Place

_DAY = 24 * 3600
_KEEP = 30 * _DAY  # what nobody has used for so long is removed
_NAME = "\0"  # stands for the service's name in a question: services then ask the same ones


class Entry(NamedTuple):
    """What is known of one service: what was asked, what the answers came to, and what followed from them.

    `wanted` is the digest of the values file that it should have, "" where it gets none.
    """

    questions: tuple[str, ...]
    fingerprint: str
    wanted: str
    broken: bool
    shard: str
    stages: tuple[tuple[str, str | None], ...]
    findings: tuple[Finding, ...]


class Cache:
    """The entries of one repository, by service. Without a `path` it holds nothing and saves nothing."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._entries: dict[str, Entry] = dict(_load(path)) if path else {}

    def get(self, service: str) -> Entry | None:
        """Return what is known of a service; whether it still holds is for the caller to find out."""
        return self._entries.get(service)

    def __getitem__(self, service: str) -> Entry:
        return self._entries[service]

    def save(self, entries: dict[str, Entry]) -> None:
        """Remember these entries and nothing else. A folder that cannot be written to is no problem."""
        if self._path is None or entries == self._entries:
            return
        with suppress(OSError):
            generated.write(self._path, _text(entries))
            _sweep(self._path.parent)


def open_cache(root: Path, shared: Iterable[str]) -> Cache:
    """Return the cache of the repository at `root`; `shared` is everything that all services' results depend on."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if not os.path.isabs(home):
        return Cache()
    key = hashlib.sha256()
    for part in (*_tool(), str(root.resolve()), *shared):
        key.update(b"%d:" % len(part) + part.encode("utf-8", "surrogatepass"))
    return Cache(Path(home, "kargo-fleet", f"{key.hexdigest()[:32]}.json"))


def _tool() -> Iterator[str]:
    """Yield what says which code runs: in a checkout the version alone does not."""
    yield __version__
    yield sys.version
    libraries = sysconfig.get_path("purelib")
    yield "\n".join(sorted(name for name in os.listdir(libraries) if name.endswith("-info")))
    for folder, _, files in sorted(os.walk(Path(__file__).parent)):
        for file in sorted(name for name in files if name.endswith((".py", ".lua"))):
            yield file
            yield Path(folder, file).read_text(encoding="utf-8")


def _load(path: Path) -> Iterator[tuple[str, Entry]]:
    try:
        checksum, _, body = path.read_bytes().partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != checksum:
            return
        data = json.loads(body)
        if time.time() - path.stat().st_mtime > _DAY:
            os.utime(path)
    except (OSError, ValueError):
        return
    asked = data["questions"]
    for service, (index, fingerprint, wanted, broken, shard, stages, findings) in data["services"].items():
        questions = tuple([question.replace(_NAME, service) for question in asked[index]])
        found = tuple([Finding(Place(*place), *rest) for place, *rest in findings])
        yield service, Entry(questions, fingerprint, wanted, broken, shard, tuple(map(tuple, stages)), found)


def _text(entries: dict[str, Entry]) -> str:
    asked: dict[tuple[str, ...], int] = {}
    services: dict[str, list[Any]] = {}
    for service, entry in entries.items():
        questions = tuple(question.replace(service, _NAME) for question in entry.questions)
        findings = [(found.place, found.code, found.message, found.fix, found.service) for found in entry.findings]
        services[service] = [asked.setdefault(questions, len(asked)), *entry[1:-1], findings]
    body = json.dumps({"questions": list(asked), "services": services}, separators=(",", ":"))
    return f"{hashlib.sha256(body.encode()).hexdigest()}\n{body}"


def _sweep(folder: Path) -> None:
    with os.scandir(folder) as files:
        for file in files:
            if time.time() - file.stat().st_mtime > _KEEP:
                os.unlink(file.path)
