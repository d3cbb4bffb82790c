"""What one service's own file opens in argocd/: nothing of others."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from conftest import FLEET, TRUSTING, Run, Tree, service

WORKLOADS = "argocd: {workloads: {enabled: true, source: {path: charts/app}, ignoreMissingValueFiles: true}}\n"
CHART = {"charts/app/Chart.yaml": "apiVersion: v2\nname: app\nversion: 0.1.0\n"}
#: A stage with a name that ends the names of other namespaces, too.
STAGE = "stages: {%s: {upstream: [staging], promotion: {path: services/nginx/values-prod.yaml}}, prod: null}\n"


def allowed(root: Path) -> list[str]:
    """Return the namespaces that the workloads' AppProject allows."""
    project = yaml.safe_load((root / "argocd/appproject-workloads.yaml").read_text())
    return [one["namespace"] for one in project["spec"]["destinations"] if one["server"] != "!**"]


@pytest.mark.parametrize("stage", ["system", "public", "operator"])
def test_a_stage_of_one_service_opens_its_own_namespace_only(tree: Tree, run: Run, stage: str) -> None:
    root = tree({"fleet.yaml": FLEET + WORKLOADS, **CHART, **service("nginx", kargo=STAGE % stage), **service("api")})
    run("generate")
    assert allowed(root) == ["*-dev", "*-staging", "*-prod", f"nginx-{stage}"]


def test_a_stage_that_the_platform_names_opens_those_of_all(tree: Tree, run: Run) -> None:
    group = "groups: {some: {services: [nginx], values: {stages: {qa: {upstream: [staging]}}}}}\n"
    files = service(
        "nginx", **{f"values-{stage}": "image:\n  tag: 1.0.0\n" for stage in ("dev", "staging", "prod", "qa")}
    )
    root = tree({"fleet.yaml": FLEET + WORKLOADS + group, **CHART, **files})
    run("generate")
    assert allowed(root) == ["*-dev", "*-staging", "*-prod", "*-qa"]


def test_an_application_of_another_is_not_taken(tree: Tree, run: Run) -> None:
    """The clash is reported, and the set of prod has no name of its own for nginx: the Application of api stays api's."""
    own = "stages: {prod: {promotion: {argocdUpdate: {enabled: true, name: %s}}}}\n"
    fleet = {"fleet.yaml": TRUSTING + WORKLOADS, **CHART, **service("api")}
    root = tree({**fleet, **service("nginx", kargo=own % "live-nginx")})
    assert run("generate").status == 0
    assert '"nginx" "live-nginx"' in (root / "argocd/workloads-prod.yaml").read_text()
    (root / "services/nginx/kargo.yaml").write_text(own % "api-prod")
    result = run("generate")
    assert (
        "the Argo CD Application 'api-prod' of nginx at stage prod is also that of api at stage prod" in result.stdout
    )
    assert '"nginx" "' not in (root / "argocd/workloads-prod.yaml").read_text()
