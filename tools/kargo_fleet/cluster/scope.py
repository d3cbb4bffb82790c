"""What to read from a cluster: the units that the repository describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kargo_fleet.fleet.names import project_of
from kargo_fleet.fleet.pipeline import application_of, has_default_steps, pipeline_order, promotion_of, shard_of


@dataclass(frozen=True)
class ExpectedUnit:
    """One unit as its values file describes it; `values` are complete."""

    service: str
    values: Mapping[str, Any]

    @property
    def project(self) -> str:
        """The name of the Project and its namespace."""
        return project_of(self.service)

    @property
    def warehouse(self) -> str:
        """The name of the Warehouse."""
        return (self.values.get("warehouse") or {}).get("name") or self.service

    @property
    def shards(self) -> frozenset[str]:
        """The names of the controllers of the Warehouse and the stages, "" for the default one."""
        return frozenset([shard_of(self.values), *(shard_of(self.values, stage) for stage in self.stages)])

    @property
    def stages(self) -> Mapping[str, Mapping[str, Any]]:
        """The stages by name."""
        stages: Mapping[str, Mapping[str, Any]] = self.values["stages"]
        return stages

    @cached_property
    def order(self) -> list[str]:
        """The names of the stages, upstream ones first."""
        return pipeline_order(self.stages)

    @property
    def repo_url(self) -> str:
        """The Git repository that promotions push to, "" when no stage runs the chart's own steps."""
        if not any(has_default_steps(promotion_of(self.values, stage)) for stage in self.stages):
            return ""
        return (self.values.get("git") or {}).get("repoURL") or ""

    @cached_property
    def workloads(self) -> list[Workload]:
        """The Applications that promotions update."""
        result = []
        for stage in self.order:
            promotion = promotion_of(self.values, stage)
            name = application_of(promotion, self.service, stage)
            if name and has_default_steps(promotion):
                result.append(Workload(stage, name, promotion["argocdUpdate"].get("namespace") or ""))
        return result


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
    name for a service.
    """

    units: list[ExpectedUnit]
    gone: list[str]
    named: bool
    argocd_namespace: str
    application: Callable[[str], str]
