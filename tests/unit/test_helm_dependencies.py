"""Dependencies of charts that promotions set: the entry of Chart.yaml that is meant, and what it holds today."""

from __future__ import annotations

import json

import pytest

from conftest import Run, Tree, service

KARGO = """
image: null
stages: {staging: null, prod: null}
warehouse: {subscriptions: [{chart: {repoURL: "oci://registry.example.com/charts/redis", semverConstraint: ^1.0.0}}]}
promotion: {updates: {redis: {helmDependency: {path: "charts/<service>"%s}}}}
"""
CHART = """apiVersion: v2
name: nginx
version: 0.1.0
dependencies:
  - name: common
    version: 1.0.0
    repository: https://charts.example.com
  - name: redis
    version: 1.2.3
    repository: oci://registry.example.com/charts
"""


def said(tree: Tree, run: Run, chart: str | None, more: str = "") -> list[tuple[str, str, str]]:
    """Return place, code with message, and fix of the findings about the chart's file."""
    tree({**service("nginx", kargo=KARGO % more), "charts/nginx/Chart.yaml": chart})
    found = json.loads(run("check", "--output", "json").stdout)["findings"]
    return [
        (f"{one['line']}:{one['column']}", f"{one['code']}: {one['message']}", one["fix"])
        for one in found
        if one["file"] == "charts/nginx/Chart.yaml"
    ]


def test_the_dependency_is_there(tree: Tree, run: Run) -> None:
    assert said(tree, run, CHART) == []


@pytest.mark.parametrize(
    ("chart", "more", "place", "message", "fix"),
    [
        (
            None,
            "",
            "0:0",
            "KF401: the chart whose dependency promotions to dev set is missing",
            "add charts/nginx/Chart.yaml",
        ),
        (
            CHART.replace("redis", "valkey"),
            "",
            "4:1",
            "KF402: has no dependency redis of oci://registry.example.com/charts, whose version promotions to dev set",
            "correct name and repository in promotion.updates.redis.helmDependency; the chart has common and valkey",
        ),
        (
            CHART.partition("dependencies")[0],
            "",
            "1:1",
            "KF402: has no dependency redis",
            "add it to dependencies, or",
        ),
        (
            CHART.replace("oci://registry.example.com/charts", "oci://registry.example.com/charts/"),
            "",
            "8:5",
            "KF402: has no dependency redis",
            "set repository: oci://registry.example.com/charts/ in promotion.updates.redis.helmDependency",
        ),
        (CHART.replace("    version: 1.2.3\n", ""), "", "4:1", "KF402: key dependencies.1.version is missing", ""),
        (CHART.replace("1.2.3", "1.2.3 # pinned"), "", "9:20", "KFW401: the first promotion removes the comment", ""),
        (CHART.replace("1.2.3", "0.2.3"), "", "9:14", "KFW402: the Warehouse would never take 0.2.3", ""),
        ("a: [", "", "2:1", "KF002", ""),
        ("dependencies: [x]\n", "", "1:1", "KF402: has no dependency redis", ""),
        (
            CHART,
            ", name: common, repository: https://elsewhere.example.com",
            "5:5",
            "KF402: has no dependency common of https://elsewhere.example.com",
            "set repository: https://charts.example.com",
        ),
    ],
)
def test_what_the_step_cannot_write(
    tree: Tree, run: Run, chart: str | None, more: str, place: str, message: str, fix: str
) -> None:
    ((where, finding, advice),) = said(tree, run, chart, more)
    assert where == place
    assert message in finding
    assert fix in advice


def test_another_dependency_takes_an_expression(tree: Tree, run: Run) -> None:
    more = ", name: common, repository: https://charts.example.com, version: \"${{ chartFrom('x').Version }}\""
    assert said(tree, run, CHART, more) == []
