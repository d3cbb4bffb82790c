"""Nulls that remove nothing, in every layer; and those that are as they should be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conftest import FLEET, Run, Tree, service
from helm import CHART, ROOT
from kargo_fleet.fleet import nulls
from kargo_fleet.fleet.chart import read_chart
from kargo_fleet.text import yaml_reader

DEFAULTS = read_chart(ROOT, None).defaults
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())


def said(*texts: str) -> list[tuple[str, str, str]]:
    """Return what is said of the last of these layers, which are given from weak to strong."""
    *weaker, own = map(yaml_reader.parse, texts)
    return [problem[:3] for problem in nulls.problems(SCHEMA, own, [DEFAULTS, *weaker])]


TEAM = "rbac: {bindings: {team: {role: viewer, groups: [team]}}}"


@pytest.mark.parametrize(
    ("weaker", "own", "path", "fix"),
    [
        ("{}", "stages: {stagin: null}", "stages.stagin", "did you mean staging?"),
        (TEAM, "rbac: {bindings: {teem: null}}", "rbac.bindings.teem", "did you mean team?"),
        ("{}", "stages: {qa: }", "stages.qa", "remove it, or write `qa: {}` for a stage without settings of its own"),
        ("commonLabels: {example.com/team: a}", "commonLabels: {team: null}", "commonLabels.team", "remove it"),
        ("warehouse: {labels: {region: eu}}", "warehouse: {labels: {regoin: }}", "warehouse.labels.regoin", "region?"),
        ("namespace: {annotations: {a: b}}", "namespace: {annotations: {c: }}", "namespace.annotations.c", "remove it"),
        ("stages: {dev: {vars: {suite: a}}}", "stages: {dev: {vars: {suit: }}}", "stages.dev.vars.suit", "suite?"),
        ("promotion: {task: {vars: {a: b}}}", "promotion: {task: {vars: {c: }}}", "promotion.task.vars.c", "remove it"),
        ("{}", "resourceQuota: {hard: {count/freight: null}}", "resourceQuota.hard.count/freight", "count/freights"),
        (TEAM, "rbac: {bindings: {team: {claims: {groups: }}}}", "rbac.bindings.team.claims.groups", "remove it"),
    ],
)
def test_where_people_choose_the_names_it_is_an_error(weaker: str, own: str, path: str, fix: str) -> None:
    ((code, message, given),) = said(weaker, own)
    assert (code, message) == ("KF310", f"{path}: null removes nothing; no weaker layer has this key")
    assert fix in given


@pytest.mark.parametrize(
    ("own", "path"),
    [
        ("stages: {prod: {requiredSoakTime: null}}", "stages.prod.requiredSoakTime"),
        ("rbac: {bindings: {team: {role: viewer, groups: [a], users: }}}", "rbac.bindings.team.users"),
        ("promotion: {retry: {git-open-pr: null}}", "promotion.retry.git-open-pr"),
        ("promotion: {retry: {git-push: {timeout: null}}}", "promotion.retry.git-push.timeout"),
        ("stages: {dev: {verification: {args: null}}}", "stages.dev.verification.args"),
    ],
)
def test_elsewhere_it_is_a_warning(own: str, path: str) -> None:
    message = f"{path}: null removes nothing; no weaker layer has this key"
    assert said(own) == [("KFW310", message, "remove it")]


def test_a_stage_takes_what_all_stages_have() -> None:
    """The stage's promotion is merged over that of all stages when the nulls of the layers are gone."""
    of_all = "promotion: {pullRequest: {enabled: true}}"
    ((code, message, fix),) = said(of_all, "stages: {prod: {promotion: {pullRequest: null}}}")
    assert code == "KF310"
    path = "stages.prod.promotion.pullRequest"
    assert message == f"{path}: null removes nothing; promotion.pullRequest still applies to this stage"
    assert fix == "write the value that this stage should have"
    assert (
        said(
            "stages: {prod: {promotion: {pullRequest: {merge: true}}}}", "stages: {prod: {promotion: {pullRequest: }}}"
        )
        == []
    )


@pytest.mark.parametrize(
    ("weaker", "own", "path", "of_all"),
    [
        ("git: {branch: a}", "stages: {prod: {git: {branch: null}}}", "stages.prod.git.branch", "git.branch"),
        ("git: {branch: a}", "stages: {prod: {branch: null}}", "stages.prod.branch", "git.branch"),
        ("git: {author: {name: a}}", "stages: {prod: {git: {author: }}}", "stages.prod.git.author", "git.author"),
        ("shard: a", "stages: {prod: {shard: null}}", "stages.prod.shard", "shard"),
        ("shard: a", "warehouses: {x: {shard: null}}", "warehouses.x.shard", "shard"),
        ("git: {branch: a}", "warehouses: {x: {git: {branch: }}}", "warehouses.x.git.branch", "git.branch"),
        (
            "image: {platform: a/b}",
            "warehouses: {x: {image: {platform: }}}",
            "warehouses.x.image.platform",
            "image.platform",
        ),
    ],
)
def test_what_is_taken_from_elsewhere(weaker: str, own: str, path: str, of_all: str) -> None:
    ((code, message, fix),) = said(weaker, own)
    owner = "stage" if path.startswith("stages") else "Warehouse"
    assert code == "KF310"
    assert message == f"{path}: null removes nothing; {of_all} still applies to this {owner}"
    assert fix == f"write the value that this {owner} should have"


