"""Argo CD: the Applications that install units, and those that promotions update."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kargo_fleet.cluster import resources as c
from kargo_fleet.cluster.objects import Object, annotation, condition, dig, name_of
from kargo_fleet.cluster.scope import ExpectedUnit
from kargo_fleet.cluster.snapshot import Snapshot
from kargo_fleet.doctor.codes import found
from kargo_fleet.doctor.expected import Expected
from kargo_fleet.findings import Finding
from kargo_fleet.fleet.names import AUTHORIZED_STAGE
from kargo_fleet.text.words import one_line


def sets(cluster: Snapshot) -> Iterator[Finding]:
    """Check the ApplicationSets. A set that reports an error creates no Applications."""
    for appset in cluster.all(c.APPLICATION_SETS):
        error = condition(appset, "ErrorOccurred")
        if error.get("status") == "True":
            namespace, name = appset["metadata"]["namespace"], name_of(appset)
            message = f"the ApplicationSet {name} reports an error: {one_line(error.get('message'))}"
            fix = f"run `kubectl describe applicationset {name} -n {namespace}`; see docs/argocd.md"
            yield found("KF753", f"{namespace}/ApplicationSet/{name}", message, fix)


def of_unit(cluster: Snapshot, expected: Expected, unit: ExpectedUnit) -> Finding | None:
    """Check the Application that installs a unit."""
    namespace, name = expected.argocd_namespace, expected.application(unit.service)
    if not cluster.installs_units or not cluster.knows(c.APPLICATIONS, namespace):
        return None
    place = f"{namespace}/Application/{name}"
    application = cluster.get(c.APPLICATIONS, name, namespace)
    if application is None:
        appset = next(name_of(one) for one in cluster.all(c.APPLICATION_SETS))
        message = f"there is no Application {name}, so Argo CD does not install the unit"
        fix = (
            f"push {expected.fleet.folder_of(unit.service)} to the branch that Argo CD reads, then run "
            f"`kubectl annotate applicationset {appset} -n {namespace} argocd.argoproj.io/application-set-refresh=true`"
        )
        return found("KF751", place, message, fix, unit.service)
    problem = _problem(application)
    if not problem:
        return None
    return found("KF752", place, problem, f"run `kubectl describe application {name} -n {namespace}`", unit.service)


def is_out_of_sync(cluster: Snapshot, expected: Expected, unit: ExpectedUnit) -> bool:
    """Return whether OutOfSync is the only problem of a unit's Application."""
    application = cluster.get(c.APPLICATIONS, expected.application(unit.service), expected.argocd_namespace)
    return application is not None and not _failure(application) and _is_out_of_sync(application)


def _problem(application: Object) -> str:
    """Return the problem of an Application, "" when it has none or is syncing."""
    if failure := _failure(application):
        return failure
    if _is_out_of_sync(application):
        return "the Application is OutOfSync: the cluster differs from the repository"
    return ""


def _failure(application: Object) -> str:
    conditions: list[Mapping[str, Any]] = dig(application, "status", "conditions") or []
    errors = [item for item in conditions if str(item.get("type")).endswith("Error")]
    operation = dig(application, "status", "operationState") or {}
    if errors:
        return f"Argo CD reports an error: {one_line(errors[0].get('message'))}"
    if operation.get("phase") in ("Failed", "Error"):
        return f"the last sync failed: {one_line(operation.get('message'))}"
    if dig(application, "status", "health", "status") == "Degraded":
        message = one_line(dig(application, "status", "health", "message"))
        return f"the Application is Degraded{f': {message}' if message else ''}"
    return ""


def _is_out_of_sync(application: Object) -> bool:
    is_syncing = dig(application, "status", "operationState", "phase") == "Running"
    return dig(application, "status", "sync", "status") == "OutOfSync" and not is_syncing


def of_workloads(cluster: Snapshot, expected: Expected, unit: ExpectedUnit) -> Iterator[Finding]:
    """Check the Applications that promotions update: they must exist and authorize the Stage."""
    if c.APPLICATIONS.plural in cluster.missing:
        return
    for workload, (namespace, name) in zip(
        unit.workloads, cluster.workload_places(unit, expected.argocd_namespace), strict=False
    ):
        if not cluster.knows(c.APPLICATIONS, namespace):
            continue
        place, stage = f"{namespace}/Application/{name}", f"{unit.project}:{workload.stage}"
        application = cluster.get(c.APPLICATIONS, name, namespace)
        if application is None:
            message = f"there is no Application {name} in {namespace}; promotions to {workload.stage} update it"
            fix = "deploy it before the next promotion, or correct `promotion.argocdUpdate` (name, namespace)"
            yield found("KF754", place, message, fix, unit.service)
        elif stage not in _authorized(application):
            now = annotation(application, AUTHORIZED_STAGE)
            message = f"the Application does not authorize Stage {stage}: {AUTHORIZED_STAGE} is {now or 'not set'}"
            fix = (
                f"run `kubectl annotate application {name} -n {namespace} --overwrite {AUTHORIZED_STAGE}={stage}`, "
                "or set the annotation in Git if the Application comes from there"
            )
            yield found("KF755", place, message, fix, unit.service)


def _authorized(application: Object) -> set[str]:
    """Return the Stages that may update an Application, as `project:stage`: pkg/api of Kargo v1.11.2."""
    entries = annotation(application, AUTHORIZED_STAGE).split(",")
    return {":".join(part.strip() for part in entry.split(":")) for entry in entries}
