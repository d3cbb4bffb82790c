"""What a fleet takes in etcd: `make measure-etcd` writes tools/kargo_fleet/capacity/stored.json, which `capacity` uses.

A fleet is installed, in one control plane by Helm and in another as Argo CD does it. Then every object gets the status that
Kargo v1.11.2 (Argo CD v3.5.7) writes when it has run for a while, and the keys and values are read out of etcd itself.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import tempfile
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from bench import fleet as bench
from contract import upstream
from kargo_fleet.cli.main import main

from . import binaries
from .control_plane import ControlPlane, Object, control_plane
from .units import CHART

STORED: Final = binaries.ROOT / "tools" / "kargo_fleet" / "capacity" / "stored.json"
SERVICES: Final = 30
#: What this fleet's services have in common: the chart's discoveryLimit is 10, and that many are found.
DISCOVERED, HISTORY = 10, 10
#: Promotions, and status updates of Warehouses, from which the database's overhead is measured.
RELEASES, UPDATES = 3, 10
DIGEST, COMMIT, TIME = "sha256:" + "5e" * 32, "ab" * 20, "2026-11-24T10:00:00Z"

Sizes = dict[str, list[int]]


class Etcd:
    """etcd, through its JSON gateway."""

    def __init__(self, address: str) -> None:
        self.address = address

    def call(self, method: str, **body: Any) -> Object:
        request = urllib.request.Request(f"{self.address}/v3/{method}", json.dumps(body).encode(), method="POST")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as response:
            found: Object = json.load(response)
        return found

    def sizes(self) -> dict[str, int]:
        """Bytes of key and value, by key."""
        start, end = (base64.b64encode(key).decode() for key in (b"/registry/", b"/registry0"))
        found = self.call("kv/range", key=start, range_end=end)
        pairs = ((base64.b64decode(item["key"]), base64.b64decode(item.get("value", ""))) for item in found["kvs"])
        return {key.decode(): len(key) + len(value) for key, value in pairs}

    def in_use(self) -> int:
        """Bytes of the database that are in use."""
        return int(self.call("maintenance/status")["dbSizeInUse"])

    def settle(self) -> None:
        """Drop all history, as kube-apiserver does every five minutes, and give free pages back."""
        revision = self.call("maintenance/status")["header"]["revision"]
        self.call("kv/compaction", revision=revision, physical=True)
        self.call("maintenance/defragment")


class API:
    """The API server, asked directly: kubectl's start would be most of the time."""

    def __init__(self, cluster: ControlPlane) -> None:
        config = json.loads(cluster.kubeconfig.read_text())
        self.server = config["clusters"][0]["cluster"]["server"]
        self.token = config["users"][0]["user"]["token"]
        context = ssl.create_default_context(cafile=config["clusters"][0]["cluster"]["certificate-authority"])
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def send(self, method: str, path: str, body: Object, manager: str, kind: str = "application/json") -> Object:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        request = urllib.request.Request(
            f"{self.server}{path}?fieldManager={manager}", json.dumps(body).encode(), headers, method=method
        )
        try:
            with self.opener.open(request, timeout=60) as response:
                found: Object = json.load(response)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.read().decode()}") from None
        return found

    def patch(self, path: str, body: Object, manager: str = "kargo") -> None:
        self.send("PATCH", path, body, manager, "application/merge-patch+json")


def measured() -> str:
    """Measure, and return the text of the data file."""
    found: Object = {
        "about": "What objects take in etcd, key included. Written by `make measure-etcd` (tests/on_cluster/measure.py).",
        "versions": {
            "kubernetes": binaries.version(binaries.KUBERNETES),
            "etcd": binaries.version("go.etcd.io/etcd/server/v3"),
            "kargo": upstream.pinned(upstream.KARGO)[0],
            "argo-cd": binaries.version(binaries.ARGO_CD),
        },
        "services": SERVICES,
    }
    return json.dumps(found | {way: measure(SERVICES, way) for way in WAYS}, indent=2) + "\n"


