"""kargo-fleet doctor: read the cluster and the repository, and say what is wrong and what to do."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from kargo_fleet.clients.kube import Kube
from kargo_fleet.cluster import snapshot
from kargo_fleet.cluster.snapshot import Cluster
from kargo_fleet.doctor import diagnosis, drift, expected
from kargo_fleet.doctor.expected import Repository
from kargo_fleet.findings import Finding, Severity, has_errors
from kargo_fleet.fleet import scan
from kargo_fleet.terminal import reporters
from kargo_fleet.terminal.progress import PATIENCE, bar
from kargo_fleet.terminal.reporters import Format, plural

#: Commands in a fix that go to a cluster, with the option that says to which.
_CLIENTS = (("kubectl", "--context"), ("helm", "--kube-context"), ("kargo-fleet (?:deploy|delete)", "--context"))


def doctor(
    root: Path, services: Sequence[str], *, context: str = "", compare: bool = False, output: Format = Format.TEXT
) -> int:
    """Report what is wrong with the units in the cluster; return 1 when there is such a thing, else 0.

    With `compare`, or with services named, the units are also compared with what the chart makes of their values files.
    Nothing is written, anywhere. Raises FleetError when there is no cluster, or nothing of a service that was named.
    """
    kube = Kube(context)
    described = expected.read(root, services)
    if described.fleet.broken:
        findings = described.findings
    else:
        whole = compare or (bool(services) and shutil.which("helm") is not None)
        live = snapshot.read(kube, described, named=bool(services), whole=whole, now=_now())
        _refuse_unknown(described, live)
        findings = diagnosis.find(described, live, _drift(kube, root, described, live) if whole else {})
    findings = [_for_context(finding, context) for finding in findings]
    reporters.show(reporters.Report(findings, [], _summary(described, findings)), output)
    return 1 if has_errors(findings) else 0


def _now() -> datetime:
    return datetime.now(UTC)


def _refuse_unknown(described: Repository, live: Cluster) -> None:
    """Refuse names that are neither in the repository nor in the cluster."""
    there = snapshot.fleet_services(live)
    if unknown := [name for name in described.gone if name not in there]:
        raise scan.unknown(unknown, described.services, f"{described.fleet.services}/, nor in the cluster")


def _drift(kube: Kube, root: Path, described: Repository, live: Cluster) -> dict[str, Finding]:
    """Compare the units that are in the cluster with what Helm renders for them."""
    deployed = [unit for unit in described.units if live.get(snapshot.PROJECTS, unit.project)]
    names = bar([unit.service for unit in deployed], len(deployed), "comparing", PATIENCE)
    findings = {}
    for name, (unit, text) in zip(names, drift.rendered(kube, root, described, deployed), strict=True):
        if text and (finding := drift.compare(live, unit, drift.parse(text))):
            findings[name] = finding
    return findings


def _for_context(finding: Finding, context: str) -> Finding:
    """Make the commands in a fix go to the cluster that was looked at."""
    fix = finding.fix
    for client, option in _CLIENTS if context else ():
        fix = re.sub(rf"`({client}) ", lambda found, to=option: f"`{found[1]} {to} {shlex.quote(context)} ", fix)  # type: ignore[misc]
    return replace(finding, fix=fix)


def _summary(described: Repository, findings: Sequence[Finding]) -> str:
    services = plural(len(described.units) + len(described.gone), "service")
    if not findings:
        return f"{services}: healthy"
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    counts = f"{plural(errors, 'error')}, {plural(len(findings) - errors, 'warning')}"
    return counts if described.fleet.broken else f"{services}: {counts}"
