"""One unit: its namespace, its Project and the objects in it exist and are ready."""

from __future__ import annotations

from collections.abc import Iterator

from kargo_fleet.cluster import resources as c
from kargo_fleet.cluster.objects import Object, age, condition, dig, label, name_of
from kargo_fleet.cluster.scope import ExpectedUnit
from kargo_fleet.cluster.snapshot import Snapshot
from kargo_fleet.doctor.codes import found
from kargo_fleet.doctor.installation import GRACE
from kargo_fleet.findings import Finding
from kargo_fleet.fleet.names import PROJECT_LABEL
from kargo_fleet.text.words import first_of, one_line


def deploy_fix(service: str, *, again: bool = False) -> str:
    """Return the fix that deploys a unit, with `again` even if its release is up to date."""
    return f"run `kargo-fleet deploy {service}{' --force' if again else ''}`, or let Argo CD sync it"


def is_deployed(cluster: Snapshot, unit: ExpectedUnit) -> bool:
    """Return whether any object of a unit is in the cluster, or may be."""
    objects = (cluster.get(c.NAMESPACES, unit.project), cluster.get(c.PROJECTS, unit.project))
    if any(objects) or cluster.within(c.STAGES, unit.project):
        return True
    return not (cluster.knows(c.NAMESPACES) and cluster.knows(c.PROJECTS))


def find(cluster: Snapshot, unit: ExpectedUnit) -> Finding | None:
    """Check namespace and Project. When they are not ready, nothing else can be."""
    namespace, project = cluster.get(c.NAMESPACES, unit.project), cluster.get(c.PROJECTS, unit.project)
    service, name = unit.service, unit.project
    if namespace and dig(namespace, "metadata", "deletionTimestamp"):
        message = f"the namespace is being deleted{_remaining(namespace)}"
        fix = f"wait until `kubectl get namespace {name}` returns NotFound, then {deploy_fix(service, again=True)}"
        return found("KF713", f"{name}/Namespace", message, fix, service)
    if namespace and label(namespace, PROJECT_LABEL) != "true":
        message = f"the namespace {name} lacks the label {PROJECT_LABEL}=true, so Kargo refuses it"
        fix = f"if the namespace is meant for Kargo, run `kubectl label namespace {name} {PROJECT_LABEL}=true`"
        return found("KF712", f"{name}/Namespace", message, fix, service)
    if namespace and not project and cluster.knows(c.PROJECTS):
        message = "the namespace exists, but the Project does not"
        return found("KF714", f"{name}/Project", message, deploy_fix(service, again=True), service)
    return _project(cluster, project, service) if project else None


def _remaining(namespace: Object) -> str:
    messages = [
        one_line(condition(namespace, kind).get("message"))
        for kind in ("NamespaceContentRemaining", "NamespaceFinalizersRemaining")
        if condition(namespace, kind).get("status") == "True"
    ]
    return f": {'; '.join(messages)}" if messages else ""


def _project(cluster: Snapshot, project: Object, service: str) -> Finding | None:
    name = name_of(project)
    if dig(project, "metadata", "deletionTimestamp"):
        fix = f"wait until `kubectl get projects.kargo.akuity.io {name}` returns NotFound, then {deploy_fix(service, again=True)}"
        return found("KF713", f"{name}/Project", "the Project is being deleted", fix, service)
    ready = condition(project, "Ready")
    if not ready or ready.get("status") == "True" or age(cluster.now, project) < GRACE:
        return None
    message = f"the Project is not ready: {one_line(ready.get('message')) or ready.get('reason')}"
    fix = f"run `kubectl describe projects.kargo.akuity.io {name}`"
    if condition(project, "Stalled").get("reason") == "ExistingNamespaceMissingLabel":
        fix = f"if the namespace is meant for Kargo, run `kubectl label namespace {name} {PROJECT_LABEL}=true`"
    return found("KF715", f"{name}/Project", message, fix, service)


def parts(cluster: Snapshot, unit: ExpectedUnit) -> Iterator[Finding]:
    """Check that ProjectConfig, Warehouses and Stages of a unit exist, and that the ProjectConfig is ready."""
    project = unit.project
    missing = []
    if cluster.knows(c.CONFIGS, project) and not cluster.get(c.CONFIGS, project, project):
        missing.append("ProjectConfig")
    if cluster.knows(c.WAREHOUSES, project):
        missing += [f"Warehouse/{name}" for name in unit.warehouses if not cluster.get(c.WAREHOUSES, name, project)]
    if cluster.knows(c.STAGES, project):
        missing += [f"Stage/{stage}" for stage in unit.order if not cluster.get(c.STAGES, stage, project)]
    if missing:
        what = f"{first_of(missing)} {'is' if len(missing) == 1 else 'are'} not in the cluster"
        place = f"{project}/{missing[0]}" if len(missing) == 1 else project
        yield found("KF716", place, what, deploy_fix(unit.service, again=True), unit.service)
    config = cluster.get(c.CONFIGS, project, project)
    ready = condition(config, "Ready") if config else {}
    if ready.get("status") == "False" and ready.get("reason") == "SyncWebhookReceiversFailed":
        message = f"the ProjectConfig is not ready: {one_line(ready.get('message'))}"
        fix = f"run `kubectl describe projectconfig {project} -n {project}`; the chart does not create its Secrets"
        yield found("KF715", f"{project}/ProjectConfig", message, fix, unit.service)
