"""A cluster in a dict, for the tests of `kargo-fleet doctor`: what the chart renders, with the status that Kargo gives it.

`World` answers `kubectl get` page by page, with labels and RBAC; tests/on_cluster/test_doctor.py uses a real cluster.
"""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from contract import schemas, upstream
from kargo_fleet.clients.kube import Kube
from kargo_fleet.clients.process import ClientError
from kargo_fleet.render.renderer import RenderedUnit

Object = dict[str, Any]
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
URL = "https://git.example.com/platform.git"
_KARGO, _ARGO = "kargo.akuity.io/v1alpha1", "argoproj.io/v1alpha1"
_PLURALS = {"ProjectConfig": "projectconfigs", "ResourceQuota": "resourcequotas", "Freight": "freights"}
_CLUSTER_SCOPED = {"Namespace", "Project", "CustomResourceDefinition"}


def ago(**time: float) -> str:
    """Return a timestamp of Kubernetes: `ago(hours=2)`."""
    return (NOW - timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(kind: str, status: str, reason: str, message: str = "", since: str = "") -> Object:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": since or ago(days=1),
        "observedGeneration": 1,
    }


def plural(kind: str) -> str:
    return _PLURALS.get(kind, f"{kind.lower()}s")


def obj(kind: str, name: str, namespace: str = "", *, api: str = _KARGO, **parts: Any) -> Object:
    """Return an object that was created two days ago."""
    metadata = {"name": name, "creationTimestamp": ago(days=2), **parts.pop("metadata", {})}
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {**metadata, **({"namespace": namespace} if namespace else {})},
    } | parts


@dataclass
class World:
    """The objects of a cluster, by kind, namespace and name. `unknown` are kinds that it does not have."""

    objects: dict[tuple[str, str, str], Object] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    forbidden: set[tuple[str, str]] = field(default_factory=set)
    manifests: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def add(self, *objects: Object) -> None:
        for one in objects:
            one["metadata"].setdefault("creationTimestamp", ago(days=2))
            self.objects[one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]] = one

    def get(self, place: str) -> Object:
        """`get("kargo-nginx/Stage/prod")`, `get("Project/kargo-nginx")`."""
        *namespace, kind, name = place.split("/")
        return self.objects[kind, "".join(namespace), name]

    def remove(self, *places: str) -> None:
        for place in places:
            *namespace, kind, name = place.split("/")
            del self.objects[kind, "".join(namespace), name]

    def set(self, place: str, *conditions: Object, **status: Any) -> None:
        """Replace conditions, by type, and other parts of the status."""
        found = self.get(place).setdefault("status", {})
        kept = {item["type"]: item for item in found.get("conditions", [])}
        kept.update((item["type"], item) for item in conditions)
        found["conditions"] = list(kept.values())
        for key, value in status.items():
            if value is None:
                found.pop(key, None)
            else:
                found[key] = value

    def render(self, _: object, units: Mapping[str, str]) -> Iterator[RenderedUnit]:
        """Render units, in the order of their names, as Helm does."""
        return (RenderedUnit(service, self.manifests[service]) for service in units)

    # -- What kubectl does ---------------------------------------------------------------------------------------

    def kubectl(self, *arguments: str) -> str:
        self.asked.append(" ".join(arguments))
        assert arguments[0] == "get", "doctor only reads"
        if arguments[1] == "--raw":
            return json.dumps(self._raw(arguments[2]))
        return self._secrets(arguments)

    def _raw(self, address: str) -> Object:
        parts = urlsplit(address)
        match = re.fullmatch(r"/apis?/(?:[^/]+/)?v\w+(?:/namespaces/([^/]+)(?=/))?/([a-z]+)(?:/([^/]+))?", parts.path)
        assert match, address
        namespace, kinds, name = match[1] or "", match[2], match[3]
        self._allow(kinds, namespace)
        found = [
            one
            for (kind, inside, _), one in sorted(self.objects.items(), key=lambda item: item[0])
            if plural(kind) == kinds
        ]
        found = [one for one in found if not namespace or one["metadata"].get("namespace") == namespace]
        if name:
            for one in found:
                if one["metadata"]["name"] == name:
                    return copy.deepcopy(one)
            raise ClientError(f'Error from server (NotFound): {kinds} "{name}" not found')
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        found = [one for one in found if _selects(query.get("labelSelector", ""), one)]
        start, limit = int(query.get("continue", 0)), int(query["limit"])
        more = {"continue": str(start + limit)} if start + limit < len(found) else {}
        return {"kind": "List", "metadata": more, "items": copy.deepcopy(found[start : start + limit])}

    def _secrets(self, arguments: Iterable[str]) -> str:
        words = list(arguments)
        assert words[1] == "secrets"
        namespace = words[words.index("--namespace") + 1] if "--namespace" in words else ""
        self._allow("secrets", namespace)
        (template,) = (word for word in words if word.startswith("jsonpath="))
        assert re.findall(r"\.data\.(\w+)", template) == ["repoURL", "repoURLIsRegex"], "nothing else may be read"
        selector = words[words.index("--selector") + 1]
        lines = []
        for (kind, inside, name), one in self.objects.items():
            if kind == "Secret" and (not namespace or inside == namespace) and _selects(selector, one):
                data = one.get("data", {})
                lines.append("\t".join([inside, name, data.get("repoURL", ""), data.get("repoURLIsRegex", "")]) + "\n")
        return "".join(lines)

    def _allow(self, kinds: str, namespace: str) -> None:
        if kinds in self.unknown:
            raise ClientError("Error from server (NotFound): the server could not find the requested resource")
        if {(kinds, namespace), (kinds, "*")} & self.forbidden:
            raise ClientError(f'Error from server (Forbidden): {kinds} is forbidden: User "alice" cannot list resource')


