"""Several Warehouses, and the Freight that stages take from them: the chart renders what the tool computes, and says the same."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from test_rules import MINIMAL, said_by_chart, said_by_tool

from helm import CHART, render
from kargo_fleet.fleet.chart import Chart, read_chart
from kargo_fleet.fleet.merge import merge
from kargo_fleet.fleet.pipeline import Pipeline, pipeline_of
from kargo_fleet.text import yaml_reader, yaml_writer
from kargo_fleet.text.durations import seconds
from kargo_fleet.unit import rules

CHART_URL = "oci://registry.example.com/charts/app"
BUILDS = {"image": {"imageSelectionStrategy": "NewestBuild", "allowTagsRegexes": ["^main-"]}}
CHARTS = {"repoURL": CHART_URL}
CONFIG = {"git": {"repoURL": "https://github.com/example/config.git"}}
DEV_BUILDS = {"dev": {"requestedFreight": {"builds": {"direct": True}}}, "staging": {"upstream": None}}
#: The values of a unit, and what is said of them.
CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "builds to dev, releases from staging on": ({"warehouses": {"builds": BUILDS}, "stages": DEV_BUILDS}, []),
    "configuration beside the image": (
        {
            "warehouses": {"config": CONFIG},
            "stages": {"dev": {"requestedFreight": {"main": {}, "config": {"direct": True}}}},
        },
        [],
    ),
    "a chart alone": (
        {
            "image": None,
            "warehouse": {"subscriptions": [{"chart": {"repoURL": CHART_URL}}]},
            "promotion": {"updates": {"version": {"yaml": {"keys": {"version": "chartVersion"}}}}},
        },
        [],
    ),
    "nobody takes it": (
        {"warehouses": {"builds": BUILDS}},
        [
            (
                "warehouses.builds: no stage takes Freight directly from Warehouse builds; add requestedFreight:"
                " {builds: {direct: true}} to a stage"
            )
        ],
    ),
    "unknown": (
        {"stages": {"dev": {"requestedFreight": {"main": {}, "builts": {"direct": True}}}}},
        ['stages.dev.requestedFreight.builts: "builts" is not a Warehouse of this service; it has main'],
    ),
    "main is taken": (
        {"warehouses": {"main": BUILDS}},
        ["warehouses.main: is the name of the Warehouse that image and warehouse describe; use another name"],
    ),
    "names": (
        {
            "warehouses": {"builds": {**BUILDS, "name": "nginx"}, "empty": {}},
            "stages": {"dev": {"requestedFreight": {"main": {}, "builds": {}, "empty": {}}}},
            "promotion": {"steps": {"replace": [{"uses": "http"}]}},
        },
        [
            'warehouses.builds.name: "nginx" is the name of another Warehouse',
            "warehouses.empty: has no subscriptions; set image, git, chart or subscriptions",
        ],
    ),
    "nothing to subscribe to": (
        {"image": None},
        ["warehouse.subscriptions: is empty, and image is null; a Warehouse needs at least one subscription"],
    ),
    "none is the first": (
        {
            "image": None,
            "warehouses": {"a": CONFIG, "b": {"chart": {"repoURL": CHART_URL}}},
            "promotion": {"steps": {"replace": [{"uses": "http"}]}},
            "stages": {"staging": {"requestedFreight": {"a": {"direct": True}, "b": {"direct": True}}}},
        },
        ["stages.dev.requestedFreight: is required, as no Warehouse is the first; there are a and b"],
    ),
    "upstream does not take it": (
        {
            "warehouses": {"builds": BUILDS},
            "stages": {
                "dev": {"requestedFreight": {"builds": {"direct": True}}},
                "staging": {"requestedFreight": {"main": {"direct": True}}},
                "prod": {"requestedFreight": {"main": {"upstream": ["dev", "nowhere", "prod"]}, "builds": {}}},
            },
        },
        [
            (
                'stages.prod.requestedFreight.main.upstream[1]: "nowhere" is not a stage of this service;'
                " it has dev, prod and staging"
            ),
            'stages.prod.requestedFreight.main.upstream[2]: "prod" is the stage itself',
            "stages.prod.requestedFreight.main.upstream[0]: stage dev takes no Freight from Warehouse main",
            (
                "stages.prod.requestedFreight.builds: no upstream stage of prod takes Freight from Warehouse builds;"
                " add it to requestedFreight of staging"
            ),
        ],
    ),
    "whose image": (
        {
            "warehouses": {"builds": BUILDS, "config": CONFIG},
            "stages": {"dev": {"requestedFreight": {"main": {}, "builds": {}, "config": {}}}},
        },
        [
            f"stages.{stage}.requestedFreight: main and builds have the service's image, not so config, so that a promotion"
            " cannot tell which image to write; use a stage for each"
            for stage in ("dev", "prod", "staging")
        ],
    ),
    "nothing to write": (
        {
            "warehouses": {"config": CONFIG},
            "stages": {
                "dev": {"requestedFreight": {"config": {"direct": True}}},
                "staging": {"upstream": None},
                "prod": None,
            },
        }
        | {"promotion": {"updates": {"a": {"yaml": {"keys": {"b": "tag", "c": "chartVersion", "d": "x ${{ 1 }}"}}}}}},
        [
            "stages.dev.promotion.updates.a.yaml.keys.b: needs the service's image, which no Warehouse of this stage has",
            (
                "stages.dev.promotion.updates.a.yaml.keys.c: needs exactly one chart that the stage's Warehouses subscribe to;"
                ' else use an expression such as ${{ chartFrom("oci://registry.example.com/charts/app").Version }}'
            ),
            (
                "stages.staging.promotion.updates.a.yaml.keys.c: needs exactly one chart that the stage's Warehouses subscribe to;"
                ' else use an expression such as ${{ chartFrom("oci://registry.example.com/charts/app").Version }}'
            ),
        ],
    ),
    "one policy": (
        {"stages": {"dev": {"requestedFreight": {"main": {"direct": True, "selectionPolicy": "MatchUpstream"}}}}},
        [
            (
                'stages.dev.requestedFreight.main.selectionPolicy: "MatchUpstream" requires exactly one upstream stage and no'
                " direct Freight from the Warehouse"
            )
        ],
    ),
    "one repository twice": (
        {
            "image": None,
            "warehouses": {
                "a": {"git": {"includePaths": ["a"]}},
                "b": {"git": {"includePaths": ["b"]}, "chart": CHARTS},
            },
            "promotion": {"updates": {"c": {"yaml": {"keys": {"c": "commitID"}}}}},
            "stages": {"dev": {"requestedFreight": {"a": {"direct": True}, "b": {"direct": True}}}},
        },
        [],
    ),
    "one repository twice, and something else": (
        {
            "warehouses": {"a": {"git": {"includePaths": ["a"]}}, "b": {"git": {"includePaths": ["b"]}}},
            "promotion": {"updates": {"c": {"yaml": {"keys": {"c": "commitID"}}}}},
            "stages": {"dev": {"requestedFreight": {"main": {}, "a": {}, "b": {}}}, "staging": None, "prod": None},
        },
        [
            (
                "stages.dev.promotion.updates.c.yaml.keys.c: needs exactly one Git repository that the stage's Warehouses"
                " subscribe to; else use an expression such as"
                ' ${{ commitFrom("https://github.com/example/config.git").ID }}'
            )
        ],
    ),
    "a repository per stage": (
        {
            "git": {"repoURL": "https://example.com/<service>-<stage>.git", "branch": "env/<stage>"},
            "warehouses": {"config": {"git": {}}, "tags": {"git": {"commitSelectionStrategy": "SemVer"}}},
            "stages": {"dev": {"requestedFreight": {"main": {}, "config": {}, "tags": {}}}},
        },
        [
            "warehouses.config.git.repoURL: is required, as git.repoURL differs between stages",
            "warehouses.config.git.branch: is required, as git.branch differs between stages",
            "warehouses.tags.git.repoURL: is required, as git.repoURL differs between stages",
        ],
    ),
    "two kinds of an update": (
        {
            "promotion": {"updates": {"c": {"yaml": {"path": "<stage>.yaml", "keys": {"a": "tag"}}}}},
            "stages": {"prod": {"promotion": {"updates": {"c": {"kustomize": {"path": "overlays/prod"}}}}}},
        },
        ["stages.prod.promotion.updates.c: has kustomize and yaml; only one is allowed"],
    ),
    "a key that is written twice": (
        {
            "promotion": {"updates": {"c": {"yaml": {"keys": {"image.tag": "digest"}}}}},
            "stages": {"dev": {"upstream": None}, "staging": None, "prod": None},
        },
        [
            (
                "stages.dev.promotion.updates.c.yaml.keys.image.tag: is written twice in services/nginx/values-dev.yaml; keep"
                " one of the two"
            )
        ],
    ),
    "one file by two URLs": (
        {
            "promotion": {"path": "services/nginx/values.yaml"},
            "stages": {
                "staging": None,
                "prod": {"upstream": ["dev"], "git": {"repoURL": "https://GitHub.com/example/gitops"}},
            },
        },
        [
            (
                "stages.prod.promotion.path: stage dev also writes services/nginx/values.yaml on branch main; each stage needs its"
                " own file or branch"
            )
        ],
    ),
    "a stage without its repository": (
        {"stages": {"prod": {"git": {"repoURL": ""}}}},
        ["stages.prod.git.repoURL: is required; for example https://github.com/example/gitops.git"],
    ),
    "not directly": (
        {"stages": {"dev": {"requestedFreight": {"main": {"direct": False}}}}},
        [
            (
                "stages.dev.requestedFreight.main: no upstream stage of dev takes Freight from Warehouse main; set direct: true, or"
                " upstream"
            ),
            (
                "stages: no stage takes Freight directly from the Warehouse; a stage without upstream, or with direct: true, is"
                " required"
            ),
        ],
    ),
    "patterns": (
        {
            "warehouse": {
                "subscriptions": [
                    {
                        "git": {
                            "repoURL": "https://example.com/a.git",
                            "includePaths": ["glob:[", "glob:**/{a,b}", "regex:(", "regexp:a|(", "regex:^a$"],
                            "expressionFilter": "author == 'a",
                        }
                    }
                ],
                "freightCreationCriteria": {"expression": "${{ true }}"},
            },
            "warehouses": {
                "a": {
                    "git": {
                        "excludePaths": ["/services", "services/**", "glob:}{", "glob:a\\"],
                        "expressionFilter": "a in [1]",
                    },
                    "freightCreationCriteria": {"expression": "(imageFrom('x(').Tag == `(`"},
                }
            },
            "stages": {"dev": {"requestedFreight": {"main": {}, "a": {}}}},
        },
        [
            ("warehouses.a.freightCreationCriteria.expression: has quotes or brackets that do not match"),
            (
                'warehouses.a.git.excludePaths[0]: "/services" matches nothing; paths start at the root of the repository,'
                " without /"
            ),
            *(
                f"{path}: {pattern} is not a glob; [ and {{ have to be closed, and \\ stands before another character"
                for path, pattern in (
                    ("warehouses.a.git.excludePaths[2]", '"glob:}{"'),
                    ("warehouses.a.git.excludePaths[3]", '"glob:a\\\\"'),
                )
            ),
            "warehouse.freightCreationCriteria.expression: is an expression already; write it without ${{ }}",
            "warehouse.subscriptions[0].git.expressionFilter: has quotes or brackets that do not match",
            (
                'warehouse.subscriptions[0].git.includePaths[0]: "glob:[" is not a glob; [ and { have to be closed, and \\'
                " stands before another character"
            ),
            *(
                f"warehouse.subscriptions[0].git.includePaths[{index}]: {pattern} is not a Go regular expression (RE2: no"
                " lookarounds, no backreferences)"
                for index, pattern in ((2, '"regex:("'), (3, '"regexp:a|("'))
            ),
        ],
    ),
    "what others subscribe to": (
        {
            "image": None,
            "git": {"repoURL": None},
            "promotion": {"steps": {"replace": [{"uses": "http"}]}},
            "warehouses": {
                "a": {
                    "image": {"constraint": "x y", "allowTagsRegexes": ["("]},
                    "git": {},
                    "chart": {"repoURL": "https://example.com/charts"},
                    "labels": {"kargo.akuity.io/shard": "x"},
                }
            },
        },
        [
            "warehouses.a.image.repoURL: is required, as image.repoURL is empty",
            (
                'warehouses.a.image.constraint: "x y" is not a semver constraint such as ^1.0.0, ~1.2.0, >=1.2.0 <3.0.0 or *;'
                " a mutable tag needs imageSelectionStrategy: Digest"
            ),
            (
                'warehouses.a.image.allowTagsRegexes[0]: "(" is not a Go regular expression (RE2: no lookarounds, no'
                " backreferences)"
            ),
            "warehouses.a.git.repoURL: is required, as git.repoURL is empty",
            "warehouses.a.chart.name: is required; an https:// URL names a repository, not a chart",
            (
                "warehouses.a.labels.kargo.akuity.io/shard: is set by Kargo, which removes it where no shard is set; use"
                " shard: x"
            ),
        ],
    ),
}


@pytest.fixture(scope="module")
def chart() -> Chart:
    return read_chart(CHART.parents[1], None)


def _values(case: dict[str, Any]) -> dict[str, Any]:
    return {**MINIMAL, **{key: {**MINIMAL.get(key, {}), **v} if isinstance(v, dict) else v for key, v in case.items()}}


@pytest.mark.parametrize("name", CASES)
def test_the_chart_says_the_same(name: str, chart: Chart, tmp_path: Path) -> None:
    case, messages = CASES[name]
    values = _values(case)
    found = said_by_tool(values, chart)
    assert found == said_by_chart(values, tmp_path)
    assert found == messages


PASSING: dict[str, tuple[dict[str, Any], str]] = {
    "to the first stage": (
        {"prod": {"requestedFreight": {"main": {}, "builds": {}}}},
        "set stages: {dev: {requestedFreight: {main: {}, builds: {}}}}",
    ),
    "through a stage that lists what it takes": (
        {"staging": {"requestedFreight": {"main": {}}}, "prod": {"requestedFreight": {"main": {}, "builds": {}}}},
        "set stages: {dev: {requestedFreight: {main: {}, builds: {}}}, staging: {requestedFreight: {builds: {}}}}",
    ),
    "through a stage whose entries say from where": (
        {
            "staging": {"upstream": None, "requestedFreight": {"main": {"upstream": ["dev"]}}},
            "prod": {"requestedFreight": {"main": {}, "builds": {}}},
        },
        "set stages: {dev: {requestedFreight: {main: {}, builds: {}}}, staging: {requestedFreight: {builds: {upstream: [dev]}}}}",
    ),
    "named": (
        {"prod": {"requestedFreight": {"main": {}, "builds": {"upstream": ["staging"]}}}},
        "set stages: {dev: {requestedFreight: {main: {}, builds: {}}}}",
    ),
}


@pytest.mark.parametrize("name", PASSING)
def test_the_fix_lets_freight_pass_all_stages(name: str, chart: Chart) -> None:
    stages, fix = PASSING[name]
    values = {**MINIMAL, "warehouses": {"builds": BUILDS}, "stages": stages}
    found = rules.problems(pipeline_of(merge(chart.defaults, values)))
    assert fix in [problem.fix for problem in found]
    mended = merge(values, yaml_reader.parse(fix.removeprefix("set ")))
    assert said_by_tool(merge(values, mended), chart) == []
    (request,) = [
        one for one in pipeline_of(merge(chart.defaults, mended)).stages["prod"].requests if one.key == "builds"
    ]
    assert not request.direct


@pytest.mark.parametrize(
    ("values", "fix"),
    [
        (
            {"warehouses": {"nginx": {**BUILDS}}, "stages": {"dev": {"requestedFreight": {"main": {}, "nginx": {}}}}},
            "set another one: warehouses: {nginx: {name: nginx-nginx}}",
        ),
        (
            {
                "warehouses": {"builds": {**BUILDS, "name": "all-builds"}},
                "stages": {"dev": {"requestedFreight": {"all-builds": {}}}},
            },
            "write builds, the key of the Warehouse of this name",
        ),
        (
            {"stages": {"dev": {"requestedFreight": {"main": {}, "x": {"direct": True}}}}},
            "add it, such as warehouses: {x: {image: {imageSelectionStrategy: NewestBuild}}}",
        ),
        (
            {
                "image": None,
                "warehouses": {"a": CONFIG},
                "stages": {"dev": {"requestedFreight": {"a": {}, "x": {"direct": True}}}},
            },
            "add it, such as warehouses: {x: {git: {}}}",
        ),
    ],
)
def test_fixes_name_the_keys_of_warehouses(values: dict[str, Any], fix: str, chart: Chart) -> None:
    found = rules.problems(pipeline_of(merge(chart.defaults, _values(values))))
    assert fix in [problem.fix for problem in found]


def _computed(pipeline: Pipeline) -> dict[str, Any]:
    """Return what the tool computes of each stage, as Kargo's objects have it."""
    found = {}
    for name, stage in pipeline.stages.items():
        requests = []
        for one in stage.requests:
            sources = {"direct": one.direct, "stages": list(one.upstream), "availabilityStrategy": one.availability}
            sources["requiredSoakTime"] = seconds(one.soak)
            origin = {"kind": "Warehouse", "name": pipeline.warehouses[one.key].name}
            requests.append((origin, {key: value for key, value in sources.items() if value}))
        found[name] = (requests, stage.shard, bool(stage.image_of), stage.path, stage.branch, stage.repo_url)
    return found


