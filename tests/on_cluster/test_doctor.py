"""kargo-fleet doctor on a real API server: what kubectl really answers, with status written as Kargo writes it.

Kargo itself would write its own status over that: on a cluster with Kargo, what depends on it is skipped here, and
test_promotion.py has real troubles instead.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conftest import FLEET, add_chart, service
from kargo_fleet.commands.doctor import doctor
from kargo_fleet.commands.generate import generate
from kargo_fleet.errors import FleetError
from kargo_fleet.terminal.reporters import Format, Reporter

from .control_plane import Client, ControlPlane, Object, tool
from .units import Units

pytestmark = pytest.mark.cluster

SERVICES = ("doctor-a", "doctor-b")
SINCE = "2026-01-01T00:00:00Z"
SECRET: Object = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {
        "name": "platform",
        "namespace": "kargo-shared-resources",
        "labels": {"kargo.akuity.io/cred-type": "git"},
    },
    "stringData": {"repoURL": r"^https://git\.example\.com/", "repoURLIsRegex": "true", "password": "hidden"},
}
PLACES = {
    "projects": "projects.kargo.akuity.io",
    "stages": "stages.kargo.akuity.io",
    "warehouses": "warehouses.kargo.akuity.io",
}


@dataclass
class Fleet:
    """A repository with two services, and the cluster that they are deployed to."""

    root: Path
    rendered: dict[str, list[Object]]
    cluster: Client
    capsys: pytest.CaptureFixture[str]

    def status(self, kind: str, name: str, project: str, *conditions: tuple[str, str, str, str], **status: Any) -> None:
        found = [
            {"type": type_, "status": state, "reason": reason, "message": message, "lastTransitionTime": SINCE}
            for type_, state, reason, message in conditions
        ]
        patch = json.dumps({"status": {"conditions": found, **status}})
        namespace = ["-n", project] if kind != "projects" else []
        self.cluster.kubectl(
            "patch", PLACES[kind], name, *namespace, "--subresource=status", "--type=merge", "--patch", patch
        )

    def reset(self, name: str) -> None:
        """Put a unit back as it was installed, and let Kargo find nothing to complain about."""
        project = f"kargo-{name}"
        self.cluster.kubectl("delete", "promotions.kargo.akuity.io", "--all", "-n", project)
        healthy = ("Healthy", "True", "ReconciliationSucceeded", "")
        ready = ("Ready", "True", "ArtifactsDiscovered", "Successfully discovered artifacts from 1 subscriptions")
        self.status("warehouses", name, project, healthy, ready, lastFreightID="f1")
        for stage in ("dev", "staging", "prod"):
            self.status(
                "stages",
                stage,
                project,
                ("Ready", "True", "Verified", "Freight has been verified"),
                ("Healthy", "True", "Healthy", ""),
                ("Verified", "True", "Verified", ""),
                freightHistory=[{"id": "c1"}],
                lastPromotion=None,
                currentPromotion=None,
            )

    def doctor(self, *services: str, compare: bool = False) -> list[dict[str, Any]]:
        """What doctor finds of these two services; the cluster may hold others."""
        self.capsys.readouterr()
        doctor(self.root, services, compare=compare, reporter=Reporter(Format.JSON))
        found: list[dict[str, Any]] = json.loads(self.capsys.readouterr().out)["findings"]
        return [item for item in found if item["code"] != "KFW761"]


@pytest.fixture(scope="module")
def installed(lasting_units: Units, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[Object]]]:
    """A repository, and what of it was installed."""
    root = tmp_path_factory.mktemp("fleet")
    files: dict[str, Any] = {"fleet.yaml": FLEET}
    for name in SERVICES:
        files |= service(name)
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    add_chart(root)
    assert generate(root, []) == 0
    for name in SERVICES:
        lasting_units.install(name, root / f"values/{name}.yaml")
        lasting_units.wait_until_ready(f"kargo-{name}")
    return root, {name: lasting_units.rendered(name) for name in SERVICES}


@pytest.fixture
def fleet(
    cluster: Client,
    installed: tuple[Path, dict[str, list[Object]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Fleet]:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.setenv("PATH", f"{tool('helm').parent}{os.pathsep}{os.environ['PATH']}")
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kargo-shared-resources"}}, SECRET)
    made = Fleet(*installed, cluster, capsys)
    for name in SERVICES:
        cluster.apply(*made.rendered[name])
    yield made
    cluster.kubectl("delete", "secret", "platform", "-n", "kargo-shared-resources", "--ignore-not-found")


@pytest.fixture
def healthy(fleet: Fleet, own_cluster: ControlPlane) -> Iterator[Fleet]:
    """The fleet with the status of one that has promoted."""
    assert fleet.cluster is own_cluster
    for name in SERVICES:
        fleet.reset(name)
    yield fleet
    for name in SERVICES:  # the stand-in then writes its own again
        for kind, objects in {"warehouses": [name], "stages": ["dev", "staging", "prod"]}.items():
            for obj in objects:
                fleet.status(kind, obj, f"kargo-{name}", freightHistory=None, lastFreightID=None)


def without_discovery(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The findings but for those about the registry, which is made up."""
    return [item for item in found if item["code"] != "KF721"]


def codes(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(item["code"], item["file"]) for item in found]


def test_a_healthy_fleet(healthy: Fleet) -> None:
    assert healthy.doctor() == []
    assert healthy.doctor(*SERVICES) == [], "a unit that was just installed does not differ from its values"
    assert doctor(healthy.root, ["doctor-a"]) == 0
    assert healthy.capsys.readouterr().err == "1 service: healthy\n"


