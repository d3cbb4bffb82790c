"""Names that become too long when placeholders are replaced are refused, by the chart alone, too, in the same words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_rules import MINIMAL, said_by_chart, said_by_tool

from conftest import FLEET, Run, Tree, service
from helm import CHART
from kargo_fleet.fleet.chart import Chart, read_chart

NAME = "a-service-with-a-name-of-exactly-fifty-seven-characters-x"
LABELS = {"team": "the-team-of-<service>", "fine": "<service>-five"}
OF_STAGE = {"team": "of-<service>-<stage>"}
TOO_LONG: dict[str, Any] = {
    "commonLabels": LABELS,
    "namespace": {"labels": LABELS},
    "project": {"labels": LABELS},
    "shard": "a-shard-of-<service>",
    "warehouse": {
        "labels": LABELS,
        "name": "warehouse-<service>",
        "shard": "another-<service>",
        "subscriptions": [{"name": "first-<service>", "git": {"repoURL": "https://example.com/a.git"}}],
    },
    "kargo": {"version": "1.12"},
    "warehouses": {"x": {"git": {}, "labels": LABELS, "name": "warehouse-<service>-2", "shard": "third-<service>"}},
    "stages": {
        "production": {
            "labels": OF_STAGE,
            "shard": "<stage>-<service>",
            "verification": {
                "analysisRunMetadata": {"labels": OF_STAGE},
                "analysisTemplates": [{"name": "a" * 190 + "-<service>-<stage>"}],
            },
            "promotion": {
                "argocdUpdate": {
                    "enabled": True,
                    "namespace": "ns-<service>-<stage>",
                    "name": "a" * 190 + "-<service>-<stage>",
                }
            },
            "requestedFreight": {"main": {"upstream": ["staging"]}, "x": {"direct": True}},
        },
        "prod": None,
        "staging": {"promotion": {"task": {"name": "a" * 200 + "-<service>"}}},
        "dev": {"promotion": {"render": {"helm": {"path": "chart", "namespace": "abcdefgh-<service>"}}}},
    },
    "rbac": {
        "bindings": {
            "team": {
                "role": "viewer",
                "serviceAccounts": [{"name": "a" * 200 + "<service>", "namespace": "abcdefgh-<service>"}],
            }
        }
    },
    "extraObjects": {
        "x": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a" * 200 + "-<service>", "labels": LABELS}}
    },
}
#: How many characters there are at these keys, and how many are allowed.
EXPECTED = {
    "commonLabels.team": (69, 63),
    "namespace.labels.team": (69, 63),
    "project.labels.team": (69, 63),
    "warehouse.labels.team": (69, 63),
    "shard": (68, 63),
    "warehouse.name": (67, 63),
    "warehouse.shard": (65, 63),
    "warehouses.x.labels.team": (69, 63),
    "warehouses.x.name": (69, 63),
    "warehouses.x.shard": (63, 63),
    "warehouse.subscriptions[0].name": (63, 63),
    "stages.dev.promotion.render.helm.namespace": (66, 63),
    "stages.dev.promotion.render.helm.releaseName": (57, 53),
    "stages.production.labels.team": (71, 63),
    "stages.production.shard": (68, 63),
    "stages.production.verification.analysisRunMetadata.labels.team": (71, 63),
    "stages.production.verification.analysisTemplates[0].name": (259, 253),
    "stages.production.promotion.argocdUpdate.name": (259, 253),
    "stages.production.promotion.argocdUpdate.namespace": (71, 63),
    "stages.staging.promotion.task.name": (258, 253),
    "rbac.bindings.team.serviceAccounts[0].name": (257, 253),
    "rbac.bindings.team.serviceAccounts[0].namespace": (66, 63),
    "extraObjects.x.metadata.labels.team": (69, 63),
    "extraObjects.x.metadata.name": (258, 253),
}


@pytest.fixture(scope="module")
def chart() -> Chart:
    return read_chart(CHART.parents[1], None)


def test_every_key(chart: Chart, tmp_path: Path) -> None:
    values = {**MINIMAL, **TOO_LONG, "service": {"name": NAME}}
    found = said_by_tool(values, chart)
    assert found == said_by_chart(values, tmp_path)
    wanted = [
        f"{path}: {length} characters long; at most {most} are allowed"
        for path, (length, most) in EXPECTED.items()
        if length > most
    ]
    assert [f"{line.split(': ')[0]}: {line.split(' is ')[-1]}" for line in found] == wanted


def test_a_short_name_fits(chart: Chart, tmp_path: Path) -> None:
    values = {**MINIMAL, **TOO_LONG}
    assert said_by_tool(values, chart) == said_by_chart(values, tmp_path) == []


@pytest.mark.parametrize(
    ("values", "path", "length"),
    [
        ({"commonLabels": LABELS}, "commonLabels.team", 69),
        (
            {"stages": {"production-in-europe": {"labels": {"a": "<stage>-of-the-team-that-has-<stage>"}}}},
            "labels.a",
            59,
        ),
        (
            {"stages": {"production-in-europe": {"labels": {"a": "<stage>-of-all-the-teams-which-have-<stage>"}}}},
            "labels.a",
            69,
        ),
    ],
)
def test_the_tool_says_the_same_of_a_fleet(values: Any, path: str, length: int, tree: Tree, run: Run) -> None:
    tree({"fleet.yaml": f"{FLEET}values: {json.dumps(values)}\n", **service(NAME)})
    found = json.loads(run("generate", "--output", "json").stdout)["findings"]
    said = [item for item in found if item["code"] == "KF103"]
    assert bool(said) == (length > 63)
    for item in said:
        assert path in item["message"]
        assert item["message"].endswith(f"is {length} characters long; at most 63 are allowed")
        assert item["fix"] == "use at most 63 characters"
