"""Settings of two layers that exclude each other, or add up: the fix says which layer has what, and can be pasted."""

from __future__ import annotations

import json

import pytest
from test_warnings import codes, find

from conftest import FLEET, Run, Tree, service

ENTRY = "stages: {{prod: {{requestedFreight: {{main: {}}}}}}}"
DIRECT, UPSTREAM = ENTRY.format("{direct: true}"), ENTRY.format("{upstream: [staging]}")


@pytest.mark.parametrize(
    ("layers", "fix"),
    [
        ((DIRECT, UPSTREAM), "set direct: false beside it for staging alone, or direct: true for both"),
        ((UPSTREAM, DIRECT), "set upstream: [] beside it for direct alone, or upstream: [staging] for both"),
    ],
)
def test_directly_and_from_upstream(layers: tuple[str, str], fix: str) -> None:
    (finding,) = find(*layers)
    other = "direct" if layers[0] == DIRECT else "upstream"
    assert finding.code == "KFW322"
    assert finding.place.file == "services/nginx/kargo.yaml"
    assert f"{other} comes from fleet.yaml:1:" in finding.message
    assert finding.fix == fix


@pytest.mark.parametrize(
    "layers",
    [
        (ENTRY.format("{direct: true, upstream: [staging]}"),),
        (DIRECT, ENTRY.format("{direct: true, upstream: [staging]}")),
        (DIRECT, ENTRY.format("{direct: false, upstream: [staging]}")),
        (UPSTREAM, ENTRY.format("{direct: true, upstream: []}")),
        (UPSTREAM, ENTRY.format("{direct: true, upstream: null}")),
        (DIRECT, ENTRY.format("{requiredSoakTime: 1h}")),
        ("stages: {prod: {direct: true}}", "stages: {prod: {upstream: [dev]}}"),  # the way for hotfixes
    ],
)
def test_what_is_meant(layers: tuple[str, ...]) -> None:
    assert "KFW322" not in codes(*layers)


@pytest.mark.parametrize(
    ("weak", "own", "fix"),
    [
        (
            "rbac: {bindings: {team: {role: viewer, groups: [a]}}}",
            "rbac: {bindings: {team: {roleRef: {kind: Role, name: x}}}}",
            (
                "set role: null to keep roleRef; role comes from fleet.yaml:3:41 and roleRef comes from"
                " services/nginx/kargo.yaml:1:26"
            ),
        ),
        (
            "promotion: {task: {name: a}}",
            "stages: {prod: {promotion: {steps: {replace: [{uses: fail}]}}}}",
            (
                'set task: {name: ""} to keep steps.replace; task.name comes from fleet.yaml:3:35 and steps.replace comes from'
                " services/nginx/kargo.yaml:1:37"
            ),
        ),
        (
            "promotion: {steps: {replace: [{uses: fail}]}}",
            "promotion: {task: {name: a}}",
            (
                "set steps: {replace: []} to keep task.name; steps.replace comes from fleet.yaml:3:30 and task.name comes from"
                " services/nginx/kargo.yaml:1:26"
            ),
        ),
        (
            "promotion: {render: {helm: {path: c}}}",
            "stages: {prod: {promotion: {render: {kustomize: {path: o}}}}}",
            "remove one of them; helm comes from fleet.yaml:3:31 and kustomize comes from services/nginx/kargo.yaml:1:38",
        ),
        (
            "promotion: {updates: {x: {yaml: {path: a-<stage>.yaml, keys: {a: tag}}}}}",
            "stages: {prod: {promotion: {updates: {x: {kustomize: {path: o}}}}}}",
            (
                "use another name for the one that this stage adds; yaml comes from fleet.yaml:3:36 and kustomize comes from"
                " services/nginx/kargo.yaml:1:43"
            ),
        ),
    ],
)
def test_keys_that_exclude_each_other(weak: str, own: str, fix: str, tree: Tree, run: Run) -> None:
    tree({"fleet.yaml": f"{FLEET}values: {{{weak}}}\n", **service("nginx"), "services/nginx/kargo.yaml": f"{own}\n"})
    found = json.loads(run("generate", "--output", "json").stdout)["findings"]
    assert fix in [item["fix"] for item in found if item["code"] in ("KF306", "KF307")]


@pytest.mark.parametrize(
    "fix", ['task: {name: ""}, steps: {replace: [{uses: fail}]}', "task: {name: a}, steps: {replace: []}"]
)
def test_the_fixes_work(fix: str, tree: Tree, run: Run) -> None:
    weak = "promotion: {task: {name: b}}" if "uses" in fix else "promotion: {steps: {replace: [{uses: fail}]}}"
    own = f"stages: {{prod: {{promotion: {{{fix}}}}}}}"
    tree({"fleet.yaml": f"{FLEET}values: {{{weak}}}\n", **service("nginx"), "services/nginx/kargo.yaml": f"{own}\n"})
    found = json.loads(run("generate", "--output", "json").stdout)["findings"]
    assert [item for item in found if item["severity"] == "error"] == []
