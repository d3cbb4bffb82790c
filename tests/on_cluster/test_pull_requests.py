"""Manifests that get onto their branches by pull requests, under Kargo itself and a Git server of the tests' own.

Needs a cluster with Kargo on this machine, and a registry.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from .control_plane import Client
from .promoting import Layout, Platform, wait_for
from .pull_requests import Gitea
from .registry import Registry

pytestmark = pytest.mark.cluster

SERVICES = {
    # Kargo merges; the branches of both stages are created by the first promotion.
    "pull-helm": """
promotion:
  render: {helm: {path: charts/workload}, branch: BRANCH-rendered-<stage>}
  pullRequest: {enabled: true, merge: true, title: "<service> <version> for <stage>"}
""",
    # A person merges what dev proposes; prod pushes.
    "pull-overlay": """
stages:
  dev: {promotion: {pullRequest: {enabled: true}}}
promotion:
  render:
    kustomize: {path: "services/<service>/overlays/<stage>", name: web}
    branch: BRANCH-whole-<stage>
    outPath: .
""",
    # A values file, on the branch of the sources.
    "pull-values": "promotion: {pullRequest: {enabled: true, merge: true, mergeMethod: squash}}\n",
}
FILES = {
    "charts/workload/Chart.yaml": "apiVersion: v2\nname: workload\nversion: 0.1.0\n",
    "charts/workload/templates/image.yaml": """apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}"}
data: {tag: "{{ .Values.image.tag }}"}
""",
    **{
        f"services/pull-overlay/overlays/{stage}/{file}": text
        for stage in ("dev", "prod")
        for file, text in {
            "kustomization.yaml": "resources: [pod.yaml]\n",
            "pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: web, image: web}]}\n",
        }.items()
    },
}
SETTINGS = """
values:
  stages: {staging: null, prod: {upstream: [dev]}}
  promotion: {pullRequest: {provider: gitea}}
"""


@pytest.fixture(scope="module")
def gitea(git_repo_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gitea]:
    if urlsplit(git_repo_url).hostname not in ("localhost", "127.0.0.1"):
        pytest.skip(
            "needs Kargo on this machine, as with a GIT_REPO_URL on localhost: it uses a Git server of the tests"
        )
    server = Gitea(tmp_path_factory.mktemp("gitea"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def platform(
    real_kargo: Client, registry: Registry, gitea: Gitea, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    root = tmp_path_factory.mktemp("platform")
    layout = Layout(settings=SETTINGS, stages=("dev", "prod"))
    platform = Platform(root, real_kargo, registry, gitea.repo_url, layout)
    with platform.deployed(SERVICES, FILES, ["whole-dev", "whole-prod"]):
        yield platform


def test_manifests_are_merged_by_kargo(platform: Platform, gitea: Gitea) -> None:
    service = "pull-helm"
    file = f"{service}/configmap-{service}.yaml"

    def promoted(stage: str) -> int:
        platform.need_new_branches(service, stage)
        return platform.promoted(service, stage)

    def opened(stage: str) -> list[dict[str, object]]:
        return [one for one in gitea.pulls if one["base"]["ref"] == f"{platform.branch}-rendered-{stage}"]

    for count, tag in enumerate(("1.0.1", "1.0.2"), 1):
        platform.push(service, tag)
        wait_for(lambda count=count: promoted("dev") == count, f"dev at {tag}")
        pull = opened("dev")[-1]
        assert pull["title"] == f"{service} {tag} for dev"
        assert f"Kargo-Stage: kargo-{service}/dev" in str(pull["body"])
        assert gitea.changed(pull) == [f"{'M' if count > 1 else 'A'}\t{file}"]
        assert platform.rendered("rendered-dev")[file]["data"]["tag"] == tag

    # The same Freight again: there is nothing to propose.
    platform.promote(service, "dev")
    wait_for(lambda: promoted("dev") == 3, "the same again")
    steps = platform.steps(service, "dev")
    assert {steps[step] for step in ("commit", "push", "open-pr", "merge-pr")} == {"Skipped"}
    assert len(opened("dev")) == 2

    platform.promote(service, "prod")
    wait_for(lambda: promoted("prod"), "prod")
    assert [one["title"] for one in opened("prod")] == [f"{service} 1.0.2 for prod"]
    assert [*platform.rendered("rendered-prod")] == [file]
    wait_for(lambda: platform.findings(service) == [], "doctor to find nothing", 30)


def test_manifests_are_merged_by_a_person(platform: Platform, gitea: Gitea) -> None:
    service, base = "pull-overlay", f"{platform.branch}-whole-dev"
    platform.push(service, "1.0.1")

    def opened() -> list[int]:
        return [one["number"] for one in gitea.pulls if one["base"]["ref"] == base]

    wait_for(opened, "a pull request")
    assert platform.rendered("whole-dev") == {}
    pull = gitea.pulls[opened()[0] - 1]
    assert pull["head"]["ref"].startswith("kargo/promotion/")
    assert pull["title"] == f"{service}: promote dev to 1.0.1"
    assert f"Kargo-Stage: kargo-{service}/dev" in pull["body"]
    assert gitea.changed(pull) == ["A\tpod-web.yaml"]
    wait_for(lambda: platform.steps(service, "dev").get("wait-for-pr") == "Running", "dev to wait")
    gitea.merge(pull["number"])
    promotion = platform.promotions(service, "dev")[0]["metadata"]["name"]
    where = ("promotions.kargo.akuity.io", promotion, "-n", f"kargo-{service}")
    platform.cluster.kubectl("annotate", *where, f"kargo.akuity.io/refresh={time.time()}")
    wait_for(lambda: platform.promoted(service, "dev"), "dev")
    assert [*platform.rendered("whole-dev")] == ["pod-web.yaml"]
    platform.promote(service, "prod")
    wait_for(lambda: platform.promoted(service, "prod"), "prod")
    assert [*platform.rendered("whole-prod")] == ["pod-web.yaml"]
    assert len(opened()) == 1


def test_values_are_merged_by_kargo(platform: Platform, gitea: Gitea) -> None:
    service = "pull-values"
    platform.push(service, "1.0.1")
    wait_for(lambda: platform.promoted(service, "dev"), "dev")
    assert platform.image(service, "dev")["tag"] == "1.0.1"
    pull = next(one for one in gitea.pulls if one["base"]["ref"] == platform.branch)
    assert gitea.changed(pull) == [f"M\tservices/{service}/values-dev.yaml"]
