"""The versions of Kargo: the chart knows the same of them as the tool, and says the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from test_rules import MINIMAL, said_by_chart, said_by_tool

from helm import CHART
from kargo_fleet.fleet.chart import Chart, read_chart
from kargo_fleet.unit import kargo_versions, step_lists

A = "https://github.com/example/a"
CASES: dict[str, list[dict[str, Any]]] = {
    "git": [{"git": {"repoURL": f"{A}.git"}}, {"git": {"repoURL": "https://GitHub.com/example/a/"}}],
    "git by SSH": [
        {"git": {"repoURL": "git@github.com:example/a"}},
        {"git": {"repoURL": "ssh://git@github.com/example/a.git"}},
    ],
    "images": [{"image": {"repoURL": "redis"}}, {"image": {"repoURL": "index.docker.io/library/redis"}}],
    "charts": [{"chart": {"repoURL": "oci://r.io/a"}}, {"chart": {"repoURL": "oci://R.io/a"}}],
    "charts of one repository": [
        {"chart": {"repoURL": "https://r.io/charts", "name": "a"}},
        {"chart": {"repoURL": "https://r.io/charts", "name": "b"}},
    ],
    "other kinds": [{"git": {"repoURL": A}}, {"image": {"repoURL": "github.com/example/a"}}],
    "names": [{"git": {"repoURL": A}, "name": "a"}, {"image": {"repoURL": "redis"}, "name": "a"}],
    "own image": [
        {"image": {"repoURL": "registry.example.com/Nginx".lower()}},
        {"image": {"repoURL": "registry.example.com/nginx"}},
    ],
}


@pytest.fixture(scope="module")
def chart() -> Chart:
    return read_chart(CHART.parents[1], None)


@pytest.mark.parametrize("version", ["1.11", "1.12"])
@pytest.mark.parametrize("name", CASES)
def test_subscriptions(name: str, version: str, chart: Chart, tmp_path: Path) -> None:
    values = {**MINIMAL, "kargo": {"version": version}, "warehouse": {"subscriptions": CASES[name]}}
    found = said_by_tool(values, chart)
    assert found == said_by_chart(values, tmp_path)
    sound = {"charts of one repository", "other kinds"} | (
        {"git", "git by SSH", "images", "charts"} if version == "1.11" else set()
    )
    assert bool(found) == (name not in sound)


@pytest.mark.parametrize("version", ["1.11", "1.12"])
def test_steps_and_fields(version: str, chart: Chart, tmp_path: Path) -> None:
    steps = [
        {"uses": "http", "config": {"url": "x", "bodyFromFile": "y"}},
        *({"uses": step} for step in kargo_versions.new_steps()),
    ]
    values = {
        **MINIMAL,
        "kargo": {"version": version},
        "promotion": {"steps": {"after": steps}},
        "projectConfig": {"promotionWindows": [{"name": "nights", "kind": "Deny", "rrule": "FREQ=DAILY"}]},
        "stages": {"dev": {"targets": {"selectors": []}}, "prod": {"promotion": {"customSteps": ["tar"]}}},
    }
    found = said_by_tool(values, chart)
    assert found == said_by_chart(values, tmp_path)
    assert len(found) == (2 + 3 * 5 - 1 if version == "1.11" else 0)


def test_the_chart_knows_the_same_as_the_tool(chart: Chart) -> None:
    template = (CHART / "templates" / "_validate_kargo.tpl").read_text()
    body = template.split('define "kargo-service.newInKargo" -}}')[1].split("{{- end -}}")[0]
    assert yaml.safe_load(body) == {"steps": kargo_versions.new_steps(), "config": kargo_versions.new_config()}
    node = chart.schema["properties"]["kargo"]["properties"]["version"]
    assert [choice for choice in node["enum"] if choice] == kargo_versions.versions()
    assert set(kargo_versions.new_steps()) < step_lists.BUILTIN_STEPS
