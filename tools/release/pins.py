"""The pins as data: what requirements*.txt, go.mod and go.sum say."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from release.errors import ReleaseError

#: How uv calls this project, and this project's dependency groups, in its comments.
_PROJECT = re.compile(r"^kargo-fleet \(pyproject\.toml(?::(?P<group>[a-z-]+))?\)$")


@dataclass(frozen=True)
class PythonPin:
    """A package of a requirements file: its hashes are those of all its files, `needed_by` the packages that ask for it."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    needed_by: tuple[str, ...]
    direct: bool


@dataclass(frozen=True)
class GoPin:
    """A module of go.mod with its line of go.sum. Of a replaced one, the replacement."""

    path: str
    version: str
    sum: str


def python_pins(text: str) -> list[PythonPin]:
    """Return the packages of a requirements file as uv writes it.

    Raises:
        ReleaseError: a package without a version or without a hash.
    """
    return [_python_pin(lines) for lines in _entries(text)]


def _entries(text: str) -> Iterator[list[str]]:
    """Split a requirements file into packages: a line that is not indented, and what belongs to it."""
    entry: list[str] = []
    for line in text.splitlines():
        if line and not line[0].isspace() and not line.startswith("#"):
            if entry:
                yield entry
            entry = []
        if entry or not line.startswith("#"):
            entry.append(line)
    if entry:
        yield entry


def _python_pin(lines: Iterable[str]) -> PythonPin:
    head, *rest = lines
    requirement = Requirement(head.rstrip(" \\"))
    hashes = tuple(sorted(re.findall(r"--hash=sha256:([0-9a-f]{64})\b", "\n".join(rest))))
    (specifier,) = requirement.specifier or [None]
    if specifier is None or specifier.operator != "==" or not hashes:
        raise ReleaseError(f"{head}: not pinned by version and hash; run `make requirements`")
    comments = [line.strip().removeprefix("#").strip().removeprefix("via").strip() for line in rest if "#" in line]
    project = [match for comment in comments if (match := _PROJECT.match(comment))]
    return PythonPin(
        name=requirement.name,
        version=specifier.version,
        marker=str(requirement.marker or ""),
        hashes=hashes,
        needed_by=tuple(sorted(comment for comment in comments if comment and not _PROJECT.match(comment))),
        direct=any(match["group"] is None for match in project),
    )


def at_run_time(pins: Iterable[PythonPin]) -> list[PythonPin]:
    """Return what the package itself needs, directly or not: without what only a dependency group asks for."""
    pins = list(pins)
    needed = {pin.name for pin in pins if pin.direct}
    while more := {pin.name for pin in pins if needed.intersection(pin.needed_by)} - needed:
        needed |= more
    return [pin for pin in pins if pin.name in needed]


def as_line(pin: PythonPin) -> str:
    """Return a pin as pip reads it."""
    marker = f" ; {pin.marker}" if pin.marker else ""
    return (
        f"{pin.name}=={pin.version}{marker}"
        + "".join(f" \\\n    --hash=sha256:{digest}" for digest in pin.hashes)
        + "\n"
    )


def go_pins(folder: Path, go: str = "go") -> list[GoPin]:
    """Return the modules that go.mod in `folder` requires, as Go itself reads it.

    Raises:
        ReleaseError: Go does not run, or go.sum lacks a module.
    """
    command = [go, "mod", "edit", "-json"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise ReleaseError(f"{folder / 'go.mod'}: `{' '.join(command)}` failed: {error}") from error
    module = json.loads(done.stdout)
    replaced = {item["Old"]["Path"]: item["New"] for item in module.get("Replace") or []}
    sums = dict(line.rsplit(" ", 1) for line in (folder / "go.sum").read_text().splitlines())
    pins = []
    for required in module["Require"]:
        used = replaced.get(required["Path"], required)
        name = f"{used['Path']} {used['Version']}"
        # A module that no package of the build comes from is only read for its requirements: it has the sum of its go.mod.
        found = sums.get(name) or sums.get(f"{name}/go.mod")
        if not found:
            raise ReleaseError(f"{folder / 'go.sum'}: no hash of {name}; run `go mod tidy` there")
        pins.append(GoPin(used["Path"], used["Version"], found))
    return sorted(pins, key=lambda pin: pin.path)
