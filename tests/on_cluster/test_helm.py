"""A release's life, with the commands that docs/ tells people to type."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from .control_plane import Client, ControlPlane, Object
from .units import CHART, KARGO_KINDS, NGINX, Units

pytestmark = pytest.mark.cluster

PROJECT_LABEL = {"kargo.akuity.io/project": "true"}
KEPT = ["[Namespace] kargo-nginx", "[Project] kargo-nginx"]


def stages(cluster: Client, project: str) -> list[str]:
    return cluster.names("stages.kargo.akuity.io", "-n", project)


def gone(cluster: Client, project: str) -> None:
    """Wait until deleted Stages are gone: Kargo takes its finalizer off them."""
    cluster.kubectl(
        "wait", "--for=delete", "stages.kargo.akuity.io", "--all", "-n", project, "--timeout=60s", check=False
    )


def policies(cluster: Client, project: str) -> dict[str, bool]:
    config = cluster.get("projectconfigs.kargo.akuity.io", project, "-n", project)
    return {p["stageSelector"]["name"]: p["autoPromotionEnabled"] for p in config["spec"]["promotionPolicies"]}


def identities(units: Units, release: str) -> dict[str, str]:
    return {f"{o['kind']}/{o['metadata']['name']}": o["metadata"]["uid"] for o in units.stored(units.rendered(release))}


def test_a_release_is_installed_upgraded_rolled_back_and_uninstalled(units: Units, cluster: Client) -> None:
    installed = units.install("nginx", NGINX).stdout
    assert "STATUS: deployed" in installed
    assert "Project kargo-nginx, Warehouse nginx, stages dev, prod and staging" in installed
    units.wait_until_ready("kargo-nginx")
    assert stages(cluster, "kargo-nginx") == ["dev", "prod", "staging"]
    assert policies(cluster, "kargo-nginx") == {"dev": True, "staging": True, "prod": False}
    first = identities(units, "nginx")

    units.upgrade("nginx", NGINX, sets=["stages.dev.autoPromotionEnabled=false", "warehouse.interval=15m"])
    assert policies(cluster, "kargo-nginx")["dev"] is False
    assert cluster.get("warehouses.kargo.akuity.io", "nginx", "-n", "kargo-nginx")["spec"]["interval"] == "15m0s"
    assert identities(units, "nginx") == first, "objects were replaced, not changed"

    units.upgrade("nginx", NGINX, sets=["stages.staging=null", "stages.prod.upstream={dev}"])
    assert stages(cluster, "kargo-nginx") == ["dev", "prod"]

    cluster.helm("rollback", "nginx", "1")
    assert stages(cluster, "kargo-nginx") == ["dev", "prod", "staging"]
    assert policies(cluster, "kargo-nginx")["dev"] is True
    assert identities(units, "nginx") | {"Stage/staging": ""} == first | {"Stage/staging": ""}

    uninstalled = cluster.helm("uninstall", "nginx")
    assert [line for line in (uninstalled.stdout + uninstalled.stderr).splitlines() if line.startswith("[")] == KEPT
    gone(cluster, "kargo-nginx")
    assert cluster.names(KARGO_KINDS, "-n", "kargo-nginx") == []
    assert cluster.get("namespace", "kargo-nginx")["metadata"]["uid"] == first["Namespace/kargo-nginx"]
    assert cluster.get("projects.kargo.akuity.io", "kargo-nginx")["metadata"]["uid"] == first["Project/kargo-nginx"]

    # What was kept belongs to a release of this name, so the same command brings the unit back.
    units.install("nginx", NGINX)
    again = identities(units, "nginx")
    assert [name for name in again if again[name] == first[name]] == ["Namespace/kargo-nginx", "Project/kargo-nginx"]


def test_everything_goes_in_the_order_of_the_documentation(units: Units, cluster: Client) -> None:
    units.install("nginx", NGINX)
    units.wait_until_ready("kargo-nginx")
    cluster.kubectl("create", "configmap", "history", "-n", "kargo-nginx")
    cluster.helm("uninstall", "nginx")
    cluster.kubectl("delete", "projects.kargo.akuity.io", "kargo-nginx", "--timeout=60s")
    assert cluster.find("configmap", "history", "-n", "kargo-nginx"), "keep-namespace did not keep the namespace"
    assert cluster.find("clusterrole", "kargo-project-admin-kargo-nginx") is None
    cluster.kubectl("delete", "namespace", "kargo-nginx", "--timeout=60s")
    assert cluster.find("namespace", "kargo-nginx") is None


def test_everything_goes_by_label(units: Units, cluster: Client) -> None:
    """The clean-up of a whole fleet; `managed-by` is Helm's and finds nothing of ours."""
    for name in ("one", "two"):
        units.install(name, NGINX, sets=["service.name="])
    ours = ["-l", "app.kubernetes.io/part-of=kargo-fleet"]
    assert cluster.names("namespaces,projects.kargo.akuity.io", *ours) == [
        "kargo-one",
        "kargo-one",
        "kargo-two",
        "kargo-two",
    ]
    assert cluster.names("namespaces,projects.kargo.akuity.io", "-l", "app.kubernetes.io/managed-by=kargo") == []
    cluster.kubectl("delete", "projects.kargo.akuity.io", *ours, "--timeout=60s")
    cluster.kubectl("delete", "namespaces", *ours, "--timeout=60s")
    assert cluster.names("namespaces,projects.kargo.akuity.io", *ours) == []


