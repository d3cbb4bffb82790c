"""The AppProjects: the limits of what the Applications may do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kargo_fleet.argocd.settings import LABELS, ArgoFleet, StageApplication
from kargo_fleet.argocd.workload_sets import workload_namespace
from kargo_fleet.fleet.names import PREFIX, RESERVED_NAMES
from kargo_fleet.fleet.object_kinds import CHART_KINDS
from kargo_fleet.fleet.pipeline import expanded
from kargo_fleet.text.yaml_writer import Note

# Not `namespace: "!kargo-shared-resources"`: in Argo CD 3.5 such an entry *allows* every namespace it does not name
# (https://github.com/argoproj/argo-cd/issues/21264). A server that matches nothing makes an entry that can only deny.
NO_SERVER = "!**"

_WHY_DENY = """\
Kargo's own namespaces begin with kargo- as well. This form denies and nothing else: `namespace: "!kargo-…"` would allow
every other namespace of the cluster (argoproj/argo-cd#21264)."""

_WHY_DENY_WORKLOADS = "Never into the namespaces of the control planes. (Why in this form: see appproject.yaml.)"

_WHY_KINDS = """\
Exactly the kinds in charts/kargo-service. (orphanedResources stays off: Freight, Promotions, Roles are Kargo's.)"""

_WHY_MORE_KINDS = """
The last ones are those of extraObjects.allowedKinds."""

_WHY_NAMES = "A unit may make its own namespace and Project, nothing else that is cluster-wide."


def units_project(fleet: ArgoFleet, services: Iterable[str]) -> dict[str, Any]:
    """Return the AppProject of the units of `services`."""
    settings = fleet.argocd["appProject"]
    clusters = [fleet.argocd["destination"]]
    if fleet.follows_shards:
        clusters += [fleet.destination(shard.name) for shard in fleet.shards]
    names = fleet.projects.namespaces(services)
    different = [cluster for n, cluster in enumerate(clusters) if cluster not in clusters[:n]]
    allowed = [{**cluster, "namespace": name} for cluster in different for name in names]
    reserved = [f"{PREFIX}{name}" for name in sorted(RESERVED_NAMES)]
    deny = _deny(reserved)
    deny[0] = Note(_WHY_DENY, deny[0])
    own = [("", "Namespace"), ("kargo.akuity.io", "Project")]
    spec: dict[str, Any] = {
        "description": f"Kargo's configuration of every service: one unit, {fleet.projects.pattern}, per "
        f"{'service' if fleet.lists_units else 'folder'} of {fleet.layout.base}/. {_generated()}",
        "sourceRepos": _repositories(fleet, fleet.chart.repo_url),
        "destinations": [*allowed, *deny],
        "clusterResourceWhitelist": Note(_WHY_NAMES, [_named(*kind, name) for kind in own for name in names]),
        "clusterResourceBlacklist": [_named(*kind, name) for kind in own for name in reserved],
        "namespaceResourceWhitelist": Note(
            _WHY_KINDS + (_WHY_MORE_KINDS if fleet.extra_kinds else ""),
            [{"group": group, "kind": kind} for group, kind in (*CHART_KINDS, *fleet.extra_kinds)],
        ),
    }
    return _project(fleet, settings, spec)


def workloads_project(
    fleet: ArgoFleet, stages: Iterable[str], services: Mapping[str, Sequence[StageApplication]]
) -> dict[str, Any]:
    """Return the AppProject of the workloads: their own namespaces, whatever namespaced kinds their chart has.

    A stage that only a service's own file names opens the namespaces of such services: `*-system` of a stage `system` would
    open those of others.
    """
    settings = fleet.workloads["appProject"]
    destinations: list[dict[str, Any]] = []
    for stage in stages:
        target = fleet.workload(stage)["destination"]
        namespaces = [_glob(target["namespace"], stage)]
        if stage not in (*fleet.usual_stages, *fleet.grouped_stages):
            having = [service for service, own in sorted(services.items()) if stage in {one.name for one in own}]
            namespaces = [workload_namespace(fleet, service, stage) for service in having]
        cluster = {key: value for key, value in target.items() if key != "namespace"}
        entries = [{**cluster, "namespace": namespace} for namespace in namespaces]
        destinations += [entry for entry in entries if entry not in destinations]
    units = [name for name in fleet.projects.namespaces(services) if not name.startswith(PREFIX)]
    deny = _deny(["kargo", f"{PREFIX}*", *units, "kube-*", fleet.argocd["namespace"]])
    deny[0] = Note(_WHY_DENY_WORKLOADS, deny[0])
    namespaces = list(dict.fromkeys(entry["namespace"] for entry in destinations))
    spec = {
        "description": f"The services themselves, one Application per service and stage. {_generated()}",
        "sourceRepos": _repositories(fleet, _glob(fleet.workloads["source"].get("repoURL") or "", "*")),
        "destinations": [*destinations, *deny],
        "clusterResourceWhitelist": Note(
            "For CreateNamespace=true; nothing else that is cluster-wide.",
            [_named("", "Namespace", name) for name in namespaces],
        ),
        "namespaceResourceBlacklist": Note(
            "What bounds a namespace is not the service's to change.",
            [{"group": "", "kind": "ResourceQuota"}, {"group": "", "kind": "LimitRange"}],
        ),
    }
    return _project(fleet, settings, spec)


def _project(fleet: ArgoFleet, settings: Mapping[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    passed_on = {key: settings[key] for key in ("roles", "syncWindows") if settings.get(key)}
    metadata = {
        "name": settings["name"],
        "namespace": fleet.argocd["namespace"],
        "labels": LABELS,
        "annotations": {
            "argocd.argoproj.io/sync-wave": Note("Before the ApplicationSets, which fail without it.", "-1"),
        },
    }
    whole = {**spec, **passed_on}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": metadata, "spec": whole}


def _repositories(fleet: ArgoFleet, chart: str) -> list[str]:
    return list(dict.fromkeys([fleet.repo_url, *([chart] if chart else [])]))


def _deny(namespaces: Iterable[str]) -> list[Any]:
    return [{"server": NO_SERVER, "namespace": name} for name in namespaces]


def _named(group: str, kind: str, name: str) -> dict[str, str]:
    return {"group": group, "kind": kind, "name": name}


def _glob(pattern: str, stage: str) -> str:
    return expanded(pattern.replace("<team>", "*"), "*", stage)


def _generated() -> str:
    return "Written by kargo-fleet."
