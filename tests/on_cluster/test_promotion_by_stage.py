"""An environment-first tree under Kargo itself: a folder of each stage, and no folder of a service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .control_plane import Client
from .promoting import Layout, Platform, wait_for
from .registry import Registry

pytestmark = pytest.mark.cluster

SERVICES = {
    "staged-web": "",
    "staged-overlay": """
stages: {prod: null}
git: {sparse: [envs/_base/<service>]}
promotion:
  tagKey: ""
  updates: {image: {kustomize: {path: "envs/<stage>/<service>", name: web}}}
""",
}
FILES = {
    "envs/_base/staged-overlay/kustomization.yaml": "resources: [pod.yaml]\n",
    "envs/_base/staged-overlay/pod.yaml": """apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: web, image: web}]}
""",
    **{
        f"envs/{stage}/staged-overlay/kustomization.yaml": """resources: [../../_base/staged-overlay]
images:
  - name: web
    newTag: 0.0.0
"""
        for stage in ("dev", "staging")
    },
}
LAYOUT = Layout(
    values="envs/{stage}/{service}/values.yaml",
    kargo="kargo/{service}.yaml",
    settings="services: envs/<stage>/<service>\nserviceFile: kargo/<service>.yaml\n",
    stages=("dev", "staging", "prod"),
)


@pytest.fixture(scope="module")
def platform(
    real_kargo: Client, registry: Registry, git_repo_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    root = tmp_path_factory.mktemp("platform")
    with Platform(root, real_kargo, registry, git_repo_url, LAYOUT).deployed(SERVICES, FILES) as platform:
        yield platform


def test_the_values_file_in_each_stage_s_folder(platform: Platform) -> None:
    service = "staged-web"
    platform.push(service, "1.0.1")
    wait_for(lambda: platform.promoted(service, "staging"), "staging")
    assert [platform.image(service, stage)["tag"] for stage in ("dev", "staging", "prod")] == [
        "1.0.1",
        "1.0.1",
        "0.0.0",
    ]
    platform.promote(service, "prod")
    wait_for(lambda: platform.promoted(service, "prod"), "prod")
    assert platform.image(service, "prod")["tag"] == "1.0.1"
    assert platform.git("show", "--format=", "--name-only", "-1").split() == [f"envs/prod/{service}/values.yaml"]
    assert platform.trailers()["Kargo-Stage"] == f"kargo-{service}/prod"
    wait_for(lambda: platform.findings(service) == [], "doctor to find nothing", 30)


def test_the_kustomization_in_each_stage_s_folder(platform: Platform) -> None:
    service = "staged-overlay"
    platform.push(service, "1.0.1")
    wait_for(lambda: platform.promoted(service, "staging"), "staging")
    platform.pull()
    for stage in ("dev", "staging"):
        text = (platform.root / f"envs/{stage}/{service}/kustomization.yaml").read_text()
        assert "newTag: 1.0.1" in text
        assert "0.0.0" in (platform.root / f"envs/{stage}/{service}/values.yaml").read_text()
    wait_for(lambda: platform.findings(service) == [], "doctor to find nothing", 30)