def test_without_protection_uninstall_takes_everything(units: Units, cluster: Client) -> None:
    off = [f"deletionProtection.{key}=false" for key in ("helm", "argocd", "keepNamespace")]
    units.install("fleeting", NGINX, sets=["service.name=", *off])
    units.wait_until_ready("kargo-fleeting")
    cluster.helm("uninstall", "fleeting")
    cluster.kubectl(
        "wait", "--for=delete", "namespace/kargo-fleeting", "projects.kargo.akuity.io/kargo-fleeting", "--timeout=60s"
    )


def test_deleting_the_namespace_takes_the_project_along(units: Units, cluster: Client) -> None:
    """Kargo's finalizer on the namespace: why nobody should delete a namespace by hand, protection or not."""
    units.install("nginx", NGINX)
    units.wait_until_ready("kargo-nginx")
    cluster.kubectl("delete", "namespace", "kargo-nginx", "--timeout=60s")
    cluster.kubectl("wait", "--for=delete", "projects.kargo.akuity.io/kargo-nginx", "--timeout=60s")


def test_waiting_for_a_new_unit_fails_and_a_rollback_takes_it_away(units: Units, cluster: Client) -> None:
    """Warehouse and Stages are Ready with Freight only: docs/deploying.md, "Helm's --wait"."""
    units.install("nginx", NGINX)
    no_freight = "jsonpath={.status.conditions[?(@.type=='Ready')].reason}=NoFreight"
    cluster.kubectl("wait", f"--for={no_freight}", "stages.kargo.akuity.io/dev", "-n", "kargo-nginx", "--timeout=30s")
    waited = units.upgrade("nginx", NGINX, more=["--wait", "--timeout=5s"], check=False)
    assert waited.returncode == 1
    assert "resource Stage/kargo-nginx/dev not ready. status: InProgress" in waited.stderr
    for _ in range(5):  # Helm takes a Stage that Kargo has not seen yet for ready, if it looks that early
        cluster.helm("uninstall", "nginx", "--ignore-not-found")
        gone(cluster, "kargo-nginx")
        tried = units.install("nginx", NGINX, more=["--rollback-on-failure", "--timeout=5s"], check=False)
        if tried.returncode:
            break
    assert "has been uninstalled due to rollback-on-failure being set" in tried.stderr
    gone(cluster, "kargo-nginx")
    assert cluster.names(KARGO_KINDS, "-n", "kargo-nginx") == []


def test_installing_twice_is_refused(units: Units) -> None:
    units.install("nginx", NGINX)
    same = units.install("nginx", NGINX, check=False)
    assert same.returncode == 1
    assert "cannot reuse a name that is still in use" in same.stderr
    # Another release of the same service would take the first one's objects.
    other = units.install("nginx2", NGINX, project="kargo-nginx", check=False)
    assert other.returncode == 1
    assert 'Namespace "kargo-nginx" in namespace "" exists and cannot be imported' in other.stderr
    assert 'must equal "nginx2": current value is "nginx"' in other.stderr


def test_upgrade_install_is_repeatable(units: Units) -> None:
    for _ in range(2):
        units.upgrade("nginx", NGINX, more=["--install"])
    assert identities(units, "nginx")


# -- A namespace that is there ---------------------------------------------------------------------------------------


def test_a_labelled_namespace_is_adopted(units: Units, cluster: Client) -> None:
    units.namespace("kargo-nginx", PROJECT_LABEL | {"team": "web"})
    units.install("nginx", NGINX, sets=["namespace.create=false"])
    units.wait_until_ready("kargo-nginx")
    assert cluster.get("namespace", "kargo-nginx")["metadata"]["labels"]["team"] == "web"
    cluster.helm("uninstall", "nginx")
    assert cluster.find("namespace", "kargo-nginx")


def test_a_labelled_namespace_is_adopted_by_the_release(units: Units, cluster: Client) -> None:
    """`namespace.create` stays on: Helm asks for a word first."""
    units.namespace("kargo-nginx", PROJECT_LABEL | {"team": "web"})
    refused = units.install("nginx", NGINX, check=False)
    assert 'Namespace "kargo-nginx" in namespace "" exists and cannot be imported' in refused.stderr
    units.install("nginx", NGINX, more=["--take-ownership"])
    units.wait_until_ready("kargo-nginx")
    namespace = cluster.get("namespace", "kargo-nginx")["metadata"]
    assert namespace["labels"]["team"] == "web"
    assert namespace["labels"]["app.kubernetes.io/part-of"] == "kargo-fleet"


