"""Expressions that look up what is not in the Freight of a stage; and those that are as they should be."""

from __future__ import annotations

from typing import Any

import pytest

from helm import ROOT
from kargo_fleet.fleet.chart import read_chart
from kargo_fleet.fleet.merge import merge
from kargo_fleet.fleet.pipeline import pipeline_of
from kargo_fleet.text.expressions import Call, calls, literal
from kargo_fleet.unit import artifacts

DEFAULTS = read_chart(ROOT, None).defaults
IMAGE = "registry.example.com/nginx"
VALUES: dict[str, Any] = {
    "service": {"name": "nginx"},
    "image": {"repoURL": IMAGE},
    "git": {"repoURL": "https://git.example.com/platform.git"},
    "warehouse": {"subscriptions": [{"image": {"repoURL": "registry.example.com/sidecar"}}]},
    "warehouses": {
        "builds": {"name": "all-builds", "image": {"imageSelectionStrategy": "NewestBuild"}},
        "config": {"git": {}, "chart": {"repoURL": "https://charts.example.com", "name": "app"}},
    },
    "stages": {
        "dev": {"requestedFreight": {"main": {}, "builds": {}}},
        "staging": {"requestedFreight": {"main": {}, "config": {"direct": True}}},
    },
}


def said(stage: str, expression: str, **more: Any) -> list[tuple[str, str]]:
    """Return what is reported of a variable of a stage."""
    values = merge(
        merge(DEFAULTS, VALUES), {"stages": {stage: {"vars": {"x": "a ${{ " + expression + " }} b"}}}, **more}
    )
    path = f"stages.{stage}.vars.x: "
    return [(one.message.removeprefix(path), one.fix) for one in artifacts.problems(pipeline_of(values))]


@pytest.mark.parametrize(
    ("stage", "expression"),
    [
        ("staging", "imageFrom(vars.imageRepoURL).Tag"),
        ("staging", f'imageFrom("{IMAGE}").Tag'),
        ("staging", "imageFrom('registry.example.com/sidecar').Digest"),
        ("staging", 'commitFrom("https://GIT.example.com/platform").ID'),
        ("staging", "commitFrom(vars.gitRepoURL).ID"),
        ("staging", 'chartFrom("https://charts.example.com", "app").Version'),
        ("staging", 'chartFrom("https://charts.example.com", "app", warehouse("config")).Version'),
        ("dev", f'imageFrom("{IMAGE}", warehouse("all-builds")).Tag'),
        ("dev", f'imageFrom("{IMAGE}", warehouse(ctx.targetFreight.origin.name)).Tag'),
        ("dev", 'imageFrom("registry.example.com/" + vars.x).Tag'),
        ("dev", "imageFrom(vars.mine).Tag"),
        ("dev", 'imageFrom("registry.example.com/other")?.Tag ?? "none"'),
        ("dev", 'imageFrom("registry.example.com/other") == nil'),
        ("dev", "\"imageFrom('no call')\""),
        ("dev", "my.imageFrom('x')"),
    ],
)
def test_what_is_there(stage: str, expression: str) -> None:
    assert said(stage, expression) == []


@pytest.mark.parametrize(
    ("stage", "expression", "message", "fix"),
    [
        (
            "dev",
            'imageFrom("registry.example.com/siedcar").Tag',
            'no Warehouse of stage dev has the image "registry.example.com/siedcar", which imageFrom looks up',
            "did you mean registry.example.com/sidecar?",
        ),
        (
            "staging",
            "quote(imageFrom(`redis`).Tag)",
            'no Warehouse of stage staging has the image "redis", which imageFrom looks up',
            "correct it, or subscribe to it: warehouse: {subscriptions: [{image: {repoURL: redis}}]}",
        ),
        (
            "dev",
            'commitFrom("https://git.example.com/platform.git").ID',
            'no Warehouse of stage dev has the Git repository "https://git.example.com/platform.git", which commitFrom looks up',
            "add config to requestedFreight of dev",
        ),
        (
            "staging",
            'chartFrom("https://charts.example.com").Version',
            'no Warehouse of stage staging has the chart "https://charts.example.com", which chartFrom looks up',
            "correct it, or subscribe to it: warehouse: {subscriptions: [{chart: {repoURL: https://charts.example.com}}]}",
        ),
        (
            "dev",
            f'imageFrom("{IMAGE}").Tag',
            f'main and builds have "{IMAGE}", so that imageFrom fails',
            f'write imageFrom("{IMAGE}", warehouse("nginx"))',
        ),
        (
            "dev",
            "imageFrom(vars.imageRepoURL).Tag",
            f'main and builds have "{IMAGE}", so that imageFrom fails',
            'write imageFrom(vars.imageRepoURL, warehouse("nginx"))',
        ),
        (
            "dev",
            f'imageFrom("{IMAGE}", warehouse("builds")).Tag',
            'warehouse("builds") is not the name of a Warehouse of stage dev; it has all-builds and nginx',
            'write warehouse("all-builds")',
        ),
        (
            "dev",
            'imageFrom("registry.example.com/sidecar", warehouse("all-builds")).Tag',
            'Warehouse all-builds does not have the image "registry.example.com/sidecar", which imageFrom looks up',
            "correct it, or subscribe to it: warehouse: {subscriptions: [{image: {repoURL: registry.example.com/sidecar}}]}",
        ),
    ],
)
def test_what_is_not_there(stage: str, expression: str, message: str, fix: str) -> None:
    assert said(stage, expression) == [(message, fix)]


