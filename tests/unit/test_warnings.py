"""Each warning is given when it should be, at the place that causes it, and not otherwise."""

from __future__ import annotations

import pytest

from contract.fixtures import Oracle
from helm import ROOT
from kargo_fleet.findings import Finding, Place
from kargo_fleet.fleet.chart import read_chart
from kargo_fleet.fleet.layers import Layer
from kargo_fleet.fleet.merge import merge
from kargo_fleet.fleet.pipeline import pipeline_of
from kargo_fleet.text import yaml_reader
from kargo_fleet.unit import warnings

DEFAULTS = read_chart(ROOT, None).defaults
FOLDER = Place("services/nginx")


def find(*texts: str) -> list[Finding]:
    """Return the warnings for layers from weak to strong: the last is the service's own, the others fleet.yaml's."""
    values = merge(DEFAULTS, {"service": {"name": "nginx"}, "git": {"repoURL": "https://example.com/a/b"}})
    layers = []
    for index, text in enumerate(texts, 1):
        file = "services/nginx/kargo.yaml" if index == len(texts) else "fleet.yaml"
        layers.append(Layer(file, (), yaml_reader.parse(text), text))
        values = merge(values, layers[-1].values)
    return warnings.find(pipeline_of(values), layers, FOLDER, "nginx")


def codes(*texts: str) -> list[str]:
    return [finding.code for finding in find(*texts)]


def test_the_charts_defaults_are_as_they_should_be() -> None:
    assert find() == []
    assert find("stages: {dev: {autoPromotionEnabled: true}}") == []


@pytest.mark.parametrize("constraint", ["^0.0.0", " ^ 0.0.0 ", "^v0.0.0"])
def test_a_constraint_that_only_zero_satisfies(oracle: Oracle, constraint: str) -> None:
    (said,) = oracle("constraint", [{"constraint": constraint, "versions": ["0.0.0", "0.0.1", "0.1.0", "1.0.0"]}])
    assert said["matches"] == [True, False, False, False]
    (finding,) = find(f"image:\n  constraint: '{constraint}'\n")
    assert finding == Finding(
        Place("services/nginx/kargo.yaml", 2, 15),
        "KFW301",
        f'image.constraint: "{constraint}" matches only version 0.0.0',
        'use "*" or ">=0.0.0" for any release, ">=0.0.0-0" to include prereleases',
        "nginx",
    )


@pytest.mark.parametrize("constraint", ["*", ">=0.0.0", ">=0.0.0-0", "^0.0", "^0", "~0.0.0", "^0.0.0 || ^1", "^1.0.0"])
def test_a_constraint_that_more_versions_satisfy(oracle: Oracle, constraint: str) -> None:
    versions = ["0.0.1", "0.1.0", "1.0.0"]
    (said,) = oracle("constraint", [{"constraint": constraint, "versions": versions}])
    assert any(said["matches"])
    assert find(f"image: {{constraint: '{constraint}'}}") == []


def test_a_constraint_where_it_is_the_name_of_a_tag() -> None:
    assert codes("image: {constraint: ^0.0.0, imageSelectionStrategy: NewestBuild}") == ["KFW306"]
    assert codes("image: {constraint: latest, imageSelectionStrategy: Digest}") == []


@pytest.mark.parametrize("strategy", ["Lexical", "NewestBuild"])
def test_a_constraint_that_has_no_effect(strategy: str) -> None:
    (finding,) = find(f"image:\n  imageSelectionStrategy: {strategy}\n  constraint: ^2.0.0\n")
    assert (finding.place, finding.code) == (Place("services/nginx/kargo.yaml", 3, 15), "KFW306")
    assert finding.message == f"image.constraint: has no effect with imageSelectionStrategy {strategy}"
    assert finding.fix == "use allowTagsRegexes, or remove it"
    assert codes(f"image: {{imageSelectionStrategy: {strategy}}}") == []
    assert codes(f"image: {{imageSelectionStrategy: {strategy}, constraint: ''}}") == []
    assert codes(f"image: {{imageSelectionStrategy: {strategy}, constraint: null}}") == []


def test_a_constraint_for_the_others() -> None:
    """A service that chooses another way than its fleet is not to blame for the fleet's constraint."""
    assert codes("image: {constraint: ^2.0.0}", "image: {imageSelectionStrategy: NewestBuild}") == []
    assert codes("image: {imageSelectionStrategy: NewestBuild}", "image: {constraint: ^2.0.0}") == ["KFW306"]
    assert codes("image: {imageSelectionStrategy: Lexical, constraint: ^2.0.0}", "{}") == ["KFW306"]