def test_an_unlabelled_namespace_is_refused_and_the_message_says_why(units: Units, cluster: Client) -> None:
    units.namespace("kargo-nginx")
    refused = units.install("nginx", NGINX, sets=["namespace.create=false"], check=False)
    assert refused.returncode == 1
    assert 'namespace "kargo-nginx" already exists and is not labeled as a Project namespace' in refused.stderr
    assert cluster.names(KARGO_KINDS, "-n", "kargo-nginx") == []
    cluster.kubectl("label", "namespace", "kargo-nginx", "kargo.akuity.io/project=true")
    units.upgrade("nginx", NGINX, sets=["namespace.create=false"], more=["--install"])
    units.wait_until_ready("kargo-nginx")


def test_without_a_namespace_kargo_makes_it(units: Units, cluster: Client) -> None:
    units.install("nginx", NGINX, sets=["namespace.create=false"])
    units.wait_until_ready("kargo-nginx")
    assert cluster.get("namespace", "kargo-nginx")["metadata"]["labels"]["kargo.akuity.io/project"] == "true"


def test_without_a_namespace_bindings_wait_for_the_second_try(units: Units) -> None:
    """Helm creates RoleBindings before the Project that would bring the namespace: `create: false` means that it is there."""
    values = CHART / "ci" / "rbac-values.yaml"
    first = units.install("nginx", values, sets=["namespace.create=false"], check=False)
    assert first.returncode == 1
    assert 'namespaces "kargo-nginx" not found' in first.stderr
    units.upgrade("nginx", values, sets=["namespace.create=false"], more=["--install"])
    units.wait_until_ready("kargo-nginx")


# -- Releases of the chart -------------------------------------------------------------------------------------------

DEFAULTS: Object = yaml.safe_load((CHART / "values.yaml").read_text())


@pytest.fixture
def older_chart(tmp_path: Path) -> Path:
    """The chart before it had any default: what `--reuse-values` brings from a release that did not know today's keys."""
    chart = tmp_path / "kargo-service"
    shutil.copytree(CHART, chart)
    (chart / "values.yaml").write_text("{}\n")
    (chart / "values.schema.json").write_text("{}\n")
    return chart


def test_reuse_values_survives_every_key_that_is_new(
    units: Units, cluster: Client, older_chart: Path, tmp_path: Path
) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(NGINX.read_text() + yaml.safe_dump({"stages": DEFAULTS["stages"]}))
    units.upgrade("nginx", values, chart=older_chart, more=["--install"])
    before = identities(units, "nginx")
    units.upgrade("nginx", more=["--reuse-values"])
    assert identities(units, "nginx") == before
    assert stages(cluster, "kargo-nginx") == ["dev", "prod", "staging"]


def test_reset_then_reuse_values_takes_the_new_defaults(units: Units, cluster: Client, older_chart: Path) -> None:
    (older_chart / "values.yaml").write_text(
        json.dumps(DEFAULTS | {"warehouse": DEFAULTS["warehouse"] | {"interval": "7m"}})
    )
    units.upgrade("nginx", NGINX, sets=["shard=a"], chart=older_chart, more=["--install"])
    units.upgrade("nginx", more=["--reuse-values"])
    assert cluster.get("warehouses.kargo.akuity.io", "nginx", "-n", "kargo-nginx")["spec"]["interval"] == "7m0s"
    units.upgrade("nginx", more=["--reset-then-reuse-values"])
    spec = cluster.get("warehouses.kargo.akuity.io", "nginx", "-n", "kargo-nginx")["spec"]
    assert (spec["interval"], spec["shard"]) == ("5m0s", "a")


# -- What Kargo does to a release ------------------------------------------------------------------------------------


def test_kargos_race_with_a_new_namespace_goes_away_with_a_retry(
    units: Units, cluster: Client, own_cluster: ControlPlane
) -> None:
    own_cluster.restart_standin(race=1)
    try:
        units.expect("nginx", "kargo-nginx")
        first = cluster.helm("install", "nginx", CHART, f"--values={NGINX}", check=False)
        assert first.returncode == 1
        assert 'Internal error occurred: error creating namespace "kargo-nginx"' in first.stderr
        assert 'namespaces "kargo-nginx" already exists' in first.stderr
        units.upgrade("nginx", NGINX, more=["--install"])
        units.wait_until_ready("kargo-nginx")
    finally:
        own_cluster.restart_standin(race=0)


@pytest.mark.parametrize(
    ("subscription", "message"),
    [
        ({"image": {"repoURL": "registry.example.com/x", "constraint": "one"}}, "constraint"),
        ({"image": {"repoURL": "https://registry.example.com/x"}}, "must be a valid image repository URL"),
        ({"git": {"repoURL": "not a URL"}}, "must be a valid Git repository URL"),
    ],
    ids=["constraint", "image", "git"],
)
def test_kargo_refuses_what_the_chart_refuses_too(
    units: Units, cluster: Client, subscription: Object, message: str
) -> None:
    units.install("refusing", NGINX, sets=["service.name="])
    spec = {"subscriptions": [subscription], "interval": "5m0s", "freightCreationPolicy": "Automatic"}
    kind = {"apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Warehouse"}
    metadata = {"name": "bad", "namespace": "kargo-refusing"}
    done = cluster.create({**kind, "metadata": metadata, "spec": spec}, check=False)
    assert done.returncode == 1
    assert message in done.stderr
