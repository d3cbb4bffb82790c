"""kargo-fleet deploy: `helm upgrade --install` for every service, in parallel, until it worked."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from kargo_fleet.clients.kube import Failed, Kube
from kargo_fleet.clients.retrying import TryAgain, until_it_works
from kargo_fleet.errors import FleetError
from kargo_fleet.findings import Finding, Place
from kargo_fleet.fleet import scan
from kargo_fleet.fleet.release import HISTORY, foreign, release_name
from kargo_fleet.generate import desired, evaluate
from kargo_fleet.terminal import reporters
from kargo_fleet.terminal.confirm import confirm
from kargo_fleet.terminal.progress import bar
from kargo_fleet.terminal.reporters import Change, Format, Report, plural

#: Helm refuses a release that another run left behind as pending. After this long nobody can be working on it any more.
_HELM_TIMEOUT = 60
_DIGEST = "kargo-fleet.digest"
_IN_PROGRESS = "another operation"


@dataclass(frozen=True)
class _Unit:
    service: str
    release: str
    file: str
    digest: str


@dataclass(frozen=True)
class _Run:
    """What all installations share."""

    root: Path
    kube: Kube
    chart: Path
    services: tuple[str, ...]
    namespace: str
    skip_namespace: bool
    dry_run: bool
    force: bool


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
    """Install or upgrade the unit of each service from its values file; return 1 when some could not be, else 0.

    A release that already has this chart and these values is left alone unless `force`, so that a run that was
    interrupted continues where it stopped. Failures that pass are retried with growing pauses; one service's failure
    does not stop the others. `jobs` run at once, by default two per processor. Raises FleetError when there is nothing
    to deploy, no cluster, no Kargo in it, or no consent.
    """
    kube = Kube(context)
    target = kube.target()
    chart, fleet = desired.load_sound(root)
    names, _ = scan.services(root, fleet.services)
    run = _Run(root, kube, chart.path, tuple(names), target.namespace, skip_namespace, dry_run, force)
    units, missing = _units(run, services)
    if not kube.knows("projects.kargo.akuity.io"):
        raise FleetError(f"context {target.context} ({target.server}) has no Kargo: install it first")
    deployed = _deployed(run)
    units, taken = _without_foreign(run, units, deployed)
    done = set() if force or dry_run else deployed
    todo = [unit for unit in units if (unit.release, unit.digest) not in done]
    what = f"{plural(len(todo), 'service')} to context {target.context} ({target.server})"
    print(f"deploying {what}, releases in namespace {target.namespace}", file=sys.stderr)
    if not dry_run:
        confirm(len(todo), yes=yes)
    findings = [*missing, *taken]
    changes = []
    for unit, problem in _all(run, todo, jobs or 2 * (os.cpu_count() or 1)):
        if problem is None:
            changes.append(Change("deployed" if not dry_run else "would deploy", unit.service))
        else:
            findings.append(
                Finding(
                    Place(unit.file),
                    "KF801",
                    f"{unit.service} was not deployed: {problem}",
                    _fix(problem),
                    unit.service,
                )
            )
    counts = f"{len(changes)} deployed, {len(units) - len(todo)} up to date, {len(findings)} failed"
    summary = f"{plural(len(units) + len(missing) + len(taken), 'service')}: {counts}"
    reporters.show(Report(sorted(findings), sorted(changes, key=lambda change: change.path), summary), output)
    return 1 if findings else 0


def _units(run: _Run, services: Sequence[str]) -> tuple[list[_Unit], list[Finding]]:
    """Return what is to be deployed, and findings for services whose values file is missing."""
    names = list(services) or run.services
    if not names:
        raise FleetError("there are no services to deploy")
    units, findings = [], []
    chart = _chart_digest(run.chart)
    for name in names:
        file = evaluate.values_path(name)
        try:
            content = (run.root / file).read_bytes()
        except FileNotFoundError:
            findings.append(
                Finding(Place(file), "KF801", f"{name} has no values file", "run `kargo-fleet generate`", name)
            )
            continue
        digest = hashlib.sha256(chart + content + bytes([run.skip_namespace])).hexdigest()[:40]
        units.append(_Unit(name, release_name(name), file, digest))
    return units, findings


def _chart_digest(chart: Path) -> bytes:
    digest = hashlib.sha256()
    for file in sorted([chart / "Chart.yaml", chart / "values.yaml", *(chart / "templates").rglob("*")]):
        if file.is_file():
            digest.update(file.relative_to(chart).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.digest()


def _deployed(run: _Run, release: str = "") -> set[tuple[str, str]]:
    """Return the releases that are in the cluster, or this one, with the digest of what they were made from."""
    columns = f"NAME:.metadata.labels.name,DIGEST:.metadata.labels.{_DIGEST.replace('.', chr(92) + '.')}"
    selector = "owner=helm,status=deployed" + (f",name={release}" if release else "")
    text = run.kube.kubectl(
        "get",
        "secrets",
        "--namespace",
        run.namespace,
        "--selector",
        selector,
        "--output",
        f"custom-columns={columns}",
        "--no-headers",
    )
    return {(name, digest) for name, digest, *_ in (line.split() for line in text.splitlines() if line.split())}


def _without_foreign(
    run: _Run, units: Sequence[_Unit], deployed: set[tuple[str, str]]
) -> tuple[list[_Unit], list[Finding]]:
    """Leave out units whose release name another chart uses: Helm would replace that release with the unit."""
    unmarked = {name for name, digest in deployed if digest == "<none>"}  # by helm itself, or not ours
    others = foreign(run.kube, run.namespace, unmarked & {unit.release for unit in units})
    fix = "use a context with another namespace for releases, see docs/deploying.md"
    findings = [
        Finding(
            Place(unit.file),
            "KF801",
            f"{unit.service} was not deployed: the release {unit.release} in namespace {run.namespace} is of the chart "
            f"{others[unit.release]}",
            fix,
            unit.service,
        )
        for unit in units
        if unit.release in others
    ]
    return [unit for unit in units if unit.release not in others], findings


def _all(run: _Run, units: Sequence[_Unit], jobs: int) -> Iterator[tuple[_Unit, str | None]]:
    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(_install, run, unit): unit for unit in units}
        try:
            for future in bar(as_completed(futures), len(futures), "deploying"):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _install(run: _Run, unit: _Unit) -> str | None:
    """Install one unit; return why it could not be, None when it could."""
    try:
        until_it_works(_attempt, run, unit)
    except Failed as failed:
        return failed.message
    return None


def _attempt(run: _Run, unit: _Unit) -> None:
    arguments = ["upgrade", "--install", unit.release, str(run.chart), "--namespace", run.namespace]
    arguments += ["--values", str(run.root / unit.file), "--set-string", f"service.name={unit.service}"]
    arguments += [
        "--timeout",
        f"{_HELM_TIMEOUT}s",
        "--history-max",
        str(HISTORY),
        "--labels",
        f"{_DIGEST}={unit.digest}",
    ]
    arguments += ["--set", "namespace.create=false"] if run.skip_namespace else []
    arguments += ["--dry-run=server"] if run.dry_run else []
    # What somebody changed by hand belongs to their client; Helm takes it back only when it is told to.
    arguments += ["--force-conflicts"] if run.force else []
    try:
        run.kube.helm(*arguments)
    except Failed as failed:
        if _IN_PROGRESS in failed.message and not run.dry_run:
            _release_lock(run, unit)
            raise TryAgain(failed.message) from None
        raise
    # Helm calls it a success when only its last write fails, the one that says so in its record.
    if not run.dry_run and (unit.release, unit.digest) not in _deployed(run, unit.release):
        raise TryAgain("Helm could not record that it is deployed")


def _release_lock(run: _Run, unit: _Unit) -> None:
    """Remove the record of an operation that nobody can be working on any more, as a killed run leaves it.

    What it had created stays: it carries the release's name, so the next attempt takes it over.
    """
    selector = f"owner=helm,name={unit.release},status in (pending-install,pending-upgrade,pending-rollback)"
    listed = run.kube.kubectl(
        "get", "secrets", "--namespace", run.namespace, "--selector", selector, "--output", "json"
    )
    for secret in json.loads(listed)["items"]:
        labels = secret["metadata"]["labels"]
        since = int(labels.get("modifiedAt") or labels.get("createdAt") or 0)
        if time.time() - since > _HELM_TIMEOUT:
            run.kube.kubectl("delete", "secret", secret["metadata"]["name"], "--namespace", run.namespace)


def _fix(problem: str) -> str:
    if "is not labeled as a Project namespace" in problem:
        return (
            "if the namespace is meant for Kargo: kubectl label namespace kargo-<service> kargo.akuity.io/project=true"
        )
    if "Apply failed with" in problem:
        return "somebody changed this by hand: keep that in kargo.yaml, or take it back with --force"
    if 'missing key "meta.helm.sh/release-name"' in problem:
        return "Helm did not make this, but Argo CD or a person: docs/deploying.md#helm-or-argo-cd"
    if "invalid ownership metadata" in problem:
        return "another release owns it: use the kubectl context's namespace that it was installed from"
    if "these values cannot work" in problem or "schema" in problem:
        return "run `kargo-fleet check`"
    return "run the command again; it continues where it stopped"
