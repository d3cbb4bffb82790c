"""The interface of a contestant of the rendering lane."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import yaml

from bench.layouts import Object, Unit


@dataclass(frozen=True)
class World:
    """The input of the rendering lane: the fleet with its values files, its units, and the objects of each layout."""

    fleet: Path
    units: list[Unit]
    layouts: dict[str, list[Object]]

    @property
    def batch(self) -> int:
        """Number of services per shell of a loop: several, because the start of a shell is not to be measured."""
        return max(1, min(50, len(self.units) // 4))


class Peer(ABC):
    """A way from the ready inputs to all manifests on disk.

    `prepare` writes the inputs and is not measured; `command` is measured, in the project's folder.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    #: How it is run, and why, for the page.
    how: ClassVar[str]
    #: Why it can be faster than kargo-fleet; printed only if it is.
    why_faster: ClassVar[str] = ""

    @abstractmethod
    def missing(self) -> str | None:
        """Return why it cannot run here; None if it can."""

    @abstractmethod
    def version(self) -> str:
        """Return its version, and those of its dependencies."""

    @abstractmethod
    def prepare(self, folder: Path, world: World) -> None:
        """Write the project to `folder`."""

    @abstractmethod
    def command(self, world: World, out: Path) -> list[str]:
        """Return the command that renders everything to the folder `out`."""

    def outputs(self, out: Path, service: str) -> list[Path]:
        """Return the files with the objects of a service."""
        return [out / f"{service}.yaml"]

    def read(self, out: Path, services: Sequence[str]) -> dict[str, list[Object]]:
        """Return the objects of these services, parsed from the written files."""
        return {service: [o for f in self.outputs(out, service) for o in _documents(f)] for service in services}


def _documents(file: Path) -> list[Object]:
    if file.suffix == ".json":
        return [json.loads(file.read_bytes())]
    return [document for document in yaml.load_all(file.read_bytes(), yaml.CSafeLoader) if document]


def shell(script: str) -> list[str]:
    return ["sh", "-ec", script]


#: Loops use all cores, as the other contestants do: `xargs -P`.
JOBS = os.cpu_count() or 1
