"""kargo-fleet deploy: `helm upgrade --install` for every service, in parallel, with retries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kargo_fleet.clients.kube import Kube
from kargo_fleet.files.generated import State
from kargo_fleet.findings import Problem
from kargo_fleet.fleet.load import load_own
from kargo_fleet.generate.desired import desired_state
from kargo_fleet.rollout import deployment
from kargo_fleet.rollout.deployment import Options
from kargo_fleet.terminal.confirm import confirm
from kargo_fleet.terminal.output import tell
from kargo_fleet.terminal.reporters import TEXT, Change, Report, Reporter
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
    stale: bool = False,
    yes: bool = False,
    reporter: Reporter = TEXT,
) -> int:
    """Install or upgrade the unit of each service from its values file; return 1 when a unit could not be, else 0.

    A release that already has this chart and these values is skipped unless `force`, so that an interrupted run
    continues where it stopped. Transient failures are retried with growing pauses; one service's failure does not stop
    the others. A values file that is not what `generate` would write is not deployed, unless `stale`, or unless it was
    edited by hand. `jobs` run at a time, by default two per processor. Raises FleetError when there is nothing to deploy, no
    cluster, no Kargo in it, no confirmation, or while fleet.yaml has the template's examples.
    """
    chart, fleet, _ = load_own(root)
    kube = Kube(context)
    target = kube.target()
    options = Options(skip_namespace=skip_namespace, dry_run=dry_run, force=force)
    unfit = {} if stale else _unfit(root, services)
    with kube.answering():
        planned = deployment.prepare(root, kube, target, chart, fleet, services, options, unfit)
    what = f"{plural(len(planned.releases), 'service')} to context {target.context} ({target.server})"
    doing = "dry run: would deploy" if dry_run else "deploying"
    tell(f"{doing} {what}, releases in namespace {target.namespace}")
    if not dry_run:
        confirm(len(planned.releases), yes=yes)
    findings, changes = list(planned.findings), []
    for release, finding in reporter.bar(deployment.install(planned, jobs), len(planned.releases), "deploying"):
        if finding is None:
            changes.append(Change("deployed", release.service))
        else:
            findings.append(finding)
    done = "would be deployed" if dry_run else "deployed"
    counts = f"{len(changes)} {done}, {planned.up_to_date} up to date, {len(findings)} failed"
    summary = f"{plural(planned.services, 'service')}: {counts}"
    changes.sort(key=lambda change: change.path)
    reporter.show(Report(sorted(findings), changes, summary, dry_run=dry_run))
    return 1 if findings else 0


def _unfit(root: Path, services: Sequence[str]) -> dict[str, Problem]:
    """Return why services are not deployed: their values files are not what their folders say now."""
    desired = desired_state(root, services)
    unfit = {}
    for service in desired.broken:
        fix = f"run `kargo-fleet check {service}`"
        unfit[service] = Problem("KF801", f"{service} was not deployed: it has errors", fix)
    for item in desired.outputs:
        if item.service and item.state is State.OUTDATED:
            fix = f"run `kargo-fleet generate {item.service}` and review the result, or pass --stale"
            unfit[item.service] = Problem(
                "KF801", f"{item.service} was not deployed: its values file is out of date", fix
            )
    return unfit