def _selects(selector: str, one: Object) -> bool:
    labels = one["metadata"].get("labels", {})
    for term in filter(None, selector.split(",")):
        key, is_value, value = term.partition("=")
        if key not in labels or (is_value and labels[key] != value):
            return False
    return True


@dataclass(frozen=True)
class WorldKube(Kube):
    """kubectl, with a World behind it."""

    world: World = field(default_factory=World)

    def kubectl(self, *arguments: str, **_: Any) -> str:
        return self.world.kubectl(*arguments)


# -- A world in which everything is well ---------------------------------------------------------------------------


def secret(name: str, namespace: str, url: str, *, regex: bool = False) -> Object:
    data = {"repoURL": url, "username": "kargo", "password": "hidden", **({"repoURLIsRegex": "true"} if regex else {})}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    labels = {"kargo.akuity.io/cred-type": "git"}
    return obj("Secret", name, namespace, api="v1", metadata={"labels": labels}, data=encoded)


def lease(shard: str, renewed: str) -> Object:
    labels = {"kargo.akuity.io/controller": shard}
    spec = {"leaseDurationSeconds": 120, "renewTime": renewed}
    name = f"kargo-controller-{shard or 'unnamed'}"
    return obj("Lease", name, "kargo", api="coordination.k8s.io/v1", metadata={"labels": labels}, spec=spec)


def controller(shard: str = "", version: str = "v1.11.2", **settings: str) -> list[Object]:
    """Return a controller of Kargo as its chart installs it: a Deployment, a ConfigMap, and the Lease that it renews."""
    name = f"kargo-controller-{shard}" if shard else "kargo-controller"
    metadata = {"labels": {"app.kubernetes.io/name": "kargo", "app.kubernetes.io/component": "controller"}}
    own = {"SHARD_NAME": shard} if shard else {"IS_DEFAULT_CONTROLLER": "true"}
    data = {"KARGO_NAMESPACE": "kargo", "SHARED_RESOURCES_NAMESPACE": "kargo-shared-resources", **own, **settings}
    containers = [{"name": "controller", "image": f"ghcr.io/akuity/kargo:{version}"}]
    spec = {"template": {"spec": {"containers": containers}}}
    return [
        obj("Deployment", name, "kargo", api="apps/v1", metadata=metadata, spec=spec),
        obj("ConfigMap", name, "kargo", api="v1", metadata=metadata, data=data),
        lease(shard, ago(seconds=20)),
    ]


def promotion(stage: str, phase: str = "Succeeded", steps: Iterable[Object] = (), **status: Any) -> Object:
    """Return a reference to a promotion, as a Stage's `status.lastPromotion` has it."""
    name = f"{stage}.01hzz0000000000000000000000.abc1234"
    return {
        "name": name,
        "status": {"phase": phase, "finishedAt": ago(days=1), "stepExecutionMetadata": list(steps)} | status,
    }