def measure(services: int, way: str) -> Object:
    """Install a fleet of this size in a control plane of its own, and return what it takes there."""
    with tempfile.TemporaryDirectory() as folder, control_plane(f"measure-{way}") as cluster:
        root = Path(folder)
        names = _fleet(root, services)
        etcd, api = Etcd(cluster.etcd), API(cluster)
        _wait_for_quotas(cluster)
        before = set(etcd.sizes())
        rendered = {name: _rendered(cluster, root, name) for name in names}
        WAYS[way](cluster, api, root, rendered)
        for name in names:
            cluster.kubectl("wait", f"projects.kargo.akuity.io/kargo-{name}", "--for=condition=Ready", "--timeout=120s")
        for name in names:
            _run_a_while(api, name, rendered[name])
        sizes = {key: size for key, size in etcd.sizes().items() if key not in before}
        return _by_kind(sizes, rendered) | {"database": _database(etcd, api, names)}


def _fleet(root: Path, services: int) -> list[str]:
    """Write a fleet whose Warehouses all find DISCOVERED images, and its values files."""
    names = [service.name for service in bench.write(root, services)]
    limited = "    values:\n      image:\n        discoveryLimit: 5\n"
    file = root / "fleet.yaml"
    file.write_text(file.read_text().replace(limited, "    values: {}\n"))
    for own in root.glob("services/*/kargo.yaml"):
        own.write_text(own.read_text().replace("  discoveryLimit", "  #"))
    assert main(["-C", str(root), "generate"]) == 0
    return names


def _wait_for_quotas(cluster: ControlPlane) -> None:
    """Wait until quotas count Freight and Promotions: a definition that is new is noticed within half a minute."""
    keys = {"count/freights.kargo.akuity.io", "count/promotions.kargo.akuity.io"}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "probe"}})
    for number in range(1, 61):
        quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "probe", "namespace": "probe"}}
        cluster.apply(quota | {"spec": {"hard": dict.fromkeys(keys, number)}})  # a change is counted at once
        time.sleep(2)
        if keys <= cluster.get("resourcequota", "probe", "-n", "probe").get("status", {}).get("used", {}).keys():
            cluster.kubectl("delete", "namespace", "probe", "--timeout=60s")
            return
    raise RuntimeError("ResourceQuotas do not count Freight and Promotions")


def _rendered(cluster: ControlPlane, root: Path, name: str) -> list[Object]:
    text = cluster.helm("template", name, CHART, "--values", root / "values" / f"{name}.yaml").stdout
    return [document for document in yaml.safe_load_all(text) if document]


# -- Installing ------------------------------------------------------------------------------------------------------


def by_helm(cluster: ControlPlane, _api: API, root: Path, rendered: dict[str, list[Object]]) -> None:
    for name in rendered:
        for _ in range(2):  # a first release and an upgrade
            cluster.helm("upgrade", "--install", name, CHART, "--values", root / "values" / f"{name}.yaml")


def by_argocd(cluster: ControlPlane, api: API, root: Path, rendered: dict[str, list[Object]]) -> None:
    """Apply as Argo CD does, client-side with its tracking annotation, and put its Application there."""
    crd = upstream.module(upstream.ARGO_CD) / "manifests" / "crds" / "application-crd.yaml"
    cluster.install_crds(crd)
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}})
    appset = yaml.safe_load((root / "argocd" / "units.yaml").read_text())
    for name, objects in rendered.items():
        for document in objects:
            annotations = document["metadata"].setdefault("annotations", {}) or {}
            document["metadata"]["annotations"] = annotations
            group, _, _ = document["apiVersion"].rpartition("/")
            place = f"{document['metadata'].get('namespace', '')}/{document['metadata']['name']}"
            tracked = {"argocd.argoproj.io/tracking-id": f"kargo-{name}:{group}/{document['kind']}:{place}"}
            sent = {**document, "metadata": {**document["metadata"], "annotations": {**annotations, **tracked}}}
            cluster.kubectl("apply", "--field-manager=argocd-controller", "-f", "-", stdin=json.dumps(sent))
        application = _application(name, appset, objects)
        path = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
        status = application.pop("status")
        api.send("POST", path, application, "argocd-applicationset-controller")
        api.patch(f"{path}/kargo-{name}", {"status": status}, "argocd-application-controller")