def test_without_an_image() -> None:
    stages = {"dev": {"requestedFreight": {"config": {}}, "vars": {"x": "${{ imageFrom(vars.imageRepoURL).Tag }}"}}}
    values = merge(merge(DEFAULTS, {**VALUES, "stages": {}}), {"stages": stages})
    (problem,) = artifacts.problems(pipeline_of(values))
    assert problem.message == (
        "stages.dev.vars.x: vars.imageRepoURL is not set, as no Warehouse of stage dev has the service's image"
    )


X = "${{ imageFrom('x').Tag }}"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"promotion": {"message": X}}, "stages.staging.promotion.message"),
        ({"promotion": {"steps": {"after": [{"uses": "http", "config": {"url": X}}]}}}, "steps.after[0].config.url"),
        ({"promotion": {"steps": {"before": [{"uses": "http", "if": X}]}}}, "steps.before[0].if"),
        ({"promotion": {"updates": {"a": {"yaml": {"keys": {"b": X}}}}}}, "updates.a.yaml.keys.b"),
        ({"promotion": {"pullRequest": {"title": X}}}, "pullRequest.title"),
        ({"promotion": {"task": {"name": "t", "vars": {"a": X}}}}, "task.vars.a"),
        (
            {"stages": {"staging": {"verification": {"args": [{"name": "a", "value": X}]}}}},
            "verification.args[0].value",
        ),
        (
            {"promotionTasks": {"t": {"steps": [{"uses": "http", "config": {"url": X}}]}}},
            "promotionTasks.t.steps[0].config.url",
        ),
        ({"warehouse": {"freightCreationCriteria": {"expression": "imageFrom('x').Tag != ''"}}}, "Criteria.expression"),
    ],
)
def test_every_place_with_expressions(change: dict[str, Any], path: str) -> None:
    values = merge(merge(DEFAULTS, VALUES), change)
    assert any(path in problem.message for problem in artifacts.problems(pipeline_of(values)))


@pytest.mark.parametrize(
    "change",
    [
        {"promotion": {"message": X, "steps": {"replace": [{"uses": "fail"}]}}},
        {"promotion": {"task": {"name": ""}, "steps": {"replace": []}, "message": X}},
        {"warehouse": {"freightCreationCriteria": {"expression": f"imageFrom('{IMAGE}').Tag == '1'"}}},
        {
            "image": {"repoURL": "docker.io/nginx"},
            "warehouse": {"freightCreationCriteria": {"expression": "imageFrom('nginx').Tag == '1'"}},
        },
    ],
)
def test_what_is_not_evaluated_or_is_there(change: dict[str, Any]) -> None:
    assert [*artifacts.problems(pipeline_of(merge(merge(DEFAULTS, VALUES), change)))] == []


def test_calls() -> None:
    text = """f(imageFrom("a,(", warehouse('b')), [1, 2]) + x.f(3) + f() // f(4)"""
    assert list(calls(text, ("f", "warehouse", "imageFrom"))) == [
        Call("f", ("""imageFrom("a,(", warehouse('b'))""", "[1, 2]")),
        Call("imageFrom", ('"a,("', "warehouse('b')")),
        Call("warehouse", ("'b'",)),
        Call("f", ()),
    ]
    assert [literal(one) for one in ("'a'", '"b"', "`c`", "a", "'a' + 'b'", r"'\\n'", "")] == [
        "a",
        "b",
        "c",
        *[None] * 4,
    ]
