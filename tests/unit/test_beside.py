"""AnalysisTemplates, PromotionTasks and extra objects beside a unit's pipeline. What the chart says, too: test_rules.py."""

from __future__ import annotations

from typing import Any

import pytest

from conftest import FLEET, Run, Tree
from helm import CHART
from kargo_fleet.fleet.chart import Chart, read_chart
from kargo_fleet.fleet.merge import merge
from kargo_fleet.fleet.object_kinds import GroupKind
from kargo_fleet.fleet.pipeline import pipeline_of
from kargo_fleet.unit import beside


@pytest.fixture(scope="module")
def chart() -> Chart:
    return read_chart(CHART.parents[1], None)


def values(chart: Chart, **over: Any) -> dict[str, Any]:
    return merge(chart.defaults, {"service": {"name": "nginx"}, **over})


CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap"}


def test_kinds_that_the_platform_did_not_allow(chart: Chart) -> None:
    secret = {"apiVersion": "external-secrets.io/v1beta1", "kind": "ExternalSecret"}
    given = values(chart, extraObjects={"a": CONFIG_MAP, "b": secret, "c": None, "d": {"kind": "ConfigMap"}})
    assert (
        list(
            beside.not_allowed(given, [GroupKind("", "ConfigMap"), GroupKind("external-secrets.io", "ExternalSecret")])
        )
        == []
    )
    (problem,) = beside.not_allowed(given, [GroupKind("", "ConfigMap")])
    assert problem.message == (
        'extraObjects.b.kind: "ExternalSecret" is not in extraObjects.allowedKinds of fleet.yaml'
    )
    assert problem.fix == (
        'remove the object, or add {group: "external-secrets.io", kind: ExternalSecret} to extraObjects.allowedKinds'
    )
    # The group counts: a ConfigMap of another one is something else.
    assert len(list(beside.not_allowed(given, [GroupKind("example.com", "ConfigMap")]))) == 2


def test_a_name_that_is_nearly_one_of_the_units(chart: Chart) -> None:
    given = values(
        chart,
        analysisTemplates={"smoke-test": {}},
        promotionTasks={"release": {}},
        stages={
            "dev": {
                "verification": {
                    "analysisTemplates": [
                        {"name": "smoke-tset"},
                        {"name": "smoke-test"},
                        {"name": "smoke-tests", "kind": "ClusterAnalysisTemplate"},
                        {"name": "load"},
                    ]
                },
                "promotion": {"steps": {"after": [{"task": {"name": "relase"}}, {"task": {"name": "notify"}}]}},
            },
            "prod": {"promotion": {"task": {"name": "relaese"}}},
            "staging": {"promotion": {"task": {"name": "releases", "kind": "ClusterPromotionTask"}}},
        },
    )
    assert [problem.message for problem in beside.warnings(pipeline_of(given))] == [
        'stages.dev.verification.analysisTemplates[0].name: "smoke-tset" is not in analysisTemplates',
        'stages.dev.promotion.steps.after[0].task.name: "relase" is not in promotionTasks',
        'stages.prod.promotion.task.name: "relaese" is not in promotionTasks',
    ]


def test_defaults_that_kargo_evaluates_too_early(chart: Chart) -> None:
    """Kargo v1.11.2 computed `null` for the first three, and the default of `base` for the fourth, in promotions that succeeded."""
    run = {"steps": {"after": [{"task": {"name": "set"}, "vars": {"base": "https://example.org"}}]}}
    given = values(
        chart,
        promotionTasks={
            "required": {"vars": {"url": "${{ vars.name }}", "name": ""}, "steps": []},
            "order": {"vars": {"a": "${{ vars.b }}", "b": "x", "c": "${{ vars.b }}"}, "steps": []},
            "itself": {"vars": [{"name": "a", "value": "${{ vars.a }}"}], "steps": []},
            "set": {
                "vars": [{"name": "base", "value": "x"}, {"name": "url", "value": "${{ vars.base }}"}],
                "steps": [],
            },
            "fine": {
                "vars": [
                    {"name": "z", "value": "x"},
                    {"name": "a", "value": "${{ vars.z }}/${{ vars.service }}/${{ vars.own }}"},
                    {"name": "own"},
                    {"name": "text", "value": "vars.text is no expression"},
                ],
                "steps": [],
            },
        },
        stages={"dev": {"vars": {"own": "x"}, "promotion": run}},
    )
    late = "whoever runs the task sets that, and Kargo evaluates it after the defaults"
    assert [problem.message for problem in beside.warnings(pipeline_of(given))] == [
        "promotionTasks.itself.vars[0].value: uses vars.a, which it defines",
        "promotionTasks.order.vars.a: uses vars.b; Kargo evaluates that after a",
        f"promotionTasks.required.vars.url: uses vars.name; {late}",
        f"promotionTasks.set.vars[1].value: uses vars.base; {late}",
    ]


def test_config_of_a_tasks_steps_is_held_to_kargos_schemas(tree: Tree, run: Run) -> None:
    tree(
        {
            "services/nginx/kargo.yaml": """\
promotionTasks:
  notify:
    steps:
      - uses: http
        config: {url: https://example.com, metod: POST}
""",
        }
    )
    result = run("generate")
    assert result.status == 1
    assert "services/nginx/kargo.yaml:5:44: error KF311: promotionTasks.notify.steps[0].config.metod" in result.stdout
    assert "did you mean method?" in result.stdout


def test_custom_steps_of_the_fleet_in_a_task(tree: Tree, run: Run) -> None:
    root = tree(
        {
            "fleet.yaml": FLEET + "customSteps: {scan-image: {}}\n",
            "services/nginx/kargo.yaml": "promotionTasks: {scan: {steps: [{uses: scan-image}]}}\n",
        }
    )
    assert run("generate").status == 0
    assert "customSteps: [scan-image]" in (root / "values/nginx.yaml").read_text()


def test_one_layer_changes_one_key_of_another_ones_template(tree: Tree, run: Run) -> None:
    shared = """\
values:
  analysisTemplates:
    smoke-test:
      args: [{name: path, value: /}]
      metrics: [{name: health, provider: {web: {url: "https://<service>.example.com{{args.path}}"}}}]
    load-test:
      metrics: [{name: load, provider: {job: {spec: {template: {}}}}}]
"""
    root = tree(
        {
            "fleet.yaml": FLEET + shared,
            "services/nginx/kargo.yaml": """\
analysisTemplates:
  smoke-test: {args: [{name: path, value: /health}]}
  load-test: null
""",
        }
    )
    assert run("generate").status == 0
    written = (root / "values/nginx.yaml").read_text()
    assert "/health" in written
    assert "load-test" not in written
    assert "https://<service>.example.com{{args.path}}" in written