@pytest.mark.parametrize("stage", ["prod", "production", "prd", "prod-eu", "production-us-1", "live", "live-eu"])
def test_production_that_promotes_itself(stage: str) -> None:
    (finding,) = find(f"stages:\n  {stage}:\n    upstream: [dev]\n    autoPromotionEnabled: true\n")
    assert finding == Finding(
        Place("services/nginx/kargo.yaml", 4, 27),
        "KFW302",
        f"stages.{stage}: is promoted automatically, without approval",
        "remove autoPromotionEnabled unless this is intended",
        "nginx",
    )
    assert codes(f"stages: {{{stage}: {{upstream: [dev], autoPromotionEnabled: false}}}}") == []
    assert codes(f"stages: {{{stage}: {{upstream: [dev]}}}}") == []


@pytest.mark.parametrize("stage", ["staging", "dev", "preprod", "product", "prods", "alive", "delivery", "pro"])
def test_another_stage_that_promotes_itself(stage: str) -> None:
    assert codes(f"stages: {{{stage}: {{autoPromotionEnabled: true}}}}") == []


def test_production_that_asks_a_person_by_pull_request() -> None:
    pull_request = "promotion: {{pullRequest: {{enabled: true, merge: {}}}}}"
    production = "stages: {{prod: {{autoPromotionEnabled: true, {}}}}}"
    assert codes(production.format(pull_request.format("false"))) == []
    assert codes(pull_request.format("false"), production.format("")) == []
    assert codes(production.format(pull_request.format("true"))) == ["KFW302"]
    assert codes(production.format("promotion: {pullRequest: {enabled: false}}")) == ["KFW302"]
    replaced = "promotion: {pullRequest: {enabled: true}, steps: {replace: [{uses: http}]}}"
    assert sorted(codes(production.format(replaced))) == ["KFW302", "KFW306"]


@pytest.mark.parametrize(
    ("url", "https"),
    [
        ("git@github.com:a/b.git", "https://github.com/a/b.git"),
        ("ssh://git@example.com/a/b", "https://example.com/a/b"),
    ],
)
def test_git_by_ssh(url: str, https: str) -> None:
    (finding,) = find(f"git:\n  repoURL: {url}\n", "{}")
    assert finding == Finding(
        Place("fleet.yaml", 2, 12),
        "KFW303",
        f"git.repoURL: {url} is an SSH URL, which Kargo no longer supports from v1.13",
        f"write {https}",
    )


def test_git_without_encryption() -> None:
    (finding,) = find("git: {repoURL: 'http://git.internal/a/b'}")
    assert finding.code == "KFW304"
    assert finding.message == "git.repoURL: http://git.internal/a/b sends credentials unencrypted"
    assert finding.fix == "use https://, unless this never leaves your network"
    assert codes("git: {repoURL: 'https://git.internal/a/b'}") == []
    assert codes("git: {repoURL: ''}") == []
    assert codes("git: {repoURL: null}") == []
    assert codes("git: null") == []


@pytest.mark.parametrize(
    ("interval", "code"),
    [
        *((interval, "KFW305") for interval in ("30s", "1m", "4m59s", "299s", "0.0h", "0s")),
        *((interval, "") for interval in ("5m", "300s", "4m60s", "0.1h", "10m", "1h30m", "1.5h")),
    ],
)
def test_the_interval(interval: str, code: str) -> None:
    findings = find(f"warehouse:\n  interval: {interval}\n")
    assert [finding.code for finding in findings] == ([code] if code else [])
    for finding in findings:
        assert finding.place == Place("services/nginx/kargo.yaml", 2, 13)
        assert finding.message.startswith(f"warehouse.interval: {interval} is below 5m, Kargo's default minimum")
    assert codes("warehouse: null") == codes("warehouse: {interval: null}") == []


def test_a_soak_time_that_has_no_effect() -> None:
    (finding,) = find("stages:\n  dev:\n    requiredSoakTime: 1h\n")
    assert finding == Finding(
        Place("services/nginx/kargo.yaml", 3, 23),
        "KFW306",
        "stages.dev.requiredSoakTime: has no effect without an upstream stage",
        "remove it, or set upstream",
        "nginx",
    )
    assert codes("stages: {prod: {requiredSoakTime: 1h}}") == []
    assert codes("stages: {prod: {requiredSoakTime: 1h, direct: true}}") == ["KFW306"]
    assert codes("stages: {prod: {requiredSoakTime: 1h, upstream: []}}") == ["KFW306"]
    assert codes("stages: {dev: {requiredSoakTime: ''}}") == []


TASK, REPLACE = "task: {name: promote}", "steps: {replace: [{uses: http}]}"