def _rendered(objects: list[dict[str, Any]]) -> dict[str, Any]:
    found = {}
    for stage in (one for one in objects if one["kind"] == "Stage"):
        spec = stage["spec"]
        requests = []
        for one in spec["requestedFreight"]:
            sources = dict(one["sources"])
            if soak := sources.get("requiredSoakTime"):
                sources["requiredSoakTime"] = seconds(soak)
            requests.append((one["origin"], sources))
        given = {one["name"]: one["value"] for one in spec["vars"]}
        where = (given["path"], given["branch"], given.get("gitRepoURL", ""))
        found[stage["metadata"]["name"]] = (requests, spec.get("shard", ""), "imageRepoURL" in given, *where)
    return found


def _random_unit(dice: random.Random) -> dict[str, Any]:
    keys = ["a", "b", "c"][: dice.randint(0, 3)]
    warehouses = {key: dice.choice([BUILDS, CONFIG, {"chart": {"repoURL": CHART_URL}}, {"git": {}}]) for key in keys}
    names = ["dev", "staging", "prod", "east"][: dice.randint(1, 4)]
    stages: dict[str, Any] = dict.fromkeys(["dev", "staging", "prod"])
    for index, name in enumerate(names):
        stage: dict[str, Any] = {"upstream": dice.sample(names[:index], dice.randint(0, min(index, 2)))}
        if dice.random() < 0.4:
            stage["direct"] = True
        if dice.random() < 0.5:
            wanted = dice.sample(["main", *keys], dice.randint(0, len(keys) + 1))
            stage["requestedFreight"] = {
                key: dice.choice(
                    [{}, {"direct": True}, {"upstream": dice.sample(names, 1), "requiredSoakTime": "1h"}, None]
                )
                for key in wanted
            }
        if dice.random() < 0.3:
            stage |= {"requiredSoakTime": "30m", "availabilityStrategy": "All", "shard": "<stage>-shard"}
        if dice.random() < 0.3:
            stage["git"] = {"branch": "env/<stage>", "repoURL": "https://example.com/<service>/<stage>.git"}
        stages[name] = stage
    values = {**MINIMAL, "warehouses": warehouses, "stages": stages}
    return values | {"image": None} if dice.random() < 0.2 else values


