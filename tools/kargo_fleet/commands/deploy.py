"""kargo-fleet deploy: `helm upgrade --install` for every service, in parallel, with retries."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from kargo_fleet.clients.kube import Kube
from kargo_fleet.fleet.load import load_own
from kargo_fleet.rollout import deployment
from kargo_fleet.rollout.deployment import Options
from kargo_fleet.terminal import reporters
from kargo_fleet.terminal.confirm import confirm
from kargo_fleet.terminal.progress import bar
from kargo_fleet.terminal.reporters import Change, Format, Report
from kargo_fleet.text.words import plural


def deploy(
    root: Path,
    services: Sequence[str],
    *,
    context: str = "",
    skip_namespace: bool = False,
    dry_run: bool = False,
    force: bool = False,
    jobs: int = 0,
    yes: bool = False,
    output: Format = Format.TEXT,
) -> int:
    """Install or upgrade the unit of each service from its values file; return 1 when a unit could not be, else 0.

    A release that already has this chart and these values is skipped unless `force`, so that an interrupted run
    continues where it stopped. Transient failures are retried with growing pauses; one service's failure does not stop
    the others. `jobs` run at a time, by default two per processor. Raises FleetError when there is nothing to deploy, no
    cluster, no Kargo in it, no confirmation, or while fleet.yaml has the template's examples.
    """
    chart, fleet, _ = load_own(root)
    kube = Kube(context)
    target = kube.target()
    options = Options(skip_namespace=skip_namespace, dry_run=dry_run, force=force)
    planned = deployment.prepare(root, kube, target, chart, fleet, services, options)
    what = f"{plural(len(planned.releases), 'service')} to context {target.context} ({target.server})"
    print(f"deploying {what}, releases in namespace {target.namespace}", file=sys.stderr)
    if not dry_run:
        confirm(len(planned.releases), yes=yes)
    findings, changes = list(planned.findings), []
    for release, finding in bar(deployment.install(planned, jobs), len(planned.releases), "deploying"):
        if finding is None:
            changes.append(Change("deployed" if not dry_run else "would deploy", release.service))
        else:
            findings.append(finding)
    counts = f"{len(changes)} deployed, {planned.up_to_date} up to date, {len(findings)} failed"
    summary = f"{plural(planned.services, 'service')}: {counts}"
    reporters.show(Report(sorted(findings), sorted(changes, key=lambda change: change.path), summary), output)
    return 1 if findings else 0
