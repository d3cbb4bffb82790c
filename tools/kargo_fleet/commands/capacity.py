"""kargo-fleet capacity: the load on Kargo, registries, Git, Argo CD and etcd, the first limit reached, and what to set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kargo_fleet.capacity import report
from kargo_fleet.capacity.assumptions import assumptions_of
from kargo_fleet.capacity.estimate import estimate
from kargo_fleet.capacity.survey import WhatIf, survey
from kargo_fleet.errors import FleetError
from kargo_fleet.findings import has_errors
from kargo_fleet.fleet import scan
from kargo_fleet.fleet.load import load_sound
from kargo_fleet.terminal.output import show
from kargo_fleet.terminal.progress import PATIENCE
from kargo_fleet.terminal.reporters import TEXT, Format, Report, Reporter, as_data, columns


def capacity(
    root: Path,
    *,
    services: int | None = None,
    interval: float | None = None,
    shards: int | None = None,
    settings: Sequence[str] = (),
    reporter: Reporter = TEXT,
) -> int:
    """Print the estimate for the fleet, or of a fleet of `services` services in the same proportions.

    Return 1 when a limit is exceeded, or when services with errors are left out; else 0. Nothing is written. Raises
    FleetError for an invalid fleet.yaml, without services, or without Helm.
    """
    chart, fleet, _ = load_sound(root)
    names, _ = scan.services(fleet)
    if not names and services is None:
        raise FleetError(f"there is no service in {fleet.layout.base}/\nPass the expected number: --services 1000.")
    given = assumptions_of(fleet.data.get("capacity"), settings)
    reading = reporter.bar(names, len(names), "reading", PATIENCE)
    found = survey(chart, fleet, reading, WhatIf(services, interval, shards))
    estimated = estimate(found.fleet, found.units, found.sets, given)
    findings = report.findings(estimated)
    summary = report.summary(estimated, findings, found.left_out)
    shown = Report(findings, [], summary)
    if reporter.format is Format.JSON:
        reporter.data({"capacity": report.as_data(estimated), "leftOut": list(found.left_out), **as_data(shown)})
    elif reporter.format is Format.GITHUB:
        reporter.show(shown)
    else:
        show(report.text(estimated, columns()), end="")
        reporter.note(summary)
    return 1 if found.left_out or has_errors(findings) else 0