def step(alias: str, status: str, message: str = "") -> Object:
    return {"alias": alias, "status": status, "startedAt": ago(days=1), **({"message": message} if message else {})}


def freight(name: str = "f1") -> Object:
    origin = {"kind": "Warehouse", "name": "nginx"}
    return {"id": f"c-{name}", "items": {"Warehouse/nginx": {"name": name, "origin": origin}}}


def healthy(manifest: str) -> list[Object]:
    """Return the objects of a unit as rendered, with the status of a healthy unit."""
    objects = [one for one in yaml.safe_load_all(manifest) if one]
    for one in objects:
        one["metadata"]["creationTimestamp"] = ago(days=2)
        kind, status = one["kind"], {}
        if kind in ("Project", "ProjectConfig"):
            status = {"conditions": [condition("Ready", "True", "Synced", "Project is synced and ready for use")]}
        elif kind == "Warehouse":
            status = _warehouse_status()
        elif kind == "Stage":
            status = _stage_status(one)
        if status:
            one["status"] = status
    return objects


def _warehouse_status() -> Object:
    return {
        "conditions": [
            condition("Healthy", "True", "ReconciliationSucceeded"),
            condition("Ready", "True", "ArtifactsDiscovered", "Successfully discovered artifacts from 1 subscriptions"),
            condition("FreightCreated", "False", "AlreadyExists"),
        ],
        "lastFreightID": "f1",
        "discoveredArtifacts": {"discoveredAt": ago(minutes=2)},
        "observedGeneration": 1,
    }


def _stage_status(one: Object) -> Object:
    name = one["metadata"]["name"]
    return {
        "conditions": [
            condition("Ready", "True", "Verified", "Freight has been verified"),
            condition("Healthy", "True", "Healthy", "Stage is healthy (performed 0 health checks)"),
            condition("Verified", "True", "Verified", "Freight has been verified"),
        ],
        "freightSummary": "f1",
        "freightHistory": [freight()],
        "health": {"status": "Healthy"},
        "lastPromotion": promotion(name, steps=[step("push", "Succeeded")]),
        **({"autoPromotionEnabled": True} if name != "prod" else {}),
    }


def kargo() -> list[Object]:
    """Return the objects of a Kargo v1.11 installation: CRDs, a controller, and a Secret for the repository."""
    crds = [json.loads(_crd(kinds)) for kinds in ("stages", "projectconfigs")]
    return [*crds, *controller(), secret("platform", "kargo-shared-resources", URL)]


@cache
def _crd(kinds: str) -> str:
    file = upstream.module(upstream.KARGO) / f"charts/kargo/resources/crds/kargo.akuity.io_{kinds}.yaml"
    return json.dumps(yaml.load(file.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def application(name: str, stage: str = "", **status: Any) -> Object:
    """Return a healthy Application of Argo CD: of a unit, or of a workload that `stage` may update."""
    labels = (
        {}
        if stage
        else {"app.kubernetes.io/component": "kargo-unit", "app.kubernetes.io/name": name.removeprefix("kargo-")}
    )
    annotations = {"kargo.akuity.io/authorized-stage": stage} if stage else {}
    well = {"sync": {"status": "Synced"}, "health": {"status": "Healthy"}, "operationState": {"phase": "Succeeded"}}
    metadata = {"labels": labels, "annotations": annotations}
    return obj("Application", name, "argocd", api=_ARGO, metadata=metadata, spec={}, status=well | status)


def application_set(*conditions: Object) -> Object:
    metadata = {"labels": {"app.kubernetes.io/part-of": "kargo-fleet"}}
    status = {"conditions": list(conditions) or [condition("ErrorOccurred", "False", "ApplicationSetUpToDate")]}
    return obj("ApplicationSet", "kargo-units", "argocd", api=_ARGO, metadata=metadata, spec={}, status=status)


# -- Is this what Kargo writes? ------------------------------------------------------------------------------------


def fantasies(objects: Iterable[Object]) -> list[str]:
    """Return the parts of statuses that Kargo's CRDs do not have."""
    found = []
    for one in objects:
        known = schemas.kargo_kinds().get((one["apiVersion"], one["kind"]))
        if known and "status" in one:
            checker = schemas.validator(schemas.closed(known.source["properties"]["status"]))
            found += schemas.findings(checker, one["status"], f"{one['kind']}/{one['metadata']['name']}.status")
    return found