@pytest.mark.parametrize(
    ("weaker", "own"),
    [
        ("{}", "stages: {staging: null, prod: {upstream: null}}"),
        (
            "{}",
            "stages: null\nrbac: null\nshard: null\nimage: {constraint: null}\npromotion: {retry: {git-push: null}}",
        ),
        ("{}", "resourceQuota: {hard: {count/freights.kargo.akuity.io: null}}"),
        (TEAM, "rbac: {bindings: {team: null}}"),
        (TEAM, "rbac: {bindings: {team: {groups: null}}}"),
        # Two layers may remove the same.
        ("stages: {staging: null}", "stages: {staging: null}"),
        ("stages: {qa: null}", "stages: {qa: null}"),
        # Lists replace: nothing is removed from them.
        ("{}", "warehouse: {subscriptions: [{image: {repoURL: a, constraint: null}}]}"),
        ("{}", "promotion: {steps: {after: [{uses: http, config: {body: null}}]}}"),
    ],
)
def test_nulls_that_remove_something_or_are_no_layers(weaker: str, own: str) -> None:
    assert said(weaker, own) == []


# --- In a fleet ---


def findings(run: Run, *arguments: str) -> list[tuple[str, str, str]]:
    found = json.loads(run(*(arguments or ("generate",)), "--output", "json").stdout)["findings"]
    return [(f"{item['file']}:{item['line']}:{item['column']}", item["code"], item["fix"]) for item in found]


def test_the_values_of_every_service(tree: Tree, run: Run) -> None:
    tree({"fleet.yaml": f"{FLEET}values:\n  stages:\n    stagin: null\n", **service("api")})
    assert findings(run) == [("fleet.yaml:5:5", "KF310", "did you mean staging?")]
    assert findings(run, "generate", "api") == [("fleet.yaml:5:5", "KF310", "did you mean staging?")]


def test_a_group_may_remove_what_some_of_its_services_have(tree: Tree, run: Run) -> None:
    some = "  some: {services: [api], values: {stages: {qa: {upstream: [dev]}}}}\n"
    both = "  both: {services: [api, nginx], values: {stages: {qa: null}}}\n"
    root = tree({"fleet.yaml": f"{FLEET}groups:\n{some}{both}", **service("api")})
    assert findings(run) == []
    (root / "fleet.yaml").write_text(f"{FLEET}groups:\n{both}{some}")
    (root / "services/api/values-qa.yaml").write_text("image:\n  tag: 1.0.0\n")
    fix = "remove it, or write `qa: {}` for a stage without settings of its own"
    assert findings(run) == [("fleet.yaml:4:52", "KF310", fix)]


def test_a_group_of_the_services_own_stage(tree: Tree, run: Run) -> None:
    """A service's own file is merged later, so that a group cannot remove what it adds."""
    group = "groups: {all: {services: ['*'], values: {stages: {live: null}}}}\n"
    tree(
        {
            "fleet.yaml": f"{FLEET}{group}",
            **service(
                "nginx", kargo="stages: {live: {upstream: [prod]}}\n", **{"values-live": "image:\n  tag: 1.0.0\n"}
            ),
        }
    )
    assert [code for _, code, _ in findings(run)] == ["KF310"]


def test_other_mistakes_of_the_service_are_told_too(tree: Tree, run: Run) -> None:
    root = tree(service("nginx", kargo="stages:\n  stagin: null\n  prod: {upstream: [nowhere]}\n"))
    assert [code for _, code, _ in findings(run)] == ["KF310", "KF301"]
    assert not (root / "values/nginx.yaml").exists()


@pytest.mark.parametrize(
    "text", ["argocd: null\n", "argocd: {workloads: {stages: {'prod*': null}}}\n", "groups: {web: null}\n"]
)
def test_sections_without_layers_have_no_nulls(tree: Tree, run: Run, text: str) -> None:
    tree({"fleet.yaml": FLEET + text})
    assert [code for _, code, _ in findings(run)] == ["KF102"]


@pytest.mark.parametrize("text", ["groups:\n", "values:\n", "shards:\n"])
def test_an_empty_section_is_none(tree: Tree, run: Run, text: str) -> None:
    tree({"fleet.yaml": FLEET + text})
    assert findings(run) == []
