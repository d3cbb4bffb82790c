"""What is in argocd/, under Argo CD's own controllers."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
import yaml

import samples

from .argocd import NAMESPACE, ArgoCD, is_synced
from .control_plane import Client, ControlPlane, Object
from .drift import differences
from .repository import GitServer, Platform
from .units import KARGO_KINDS

#: The fixture is for what it does, not for what it is.
installed = pytest.mark.usefixtures("platform")
pytestmark = pytest.mark.cluster

SERVICES = ("nginx", "docs-site", "checkout", "payments-api")


@pytest.fixture(scope="module")
def argocd(cluster: Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoCD]:
    crds = "customresourcedefinitions.apiextensions.k8s.io"
    if not isinstance(cluster, ControlPlane) and cluster.find(crds, "applications.argoproj.io"):
        pytest.skip("brings its own Argo CD, and this cluster has one")
    namespace_was_there = cluster.find("namespace", NAMESPACE)
    folder = cluster.folder / "argocd" if isinstance(cluster, ControlPlane) else tmp_path_factory.mktemp("argocd")
    argocd = ArgoCD(cluster, folder)
    argocd.start()
    yield argocd
    # The set's finalizer needs its controller.
    for kind in ("applicationsets", "applications", "appprojects"):
        cluster.kubectl("delete", f"{kind}.argoproj.io", "--all", "-n", NAMESPACE, "--timeout=60s")
    argocd.stop()
    cluster.kubectl(
        "delete", "projects.kargo.akuity.io", "-l", "app.kubernetes.io/part-of=kargo-fleet", "--timeout=60s"
    )
    cluster.kubectl("delete", "namespaces", "-l", "app.kubernetes.io/part-of=kargo-fleet", "--timeout=120s")
    cluster.kubectl(
        "delete", crds, *(f"{kind}.argoproj.io" for kind in ("applicationsets", "applications", "appprojects"))
    )
    if not namespace_was_there:
        cluster.kubectl("delete", "namespace", NAMESPACE, "--timeout=120s")


@pytest.fixture(scope="module")
def platform(argocd: ArgoCD, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A repository with some of the sample's services, installed as docs/argocd.md says, and synced."""
    folder = tmp_path_factory.mktemp("git")
    server = GitServer(folder / "served")
    platform = Platform(folder, server, SERVICES)
    argocd.configure(platform.tree)
    argocd.wait_until_synced([f"kargo-{service}" for service in SERVICES])
    yield platform
    server.close()


def appear(argocd: ArgoCD, *services: str) -> None:
    argocd.look()
    argocd.wait_until_synced([f"kargo-{service}" for service in services])


def uids(argocd: ArgoCD) -> dict[str, str]:
    return {name: application["metadata"]["uid"] for name, application in argocd.applications().items()}


def warehouse(cluster: Client, service: str) -> Object:
    return cluster.get("warehouses.kargo.akuity.io", service, "-n", f"kargo-{service}")


def stages(cluster: Client, service: str) -> list[str]:
    return cluster.names("stages.kargo.akuity.io", "-n", f"kargo-{service}")


@installed
def test_every_service_has_its_application_and_its_unit(argocd: ArgoCD, cluster: Client) -> None:
    applications = argocd.applications()
    assert sorted(applications) == sorted(f"kargo-{service}" for service in SERVICES)
    for name, application in applications.items():
        assert application["metadata"]["labels"]["app.kubernetes.io/component"] == "kargo-unit"
        assert application["status"]["operationState"]["phase"] == "Succeeded"
        assert stages(cluster, name.removeprefix("kargo-"))
    conditions = argocd.set_conditions("kargo-units")
    assert conditions["ErrorOccurred"][0] == "False"
    assert conditions["ResourcesUpToDate"][0] == "True"


@installed
def test_nothing_drifts(argocd: ArgoCD, cluster: Client) -> None:
    """Several reconciles with selfHeal on: always Synced, no further sync, no object touched."""
    names = [f"kargo-{service}" for service in SERVICES]

    def state() -> dict[str, list[str]]:
        kinds = "stages.kargo.akuity.io,warehouses.kargo.akuity.io,projectconfigs.kargo.akuity.io,rolebindings,resourcequotas"
        found: dict[str, list[str]] = {}
        for name in names:
            objects = [*cluster.get(kinds, "-n", name)["items"], cluster.get("namespace", name)]
            # Not the version: controllers write statuses.
            identities = [
                (o["kind"], o["metadata"]["name"], o["metadata"].get("generation"), o["metadata"]["uid"])
                for o in objects
            ]
            found[name] = [str(identity) for identity in identities]
            found[name].append(argocd.application(name)["status"]["operationState"]["startedAt"])
        return found

    before = state()
    for _ in range(4):
        argocd.refresh(*names, hard=True)
        applications = argocd.applications()
        assert [name for name in names if not is_synced(applications[name])] == []
        assert {name: applications[name]["status"].get("conditions") for name in names} == dict.fromkeys(names)
    assert state() == before