@pytest.mark.parametrize("seed", range(60))
def test_random_units(seed: int, chart: Chart, tmp_path: Path) -> None:
    values = _random_unit(random.Random(seed))
    messages = said_by_tool(values, chart)
    assert messages == said_by_chart(values, tmp_path)
    if not messages:
        objects = render("nginx", CHART, tmp_path / "values.yaml")
        assert _rendered(objects) == _computed(pipeline_of(merge(chart.defaults, values)))


def test_some_random_units_are_sound(chart: Chart) -> None:
    sound = [seed for seed in range(60) if not said_by_tool(_random_unit(random.Random(seed)), chart)]
    assert len(sound) > 10


#: Settings of all stages, and what a stage may say instead: null is as if it said nothing.
GIT: dict[str, list[Any]] = {
    "repoURL": ["https://example.com/<service>/<stage>.git", None],
    "branch": ["env/<stage>", None],
    "author": [{"name": "a", "email": "a@example.com"}, {"email": None}, {"signingKey": ""}, {}, None],
    "sparse": [["a/b"], [], True, False, None],
    "blobless": [True, False, None],
    "insecureSkipTLSVerify": [True, None],
}
UPDATE = [
    {"yaml": {"path": "a/<stage>.yaml", "keys": {"b": "tag", "c": "digest"}}},
    {"yaml": {"keys": {"b": None, "c": "tag"}}},
    None,
]
PROMOTION: dict[str, list[Any]] = {
    "path": ["other/<stage>.yaml", None],
    "tagKey": ["tag", "", None],
    "digestKey": ["digest", "", None],
    "message": ["promote <service>", None],
    "maxAttempts": [5, 0, None],
    "retry": [{"git-push": {"timeout": "5m", "errorThreshold": None}}, {"git-clone": None}, {}, None],
    "pullRequest": [{"enabled": True, "labels": ["x"]}, {"enabled": False}, {"labels": []}, {"labels": None}, None],
    "argocdUpdate": [{"enabled": True}, {"enabled": True, "name": None}, {"name": "x"}, {"namespace": None}, None],
    "steps": [
        {"before": [{"uses": "http"}]},
        {"before": None},
        {"before": []},
        {"replace": []},
        {"replace": None},
        None,
    ],
    "task": [{"name": "t", "vars": {"a": "b", "c": None}}, {"name": None}, {"name": ""}, None],
    "customSteps": [["mine"], [], None],
    "updates": [{"x": one, "y": UPDATE[0]} for one in UPDATE] + [{}, None],
    "render": [
        {"helm": {"path": "c", "releaseName": None}},
        {"branch": None},
        {"branch": "b", "outPath": "."},
        {},
        None,
    ],
}