def _application(name: str, appset: Object, objects: list[Object]) -> Object:
    """An Application as it is after three syncs; its status is as Argo CD's controller writes it."""
    text = json.dumps(appset["spec"]["template"])
    template = json.loads(re.sub(r"{{ ?\.path\.basename ?}}", name, text))
    spec = template["spec"]
    metadata = {**template["metadata"], "name": f"kargo-{name}", "namespace": "argocd"}
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": "kargo-units", "uid": "0" * 36}
    metadata["ownerReferences"] = [owner | {"controller": True, "blockOwnerDeletion": True}]
    source = spec.get("source") or spec["sources"][0]
    resources = []
    for document in objects:
        group, _, version = document["apiVersion"].rpartition("/")
        one = {"kind": document["kind"], "name": document["metadata"]["name"], "version": version, "status": "Synced"}
        one |= {"group": group} if group else {}
        one |= {"namespace": document["metadata"]["namespace"]} if "namespace" in document["metadata"] else {}
        resources.append(one)
    result = {"group": "", "namespace": ""}  # which Argo CD's definition requires of a result
    done = {"status": "Synced", "syncPhase": "Sync", "hookPhase": "Running"}
    results = [result | one | done | {"message": f"{one['kind'].lower()}/{one['name']} created"} for one in resources]
    operation = {
        "initiatedBy": {"automated": True},
        "retry": spec.get("syncPolicy", {}).get("retry", {}),
        "sync": {"revision": COMMIT, "syncOptions": spec.get("syncPolicy", {}).get("syncOptions", [])},
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": metadata,
        "spec": spec,
        "status": {
            "controllerNamespace": "argocd",
            "health": {"status": "Healthy", "lastTransitionTime": TIME},
            "history": [
                {"id": index, "deployedAt": TIME, "deployStartedAt": TIME, "revision": COMMIT, "source": source}
                | {"initiatedBy": {"automated": True}}
                for index in range(3)
            ],
            "operationState": {
                "phase": "Succeeded",
                "message": "successfully synced (all tasks run)",
                "startedAt": TIME,
                "finishedAt": TIME,
                "operation": operation,
                "syncResult": {"revision": COMMIT, "source": source, "resources": results},
            },
            "reconciledAt": TIME,
            "resourceHealthSource": "appTree",
            "resources": resources,
            "sourceType": "Helm",
            "summary": {},
            "sync": {
                "comparedTo": {"destination": spec["destination"], "source": source},
                "revision": COMMIT,
                "status": "Synced",
            },
        },
    }


WAYS: Final = {"argocd": by_argocd, "helm": by_helm}


# -- What Kargo writes -----------------------------------------------------------------------------------------------


def _run_a_while(api: API, name: str, objects: list[Object]) -> None:
    """Let a unit have had releases: Freight, Promotions, and what Kargo writes into the status of the others."""
    project = f"kargo-{name}"
    kargo = f"/apis/kargo.akuity.io/v1alpha1/namespaces/{project}"
    stages = [document for document in objects if document["kind"] == "Stage"]
    (warehouse,) = (document for document in objects if document["kind"] == "Warehouse")
    repo = warehouse["spec"]["subscriptions"][0]["image"]["repoURL"]
    api.patch(f"{kargo}/warehouses/{name}/status", {"status": _warehouse_status(repo)})
    for release in range(RELEASES):
        freight = _freight(project, name, repo, release)
        created = api.send("POST", f"{kargo}/freights", freight, "kargo")
        verified = {stage["metadata"]["name"]: {"verifiedAt": TIME, "longestSoak": "1h0m0s"} for stage in stages}
        current = {stage["metadata"]["name"]: {"since": TIME} for stage in stages}
        api.patch(
            f"{kargo}/freights/{created['metadata']['name']}/status",
            {"status": {"verifiedIn": verified, "currentlyIn": current}},
        )
        for stage in stages:
            promotion, status = _promotion(project, stage, name, repo, release)
            path = f"{kargo}/promotions"
            made = api.send("POST", path, promotion, "kargo")
            api.patch(f"{path}/{made['metadata']['name']}/status", {"status": status})
            if release == RELEASES - 1:
                summary = _stage_status(made["metadata"]["name"], status, name, repo)
                api.patch(f"{kargo}/stages/{stage['metadata']['name']}/status", {"status": summary})


def _condition(kind: str, reason: str, message: str = "") -> Object:
    return {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": TIME,
        "observedGeneration": 1,
    }


