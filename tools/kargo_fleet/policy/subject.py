"""What a rule is held to: one service's values, the layers that they come from, and what they would be without its own file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from kargo_fleet.findings import KeyPath, value_at
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.layers import Layer, decides
from kargo_fleet.fleet.pipeline import Pipeline, Stage


class Breach(NamedTuple):
    """What breaks a rule: the value at `path`, why it does ("false, which …"), and what is allowed instead."""

    path: KeyPath
    message: str
    allowed: str


@dataclass(frozen=True)
class Subject:
    """One service. `own` is its own file, None when it has none; `layers` are all, weakest first.

    `inherits` computes the pipeline that the platform's layers alone give.
    """

    fleet: Fleet
    pipeline: Pipeline
    layers: Sequence[Layer]
    own: Layer | None
    inherits: Callable[[], Pipeline]

    @property
    def service(self) -> str:
        """The service's name."""
        return self.pipeline.service

    @property
    def said(self) -> dict[str, Any]:
        """The values of the service's own file, {} when it has none."""
        return self.own.values if self.own else {}

    @cached_property
    def inherited(self) -> Pipeline:
        """The pipeline without the service's own file."""
        return self.inherits()

    def says(self, keys: Iterable[str]) -> bool:
        """Return whether the service's own file has one of these sections."""
        return any(key in self.said for key in keys)

    def decides(self, path: KeyPath) -> bool:
        """Return whether the service's own file decides a value, by itself or by removing what it is in."""
        return self.own is not None and decides([self.own], path)

    def decided_at(self, stage: Stage, key: KeyPath, section: str = "promotion") -> KeyPath | None:
        """Return where the service's own file decides a setting of a stage that all stages may have; None when it does not."""
        for path in (("stages", stage.name, section, *key), (section, *key)):
            if self.decides(path):
                return path
        return None

    def own_value(self, path: KeyPath) -> Any:
        """Return what the service's own file says at a path of mappings."""
        return value_at(self.said, path)

    def stages(self) -> Iterator[Stage]:
        """Yield the stages by name."""
        for _, stage in sorted(self.pipeline.stages.items()):
            yield stage

    @cached_property
    def folders(self) -> tuple[str, ...]:
        """The folders that are the service's own, with a slash at the end."""
        layout, team = self.fleet.layout, self.fleet.team_of(self.service)
        if not layout.has_stages:
            return (f"{self.fleet.folder_of(self.service)}/",)
        stages = {one.stage for one in self.fleet.tree.found(self.service)} | set(self.pipeline.stages)
        return tuple(f"{layout.folder(self.service, team, stage)}/" for stage in sorted(stages))