def test_what_argo_cd_stores_is_what_the_chart_renders(platform: Platform, cluster: Client) -> None:
    for service in SERVICES:
        values = platform.tree / "values" / f"{service}.yaml"
        rendered = cluster.helm("template", service, platform.tree / "charts/kargo-service", "-f", values).stdout
        for obj in yaml.safe_load_all(rendered):
            metadata = obj["metadata"]
            scope = ["-n", metadata["namespace"]] if "namespace" in metadata else []
            group = obj["apiVersion"].partition("/")[0] if "/" in obj["apiVersion"] else ""
            stored = cluster.get(f"{obj['kind']}.{group}" if group else obj["kind"], metadata["name"], *scope)
            assert differences(obj, stored) == []


@installed
def test_what_somebody_changes_is_healed(argocd: ArgoCD, cluster: Client) -> None:
    patch = ["--type=merge", '--patch={"spec": {"interval": "1h0m0s"}}']
    cluster.kubectl("patch", "warehouses.kargo.akuity.io", "nginx", "-n", "kargo-nginx", *patch)
    argocd.wait_for(lambda: warehouse(cluster, "nginx")["spec"]["interval"] == "5m0s", "selfHeal")
    cluster.kubectl("delete", "stages.kargo.akuity.io", "prod", "-n", "kargo-nginx")
    argocd.wait_for(lambda: "prod" in stages(cluster, "nginx"), "selfHeal of a Stage")


def test_a_new_service_appears_and_nothing_else_changes(argocd: ArgoCD, platform: Platform, cluster: Client) -> None:
    before = uids(argocd)
    platform.add_service("fresh")
    assert platform.git("show", "--stat", "--format=", "--", "argocd") == "", "a new service changed argocd/"
    appear(argocd, "fresh")
    assert warehouse(cluster, "fresh")
    after = uids(argocd)
    assert after.pop("kargo-fresh")
    assert after == before


def test_a_changed_file_changes_its_own_unit(argocd: ArgoCD, platform: Platform, cluster: Client) -> None:
    platform.add_service("changing")
    appear(argocd, "changing")
    operations = {name: a["status"]["operationState"]["startedAt"] for name, a in argocd.applications().items()}
    platform.write(
        "services/changing/kargo.yaml", "warehouse: {interval: 20m}\nstages: {staging: null, prod: {upstream: [dev]}}\n"
    )
    platform.generate()
    platform.push("Change one service")
    names = list(operations)
    argocd.refresh(*names)
    argocd.wait_for(lambda: warehouse(cluster, "changing")["spec"]["interval"] == "20m0s", "the change")
    argocd.wait_for(lambda: stages(cluster, "changing") == ["dev", "prod"], "the Stage to be pruned")
    after = {name: a["status"]["operationState"]["startedAt"] for name, a in argocd.applications().items()}
    assert [name for name in names if after[name] != operations[name]] == ["kargo-changing"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("broken-yaml", "service: {name: [\n", "error converting YAML to JSON|cannot unmarshal|did not find expected"),
        ("broken-value", "image: {repoURL: x, discoveryLimit: many}\n", "don't meet the specifications of the schema"),
        ("broken-missing", None, "no such file or directory"),
    ],
    ids=["yaml", "schema", "missing"],
)
def test_a_broken_values_file_breaks_its_own_service_only(
    argocd: ArgoCD, platform: Platform, cluster: Client, name: str, text: str | None, message: str
) -> None:
    platform.add_service(name)
    appear(argocd, name)
    if text is None:
        (platform.tree / "values" / f"{name}.yaml").unlink()
    else:
        platform.write(f"values/{name}.yaml", text)
    platform.push(f"Break {name}")
    argocd.refresh(f"kargo-{name}")
    argocd.wait_for(lambda: argocd.sync(f"kargo-{name}") == "Unknown", "the Application to notice")
    assert re.search(message, argocd.messages(f"kargo-{name}")), argocd.messages(f"kargo-{name}")
    assert warehouse(cluster, name), "the unit itself must go on as it is"

    # The set goes on: for a service that is new, and without an error.
    platform.write(f"services/after-{name}/values-dev.yaml", "image: {tag: 1.0.0}\n")
    shutil.copy(platform.tree / "values" / "nginx.yaml", platform.tree / "values" / f"after-{name}.yaml")
    platform.push("A service after the broken one")
    appear(argocd, f"after-{name}")
    assert argocd.set_conditions("kargo-units")["ErrorOccurred"][0] == "False"
    argocd.refresh("kargo-nginx")
    assert argocd.sync("kargo-nginx") == "Synced"
    # The after-… files are not generated ones.
    shutil.rmtree(platform.tree / "services" / f"after-{name}")
    (platform.tree / "values" / f"after-{name}.yaml").unlink()
    platform.generate("--force")
    platform.push(f"Repair {name}")
    argocd.refresh(f"kargo-{name}")
    argocd.wait_until_synced([f"kargo-{name}"])