def test_troubles_of_one_unit(healthy: Fleet) -> None:
    message = "Unable to discover artifacts: UNAUTHORIZED"
    healthy.status("warehouses", "doctor-a", "kargo-doctor-a", ("Healthy", "False", "DiscoveryFailed", message))
    run = {"alias": "push", "status": "Errored", "message": "rejected"}
    last = {"name": "dev.1", "status": {"phase": "Errored", "stepExecutionMetadata": [run], "finishedAt": SINCE}}
    healthy.status(
        "stages", "dev", "kargo-doctor-a", ("Ready", "False", "LastPromotionErrored", ""), lastPromotion=last
    )
    expected = [("KF721", "kargo-doctor-a/Warehouse/doctor-a"), ("KF734", "kargo-doctor-a/Stage/dev")]
    assert codes(healthy.doctor()) == expected
    found = healthy.doctor("doctor-a")
    assert codes(found) == expected
    assert "at step push (git-push): rejected" in found[1]["message"]
    assert healthy.doctor("doctor-b") == []


def test_a_promotion_that_waits_for_a_pull_request(healthy: Fleet) -> None:
    project = "kargo-doctor-a"
    steps = [{"uses": "git-open-pr", "as": "open-pr"}, {"uses": "git-wait-for-pr", "as": "wait-for-pr"}]
    promotion = {
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Promotion",
        "metadata": {"name": "dev.1", "namespace": project},
        "spec": {"stage": "dev", "freight": "f1", "steps": steps},
    }
    healthy.cluster.create(promotion)
    status = {"phase": "Running", "currentStep": 1, "state": {"open-pr": {"pr": {"id": 7, "url": "https://x/7"}}}}
    healthy.cluster.kubectl(
        *("patch", "promotions.kargo.akuity.io", "dev.1", "-n", project, "--subresource=status", "--type=merge"),
        *("--patch", json.dumps({"status": status})),
    )
    promoting = ("Promoting", "True", "ActivePromotion", "")
    healthy.status("stages", "dev", project, promoting, currentPromotion={"name": "dev.1"})
    for found in (healthy.doctor(), healthy.doctor("doctor-a")):
        assert codes(found) == [("KFW732", f"{project}/Stage/dev")]
        assert found[0]["fix"].startswith("merge https://x/7")


def test_drift_that_was_made_by_hand(fleet: Fleet) -> None:
    patch = '[{"op": "replace", "path": "/spec/subscriptions/0/image/constraint", "value": "^9.0.0"}]'
    where = ("warehouses.kargo.akuity.io", "doctor-a", "-n", "kargo-doctor-a", "--type=json")
    fleet.cluster.kubectl("patch", *where, "--patch", patch)
    assert without_discovery(fleet.doctor()) == []
    (item,) = without_discovery(fleet.doctor(compare=True))
    assert (item["code"], item["service"]) == ("KF761", "doctor-a")
    assert "Warehouse/doctor-a spec.subscriptions[0].image.constraint" in item["message"]


def test_what_is_not_there(fleet: Fleet) -> None:
    fleet.cluster.kubectl("delete", "stages.kargo.akuity.io", "prod", "-n", "kargo-doctor-a")
    fleet.cluster.kubectl("label", "namespace", "kargo-doctor-b", "kargo.akuity.io/project-")
    expected = [("KF716", "kargo-doctor-a/Stage/prod"), ("KF712", "kargo-doctor-b/Namespace")]
    assert codes(without_discovery(fleet.doctor())) == expected


def test_credentials(healthy: Fleet) -> None:
    healthy.cluster.kubectl("delete", "secret", "platform", "-n", "kargo-shared-resources")
    assert healthy.doctor() == [], "what has promoted has credentials"
    for stage in ("dev", "staging", "prod"):
        healthy.status("stages", stage, "kargo-doctor-a", ("Ready", "False", "NoFreight", ""), freightHistory=None)
    healthy.status("warehouses", "doctor-a", "kargo-doctor-a", ("Healthy", "True", "ReconciliationSucceeded", ""))
    assert ("KF741", "kargo-doctor-a/Secret") in codes(healthy.doctor())


def test_someone_who_may_read_one_namespace_only(fleet: Fleet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    project = "kargo-doctor-a"
    cluster = fleet.cluster
    cluster.kubectl("create", "serviceaccount", "reader", "-n", project)
    role = (
        "create",
        "rolebinding",
        "reader",
        "-n",
        project,
        "--role=kargo-viewer",
        f"--serviceaccount={project}:reader",
    )
    cluster.kubectl(*role)
    token = cluster.kubectl("create", "token", "reader", "-n", project).stdout.strip()
    config = json.loads(cluster.kubectl("config", "view", "--raw", "--minify", "-o", "json").stdout)
    config["users"] = [{"name": "reader", "user": {"token": token}}]
    config["contexts"][0]["context"]["user"] = "reader"
    (tmp_path / "reader.json").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "reader.json"))
    (item,) = without_discovery(fleet.doctor("doctor-a"))
    assert item["code"] == "KFW701"
    assert "namespaces, projects" in item["message"]
    assert ("KF721", f"{project}/Warehouse/doctor-a") in codes(fleet.doctor("doctor-a"))


def test_no_cluster(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    config = json.loads(fleet.cluster.kubectl("config", "view", "--raw", "-o", "json").stdout)
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    (fleet.root / "gone.json").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(fleet.root / "gone.json"))
    with pytest.raises(FleetError, match=r"^the cluster does not answer: [^\n]*refused[^\n]*$"):
        doctor(fleet.root, [])
    with pytest.raises(FleetError, match=r"^there is no context 'nowhere' in the kubeconfig"):
        doctor(fleet.root, [], context="nowhere")
