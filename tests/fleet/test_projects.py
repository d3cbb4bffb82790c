"""Names of Projects other than kargo-<service>: which they are, who may set them, and what follows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import FLEET, STAGES, Run, Tree, service, texts
from kargo_fleet.fleet.load import load
from kargo_fleet.fleet.names import LONGEST_SERVICE
from kargo_fleet.fleet.projects import Projects

ACME = "values: {project: {name: acme-<service>}}\n"
OLD = "groups: {old: {services: [nginx], values: {project: {name: web}}}}\n"
TWO = {**service("nginx"), **service("api")}


def project(root: Path) -> dict[str, Any]:
    spec: dict[str, Any] = yaml.safe_load((root / "argocd/appproject.yaml").read_text())["spec"]
    return spec


def allowed(root: Path) -> list[str]:
    """Return the namespaces that units may be in."""
    return [one["namespace"] for one in project(root)["destinations"] if one["server"] != "!**"]


def test_a_pattern_for_all_and_a_name_for_one(tree: Tree, run: Run) -> None:
    root = tree({**TWO, "fleet.yaml": FLEET + ACME + OLD})
    assert run("generate").status == 0
    manifests = list(yaml.safe_load_all(run("render").stdout))
    names = [one["metadata"]["name"] for one in manifests if one["kind"] == "Project"]
    assert names == ["acme-api", "web"]
    namespaces = {one["metadata"].get("namespace") or one["metadata"]["name"] for one in manifests}
    assert namespaces == {"acme-api", "web"}
    assert allowed(root) == ["acme-*", "web"]
    assert {one["name"] for one in project(root)["clusterResourceWhitelist"]} == {"acme-*", "web"}
    template = yaml.safe_load((root / "argocd/units.yaml").read_text())["spec"]["template"]
    assert template["spec"]["destination"]["namespace"] == (
        '{{ $own := dict "nginx" "web" }}{{ if hasKey $own .path.basename }}{{ get $own .path.basename }}'
        "{{ else }}acme-{{ .path.basename }}{{ end }}"
    )
    assert run("check").status == 0


def test_the_usual_name_leaves_everything_as_it_is(tree: Tree, run: Run) -> None:
    root = tree({**TWO, "fleet.yaml": FLEET + "values: {project: {name: kargo-<service>}}\n"})
    run("generate")
    assert "project" not in (root / "values/api.yaml").read_text()
    assert allowed(root) == ["kargo-*"]


@pytest.mark.parametrize("section", ["project: {name: mine}\n", "project: {name: null}\n", "project: null\n"])
def test_a_service_does_not_name_its_own_project(tree: Tree, run: Run, section: str) -> None:
    tree({**TWO, "fleet.yaml": FLEET + ACME, "services/api/kargo.yaml": section})
    result = run("check")
    assert "services/api/kargo.yaml:1:" in result.stdout
    assert "error KF204: project.name: must not be set here" in result.stdout
    assert "`groups: {api: {services: [api], values: {project: {name: NAME}}}}` in fleet.yaml" in result.stdout


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("groups: {a: {services: ['*'], values: {project: {name: all}}}}\n", "api and nginx"),
        ("values: {project: {name: all}}\n", "api and nginx"),
        ("groups: {a: {services: [api], values: {project: {name: kargo-nginx}}}}\n", "api and nginx"),
    ],
)
def test_two_services_with_one_project(tree: Tree, run: Run, text: str, names: str) -> None:
    root = tree({**TWO, "fleet.yaml": FLEET + text})
    result = run("generate")
    assert result.stdout.count("error KF206") == 1
    assert f"is the Project of {names}; every service needs its own" in result.stdout
    assert not (root / "values/api.yaml").exists()


def test_a_project_that_is_taken_later_is_not_cached(tree: Tree, run: Run) -> None:
    root = tree({**TWO, "fleet.yaml": FLEET + "groups: {a: {services: [api], values: {project: {name: kargo-web}}}}\n"})
    assert run("generate").status == 0
    (root / "services/nginx").rename(root / "services/web")
    assert "KF206" in run("generate").stdout


@pytest.mark.parametrize(
    ("name", "code"),
    [("acme_<service>", "KF103"), ("<svc>-x", "KF309"), ("kube-<service>", "KF202"), ("default", "KF202")],
)
def test_names_that_are_none(tree: Tree, run: Run, name: str, code: str) -> None:
    tree({"fleet.yaml": FLEET + f"values: {{project: {{name: {name!r}}}}}\n"})
    assert f"error {code}: " in run("check").stdout


def test_the_length_is_that_of_a_namespace(tree: Tree, run: Run) -> None:
    root = tree({"fleet.yaml": FLEET + f"values: {{project: {{name: {'p' * 57}-<service>}}}}\n"})
    assert run("check").stdout.count("KF103: project.name") == 0
    (root / "services/nginx").rename(root / "services/nginxx")
    assert "is not a DNS label of at most 63 characters" in run("check").stdout


def test_teams_in_the_names(tree: Tree, run: Run) -> None:
    text = "services: services/<team>/<service>\nvalues: {project: {name: <team>-<service>}}\n"
    files = {**service("shop/api"), **service("pay/ledger")}
    root = tree({**dict.fromkeys(service("nginx")), "fleet.yaml": FLEET + text, **files})
    assert run("generate").status == 0
    assert allowed(root) == ["pay-*", "shop-*"]
    assert "name: shop-api\n" in run("render", "api").stdout
    template = yaml.safe_load((root / "argocd/units.yaml").read_text())["spec"]["template"]
    assert template["spec"]["destination"]["namespace"] == "{{ index .path.segments 1 }}-{{ .path.basename }}"


def test_a_service_alone_is_no_pattern_of_namespaces(tree: Tree, run: Run) -> None:
    """`*` would allow every namespace of the cluster."""
    root = tree({**TWO, "fleet.yaml": FLEET + "values: {project: {name: <service>}}\n"})
    assert run("generate").status == 0
    assert allowed(root) == ["api", "nginx"]


def test_workloads_stay_out_of_units(tree: Tree, run: Run) -> None:
    target = "destination: {namespace: 'acme-<service>-<stage>'}"
    workloads = f"argocd: {{workloads: {{enabled: true, source: {{path: charts/app}}, {target}}}}}\n"
    root = tree({"fleet.yaml": FLEET + ACME + workloads})
    (root / "charts/app").mkdir()
    (root / "charts/app/Chart.yaml").write_text("apiVersion: v2\nname: app\nversion: 1.0.0\n")
    assert "would go to namespace 'acme-nginx-dev', but acme-* is for units" in run("generate").stdout
    spec = yaml.safe_load((root / "argocd/appproject-workloads.yaml").read_text())["spec"]
    assert {"server": "!**", "namespace": "acme-*"} in spec["destinations"]


def test_an_environment_first_tree(tree: Tree, run: Run) -> None:
    files = {f"envs/{stage}/nginx/values.yaml": "image:\n  tag: 1.0.0\n" for stage in STAGES}
    root = tree(
        {**dict.fromkeys(service("nginx")), **files, "fleet.yaml": FLEET + "services: envs/<stage>/<service>\n" + OLD}
    )
    assert run("generate").status == 0
    template = yaml.safe_load((root / "argocd/units.yaml").read_text())["spec"]["template"]
    assert "hasKey $own .service" in template["spec"]["destination"]["namespace"]


def test_a_null_of_a_group_is_the_default_of_the_chart(tree: Tree, run: Run) -> None:
    group = "groups: {g: {services: [nginx], values: {project: {name: null}}}}\n"
    root = tree({**TWO, "fleet.yaml": FLEET + ACME + group})
    fleet = load(root).fleet
    assert [fleet.project_of(name) for name in ("api", "nginx", "gone")] == ["acme-api", "kargo-nginx", "acme-gone"]
    run("generate")
    assert "name: kargo-nginx\n" in run("render", "nginx").stdout


def test_the_longest_service() -> None:
    assert Projects().longest_service == LONGEST_SERVICE
    assert Projects("a-<service>").longest_service == LONGEST_SERVICE
    assert Projects("acme-platform-<service>").longest_service == 49
    assert Projects("<team>-<service>", teams={"a": "shop", "b": "payments"}).longest_service == 54


def test_adopt_does_not_move_a_name_to_the_service(tree: Tree, run: Run) -> None:
    root = tree(TWO)
    run("generate")
    with (root / "values/api.yaml").open("a") as file:
        file.write("project: {name: mine}\n")
    result = run("adopt", "api")
    assert (result.status, "values/api.yaml: error KF204" in result.stdout) == (1, True)
    assert not (root / "services/api/kargo.yaml").exists()


def test_a_broken_group_keeps_its_name(tree: Tree, run: Run) -> None:
    """Or Argo CD would move the unit to another namespace."""
    root = tree({**TWO, "fleet.yaml": FLEET + OLD})
    run("generate")
    before = texts(root)
    (root / "fleet.yaml").write_text(FLEET + OLD.replace("project:", "shardd: a, project:"))
    assert "KF205" in run("generate").stdout
    assert texts(root) == before