def test_a_file_that_claims_another_name_gets_its_own(argocd: ArgoCD, platform: Platform, cluster: Client) -> None:
    platform.add_service("honest", push=False)
    platform.add_service("thief", push=False)
    thief = platform.tree / "values" / "thief.yaml"
    text = thief.read_text().replace("  name: thief\n", "  name: honest\n")
    assert text != thief.read_text()
    thief.write_text(text + "warehouse: {interval: 59m}\n")
    platform.push("A thief")
    appear(argocd, "honest", "thief")
    assert warehouse(cluster, "honest")["spec"]["interval"] == "5m0s"
    assert warehouse(cluster, "thief")["spec"]["interval"] == "59m0s"
    assert cluster.names("warehouses.kargo.akuity.io", "-n", "kargo-honest") == ["honest"]


def test_folders_that_are_no_services_get_no_application(argocd: ArgoCD, platform: Platform) -> None:
    """Kargo's own names, names that are no DNS label, and names that are too long; next to a service, which does get one."""
    before = uids(argocd)
    with platform.passing():
        platform.add_service("next-door", push=False)
        for folder in ("shared-resources", "cluster-secrets", "system-resources", "_old", "Upper", ".hidden", "x" * 58):
            platform.write(f"services/{folder}/values-dev.yaml", "image: {tag: 1.0.0}\n")
        platform.push("Folders that are no services")
        appear(argocd, "next-door")
        assert argocd.set_conditions("kargo-units")["ErrorOccurred"][0] == "False"
        assert uids(argocd).keys() - before.keys() == {"kargo-next-door"}


@pytest.mark.parametrize("folder", ["services", "values"])
def test_a_folder_that_is_moved_away_deletes_nothing(
    argocd: ArgoCD, platform: Platform, cluster: Client, folder: str
) -> None:
    before, namespaces = uids(argocd), cluster.names("namespaces", "-l", "app.kubernetes.io/part-of=kargo-fleet")
    with platform.passing():
        platform.git("mv", folder, "elsewhere")
        platform.push(f"Move {folder}/ away")
        argocd.look()
        argocd.refresh("kargo-nginx")
        argocd.wait_for(lambda: not argocd.looking(), "the set to look")
        assert uids(argocd) == before
        assert cluster.names("namespaces", "-l", "app.kubernetes.io/part-of=kargo-fleet") == namespaces
        assert stages(cluster, "nginx") == ["dev", "prod", "staging"]
        # Of a renamed file Argo CD sees the new name only (`git diff --name-only`), and `manifest-generate-paths` does not name
        # that: until it renders again for another reason, it does not notice that the values file is gone.
        assert argocd.sync("kargo-nginx") == "Synced"
        argocd.refresh("kargo-nginx", hard=True)
        argocd.wait_for(
            lambda: argocd.sync("kargo-nginx") == ("Synced" if folder == "services" else "Unknown"), "nginx to notice"
        )
        assert stages(cluster, "nginx") == ["dev", "prod", "staging"]
    argocd.look()
    argocd.refresh("kargo-nginx")
    argocd.wait_until_synced(["kargo-nginx"])
    assert uids(argocd) == before


def objects(cluster: Client) -> dict[tuple[str, str, str], str]:
    """The UID of everything that the units are made of."""
    kinds = f"namespaces,projects.kargo.akuity.io,{KARGO_KINDS}"
    found = cluster.get(kinds, "--all-namespaces", "-l", "app.kubernetes.io/part-of=kargo-fleet")["items"]
    return {
        (item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]): item["metadata"]["uid"]
        for item in found
    }


SPLITS = {
    "by size": (
        "argocd: {units: {minSets: 2}}\n",
        ["kargo-units-0-7", "kargo-units-8-f"],
    ),
    "by shard": (
        "shards: [a, b]\nargocd: {units: {splitBy: shard}}\n",
        ["kargo-units-shard-a", "kargo-units-shard-b"],
    ),
}


