"""What argocd/ points to must be there: findings, what is written all the same, and what is not looked at."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conftest import FLEET, Files, Run, Tree, add_chart, service, texts
from kargo_fleet import __version__

APP: Files = {"charts/app/Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\n"}
OCI = f"chart: {{oci: oci://registry.example.com/org/kargo-service, version: {__version__}}}\n"


def fleet(**workloads: Any) -> dict[str, str]:
    return {"fleet.yaml": f"{FLEET}argocd: {json.dumps({'workloads': {'enabled': True, **workloads}})}\n"}


def messages(run: Run, *arguments: str) -> list[str]:
    found = json.loads(run(*arguments or ("check",), "--output", "json").stdout)["findings"]
    return [item["message"] for item in found if item["code"] == "KF602"]


def test_without_the_chart_values_are_written_and_sets_are_not(tree: Tree, run: Run) -> None:
    root = tree({"charts": None})
    assert len(messages(run, "generate")) == 1
    assert list(texts(root)) == ["values/nginx.yaml"]
    assert run("check").status == 1
    add_chart(root)
    assert run("generate").status == 0
    assert run("check").status == 0


def test_without_the_chart_the_last_good_sets_stay(tree: Tree, run: Run) -> None:
    root = tree({})
    run("generate")
    before = texts(root)
    (root / "charts").rename(root / "moved")
    tree({"charts": None, "fleet.yaml": f"{FLEET}argocd: {{units: {{name: other}}}}\n"})
    assert len(messages(run, "generate")) == 1
    assert texts(root) == before


def test_values_are_computed_with_the_packaged_chart(tree: Tree, run: Run) -> None:
    root = tree({"charts": None})
    run("generate")
    without = (root / "values/nginx.yaml").read_bytes()
    add_chart(root)
    run("generate", "--force")
    assert (root / "values/nginx.yaml").read_bytes() == without


@pytest.mark.slow
def test_other_commands_go_on_with_the_packaged_chart(tree: Tree, run: Run) -> None:
    tree({"charts": None})
    run("generate")
    assert "kind: Warehouse" in run("render").stdout
    assert run("capacity").status == 0


def test_one_service_alone_is_not_about_argo_cd(tree: Tree, run: Run) -> None:
    tree({"charts": None})
    assert run("generate", "nginx").status == 0


def test_a_link_out_of_the_repository_is_told(tree: Tree, run: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Argo CD refuses it: reposerver, "out-of-bounds symlinks"."""
    other = tmp_path_factory.mktemp("other")
    add_chart(other)
    root = tree({"charts": None})
    (root / "charts").symlink_to(other / "charts")
    assert "is a link that leads out of this repository" in messages(run)[0]


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ("values/\n", ["Argo CD will not find values/nginx.yaml: Git ignores it (.gitignore:1: values/)"]),
        (
            "*.tpl\n!_unit.tpl\n",
            ["Argo CD will not find charts/kargo-service/templates/_labels.tpl: Git ignores it (.gitignore:1: *.tpl)"],
        ),
        ("*.md\n", []),
        ("charts/\n!charts/\n", []),
    ],
)
def test_what_git_ignores_is_not_there_for_argo_cd(tree: Tree, run: Run, rules: str, found: list[str]) -> None:
    root = tree({".gitignore": rules})
    subprocess.run(["git", "init", "-q", root], check=True)
    run("generate")
    first = [message if "tpl" not in message else _first_ignored(root, message) for message in messages(run)]
    assert first == [message if "tpl" not in message else _first_ignored(root, message) for message in found]
    subprocess.run(["git", "-C", root, "add", "--force", "."], check=True)
    assert messages(run) == []


def _first_ignored(root: Path, message: str) -> str:
    """Return the message without the name of the template: any of those that are ignored will do."""
    assert root.is_dir()
    return message.partition("templates/")[0] + message.partition(".tpl:")[2]


def test_the_chart_of_the_workloads_of_each_service(tree: Tree, run: Run) -> None:
    """`<service>` is replaced; one finding for all, and the sets are written: each Application fails alone."""
    chart: Files = {"services/api/chart/Chart.yaml": "", "services/nginx/chart/values.yaml": ""}
    settings = {"source": {"path": "services/<service>/chart"}, "ignoreMissingValueFiles": True}
    root = tree({**service("api"), **service("web"), **chart, **fleet(**settings)})
    (message,) = messages(run, "generate")
    assert message.startswith("Argo CD will not find the chart of the workloads: there is no services/<service>/chart/")
    assert message.endswith("Chart.yaml for 2 of 3 services: nginx, web")
    assert (root / "argocd/workloads-dev.yaml").exists()


def test_many_services_without_a_values_file_are_one_finding(tree: Tree, run: Run) -> None:
    many: dict[str, str | bytes | None] = {}
    for number in range(30):
        many |= service(f"svc-{number:02d}")
    root = tree({**many, **APP, **fleet(source={"path": "charts/app"}), "services/nginx/base-values.yaml": ""})
    (message,) = messages(run, "generate")
    assert message.endswith("for 30 of 31 services: svc-00, svc-01, svc-02, svc-03, svc-04 and 25 more")
    assert (root / "argocd/workloads-prod.yaml").exists()


def test_a_missing_values_file_of_a_stage_is_told_once(tree: Tree, run: Run) -> None:
    tree(
        {
            **APP,
            **fleet(source={"path": "charts/app"}),
            **service("nginx", **{"base-values": ""}),
            "services/nginx/values-prod.yaml": None,
        }
    )
    (found,) = json.loads(run("generate", "--output", "json").stdout)["findings"]
    assert found["code"] == "KF401"


@pytest.mark.parametrize(
    ("chart", "workloads", "unchecked"),
    [
        ("", {}, []),
        (OCI, {}, [f"the chart oci://registry.example.com/org/kargo-service:{__version__} (add --online)"]),
        (
            "chart: {git: https://git.example.com/charts.git, revision: v1}\n",
            {},
            ["the chart charts/kargo-service in https://git.example.com/charts.git at v1 (add --online)"],
        ),
        (
            "",
            {"source": {"repoURL": "https://charts.example.com", "chart": "app", "targetRevision": "1.0.0"}},
            ["the charts of the workloads"],
        ),
        (
            "",
            {"stages": {"prod": {"targetRevision": "live"}}},
            ["the values files of stage prod on live", "the charts of the workloads"],
        ),
    ],
)
def test_check_says_what_it_did_not_look_at(
    tree: Tree, run: Run, chart: str, workloads: dict[str, Any], unchecked: list[str]
) -> None:
    settings = {"source": {"path": "charts/app"}, **workloads} if workloads else {}
    files = fleet(**settings) if settings else {"fleet.yaml": FLEET}
    tree({**APP, **files, "fleet.yaml": files["fleet.yaml"] + chart, "services/nginx/base-values.yaml": ""})
    assert run("generate").status == 0
    result = run("check")
    assert (result.status, result.stdout) == (0, "")
    assert result.stderr.splitlines()[1:] == [f"not checked: {what}" for what in unchecked]
