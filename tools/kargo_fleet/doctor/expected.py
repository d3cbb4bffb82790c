"""The units that should be in the cluster: one per service of the repository, from its values file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from kargo_fleet.argocd.settings import ArgoFleet, argo_fleet
from kargo_fleet.argocd.unit_sets import unit_application
from kargo_fleet.cluster.scope import ExpectedUnit, Scope
from kargo_fleet.doctor.codes import found
from kargo_fleet.files.reading import MOST_SHARED, RepositoryReader
from kargo_fleet.findings import Finding
from kargo_fleet.fleet import scan
from kargo_fleet.fleet.chart import Chart
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.load import load
from kargo_fleet.fleet.names import is_service_name, values_path
from kargo_fleet.fleet.values import complete_values
from kargo_fleet.text.yaml_reader import YamlError


@dataclass
class Expected:
    """The fleet of a repository: all its `services`, and the `units` to check. `gone` are requested names without a folder.

    `texts` are the values files of the units.
    """

    fleet: Fleet
    chart: Chart
    services: list[str] = field(default_factory=list)
    units: list[ExpectedUnit] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @cached_property
    def _argocd(self) -> ArgoFleet:
        return argo_fleet(self.fleet.data, self.fleet.teams)

    @property
    def argocd_namespace(self) -> str:
        """The namespace of the Applications of the units."""
        return str(self._argocd.argocd["namespace"])

    def application(self, service: str) -> str:
        """Return the name of the Application of a unit."""
        return unit_application(self._argocd, service)

    def scope(self, *, named: bool) -> Scope:
        """Return what to read from a cluster."""
        return Scope(self.units, self.gone, named, self.argocd_namespace, self.application, self.fleet.project_of)


def read_expected(root: Path, names: Sequence[str]) -> Expected:
    """Read the values files of the services `names`, or of all. Problems of the repository are in `findings`."""
    chart, fleet, findings = load(root)
    expected = Expected(fleet, chart, findings=[item for item in findings if fleet.broken])
    if fleet.broken:
        return expected
    services, problems = scan.services(fleet)
    expected.findings += problems
    expected.services = [service for service in services if is_service_name(service)]
    known = set(expected.services)
    # A unit may be in the cluster although its service is gone: the cluster decides what an unknown name is.
    chosen = scan.chosen(fleet, names, known, also=lambda name: not scan.is_glob(name))
    for service in chosen or expected.services:
        if service not in known:
            expected.gone.append(service)
        else:
            _add(expected, root, service)
    return expected


def _add(expected: Expected, root: Path, service: str) -> None:
    """Add the unit of a service, or the finding about its values file."""
    file = values_path(service)
    fix = f"run `kargo-fleet generate {service} --force`"
    try:
        text = RepositoryReader(root, most=MOST_SHARED).read(file).decode("utf-8-sig")
        values: dict[str, Any] = complete_values(expected.chart, text)
    except FileNotFoundError:
        fix = f"run `kargo-fleet generate {service}`; if it writes nothing, run `kargo-fleet check {service}`"
        message = "the service has no values file and cannot be installed"
        expected.findings.append(found("KF717", file, message, fix, service))
        return
    except (OSError, ValueError, YamlError) as error:
        expected.findings.append(found("KF717", file, f"the values file cannot be read: {error}", fix, service))
        return
    if not expected.chart.validator.is_valid(values):
        message = "the values file does not match the chart's schema and cannot be installed"
        expected.findings.append(found("KF717", file, message, fix, service))
        return
    expected.units.append(ExpectedUnit(service, {**values, "service": {"name": service}}))
    expected.texts[service] = text
