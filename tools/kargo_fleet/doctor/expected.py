"""What the repository says should be in the cluster: one unit per service, from its values file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from kargo_fleet.argocd import settings
from kargo_fleet.argocd.unit_sets import unit_application
from kargo_fleet.doctor.codes import found
from kargo_fleet.findings import Finding
from kargo_fleet.fleet import chart as charts
from kargo_fleet.fleet import config, scan
from kargo_fleet.fleet.merge import merge
from kargo_fleet.generate import desired, evaluate
from kargo_fleet.text import yaml_reader
from kargo_fleet.unit import rules

PREFIX = "kargo-"


def project_of(service: str) -> str:
    """Return the name of a service's Project, which is that of its namespace."""
    return f"{PREFIX}{service}"


@dataclass(frozen=True)
class Unit:
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
    def shard(self) -> str:
        """The name of the controller, "" for the default one."""
        return self.values.get("shard") or ""

    @property
    def stages(self) -> Mapping[str, Mapping[str, Any]]:
        """The stages by name."""
        stages: Mapping[str, Mapping[str, Any]] = self.values["stages"]
        return stages

    @cached_property
    def order(self) -> list[str]:
        """The names of the stages, upstream ones first."""
        return rules.pipeline_order(self.stages)

    @property
    def repo_url(self) -> str:
        """The Git repository that promotions push to, "" when no stage runs the chart's own steps."""
        if not any(rules.has_default_steps(rules.promotion_of(self.values, stage)) for stage in self.stages):
            return ""
        return (self.values.get("git") or {}).get("repoURL") or ""

    @cached_property
    def workloads(self) -> list[Workload]:
        """The Applications that promotions update."""
        result = []
        for stage in self.order:
            promotion = rules.promotion_of(self.values, stage)
            update = promotion.get("argocdUpdate") or {}
            if update.get("enabled") and rules.has_default_steps(promotion):
                name = (update.get("name") or "<service>-<stage>").replace("<service>", self.service)
                result.append(Workload(stage, name.replace("<stage>", stage), update.get("namespace") or ""))
        return result


@dataclass(frozen=True)
class Workload:
    """The Application that a stage's promotions update. `namespace` is "" for the one Kargo is configured with."""

    stage: str
    application: str
    namespace: str


@dataclass
class Repository:
    """The fleet of a repository: all its `services`, and the `units` to look at. `gone` was asked for and is no service."""

    fleet: config.Fleet
    chart: charts.Chart
    services: list[str] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @cached_property
    def _argocd(self) -> settings.Fleet:
        return settings.read(self.fleet.data)

    @property
    def argocd_namespace(self) -> str:
        """The namespace of the Applications of the units."""
        return str(self._argocd.argocd["namespace"])

    def application(self, service: str) -> str:
        """Return the name of the Application of a unit."""
        return unit_application(self._argocd, service)


def read(root: Path, names: Sequence[str]) -> Repository:
    """Read the values files of the services called `names`, or of all. What is wrong in the repository is in `findings`."""
    chart = charts.load(root, desired.chart_path(root))
    fleet, findings = config.load(root, chart)
    repository = Repository(fleet, chart, findings=[item for item in findings if fleet.broken])
    if fleet.broken:
        return repository
    services, problems = scan.services(root, fleet.services)
    repository.findings += problems
    repository.services = [service for service in services if scan.is_name(service)]
    known = set(repository.services)
    for service in sorted(set(names)) if names else repository.services:
        if service not in known:
            repository.gone.append(service)
            continue
        values = _values(root, chart, service)
        if isinstance(values, Finding):
            repository.findings.append(values)
        else:
            repository.units.append(Unit(service, values))
    return repository


def _values(root: Path, chart: charts.Chart, service: str) -> dict[str, Any] | Finding:
    file = evaluate.values_path(service)
    try:
        values = merge(chart.defaults, yaml_reader.parse((root / file).read_text(encoding="utf-8-sig")))
    except FileNotFoundError:
        fix = f"`kargo-fleet generate {service}`; if that writes nothing, `kargo-fleet check {service}` says why"
        return found("KF717", file, "the service has no values file, so nothing can install it", fix, service)
    except (OSError, ValueError, yaml_reader.YamlProblem) as error:
        fix = f"`kargo-fleet generate {service} --force` writes it again"
        return found("KF717", file, f"cannot be read: {error}", fix, service)
    if not chart.validator.is_valid(values):
        fix = f"`kargo-fleet generate {service} --force` writes it again"
        return found("KF717", file, "is not valid by the chart's schema, so nothing can install it", fix, service)
    return {**values, "service": {"name": service}}