def _warehouse_status(repo: str) -> Object:
    references = [
        {"tag": f"1.4.{index}", "digest": DIGEST, "createdAt": TIME} for index in range(DISCOVERED)
    ]  # annotations of the manifest, where an image has them, come on top
    return {
        "observedGeneration": 1,
        "lastFreightID": "5e" * 20,
        "discoveredArtifacts": {
            "discoveredAt": TIME,
            "git": [],
            "charts": [],
            "results": [],
            "images": [{"repoURL": repo, "references": references}],
        },
        "conditions": [
            _condition("Ready", "ArtifactsDiscovered", "Successfully discovered artifacts from 1 subscriptions"),
            _condition("Healthy", "ReconciliationSucceeded"),
            _condition("FreightCreationCriteriaSatisfied", "CriteriaSatisfied", "Freight creation criteria satisfied"),
            _condition("FreightCreated", "AlreadyExists", "Freight composed of the newest artifacts already exists"),
        ],
    }


def _image(repo: str, release: int) -> Object:
    return {"repoURL": repo, "tag": f"1.4.{release}", "digest": DIGEST}


def _reference(name: str, repo: str, release: int) -> Object:
    origin = {"kind": "Warehouse", "name": name}
    return {"name": f"{release:02d}" * 20, "origin": origin, "images": [_image(repo, release)]}


def _collection(name: str, repo: str, release: int) -> Object:
    verification = {
        "id": "0" * 36, "phase": "Successful", "startTime": TIME, "finishTime": TIME, "message": "",
    }  # fmt: skip
    return {
        "id": f"{release:02d}" * 20,
        "items": {f"Warehouse/{name}": _reference(name, repo, release)},
        "verificationHistory": [verification],
    }


def _freight(project: str, name: str, repo: str, release: int) -> Object:
    return {
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Freight",
        "metadata": {
            "name": f"{release:02d}" * 20,
            "namespace": project,
            "labels": {"kargo.akuity.io/alias": f"lucky-otter-{release}"},
            "finalizers": ["kargo.akuity.io/finalizer"],
        },
        "alias": f"lucky-otter-{release}",
        "discoveredAt": TIME,
        "origin": {"kind": "Warehouse", "name": name},
        "images": [_image(repo, release)],
    }


def _promotion(project: str, stage: Object, name: str, repo: str, release: int) -> tuple[Object, Object]:
    """A Promotion that succeeded: its steps are the Stage's, its state the steps' output (pkg/promotion)."""
    template = stage["spec"]["promotionTemplate"]["spec"]
    steps = [{"as": step.get("as", f"step-{index}")} | step for index, step in enumerate(template["steps"], 1)]
    url = f"https://git.example.com/platform/gitops/commit/{COMMIT}"
    state: Object = {
        "step-1": {"commits": {"./src": COMMIT}},
        "update": {"commitMessage": f'Updated services/{name}/values.yaml\n\n- image.tag: "1.4.{release}"'},
        "commit": {"commit": COMMIT},
        "push": {"branch": "main", "commit": COMMIT, "commitURL": url},
    }
    status = {
        "phase": "Succeeded",
        "startedAt": TIME,
        "finishedAt": TIME,
        "currentStep": len(steps),
        "freight": _reference(name, repo, release),
        "freightCollection": {
            key: value for key, value in _collection(name, repo, release).items() if key != "verificationHistory"
        },
        "stepExecutionMetadata": [
            {"alias": step["as"], "startedAt": TIME, "finishedAt": TIME, "status": "Succeeded"} for step in steps
        ],
        "state": state,
    }
    promotion = {
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Promotion",
        "metadata": {
            "name": f"{stage['metadata']['name']}.01kaw8v1r3n0q6c2m4x5y7z{release:03d}.{release:02d}0{release:02d}0{release}",
            "namespace": project,
            "labels": {"kargo.akuity.io/stage": stage["metadata"]["name"]},
            "annotations": {"kargo.akuity.io/create-actor": "controller:stage-controller"},
        },
        "spec": {
            "stage": stage["metadata"]["name"],
            "freight": f"{release:02d}" * 20,
            "vars": template.get("vars", []),
            "steps": steps,
        },
    }
    return promotion, status