def test_a_split_deletes_and_makes_nothing_anew(argocd: ArgoCD, platform: Platform, cluster: Client) -> None:
    """From one set to two by size, from there to sets that follow the shards, and back to one: always the same objects."""
    # Applications whose folders other tests took away belong to no set afterwards, and are there all the same.
    names = [f"kargo-{name}" for name in SERVICES]
    before, made = uids(argocd), objects(cluster)
    fleet = (platform.tree / "fleet.yaml").read_text()
    steps = {**SPLITS, "back": ("", ["kargo-units"])}
    for settings, sets in steps.values():
        platform.write("fleet.yaml", fleet + settings)
        platform.handover(cluster.kubeconfig)
        assert cluster.names("applicationsets.argoproj.io", "-n", NAMESPACE) == sets
        argocd.look()
        argocd.wait_for(
            lambda sets=sets: {owner(argocd.application(name)) for name in names} == set(sets),
            f"{sets} to take over",
        )
        argocd.refresh(*names)
        argocd.wait_until_synced(names)
        assert uids(argocd) == before
        assert objects(cluster) == made
        shards = {name: warehouse(cluster, name)["spec"].get("shard", "") for name in SERVICES}
        by_shard = {name: owner(argocd.application(f"kargo-{name}")).rpartition("-shard-")[2] for name in SERVICES}
        assert shards == (by_shard if "shards:" in settings else dict.fromkeys(SERVICES, ""))


def owner(application: Object) -> str:
    """The set that an Application belongs to, "" while it belongs to none."""
    references = application["metadata"].get("ownerReferences") or [{"name": ""}]
    return str(references[0]["name"])


def test_a_removed_service_stays_until_it_is_deleted(argocd: ArgoCD, platform: Platform, cluster: Client) -> None:
    platform.add_service("leaving")
    appear(argocd, "leaving")
    platform.git("rm", "-qr", "services/leaving")
    reported = platform.fleet("check")
    assert reported.returncode == 1
    assert re.search(r"values/leaving\.yaml.*KF503|KF503.*values/leaving\.yaml", reported.stdout + reported.stderr)
    platform.generate("--prune")
    platform.push("Remove leaving")
    argocd.look()
    argocd.refresh("kargo-leaving")
    assert argocd.application("kargo-leaving")
    assert warehouse(cluster, "leaving")

    # docs/removing.md: in this order nothing comes back, and everything goes.
    cluster.kubectl("delete", "applications.argoproj.io", "kargo-leaving", "-n", NAMESPACE, "--timeout=60s")
    assert warehouse(cluster, "leaving"), "deleting the Application deleted the unit"
    cluster.kubectl("delete", "projects.kargo.akuity.io", "kargo-leaving", "--timeout=60s")
    cluster.kubectl("delete", "namespace", "kargo-leaving", "--timeout=60s")
    platform.add_service("staying")
    appear(argocd, "staying")
    assert "kargo-leaving" not in argocd.applications()


FORBIDDEN: dict[str, tuple[str, str]] = {
    "secret": (
        "{apiVersion: v1, kind: Secret, metadata: {name: forbidden, namespace: kargo-{{ .Values.service.name }}}}",
        "Secret is not permitted in project kargo-units",
    ),
    "clusterrole": (
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: forbidden}, rules: []}",
        "ClusterRole is not permitted in project kargo-units",
    ),
    "namespace": (
        "{apiVersion: v1, kind: Namespace, metadata: {name: forbidden}}",
        "Namespace.* is not permitted in project kargo-units",
    ),
    "elsewhere": (
        "{apiVersion: v1, kind: ServiceAccount, metadata: {name: forbidden, namespace: kube-system}}",
        "namespace kube-system is not permitted in project 'kargo-units'",
    ),
    "kargos-own": (
        "{apiVersion: v1, kind: ServiceAccount, metadata: {name: forbidden, namespace: kargo-shared-resources}}",
        "namespace kargo-shared-resources is not permitted in project 'kargo-units'",
    ),
}


