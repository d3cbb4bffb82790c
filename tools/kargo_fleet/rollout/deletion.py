"""Deleting units from a cluster, in the order that works although Project and namespace are kept."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path

from kargo_fleet.clients.kube import Kube
from kargo_fleet.clients.process import ClientError, ClientTimeoutError
from kargo_fleet.clients.retrying import retry_transient
from kargo_fleet.clients.running import client_threads
from kargo_fleet.cluster.objects import Object, annotation, is_ours, label, name_of
from kargo_fleet.files import generated
from kargo_fleet.files.generated import State
from kargo_fleet.files.writing import FileWriter
from kargo_fleet.findings import Finding, Place
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.names import (
    COMPONENT_LABEL,
    INSTANCE_LABEL,
    NAME_LABEL,
    UNIT_COMPONENT,
    values_path,
)
from kargo_fleet.rollout.releases import foreign
from kargo_fleet.text.words import did_you_mean

_PROJECTS = "projects.kargo.akuity.io"
_APPLICATIONS = "applications.argoproj.io"
_WAIT = 120  # seconds for one object to go


@dataclass(frozen=True)
class InstalledUnit:
    """The unit of one service in the cluster, and how many promotions and Freight are deleted with it."""

    service: str
    project: str  # the name of the Project and its namespace
    owns_namespace: bool
    promotions: int
    freight: int
    release: tuple[str, str] | None  # name and namespace, from Helm's annotations on the unit


@dataclass(frozen=True)
class Deletion:
    """The `units` to delete. `findings` are about requested services that are not deleted."""

    kube: Kube
    argocd_namespace: str
    has_argocd: bool
    units: tuple[InstalledUnit, ...]
    findings: tuple[Finding, ...]


def prepare(
    kube: Kube,
    argocd_namespace: str,
    choose: Callable[[Collection[str]], Sequence[str]],
    project_of: Callable[[str], str],
) -> Deletion:
    """Return the units of the services that `choose` picks from those with a unit in the cluster.

    `project_of` returns the name of a service's Project. Objects without the chart's labels, or of another name, are no
    units of this fleet.
    """
    ours, others = _present(kube, project_of)
    wanted = choose(ours)
    return Deletion(
        kube=kube,
        argocd_namespace=argocd_namespace,
        has_argocd=kube.knows(_APPLICATIONS),
        units=tuple(_units(kube, {name: ours[name] for name in wanted if name in ours}, project_of)),
        findings=tuple(_not_deleted(name, project_of(name), others, ours) for name in wanted if name not in ours),
    )


def remove(deletion: Deletion) -> Iterator[tuple[InstalledUnit, Finding | None]]:
    """Delete the units in parallel; yield each with the finding about its failure, or None when it is deleted."""
    with client_threads(2 * (os.cpu_count() or 1)) as pool:
        futures = {pool.submit(_delete, deletion, unit): unit for unit in deletion.units}
        for future in as_completed(futures):
            yield futures[future], future.result()


def remove_values(root: Path, fleet: Fleet, service: str) -> str | None:
    """Remove the unedited values file of a service without a folder; return its path, None when nothing was removed."""
    path = values_path(service)
    if fleet.has(service):
        return None
    if (root / path).parent.is_symlink() or generated.state(generated.read(root / path), None) is not State.OUTDATED:
        return None
    with FileWriter(root) as writer:
        writer.remove(path)
    return path


def _present(kube: Kube, project_of: Callable[[str], str]) -> tuple[dict[str, dict[str, Object]], dict[str, Object]]:
    """Return the Projects and namespaces of units by service and kind, and all others by name."""
    ours: dict[str, dict[str, Object]] = {}
    others: dict[str, Object] = {}
    for resource in (_PROJECTS, "namespaces"):
        for found in kube.get(resource):
            service, name = label(found, INSTANCE_LABEL), name_of(found)
            if is_ours(found) and service and name == project_of(service):
                ours.setdefault(service, {})[resource] = found
            else:
                others[name] = found
    return ours, others


def _units(
    kube: Kube, present: dict[str, dict[str, Object]], project_of: Callable[[str], str]
) -> Iterator[InstalledUnit]:
    promotions, freight = (_counts(kube, kind) for kind in ("promotions.kargo.akuity.io", "freights.kargo.akuity.io"))
    for service, objects in present.items():
        project = project_of(service)
        releases = [found for found in map(_release, objects.values()) if found]
        release = releases[-1] if releases else None
        yield InstalledUnit(service, project, "namespaces" in objects, promotions[project], freight[project], release)


def _release(obj: Object) -> tuple[str, str] | None:
    """Return name and namespace of the Helm release in an object's annotations."""
    name = annotation(obj, "meta.helm.sh/release-name")
    return (name, annotation(obj, "meta.helm.sh/release-namespace") or "default") if name else None


def _not_deleted(service: str, project: str, others: Mapping[str, Object], ours: Iterable[str]) -> Finding:
    is_taken = project in others
    reason = "its Project or namespace was not created by the chart" if is_taken else "there is no such unit"
    fix = "to delete it anyway, use kubectl" if is_taken else did_you_mean(service, ours)
    former = sorted(
        name for name, found in others.items() if is_ours(found) and label(found, INSTANCE_LABEL) == service
    )
    if former and not is_taken:
        reason = (
            f"its Project is {project} in this fleet, which is not in the cluster; {' and '.join(former)} is another"
        )
        fix = "set project.name in fleet.yaml, or use kubectl"
    return Finding(Place(project), "KF802", f"{service} was not deleted: {reason}", fix, service)


def _counts(kube: Kube, resource: str) -> Counter[str]:
    try:
        columns = "custom-columns=NAMESPACE:.metadata.namespace"
        return Counter(kube.kubectl("get", resource, "--all-namespaces", "--output", columns, "--no-headers").split())
    except ClientError:
        return Counter()


def _delete(deletion: Deletion, unit: InstalledUnit) -> Finding | None:
    """Delete one unit; return the finding about its failure, None when it is deleted."""
    try:
        if deletion.has_argocd:  # first, or Argo CD restores everything
            chosen = f"--selector={COMPONENT_LABEL}={UNIT_COMPONENT},{NAME_LABEL}={unit.service}"
            _kubectl_delete(deletion.kube, _APPLICATIONS, chosen, "--namespace", deletion.argocd_namespace)
        if unit.release is not None:
            release, namespace = unit.release
            if not retry_transient(foreign, deletion.kube, namespace, [release]):
                options = ("--namespace", namespace, "--ignore-not-found")
                retry_transient(deletion.kube.helm, "uninstall", release, *options)
        _kubectl_delete(deletion.kube, _PROJECTS, unit.project)
        if unit.owns_namespace:  # a namespace of another team stays, with its objects
            _kubectl_delete(deletion.kube, "namespaces", unit.project)
    except ClientError as error:
        message = f"{unit.service} was not deleted completely: {error.message}"
        return Finding(Place(unit.project), "KF802", message, _fix(error), unit.service)
    return None


def _kubectl_delete(kube: Kube, resource: str, which: str, *more: str) -> None:
    # A kuberc file may set --interactive or --wait=false; the order of the steps relies on waiting.
    options = ("--ignore-not-found", "--interactive=false", "--wait", f"--timeout={_WAIT}s")
    retry_transient(kube.kubectl, "delete", resource, which, *more, *options, timeout=_WAIT + 30)


def _fix(error: ClientError) -> str:
    if isinstance(error, ClientTimeoutError) or "timed out waiting" in error.message:
        return "an object has a finalizer: start Kargo's controllers, which remove `kargo.akuity.io/finalizer`"
    return "run the command again; it continues where it stopped"
