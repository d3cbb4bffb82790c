"""What a stage renders: the chart or kustomization is there, with all that it is made of, and goes to a place of its own."""

from __future__ import annotations

import json

import pytest

from conftest import Run, Tree, service

GIT = "git: {repoURL: https://git.example.com/platform.git%s}\n"
FLEET = "policy: {baseline: false}\nimage: {registry: registry.example.com}\n" + GIT % ""
CHART = "apiVersion: v2\nname: app\nversion: 0.1.0\n"
DEPENDENCY = CHART + "dependencies:\n  - {name: common, version: 1.0.0, repository: %s}\n"
BOTH = "stages: {staging: null, prod: null}\npromotion: {render: {%s}}\n"
HELM = BOTH % "helm: {path: charts/app%s}"
KUSTOMIZE = BOTH % "kustomize: {path: services/<service>/overlays/<stage>}"
OVERLAY = "services/nginx/overlays/dev"

Said = list[tuple[str, str, str]]


def said(tree: Tree, run: Run, kargo: str, files: dict[str, str | None], fleet: str = FLEET) -> Said:
    """Return place, code with message, and fix of each finding."""
    tree({**service("nginx", kargo=kargo), "charts/app/Chart.yaml": CHART, **files, "fleet.yaml": fleet})
    found = json.loads(run("generate", "--output", "json").stdout)["findings"]
    return [
        (f"{one['file']}:{one['line']}:{one['column']}", f"{one['code']}: {one['message']}", one["fix"])
        for one in found
        if one["code"] != "KFW406"  # the values files of the other stages
    ]


@pytest.mark.parametrize(
    ("kargo", "files"),
    [
        (HELM % "", {}),
        (HELM % ", valuesFiles: []", {"services/nginx/values-dev.yaml": None}),
        (HELM % ", ignoreMissingValueFiles: true, valuesFiles: [x.yaml]", {}),
        # The tag is set without the file.
        (HELM % "", {"services/nginx/values-dev.yaml": "replicas: 1\n"}),
        (HELM % "", {"charts/app/Chart.yaml": DEPENDENCY % "x", "charts/app/charts/common-1.0.0.tgz": ""}),
        (HELM % "", {"charts/app/Chart.yaml": DEPENDENCY % "x", "charts/app/charts/common/Chart.yaml": CHART}),
        (HELM % ", buildDependencies: true", {"charts/app/Chart.yaml": DEPENDENCY % "https://charts.example.com"}),
        (HELM % ", buildDependencies: true", {"charts/app/Chart.yaml": DEPENDENCY % "file://common"}),
        (KUSTOMIZE, {f"{OVERLAY}/kustomization.yaml": "resources: [deployment.yaml]\n"}),
        ("git: {sparse: false}\n" + KUSTOMIZE, {f"{OVERLAY}/kustomization.yaml": "resources:\n- ../../../../bases\n"}),
        (
            "git: {sparse: [bases]}\n" + KUSTOMIZE,
            {f"{OVERLAY}/kustomization.yaml": "resources:\n- ../../../../bases/x\n"},
        ),
    ],
)
def test_all_is_there(tree: Tree, run: Run, kargo: str, files: dict[str, str | None]) -> None:
    assert said(tree, run, kargo, files) == []


@pytest.mark.parametrize(
    ("kargo", "files", "place", "message", "fix"),
    [
        (
            HELM % "",
            {"charts/app/Chart.yaml": None},
            "charts/app/Chart.yaml:0:0",
            "KF401: the chart that promotions to dev render is missing",
            "add charts/app/Chart.yaml, or correct promotion.render.helm.path",
        ),
        (HELM % "", {"charts/app/Chart.yaml": "a: ["}, "charts/app/Chart.yaml:2:1", "KF002", ""),
        (
            HELM % ", valuesFiles: [services/<service>/base.yaml]",
            {},
            "services/nginx/base.yaml:0:0",
            "KF401: the values file that promotions to dev render with is missing",
            "promotion.render.helm.valuesFiles",
        ),
        (
            HELM % "",
            {"charts/app/Chart.yaml": DEPENDENCY % "https://charts.example.com"},
            "charts/app/Chart.yaml:4:1",
            "KF401: charts/app/charts lacks common, so that Kargo cannot render the chart",
            "set promotion.render.helm.buildDependencies: true",
        ),
        (
            HELM % ", buildDependencies: true",
            {"charts/app/Chart.yaml": DEPENDENCY % "file://../common"},
            "charts/app/Chart.yaml:4:1",
            "KFW317: dependency common of the chart is in charts/common, which promotions to dev do not check out",
            "set git.sparse: [charts/common]",
        ),
        (
            KUSTOMIZE,
            {},
            "services/nginx/overlays/dev:0:0",
            "KF401: the kustomization that promotions to dev render is missing",
            "add services/nginx/overlays/dev/kustomization.yaml",
        ),
        (
            KUSTOMIZE,
            {f"{OVERLAY}/kustomization.yaml": "resources:\n- ../../base\n"},
            "services/nginx/overlays/dev/kustomization.yaml:0:0",
            "KFW317: ../../base is in services/nginx/base, which promotions to dev do not check out",
            "set git.sparse: [services/nginx/base]",
        ),
        (
            "git: {sparse: [services/nginx/base]}\n" + KUSTOMIZE,
            {
                f"{OVERLAY}/kustomization.yaml": "resources:\n- ../../base\n",
                "services/nginx/base/kustomization.yaml": "resources:\n- ../../../bases/web.yaml\n- ../overlays/dev\n",
            },
            "services/nginx/base/kustomization.yaml:0:0",
            "KFW317: ../../../bases/web.yaml is in bases",
            "set git.sparse: [services/nginx/base, bases]",
        ),
        (
            BOTH % "helm: {path: charts/app}, outPath: api",
            {"services/api/kargo.yaml": BOTH % "helm: {path: charts/app, valuesFiles: []}"},
            "services/nginx/kargo.yaml:2:57",
            "KFW307: promotions to dev replace api of branch stage/dev, which is the place of service api",
            "put <service> into promotion.render.outPath",
        ),
    ],
)
def test_what_is_missing(
    tree: Tree, run: Run, kargo: str, files: dict[str, str | None], place: str, message: str, fix: str
) -> None:
    ((where, finding, advice),) = said(tree, run, kargo, files)
    assert where == place
    assert finding.startswith(message)
    assert fix in advice


@pytest.mark.parametrize(
    ("render", "warned"),
    [
        ("outPath: manifests", True),
        ("outPath: .", True),
        ("outPath: 'apps/<service>'", False),
        ("outPath: ., branch: 'env/<service>/<stage>'", False),
        ("branch: 'env/<stage>'", False),
    ],
)
def test_a_place_for_all_services(tree: Tree, run: Run, render: str, warned: bool) -> None:
    fleet = f"{FLEET}values: {{promotion: {{render: {{{render}}}}}}}\n"
    found = said(tree, run, HELM % "", {}, fleet)
    assert [message.split(",")[-1] for _, message, _ in found] == [" which is the place of every service"] * warned


def test_the_files_of_another_branch_are_not_looked_for(tree: Tree, run: Run) -> None:
    assert said(tree, run, "git: {branch: other}\n" + HELM % "", {"charts/app/Chart.yaml": None}) == []
