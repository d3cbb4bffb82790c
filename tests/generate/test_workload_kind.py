"""Workloads that are no Helm charts: kustomizations and plain folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import FLEET, STAGES, Files, Run, Tree

OVERLAYS: Files = {f"services/nginx/overlays/{stage}/kustomization.yaml": "resources: []\n" for stage in STAGES}
PATH = "services/<service>/overlays/<stage>"


def fleet(**workloads: Any) -> dict[str, str]:
    return {"fleet.yaml": f"{FLEET}argocd: {json.dumps({'workloads': {'enabled': True, **workloads}})}\n"}


def template(root: Path) -> Any:
    return yaml.safe_load((root / "argocd/workloads-dev.yaml").read_text())["spec"]["template"]


@pytest.mark.parametrize("name", ["kustomization.yaml", "kustomization.yml", "Kustomization"])
def test_kustomizations_are_noticed(tree: Tree, run: Run, name: str) -> None:
    overlays = {path.replace("kustomization.yaml", name): text for path, text in OVERLAYS.items()}
    root = tree({**fleet(source={"path": PATH}), **overlays})
    assert run("generate").status == 0
    found = template(root)
    assert found["spec"]["source"].keys() == {"repoURL", "targetRevision", "path"}
    paths = found["metadata"]["annotations"]["argocd.argoproj.io/manifest-generate-paths"]
    assert paths == ".;/services/{{ .path.basename }}"


def test_fields_of_argo_cd_are_passed_on(tree: Tree, run: Run) -> None:
    source = {
        "path": PATH,
        "kustomize": {"namePrefix": "<service>-", "commonLabels": {"stage": "<stage>", "a": "{{ b }}"}},
    }
    root = tree({**fleet(source=source), **OVERLAYS})
    assert run("generate").status == 0
    kustomize = template(root)["spec"]["source"]["kustomize"]
    assert kustomize["namePrefix"] == "{{ .path.basename }}-"
    assert kustomize["commonLabels"] == {"stage": "dev", "a": '{{ "{{" }} b }}'}


def test_plain_folders(tree: Tree, run: Run) -> None:
    root = tree({**fleet(source={"path": PATH, "directory": {"recurse": True}}), **OVERLAYS})
    assert run("generate").status == 0
    assert template(root)["spec"]["source"]["directory"] == {"recurse": True}


def test_a_chart_among_them_is_helm(tree: Tree, run: Run) -> None:
    chart = {"services/nginx/overlays/prod/Chart.yaml": "name: a\n"}
    tree({**fleet(source={"path": PATH}, ignoreMissingValueFiles=True), **OVERLAYS, **chart})
    result = run("check")
    assert "there is no services/<service>/overlays/<stage>/Chart.yaml for 1 of 1 services: nginx" in result.stdout


@pytest.mark.parametrize(
    ("kind", "what"), [("kustomize", "kustomization of the workloads"), ("directory", "folder of the workloads")]
)
def test_what_is_missing(tree: Tree, run: Run, kind: str, what: str) -> None:
    files = {path: text for path, text in OVERLAYS.items() if "prod" not in path}
    tree({**fleet(source={"path": PATH, kind: {}}), **files})
    result = run("check")
    assert f"error KF602: Argo CD will not find the {what}" in result.stdout


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"source": {"path": PATH, "kustomize": {}, "directory": {}}}, "kustomize and directory, which are mutually"),
        ({"source": {"path": PATH, "kustomize": {}}, "valueFiles": ["/a.yaml"]}, "workloads.valueFiles has no effect"),
        ({"source": {"path": PATH}, "valueFiles": ["/a.yaml"]}, "workloads.valueFiles has no effect"),
    ],
)
def test_contradictions(tree: Tree, run: Run, settings: Any, said: str) -> None:
    tree({**fleet(**settings), **OVERLAYS})
    result = run("check")
    assert result.status == 1
    assert "fleet.yaml:3:" in result.stdout
    assert "error KF601" in result.stdout
    assert said in result.stdout


def test_bases_that_the_annotation_names(tree: Tree, run: Run) -> None:
    overlays = dict.fromkeys(OVERLAYS, "resources:\n- ../../base\n- ../../../../bases/web\n")
    tree({**fleet(source={"path": PATH}), **overlays})
    assert "KFW203: kustomizations of the workloads use bases/web, but" in run("check").stdout
    paths = {"argocd.argoproj.io/manifest-generate-paths": ".;/services/<service>;/bases"}
    root = tree({**fleet(source={"path": PATH}, annotations=paths), **overlays})
    assert run("generate").status == 0
    assert "KFW203" not in run("check").stdout
    annotations = template(root)["metadata"]["annotations"]
    assert annotations["argocd.argoproj.io/manifest-generate-paths"] == ".;/services/{{ .path.basename }};/bases"
