"""kargo-fleet doctor: compare the cluster with the repository, and report problems and their fixes."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from kargo_fleet.clients.kube import Kube
from kargo_fleet.cluster.collect import collect
from kargo_fleet.cluster.resources import PROJECTS
from kargo_fleet.cluster.snapshot import Snapshot, fleet_services
from kargo_fleet.doctor import diagnosis, drift
from kargo_fleet.doctor.expected import Expected, read_expected
from kargo_fleet.findings import Finding, has_errors
from kargo_fleet.fleet import scan
from kargo_fleet.terminal.progress import PATIENCE
from kargo_fleet.terminal.reporters import TEXT, Report, Reporter, counts
from kargo_fleet.text.words import plural

#: Commands in a fix that talk to a cluster, each with its option for the context.
_CLIENTS = (("kubectl", "--context"), ("helm", "--kube-context"), ("kargo-fleet (?:deploy|delete)", "--context"))


def doctor(
    root: Path, services: Sequence[str], *, context: str = "", compare: bool = False, reporter: Reporter = TEXT
) -> int:
    """Report problems of the units in the cluster; return 1 if there is an error, else 0.

    With `compare` or `services`, the units are also compared with what the chart renders from their values files.
    Nothing is written, neither in the cluster nor in the repository. Raises FleetError without a cluster, and for a
    service that is neither in the repository nor in the cluster.
    """
    kube = Kube(context)
    expected = read_expected(root, services)
    if expected.fleet.broken:
        findings = expected.findings
    else:
        whole = compare or (bool(services) and shutil.which("helm") is not None)
        found = collect(kube, expected.scope(named=bool(services)), whole=whole, now=_now())
        _refuse_unknown(expected, found)
        findings = diagnosis.find(expected, found, _drift(expected, found, reporter) if whole else {})
    findings = [_for_context(finding, context) for finding in findings]
    reporter.show(Report(findings, [], _summary(expected, findings)))
    return 1 if has_errors(findings) else 0


def _now() -> datetime:
    return datetime.now(UTC)


def _refuse_unknown(expected: Expected, found: Snapshot) -> None:
    """Refuse names that are neither in the repository nor in the cluster."""
    there = fleet_services(found)
    if unknown := [name for name in expected.gone if name not in there]:
        raise scan.unknown(unknown, expected.services, f"{expected.fleet.layout.base}/, nor in the cluster")


def _drift(expected: Expected, found: Snapshot, reporter: Reporter) -> dict[str, Finding]:
    """Compare the units that are in the cluster with what Helm renders for them."""
    deployed = [unit for unit in expected.units if found.get(PROJECTS, unit.project)]
    compared = reporter.bar(drift.find(found, expected, deployed), len(deployed), "comparing", PATIENCE)
    return {unit.service: finding for unit, finding in zip(deployed, compared, strict=True) if finding}


def _for_context(finding: Finding, context: str) -> Finding:
    """Return the finding with the context added to the commands in its fix."""
    fix = finding.fix
    for client, option in _CLIENTS if context else ():
        added = f"{option} {shlex.quote(context)}"
        fix = re.sub(rf"`({client})(?=[ `])", lambda command, added=added: f"`{command[1]} {added}", fix)  # type: ignore[misc]
    return replace(finding, fix=fix)


def _summary(expected: Expected, findings: Sequence[Finding]) -> str:
    services = plural(len(expected.units) + len(expected.gone), "service")
    if not findings:
        return f"{services}: healthy"
    return counts(findings) if expected.fleet.broken else f"{services}: {counts(findings)}"
