"""What to read from a cluster: the units that the repository describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kargo_fleet.fleet.pipeline import Pipeline, Stage, pipeline_of


@dataclass(frozen=True)
class ExpectedUnit:
    """One unit as its values file describes it; `values` are complete."""

    service: str
    values: Mapping[str, Any]

    @property
    def project(self) -> str:
        """The name of the Project and its namespace."""
        return self.pipeline.project

    @cached_property
    def pipeline(self) -> Pipeline:
        """Its Warehouses and stages."""
        return pipeline_of({**self.values, "service": {"name": self.service}})

    @property
    def warehouses(self) -> list[str]:
        """The names of the Warehouses."""
        return [one.name for one in self.pipeline.warehouses.values()]

    @property
    def shards(self) -> frozenset[str]:
        """The names of the controllers of the Warehouses and the stages, "" for the default one."""
        stages = self.pipeline.stages.values()
        return frozenset([*self.pipeline.shards, *(stage.shard for stage in stages)])

    @property
    def stages(self) -> Mapping[str, Stage]:
        """The stages by name."""
        return self.pipeline.stages

    @cached_property
    def order(self) -> list[str]:
        """The names of the stages, upstream ones first."""
        return self.pipeline.order

    @property
    def repo_urls(self) -> list[str]:
        """The Git repositories that promotions push to; none when no stage runs the chart's own steps."""
        return sorted({one.repo_url for one in self.stages.values() if one.has_default_steps and one.repo_url})

    @cached_property
    def workloads(self) -> list[Workload]:
        """The Applications that promotions update."""
        return [
            Workload(stage.name, stage.application, stage.promotion["argocdUpdate"].get("namespace") or "")
            for stage in (self.stages[name] for name in self.order)
            if stage.application and stage.has_default_steps
        ]


@dataclass(frozen=True)
class Workload:
    """The Application that a stage's promotions update. `namespace` is "" for the namespace in Kargo's configuration."""

    stage: str
    application: str
    namespace: str


@dataclass(frozen=True)
class Scope:
    """The units to read: `units` that the repository describes, and services that are `gone` from it.

    With `named`, nothing else is read. The Applications of units are in `argocd_namespace`; `application` returns the
    name for a service, `project` that of its Project.
    """

    units: list[ExpectedUnit]
    gone: list[str]
    named: bool
    argocd_namespace: str
    application: Callable[[str], str]
    project: Callable[[str], str]