def _stage_status(promotion: str, status: Object, name: str, repo: str) -> Object:
    return {
        "observedGeneration": 1,
        "autoPromotionEnabled": True,
        "freightSummary": "1/1 Fulfilled",
        "freightHistory": [_collection(name, repo, release) for release in range(HISTORY)],
        "health": {"status": "Unknown"},
        "lastPromotion": {
            "name": promotion,
            "freight": status["freight"],
            "finishedAt": TIME,
            "status": status,
        },
        "conditions": [
            _condition("Ready", "Verified", "Freight has been verified"),
            _condition("Healthy", "Healthy", "Stage is healthy"),
            _condition("Verified", "Verified", "Freight has been verified"),
        ],
    }


# -- Reading it out --------------------------------------------------------------------------------------------------

_PLURALS: Final = {
    "namespaces": "Namespace", "projects": "Project", "projectconfigs": "ProjectConfig", "warehouses": "Warehouse",
    "stages": "Stage", "freights": "Freight", "promotions": "Promotion", "resourcequotas": "ResourceQuota",
    "rolebindings": "RoleBinding", "roles": "Role", "clusterroles": "ClusterRole", "serviceaccounts": "ServiceAccount",
    "clusterrolebindings": "ClusterRoleBinding", "configmaps": "ConfigMap", "secrets": "Secret", "events": "Event",
    "applications": "Application",
}  # fmt: skip


def _by_kind(sizes: dict[str, int], rendered: dict[str, list[Object]]) -> Object:
    """Sort what is stored into the chart's objects, those of a release, and those that others put beside them."""
    ours = {
        (document["kind"], document["metadata"].get("namespace", ""), document["metadata"]["name"]): len(
            json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
        )
        for objects in rendered.values()
        for document in objects
    }
    chart: dict[str, list[tuple[int, int]]] = defaultdict(list)
    beside: dict[str, list[int]] = defaultdict(list)
    released: dict[str, list[int]] = defaultdict(list)
    for kind, namespace, name, size in _placed(sizes, rendered):
        if kind in ("Freight", "Promotion"):
            released[kind].append(size)
        elif (kind, namespace, name) in ours:
            chart[kind].append((ours[kind, namespace, name], size))
        elif kind != "Event":
            beside[kind].append(size)
    return {
        "chart": {
            kind: {
                "objects": len(pairs),
                "rendered": round(sum(first for first, _ in pairs) / len(pairs)),
                "stored": round(sum(second for _, second in pairs) / len(pairs)),
            }
            for kind, pairs in sorted(chart.items())
        },
        "beside": {
            kind: {"perService": len(found) / len(rendered), "stored": round(sum(found) / len(found))}
            for kind, found in sorted(beside.items())
        },
        "release": {kind: {"stored": round(sum(found) / len(found))} for kind, found in sorted(released.items())},
    }


def _placed(sizes: dict[str, int], services: Iterable[str]) -> Iterator[tuple[str, str, str, int]]:
    """Yield kind, namespace, name and size of what belongs to these services."""
    projects = {f"kargo-{service}" for service in services}
    for key, size in sizes.items():
        parts = key.split("/")[2:]
        plural = next((part for part in parts if part in _PLURALS), "")
        if not plural:
            continue
        rest = parts[parts.index(plural) + 1 :]
        namespace, name = (rest[0], rest[-1]) if len(rest) > 1 else ("", rest[0])
        own = namespace in projects or any(project in name for project in projects)
        release = plural == "secrets" and name.startswith("sh.helm.release.v1.")
        if own or release:
            yield _PLURALS[plural], namespace, name, size


def _database(etcd: Etcd, api: API, names: list[str]) -> Object:
    """Bytes of the database per byte of keys and values: of what lasts, and of history until it is compacted."""
    etcd.settle()
    settled, content = etcd.in_use(), sum(etcd.sizes().values())
    written = 0
    for index in range(UPDATES):
        for name in names:
            path = f"/apis/kargo.akuity.io/v1alpha1/namespaces/kargo-{name}/warehouses/{name}/status"
            api.patch(path, {"status": {"lastHandledRefresh": f"{index}"}})
        written += sum(size for key, size in etcd.sizes().items() if "/warehouses/" in key)
    return {
        "bytesPerByte": round(settled / content, 3),
        "historyBytesPerByte": round((etcd.in_use() - settled) / written, 3),
    }