def _some(dice: random.Random, settings: dict[str, list[Any]]) -> dict[str, Any]:
    return {key: dice.choice(choices) for key, choices in settings.items() if dice.random() < 0.4}


def _settings_in_chart(values: dict[str, Any], chart: Path) -> dict[str, Any]:
    """Return what the chart computes of each stage, whether that is right or not."""
    (chart.parent / "values.yaml").write_text(yaml_writer.document(values))
    (printed,) = render("nginx", chart, chart.parent / "values.yaml")
    return {name: json.loads(one) for name, one in printed["unit"].items()}


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the chart that prints the stages of the unit and what they write."""
    copied = tmp_path_factory.mktemp("probe") / "kargo-service"
    shutil.copytree(CHART, copied)
    for template in copied.glob("templates/*.yaml"):
        template.unlink()
    (copied / "templates" / "probe.yaml").write_text(
        """{{ include "kargo-service.init" . }}
        unit: {{ range $name, $stage := .Values.unit.stages }}
          {{ $name }}: {{ dict "stage" $stage "updates" (include "kargo-service.updates" $stage | fromJson) | toJson | quote }}
        {{ end }}"""
    )
    return copied


@pytest.mark.parametrize("seed", range(25))
def test_what_is_merged_per_stage(seed: int, chart: Chart, probe: Path) -> None:
    dice = random.Random(seed)
    values = {**MINIMAL, "git": {**MINIMAL["git"], **_some(dice, GIT)}, "promotion": _some(dice, PROMOTION)}
    names = ["dev", "staging", "prod"]
    values["stages"] = {name: {"git": _some(dice, GIT), "promotion": _some(dice, PROMOTION)} for name in names}
    merged = merge(chart.defaults, values)
    assert chart.validator.problems(merged) == []
    computed = pipeline_of(merged).stages
    for name, found in _settings_in_chart(values, probe).items():
        stage, own = found["stage"], computed[name]
        assert stage["git"] == own.git
        rendered = stage["promotion"].pop("render")
        where = (own.rendering.branch, own.rendering.out_path) if own.rendering else ()
        if own.has_default_steps:
            assert tuple(rendered[key] for key in ("branch", "outPath") if rendered) == where
        promotion = {key: value for key, value in own.promotion.items() if key != "render"}
        if own.application:  # the tool fills in a name that is null
            stage["promotion"]["argocdUpdate"].setdefault("name", f"nginx-{name}")
        assert stage["promotion"] == promotion
        assert bool(stage.get("controlFlow")) == own.is_control_flow
        updates = [(one.path, one.kind) for one in own.updates if one.at]
        assert [(one["path"], one["kind"]) for _, one in sorted(found["updates"].items())] == updates


def test_null_in_a_stage_is_as_if_nothing_was_said(chart: Chart, tmp_path: Path) -> None:
    of_all = {"git": {**MINIMAL["git"], "branch": "trunk"}, "promotion": {"updates": {"x": UPDATE[0]}}}
    nothing = {"git": {"branch": None, "repoURL": None}, "promotion": {"tagKey": None, "updates": {"x": None}}}
    objects = []
    for index, prod in enumerate(({}, nothing)):
        values = {**MINIMAL, **of_all, "stages": {"prod": {"upstream": ["staging"], **prod}}}
        assert said_by_tool(values, chart) == said_by_chart(values, tmp_path) == []
        file = tmp_path / f"{index}.yaml"
        file.write_text(yaml_writer.document(values))
        objects.append(render("nginx", CHART, file))
    assert objects[0] == objects[1]


def test_placeholders_are_replaced_everywhere(chart: Chart, tmp_path: Path) -> None:
    values = {
        **MINIMAL,
        "project": {"description": r"\<service> is <service>"},
        "warehouse": {"name": "<service>-images"},
        "commonLabels": {"app": "<service>"},
        "rbac": {"bindings": {"team": {"role": "viewer", "groups": ["team-<service>"]}}},
        "stages": {"prod": {"vars": {"a": r"<stage> \<stage>"}, "labels": {"of": "<service>-<stage>"}}},
        "image": {
            "repoURL": "registry.example.com/<service>-web",
            "allowTagsRegexes": ["^(?P<service>[a-z]+)-(?<stage>x)$"],
        },
        "projectConfig": {"stageLinks": [{"title": "App", "url": "https://<service>.<stage>.example.com"}]},
    }
    assert said_by_tool(values, chart) == []
    (tmp_path / "values.yaml").write_text(yaml_writer.document(values))
    objects = {(one["kind"], one["metadata"]["name"]): one for one in render("nginx", CHART, tmp_path / "values.yaml")}
    project, prod = objects["Project", "kargo-nginx"], objects["Stage", "prod"]
    assert project["metadata"]["annotations"]["kargo.akuity.io/description"] == "<service> is nginx"
    assert project["metadata"]["labels"]["app"] == "nginx"
    subscription = objects["Warehouse", "nginx-images"]["spec"]["subscriptions"][0]["image"]
    assert subscription["repoURL"] == "registry.example.com/nginx-web"
    assert subscription["allowTagsRegexes"] == ["^(?P<service>[a-z]+)-(?<stage>x)$"]
    assert (
        pipeline_of(merge(chart.defaults, values)).values["image"]["allowTagsRegexes"]
        == subscription["allowTagsRegexes"]
    )
    assert objects["RoleBinding", "kargo-service-team"]["subjects"][0]["name"] == "team-nginx"
    assert prod["metadata"]["labels"]["of"] == "nginx-prod"
    assert {"name": "a", "value": "prod <stage>"} in prod["spec"]["vars"]
    (link,) = objects["ProjectConfig", "kargo-nginx"]["spec"]["stageLinks"]
    assert link["url"] == "https://nginx.{{ .stage.metadata.name }}.example.com"
    stage = pipeline_of(merge(chart.defaults, values)).stages["prod"]
    assert stage.given["vars"] == {"a": "prod <stage>"}
