"""PromotionTasks and AnalysisTemplates beside a pipeline, run by Kargo itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .control_plane import Client
from .promoting import Layout, Platform, wait_for
from .registry import Registry

pytestmark = pytest.mark.cluster

SERVICES = {
    # A task instead of the chart's steps, with the chart's variables and one of its own.
    "beside-task": """
promotionTasks:
  promote:
    vars: {note: ""}
    steps:
      - uses: git-clone
        config: {repoURL: "${{ vars.gitRepoURL }}", checkout: [{branch: "${{ vars.branch }}", path: ./src}]}
      - uses: yaml-update
        config:
          path: ./src/${{ vars.path }}
          updates:
            - {key: image.tag, value: "${{ quote(imageFrom(vars.imageRepoURL).Tag) }}"}
            - {key: config.revision, value: "${{ quote(vars.note) }}"}
      - uses: git-commit
        as: commit
        config: {path: ./src, message: "${{ vars.service }}: ${{ ctx.stage }} by a task"}
      - uses: git-push
        config: {path: ./src}
promotion: {task: {name: promote, vars: {note: "<stage> of <service>"}}}
stages: {prod: null}
""",
    # A task before and after the chart's steps.
    "beside-notes": """
promotionTasks:
  note:
    vars: {kind: Stage, name: "${{ ctx.stage }}", text: "<service> at ${{ ctx.stage }}"}
    steps:
      - uses: compose-output
        as: composed
        config: {text: "${{ vars.text }}!"}
      - uses: set-metadata
        if: ${{ success() }}
        config:
          updates: [{kind: "${{ vars.kind }}", name: "${{ vars.name }}", values: {note: "${{ task.outputs.composed.text }}"}}]
stages:
  dev:
    promotion:
      steps:
        before:
          - task: {name: note}
            as: announce
            vars:
              kind: Freight
              name: ${{ ctx.targetFreight.name }}
              text: promoting to ${{ imageFrom(vars.imageRepoURL).Tag }}
        after: [{task: {name: note}, as: done}]
  staging: null
  prod: null
""",
}
# The same in a unit of its own, as not every cluster has AnalysisTemplates.
VERIFIED = {
    "beside-verified": """
analysisTemplates:
  smoke-test:
    args: [{name: host, value: "<service>.example.com"}, {name: released}]
    metrics:
      - name: health
        provider: {web: {url: "https://{{ args.host }}/{{ args.released }}", jsonPath: "{$.status}"}}
        successCondition: result == "ok"
stages:
  dev:
    vars: {released: "${{ imageFrom(vars.imageRepoURL).Tag }}"}
    verification:
      analysisTemplates: [{name: smoke-test}]
      args: [{name: released, value: "${{ vars.released }}"}]
  staging: null
  prod: {upstream: [dev], autoPromotionEnabled: true}
""",
}
LAYOUT = Layout(stages=("dev", "staging", "prod"))


@pytest.fixture(scope="module")
def platform(
    real_kargo: Client, registry: Registry, git_repo_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    root = tmp_path_factory.mktemp("platform")
    with Platform(root, real_kargo, registry, git_repo_url, LAYOUT).deployed(SERVICES, {}) as platform:
        yield platform


@pytest.fixture(scope="module")
def verified(
    real_kargo: Client, registry: Registry, git_repo_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    for kind in ("analysistemplates", "analysisruns"):
        if not real_kargo.find("crd", f"{kind}.argoproj.io"):
            pytest.skip("the cluster has no AnalysisTemplates and AnalysisRuns: Argo Rollouts' CRDs are not installed")
    root = tmp_path_factory.mktemp("platform")
    with Platform(root, real_kargo, registry, git_repo_url, LAYOUT).deployed(VERIFIED, {}) as platform:
        yield platform


def test_a_task_instead_of_the_steps(platform: Platform) -> None:
    service = "beside-task"
    platform.push(service, "1.0.1")
    wait_for(lambda: platform.promoted(service, "staging"), "staging")
    for stage in ("dev", "staging"):
        values = platform.values(service, stage)
        assert values["image"]["tag"] == "1.0.1"
        assert values["config"]["revision"] == f"{stage} of {service}"
    assert platform.git("log", "-1", "--format=%s", "FETCH_HEAD") == f"{service}: staging by a task\n"
    wait_for(lambda: platform.findings(service) == [], "doctor to find nothing", 30)


def test_a_task_twice_beside_the_steps(platform: Platform) -> None:
    service = "beside-notes"
    platform.push(service, "1.0.1")
    wait_for(lambda: platform.promoted(service, "dev"), "dev")
    assert platform.image(service, "dev")["tag"] == "1.0.1"
    assert platform.stage(service, "dev")["status"]["metadata"] == {"note": f"{service} at dev!"}
    freight = platform.cluster.get("freights.kargo.akuity.io", "-n", f"kargo-{service}")["items"]
    assert freight[0]["status"]["metadata"] == {"note": "promoting to 1.0.1!"}
    wait_for(lambda: platform.findings(service) == [], "doctor to find nothing", 30)


def test_a_verification_holds_freight_back(verified: Platform) -> None:
    service = "beside-verified"
    namespace = ("-n", f"kargo-{service}")
    verified.push(service, "1.0.1")

    def verification() -> dict[str, Any]:
        history = verified.stage(service, "dev")["status"].get("freightHistory") or [{}]
        found: dict[str, Any] = (history[0].get("verificationHistory") or [{}])[0]
        return found

    wait_for(lambda: verification().get("phase"), "the verification")
    if verification()["phase"] == "Error" and "disabled" in verification()["message"]:
        pytest.skip("needs Kargo with its Argo Rollouts integration turned on")
    run = verification()["analysisRun"]["name"]
    spec = verified.cluster.get("analysisruns.argoproj.io", run, *namespace)["spec"]
    assert {arg["name"]: arg["value"] for arg in spec["args"]} == {
        "host": f"{service}.example.com",
        "released": "1.0.1",
    }
    assert verified.promotions(service, "prod") == []
    # What Argo Rollouts' controller writes when the metric was measured.
    verified.cluster.kubectl(
        "patch",
        "analysisruns.argoproj.io",
        run,
        *namespace,
        "--type=merge",
        "-p",
        '{"status": {"phase": "Successful", "completedAt": "2026-01-01T00:00:00Z"}}',
    )
    wait_for(lambda: verified.promoted(service, "prod"), "prod")
    assert verified.image(service, "prod")["tag"] == "1.0.1"
    wait_for(lambda: verified.findings(service) == [], "doctor to find nothing", 30)
