"""kargo-fleet deploy and delete, as people run them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import add_chart

from .binaries import binary
from .control_plane import Client, ControlPlane, tool
from .faults import faulty
from .units import Units

pytestmark = pytest.mark.cluster

FLEET = "image: {registry: registry.example.com}\ngit: {repoURL: https://git.example.com/platform.git}\n"
COMMAND = [sys.executable, "-m", "kargo_fleet"]


class Fleet:
    """A repository of services `<prefix>-00`, `<prefix>-01`, …, and the command line in it."""

    def __init__(self, root: Path, cluster: Client, prefix: str, count: int) -> None:
        self.root, self.cluster, self.prefix = root, cluster, prefix
        self.services = [f"{prefix}-{number:02}" for number in range(count)]
        (root / "fleet.yaml").write_text(FLEET)
        add_chart(root)
        for service in self.services:
            folder = root / "services" / service
            folder.mkdir(parents=True)
            for stage in ("dev", "staging", "prod"):
                (folder / f"values-{stage}.yaml").write_text("image:\n  tag: 1.0.0\n")
        assert self.run("generate").returncode == 0

    def environment(self, kubeconfig: Path | None = None) -> dict[str, str]:
        path = f"{tool('helm').parent}:{os.environ['PATH']}"
        return {**os.environ, "KUBECONFIG": str(kubeconfig or self.cluster.kubeconfig), "PATH": path}

    def run(self, *arguments: str, kubeconfig: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [*COMMAND, "-C", str(self.root), *arguments]
        environment = self.environment(kubeconfig)
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL
        )

    def there(self) -> list[str]:
        """The services whose Stage `prod`, the last object of a unit, is in the cluster."""
        found = self.cluster.get("stages.kargo.akuity.io", "--all-namespaces")["items"]
        projects = {stage["metadata"]["namespace"] for stage in found if stage["metadata"]["name"] == "prod"}
        return [service for service in self.services if f"kargo-{service}" in projects]

    def all_there(self) -> str:
        """What is missing after a few seconds, with what there is of the first missing unit; nothing when all is there."""
        missing = self.services
        for _ in range(10):
            if not (missing := [service for service in self.services if service not in self.there()]):
                return ""
            time.sleep(1)
        history = self.cluster.helm("history", missing[0], check=False).stdout
        project = f"kargo-{missing[0]}"
        kinds = "projects.kargo.akuity.io,namespaces"
        found = self.cluster.kubectl("get", kinds, project, check=False).stdout
        found += self.cluster.kubectl("get", "warehouses,stages,projectconfigs", "-n", project, check=False).stdout
        return f"missing: {missing}\n{history}\n{found}"

    def released(self) -> list[str]:
        listed = self.cluster.helm("list", "--short", "--deployed", "--max", "0").stdout.split()
        return [service for service in self.services if service in listed]


@pytest.fixture
def fleet(request: pytest.FixtureRequest, cluster: Client, tmp_path: Path) -> Iterator[Fleet]:
    prefix, count = request.param
    made = Fleet(tmp_path, cluster, prefix, count)
    yield made
    units = Units(cluster)
    for service in made.services:
        units.expect(service, f"kargo-{service}")
    units.remove()


def of(prefix: str, count: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("fleet", [(prefix, count)], indirect=True, ids=[prefix])


@of("all", 6)
def test_all_services_and_again(fleet: Fleet) -> None:
    first = fleet.run("deploy", "--yes")
    assert (first.returncode, fleet.there()) == (0, fleet.services), first
    assert "6 services: 6 deployed, 0 up to date, 0 failed" in first.stderr
    context, server = fleet.cluster.target
    assert f"context {context} ({server})" in first.stderr
    again = fleet.run("deploy", "--yes")
    assert "6 services: 0 deployed, 6 up to date, 0 failed" in again.stderr

    (fleet.root / "services/all-03/kargo.yaml").write_text("image: {constraint: ^2.0.0}\n")
    assert fleet.run("generate").returncode == 0
    changed = fleet.run("deploy", "--yes")
    assert "6 services: 1 deployed, 5 up to date, 0 failed" in changed.stderr
    warehouse = fleet.cluster.get("warehouse", "all-03", "-n", "kargo-all-03")
    assert warehouse["spec"]["subscriptions"][0]["image"]["constraint"] == "^2.0.0"


@of("ask", 2)
def test_consent_and_what_needs_none(fleet: Fleet) -> None:
    refused = fleet.run("deploy")
    assert (refused.returncode, fleet.there()) == (2, [])
    assert "pass --yes" in refused.stderr
    dry = fleet.run("deploy", "--dry-run")
    assert (dry.returncode, fleet.there()) == (0, [])
    assert fleet.run("deploy", "ask-00").returncode == 0
    assert fleet.there() == ["ask-00"]


@of("bad", 4)
def test_one_failure_does_not_stop_the_others(fleet: Fleet) -> None:
    (fleet.root / "values/bad-01.yaml").write_text(
        "service: {name: bad-01}\nimage: {repoURL: registry.example.com/x}\n"
    )
    fleet.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kargo-bad-02"}})
    (fleet.root / "values/bad-03.yaml").unlink()
    result = fleet.run("deploy", "--yes")
    assert (result.returncode, fleet.there()) == (1, ["bad-00"])
    assert "4 services: 1 deployed, 0 up to date, 3 failed" in result.stderr
    assert "values/bad-01.yaml: error KF801: bad-01 was not deployed" in result.stdout
    assert "git.repoURL: is required" in result.stdout
    assert "values/bad-02.yaml: error KF801" in result.stdout
    assert "values/bad-03.yaml: error KF801: bad-03 has no values file" in result.stdout


@of("hand", 1)
def test_what_was_changed_by_hand_is_taken_back_only_when_told(fleet: Fleet) -> None:
    assert fleet.run("deploy").returncode == 0
    stage = ("stages.kargo.akuity.io", "prod", "-n", "kargo-hand-00")
    change = '{"metadata": {"labels": {"app.kubernetes.io/part-of": "mine"}}}'
    fleet.cluster.kubectl("patch", *stage, "--type=merge", "-p", change)
    (fleet.root / "services/hand-00/kargo.yaml").write_text("stages: {prod: {requiredSoakTime: 1h}}\n")
    assert fleet.run("generate").returncode == 0
    refused = fleet.run("deploy")
    assert (refused.returncode, "overwrite it with --force" in refused.stdout) == (1, True)
    assert fleet.run("deploy", "--force").returncode == 0
    assert fleet.cluster.get(*stage)["metadata"]["labels"]["app.kubernetes.io/part-of"] == "kargo-fleet"


@of("skip", 1)
def test_namespaces_that_are_there_already(fleet: Fleet) -> None:
    labels = {"kargo.akuity.io/project": "true", "team": "a"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kargo-skip-00", "labels": labels}}
    fleet.cluster.create(namespace)
    assert fleet.run("deploy", "--skip-namespace").returncode == 0
    found = fleet.cluster.get("namespace", "kargo-skip-00")["metadata"]["labels"]
    assert found["team"] == "a"
    assert "app.kubernetes.io/part-of" not in found


@of("kill", 50)
@pytest.mark.parametrize("after", [3.0])
def test_a_killed_run_is_continued(fleet: Fleet, after: float) -> None:
    """All 50 are in after the second run, wherever the first one was, helm processes included, when it was killed."""
    command = [*COMMAND, "-C", str(fleet.root), "deploy", "--yes"]
    first = subprocess.Popen(
        command, env=fleet.environment(), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(after)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    before = fleet.released()
    assert len(before) < 50
    second = fleet.run("deploy", "--yes")
    assert second.returncode == 0, second.stdout
    assert fleet.all_there() == ""
    assert fleet.released() == fleet.services
    assert f"{len(before)} up to date, 0 failed" in second.stderr


@of("fault", 20)
def test_an_api_server_that_fails_some_writes(fleet: Fleet, own_cluster: ControlPlane, tmp_path: Path) -> None:
    with faulty(own_cluster.kubeconfig, tmp_path, share=0.05) as (kubeconfig, faults):
        result = fleet.run("deploy", "--yes", kubeconfig=kubeconfig)
    assert result.returncode == 0, result.stdout
    assert faults.failed > 5
    assert fleet.all_there() == ""
    assert fleet.released() == fleet.services


@of("left", 2)
def test_a_namespace_that_kargo_made_for_the_project(fleet: Fleet) -> None:
    """Helm has made the Project, but not its Namespace, which the API server refused for a moment."""
    owner = {"meta.helm.sh/release-name": "left-00", "meta.helm.sh/release-namespace": "default"}
    labels = {"app.kubernetes.io/managed-by": "Helm"}
    for service, annotated in (("left-00", owner), ("left-01", {})):
        metadata = {"name": f"kargo-{service}", "labels": labels, "annotations": annotated}
        fleet.cluster.create({"apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Project", "metadata": metadata})
        for _ in range(50):
            if fleet.cluster.find("namespace", f"kargo-{service}"):
                break
            time.sleep(0.2)
    result = fleet.run("deploy", "--yes")
    assert fleet.released() == ["left-00"], result.stdout
    assert "left-01 was not deployed" in result.stdout  # somebody else's Project stays somebody else's


@of("race", 12)
def test_kargos_race_with_new_namespaces(fleet: Fleet, own_cluster: ControlPlane) -> None:
    own_cluster.restart_standin(race=3)
    try:
        result = fleet.run("deploy", "--yes")
    finally:
        own_cluster.restart_standin(race=0)
    assert result.returncode == 0, result
    assert fleet.all_there() == ""


@of("gone", 3)
def test_delete(fleet: Fleet) -> None:
    assert fleet.run("deploy", "--yes").returncode == 0
    refused = fleet.run("delete", "gone-00")
    assert (refused.returncode, "pass --yes" in refused.stderr) == (2, True)
    shown = "gone-00: Project and namespace kargo-gone-00, 0 promotions, 0 Freight"
    assert shown in refused.stderr
    (fleet.root / "services/gone-00").rename(fleet.root / "gone-00")
    result = fleet.run("delete", "gone-00", "gone-01", "--yes")
    assert result.returncode == 0, result
    assert fleet.there() == ["gone-02"]
    assert fleet.released() == ["gone-02"]
    assert fleet.cluster.find("namespace", "kargo-gone-00") is None
    assert fleet.cluster.find("projects.kargo.akuity.io", "kargo-gone-01") is None
    assert not (fleet.root / "values/gone-00.yaml").exists()
    assert (fleet.root / "values/gone-01.yaml").exists()  # the service has a folder still


@of("kuberc", 1)
def test_delete_for_somebody_whose_kubectl_asks(fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """kubectl takes defaults of its options from a file; what the tool passes wins."""
    options = [{"name": "interactive", "default": "true"}, {"name": "wait", "default": "false"}]
    preferences = {"kind": "Preference", "defaults": [{"command": "delete", "options": options}]}
    (tmp_path / "kuberc").write_text(json.dumps({"apiVersion": "kubectl.config.k8s.io/v1beta1", **preferences}))
    monkeypatch.setenv("KUBERC", str(tmp_path / "kuberc"))
    monkeypatch.setenv("PATH", f"{binary('kubectl').parent}{os.pathsep}{os.environ['PATH']}")
    assert fleet.run("deploy").returncode == 0
    assert fleet.run("delete", "kuberc-00", "--yes").returncode == 0
    assert fleet.cluster.find("namespace", "kargo-kuberc-00") is None


@of("foreign", 2)
def test_a_release_of_another_chart_is_nobodys_to_touch(fleet: Fleet, tmp_path: Path) -> None:
    chart = tmp_path / "workload"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("{apiVersion: v2, name: workload, version: 1.0.0}\n")
    (chart / "templates/map.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: workload}}\n")
    fleet.cluster.helm("install", "foreign-00", chart)
    result = fleet.run("deploy", "--yes")
    assert (result.returncode, fleet.there()) == (1, ["foreign-01"])
    assert "the release foreign-00 in namespace default belongs to the chart workload-1.0.0" in result.stdout
    assert fleet.cluster.find("configmap", "workload") is not None


@of("lent", 1)
def test_delete_leaves_a_namespace_that_somebody_else_made(fleet: Fleet) -> None:
    labels = {"kargo.akuity.io/project": "true"}
    annotations = {"kargo.akuity.io/keep-namespace": "true"}
    metadata = {"name": "kargo-lent-00", "labels": labels, "annotations": annotations}
    fleet.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    assert fleet.run("deploy", "--skip-namespace").returncode == 0
    assert fleet.run("delete", "lent-00", "--yes").returncode == 0
    assert fleet.there() == []
    assert fleet.cluster.find("namespace", "kargo-lent-00") is not None


@of("named", 2)
def test_projects_of_other_names(fleet: Fleet) -> None:
    """Deployed and deleted under their names. A Project of the name before is named by the doctor, and left alone."""
    (fleet.root / "services/named-01").rename(fleet.root / "services/_named-01")
    assert fleet.run("deploy", "--yes").returncode == 0
    (fleet.root / "services/_named-01").rename(fleet.root / "services/named-01")
    (fleet.root / "fleet.yaml").write_text(FLEET + "values: {project: {name: acme-<service>}}\n")
    assert fleet.run("generate").returncode == 0
    assert fleet.run("deploy", "--yes").returncode == 0
    assert fleet.cluster.find("projects.kargo.akuity.io", "acme-named-01") is not None
    found = fleet.run("doctor").stdout
    assert "kargo-named-00: warning KFW761: belongs to named-00, whose Project is acme-named-00 now" in found
    assert "acme-named-00/Warehouse/named-00: error KF721" in found  # the stand-in for Kargo asks no registry
    result = fleet.run("delete", "named-00", "named-01", "--yes")
    assert result.returncode == 0, result
    assert fleet.cluster.find("namespace", "acme-named-00") is None
    assert fleet.cluster.find("namespace", "kargo-named-00") is not None
    again = fleet.run("delete", "named-00", "--yes")
    assert (
        "its Project is acme-named-00 in this fleet, which is not in the cluster; kargo-named-00 is another"
        in again.stdout
    )


@of("other", 1)
def test_delete_touches_only_what_the_chart_made(fleet: Fleet) -> None:
    labels = {"kargo.akuity.io/project": "true"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kargo-other-00", "labels": labels}}
    fleet.cluster.create(namespace)
    result = fleet.run("delete", "other-00", "nowhere", "--yes")
    assert result.returncode == 1
    message = "other-00 was not deleted: its Project or namespace was not created by the chart"
    assert f"kargo-other-00: error KF802: {message}" in result.stdout
    assert "nowhere was not deleted: there is no such unit" in result.stdout
    assert fleet.cluster.find("namespace", "kargo-other-00") is not None