@pytest.mark.parametrize("case", FORBIDDEN)
def test_a_chart_that_wants_more_than_the_project_allows_is_refused(
    argocd: ArgoCD, platform: Platform, cluster: Client, case: str
) -> None:
    manifest, message = FORBIDDEN[case]
    name = f"greedy-{case}"
    with platform.passing():
        # For this service only, so that the others are the proof that they go on.
        guarded = f'{{{{- if eq .Values.service.name "{name}" }}}}\n{manifest}\n{{{{- end }}}}\n'
        platform.write("charts/kargo-service/templates/forbidden.yaml", guarded)
        platform.add_service(name)
        argocd.look()
        argocd.wait_for(lambda: f"kargo-{name}" in argocd.applications(), "the Application")
        argocd.wait_for(lambda: re.search(message, argocd.messages(f"kargo-{name}")), f"{message!r}")
        for namespace in ("kube-system", "kargo-shared-resources", f"kargo-{name}"):
            assert cluster.find("serviceaccount", "forbidden", "-n", namespace) is None
            assert cluster.find("secret", "forbidden", "-n", namespace) is None
        assert cluster.find("clusterrole", "forbidden") is None
        assert cluster.find("namespace", "forbidden") is None
        argocd.refresh("kargo-nginx")
        assert argocd.sync("kargo-nginx") == "Synced"


def test_drift_would_be_seen(argocd: ArgoCD, platform: Platform) -> None:
    """The proof that `test_nothing_drifts` proves something: a chart that writes `5m`, as people do, is synced again and again."""

    def operation() -> str:
        # Not there for a moment while the next one begins.
        started: str = argocd.application("kargo-drifting")["status"].get("operationState", {}).get("startedAt", "")
        return started

    platform.add_service("drifting")
    appear(argocd, "drifting")
    template = platform.tree / "charts/kargo-service/templates/warehouses.yaml"
    with platform.passing():
        careless = re.sub(r"^  interval: .*$", "  interval: 5m", template.read_text(), flags=re.MULTILINE)
        assert careless != template.read_text()
        template.write_text(careless)
        platform.push("Write the interval as people do")
        seen = {operation()}
        argocd.refresh("kargo-drifting")

        def again() -> bool:
            seen.add(operation())
            return len(seen - {""}) > 3

        argocd.wait_for(again, "three more syncs of what is synced")
    everything = list(argocd.applications())
    argocd.refresh(*everything)
    argocd.wait_until_synced(["kargo-drifting", *(f"kargo-{service}" for service in SERVICES)])


# -- Health ----------------------------------------------------------------------------------------------------------


def condition(kind: str, status: str, reason: str = "Because", message: str = "", generation: int = 1) -> Object:
    found = {"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": generation}
    return found | {"lastTransitionTime": "2026-01-01T00:00:00Z"}


HEALTH = {
    "a Project that is new": ("Project", {}, "Progressing"),
    "a Project that is ready": ("Project", {"conditions": [condition("Ready", "True")]}, "Healthy"),
    "a Project before a change": ("Project", {"conditions": [condition("Ready", "True", generation=0)]}, "Progressing"),
    "a Project being set up": ("Project", {"conditions": [condition("Ready", "False", "Syncing")]}, "Progressing"),
    "a Project that is stuck": (
        "Project",
        {"conditions": [condition("Stalled", "True"), condition("Ready", "False")]},
        "Degraded",
    ),
    "a ProjectConfig that is ready": ("ProjectConfig", {"conditions": [condition("Ready", "True")]}, "Healthy"),
    "a Warehouse that is new": ("Warehouse", {}, "Progressing"),
    "a Warehouse that may not look": (
        "Warehouse",
        {"conditions": [condition("Healthy", "False", "DiscoveryFailed")]},
        "Degraded",
    ),
    "a Stage that is new": ("Stage", {}, "Progressing"),
}


@pytest.mark.parametrize("case", HEALTH)
def test_health_by_argo_cds_own_command(argocd: ArgoCD, case: str) -> None:
    """`argocd admin settings resource-overrides health`, with the patch of argocd-cm."""
    kind, status, expected = HEALTH[case]
    metadata = {"name": "x", "namespace": "x", "generation": 1}
    obj = {"apiVersion": "kargo.akuity.io/v1alpha1", "kind": kind, "metadata": metadata, "status": status}
    settings = samples.EXPECTED / "argocd" / "patches" / "argocd-cm.yaml"
    assert argocd.health(obj, settings)[0] == expected


@installed
def test_health_as_the_application_shows_it(argocd: ArgoCD) -> None:
    """The registry is made up, so Kargo discovers nothing, and Stages wait for their first Freight, which is no fault."""
    argocd.refresh("kargo-nginx", hard=True)
    resources = argocd.application("kargo-nginx")["status"]["resources"]
    shown = {r["kind"]: r.get("health", {}).get("status") for r in resources if r.get("group") == "kargo.akuity.io"}
    expected = {"Project": "Healthy", "ProjectConfig": "Healthy", "Warehouse": "Degraded", "Stage": "Healthy"}
    assert shown | expected == shown