@pytest.mark.parametrize(
    ("beside", "key"),
    [
        ("steps: {beforeCommit: [{uses: http}]}", "steps.beforeCommit"),
        ("tagKey: version", "tagKey"),
        ("digestKey: digest", "digestKey"),
        ("message: '<service>'", "message"),
        ("maxAttempts: 3", "maxAttempts"),
        ("retry: {git-push: {timeout: 5m}}", "retry"),
        ("pullRequest: {enabled: true}", "pullRequest.enabled"),
    ],
)
def test_settings_of_steps_that_do_not_run(beside: str, key: str) -> None:
    (finding,) = find(f"promotion:\n  {TASK}\n  {beside}\n")
    assert (finding.code, finding.place.line, finding.service) == ("KFW306", 3, "nginx")
    words = "has no effect with task.name, which runs instead of the default steps"
    assert finding.message == f"stages.dev.promotion.{key}: {words}"
    assert finding.fix == "remove it, or task.name"
    if not beside.startswith("steps"):
        (finding,) = find(f"promotion:\n  {REPLACE}\n  {beside}\n")
        assert f"{key}: has no effect with steps.replace" in finding.message


def test_steps_around_a_task_run_but_not_beside_replaced_ones() -> None:
    around = "before: [{uses: http}], after: [{uses: http}]"
    assert codes(f"promotion: {{task: {{name: promote}}, steps: {{{around}}}}}") == []
    assert codes(f"promotion: {{steps: {{replace: [{{uses: http}}], {around}}}}}") == ["KFW306", "KFW306"]


def test_settings_that_a_task_or_other_stages_use() -> None:
    assert codes(f"promotion: {{{TASK}, path: a/<stage>.yaml, argocdUpdate: {{enabled: true}}}}") == []
    assert codes(f"promotion: {{{TASK}, pullRequest: {{enabled: false}}, tagKey: ''}}") == []
    of_the_fleet = "promotion: {pullRequest: {enabled: true}, message: x, steps: {beforeCommit: [{uses: http}]}}"
    (finding,) = find(of_the_fleet, f"promotion: {{{TASK}}}")  # of which only the approval matters
    assert finding.message.endswith("so that pullRequest.enabled has no effect and nothing waits for an approval")
    assert str(finding.place) == "services/nginx/kargo.yaml:1:26"
    assert codes(f"promotion: {{{TASK}}}", of_the_fleet) == ["KFW306"] * 3
    one_stage = f"stages: {{prod: {{promotion: {{{TASK}}}}}}}"
    assert codes(f"promotion: {{message: x}}\n{one_stage}") == []
    assert codes(f"promotion: {{{TASK}}}\nstages: {{prod: {{promotion: {{message: x}}}}}}") == ["KFW306"]


def test_a_gate_that_is_promoted_to_by_hand_is_an_approval() -> None:
    stages = "stages: {prod: {controlFlow: true}, prod-us: {upstream: [prod], autoPromotionEnabled: true}}"
    assert codes(stages) == []
    assert codes(stages.replace("controlFlow: true", "controlFlow: true, autoPromotionEnabled: true")) == ["KFW302"]
    assert codes(stages.replace("[prod]", "[prod, staging]")) == ["KFW302"]
    assert codes(stages.replace("[prod]", "[prod], direct: true")) == ["KFW302"]


def test_several_at_once() -> None:
    text = "image: {constraint: ^0.0.0}\nwarehouse: {interval: 1m}\nstages: {prod: {autoPromotionEnabled: true}}\n"
    assert sorted(codes(text)) == ["KFW301", "KFW302", "KFW305"]


def test_whose_warning_it_is() -> None:
    """The service's own file or folder: the service's. Otherwise it is one warning for all of them, and named so."""
    own = Place("services/nginx/kargo.yaml", 1, 1)
    layers = [Layer("fleet.yaml", (), {"warehouse": {"interval": "1m"}}, "warehouse: {interval: 1m}")]
    values = pipeline_of(merge(DEFAULTS, layers[0].values))
    (shared,) = warnings.find(values, layers, own, "nginx")
    assert (shared.place.file, shared.service) == ("fleet.yaml", "")
    (unknown,) = warnings.find(values, [], own, "nginx")
    assert (unknown.place, unknown.service) == (own, "nginx")
    layers = [Layer(own.file, (), layers[0].values, layers[0].text)]
    (mine,) = warnings.find(values, layers, own, "nginx")
    assert (mine.place, mine.service) == (Place(own.file, 1, 23), "nginx")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30s", 30), ("5m", 300), ("1h", 3600), ("1h30m", 5400), ("1.5h", 5400), ("1h0m0s", 3600), ("0.5m", 30), ("", 0)],
)
def test_seconds(text: str, expected: float) -> None:
    assert warnings.seconds(text) == expected
