"""kargo-fleet delete: take units out of the cluster, in the order that works although Project and namespace are kept."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from kargo_fleet import argocd
from kargo_fleet.clients.kube import Failed, Kube
from kargo_fleet.clients.retrying import until_it_works
from kargo_fleet.files import generated
from kargo_fleet.files.generated import State
from kargo_fleet.findings import Finding, Place
from kargo_fleet.fleet import config
from kargo_fleet.fleet.release import foreign
from kargo_fleet.generate import desired, evaluate
from kargo_fleet.terminal import reporters
from kargo_fleet.terminal.confirm import confirm
from kargo_fleet.terminal.progress import bar
from kargo_fleet.terminal.reporters import Change, Format, Report, plural

#: What the chart puts on everything that it makes. Helm owns managed-by, so that label says nothing.
_OURS = ("app.kubernetes.io/part-of", "kargo-fleet")
_SERVICE = "app.kubernetes.io/instance"
_PROJECTS = "projects.kargo.akuity.io"
_APPLICATIONS = "applications.argoproj.io"
_WAIT = 120  # seconds for one object to go


@dataclass(frozen=True)
class _Unit:
    """What of one service is in the cluster, and how much goes with it."""

    service: str
    owns_namespace: bool
    promotions: int
    freight: int
    release: tuple[str, str] | None  # name and namespace, as Helm wrote them onto the unit

    @property
    def project(self) -> str:
        return f"kargo-{self.service}"


@dataclass(frozen=True)
class _Run:
    """What all deletions share."""

    root: Path
    kube: Kube
    fleet: config.Fleet
    argocd_namespace: str
    has_argocd: bool


def delete(
    root: Path,
    services: Sequence[str],
    *,
    everything: bool = False,
    context: str = "",
    yes: bool = False,
    output: Format = Format.TEXT,
) -> int:
    """Delete the units of `services`, or of all services with `everything`; return 1 when something is left, else 0.

    Says what will go and asks. Then, for each: its Argo CD Application, its Helm release, its Project, its namespace with
    all promotions and their history, and its values file unless the service still has a folder. Only what carries the
    chart's labels is touched. Raises FleetError without a cluster or without consent.
    """
    kube = Kube(context)
    target = kube.target()
    _, fleet = desired.load_sound(root)
    has_argocd = kube.knows(_APPLICATIONS)
    run = _Run(root, kube, fleet, argocd.namespace(fleet.data), has_argocd)
    units, findings = _found(run, services, everything=everything)
    print(f"in context {target.context} ({target.server}) these will go, with their history:", file=sys.stderr)
    for unit in units:
        counts = f"{plural(unit.promotions, 'promotion')}, {unit.freight} Freight"
        what = "Project and namespace" if unit.owns_namespace else "Project"
        print(f"  {unit.service}: {what} {unit.project}, {counts}", file=sys.stderr)
    if units:
        confirm(len(units), yes=yes, always=True)
    changes: list[Change] = []
    gone = 0
    for unit, problem in _all(run, units):
        if problem is None:
            gone += 1
            changes += [Change("deleted", unit.project), *_remove_values(run, unit.service)]
        else:
            message = f"{unit.service} is not gone: {problem}"
            findings.append(Finding(Place(unit.project), "KF802", message, _fix(problem), unit.service))
    if any((root / fleet.services / unit.service).is_dir() for unit in units) and has_argocd:
        hint = f"as long as {fleet.services}/<service> is on the branch, the ApplicationSet installs it again"
        print(f"note: {hint}", file=sys.stderr)
    summary = f"{plural(len(units), 'unit')}: {gone} deleted, {len(units) - gone} left"
    reporters.show(Report(sorted(findings), sorted(changes, key=lambda change: change.path), summary), output)
    return 1 if findings else 0


def _found(run: _Run, services: Sequence[str], *, everything: bool) -> tuple[list[_Unit], list[Finding]]:
    """Return the units that are in the cluster, and findings for what has their names but is not ours."""
    ours: dict[str, set[str]] = {}
    others: set[str] = set()
    releases: dict[str, tuple[str, str]] = {}
    for resource in (_PROJECTS, "namespaces"):
        for found in run.kube.get(resource):
            labels = found["metadata"].get("labels") or {}
            name = found["metadata"]["name"]
            if labels.get(_OURS[0]) == _OURS[1] and name == f"kargo-{labels.get(_SERVICE)}":
                ours.setdefault(labels[_SERVICE], set()).add(resource)
                notes = found["metadata"].get("annotations") or {}
                if release := notes.get("meta.helm.sh/release-name"):
                    releases[labels[_SERVICE]] = (release, notes.get("meta.helm.sh/release-namespace", "default"))
            elif name.startswith("kargo-"):
                others.add(name.removeprefix("kargo-"))
    wanted = sorted(ours) if everything else list(dict.fromkeys(services))
    findings = [
        Finding(
            Place(f"kargo-{name}"),
            "KF802",
            f"{name} is not deleted: {'this was not made by the chart' if name in others else 'there is no such unit'}",
            "delete it with kubectl, if that is meant" if name in others else "",
            name,
        )
        for name in wanted
        if name not in ours
    ]
    promotions, freight = (
        _counts(run.kube, kind) for kind in ("promotions.kargo.akuity.io", "freights.kargo.akuity.io")
    )
    units = [
        _Unit(
            name,
            "namespaces" in ours[name],
            promotions[f"kargo-{name}"],
            freight[f"kargo-{name}"],
            releases.get(name),
        )
        for name in wanted
        if name in ours
    ]
    return units, findings


def _counts(kube: Kube, resource: str) -> Counter[str]:
    try:
        columns = "custom-columns=NAMESPACE:.metadata.namespace"
        return Counter(kube.kubectl("get", resource, "--all-namespaces", "--output", columns, "--no-headers").split())
    except Failed:
        return Counter()


def _all(run: _Run, units: Sequence[_Unit]) -> Iterator[tuple[_Unit, str | None]]:
    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        futures = {pool.submit(_delete, run, unit): unit for unit in units}
        for future in bar(as_completed(futures), len(futures), "deleting"):
            yield futures[future], future.result()


def _delete(run: _Run, unit: _Unit) -> str | None:
    """Delete one unit; return why it is still there, None when it is gone."""
    try:
        if run.has_argocd:  # first, or it puts everything back
            chosen = f"--selector=app.kubernetes.io/component=kargo-unit,app.kubernetes.io/name={unit.service}"
            _kubectl_delete(run, _APPLICATIONS, chosen, "--namespace", run.argocd_namespace)
        if unit.release is not None:
            release, namespace = unit.release
            if not until_it_works(foreign, run.kube, namespace, [release]):
                until_it_works(run.kube.helm, "uninstall", release, "--namespace", namespace, "--ignore-not-found")
        _kubectl_delete(run, _PROJECTS, unit.project)
        if unit.owns_namespace:  # another team's stays, as does what it holds
            _kubectl_delete(run, "namespaces", unit.project)
    except Failed as failed:
        return failed.message
    return None


def _kubectl_delete(run: _Run, resource: str, which: str, *more: str) -> None:
    until_it_works(
        run.kube.kubectl,
        "delete",
        resource,
        which,
        *more,
        "--ignore-not-found",
        f"--timeout={_WAIT}s",
        timeout=_WAIT + 30,
    )


def _remove_values(run: _Run, service: str) -> list[Change]:
    """Remove the values file of a service that is gone from the repository, if a run generated it."""
    path = evaluate.values_path(service)
    if (run.root / run.fleet.services / service).is_dir():
        return []
    state = generated.state(generated.read(run.root / path), None)
    if state is not State.OUTDATED:
        return []
    (run.root / path).unlink()
    return [Change("removed", path)]


def _fix(problem: str) -> str:
    if "timed out waiting" in problem or "did not answer" in problem:
        return "something holds a finalizer: `kargo.akuity.io/finalizer` needs Kargo's controllers to be running"
    return "run the command again; it continues where it stopped"
