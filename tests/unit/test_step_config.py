"""The config of promotion steps: what is refused, with place and fix, and where an expression may stand."""

from __future__ import annotations

from typing import Any

import pytest

from kargo_fleet.text.json_schema import Schema
from kargo_fleet.unit import step_config
from kargo_fleet.unit.own_steps import in_list

ARGOCD = "argocd-update"
IMAGE = "kustomize-set-image"


def said(
    uses: str, config: dict[str, Any], version: str = "1.11", custom: dict[str, Schema] | None = None
) -> list[str]:
    steps = in_list(("steps",), [{"uses": uses, "config": config}], list(custom or {}))
    found = list(step_config.problems(steps, version, custom or {}))
    assert {problem.code for problem in found} <= {"KF311"}
    return [f"{problem.message.removeprefix('steps[0].')} | {problem.fix}" for problem in found]


@pytest.mark.parametrize(
    ("uses", "config", "expected"),
    [
        ("http", {"method": "POST"}, ["config: url is required | add url"]),
        (
            "http",
            {"url": "x", "method": "PUSH"},
            ['config.method: "PUSH" is not allowed | use one of DELETE, GET, HEAD, PATCH, POST, PUT'],
        ),
        (
            "http",
            {"url": "x", "timeout": "soon"},
            ['config.timeout: "soon" is not allowed | write a duration such as 30s, 5m or 1h'],
        ),
        (
            IMAGE,
            {"path": "a", "images": [{"image": "a", "tag": 1.1}]},
            ["config.images[0].tag: 1.1 is a number, not a string | quote it"],
        ),
        (
            IMAGE,
            {"path": "a", "images": [{"image": "a"}]},
            ["config.images[0]: digest or tag is required | add digest or tag"],
        ),
        (
            IMAGE,
            {"path": "a", "images": [{"image": "a", "tag": "1", "digest": "sha256:x"}]},
            ["config.images[0]: tag and digest are mutually exclusive | keep one of them"],
        ),
        (
            ARGOCD,
            {"apps": [{"name": "a", "sources": [{"repoURL": "x", "updateTargetRevision": True}]}]},
            ["config.apps[0].sources[0]: updateTargetRevision requires desiredRevision | add desiredRevision"],
        ),
        (
            "git-push",
            {"path": "a", "maxAttempts": "5"},
            ['config.maxAttempts: "5" is a string, not an integer | write an integer'],
        ),
        ("compose-output", {}, ["config: has the wrong number of keys | must not be empty"]),
    ],
)
def test_refused(uses: str, config: dict[str, Any], expected: list[str]) -> None:
    assert said(uses, config) == expected


@pytest.mark.parametrize(
    ("uses", "config"),
    [
        ("git-push", {"path": "a", "maxAttempts": "${{ vars.attempts }}", "force": "${% vars.force %}"}),
        (ARGOCD, {"apps": "${{ outputs.apps }}"}),
        (ARGOCD, {"apps": ["${{ outputs.app }}"]}),
        (
            "git-open-pr",
            {"repoURL": "${{ vars.url }}", "sourceBranch": "a", "targetBranch": "b", "provider": "${{ vars.p }}"},
        ),
        (IMAGE, {"path": "a", "images": [{"image": "a", "tag": "${{ vars.tag }}", "digest": "${{ vars.digest }}"}]}),
        ("jira", {"anything": 1}),
        ("compose-output", {"a": 1}),
        ("fail", {}),
    ],
)
def test_accepted(uses: str, config: dict[str, Any]) -> None:
    assert said(uses, config) == []


def test_an_expression_does_not_stand_for_keys() -> None:
    assert said("http", {"url": "${{ vars.url }}", "body": "x", "headers": [{"name": "${{ vars.a }}"}]}) == [
        "config.headers[0]: value is required | add value"
    ]


def test_keys_are_not_evaluated() -> None:
    stays = "${{ vars.key }} | write the key as it is to be"
    literal = f"Kargo evaluates expressions in values, not in keys, so that this key stays {stays}"
    updates = [{"kind": "Stage", "name": "dev", "values": {"${{ vars.key }}": "a"}}]
    assert said("set-metadata", {"updates": updates}) == [f"config.updates[0].values: {literal}"]
    # Of a step without a schema, too; where it is no key at all, once.
    assert said("jira", {"fields": [{"${{ vars.key }}": {"a": 1}}]}) == [f"config.fields[0]: {literal}"]
    (unknown,) = said("git-push", {"path": "a", "${{ vars.key }}": True})
    assert unknown.startswith("config.${{ vars.key }}: unknown key | ")


def test_an_unknown_key_is_one_whatever_its_value() -> None:
    assert said("git-push", {"path": "a", "targetBranhc": "${{ vars.branch }}"}) == [
        "config.targetBranhc: unknown key | did you mean targetBranch?"
    ]


def test_newer_versions() -> None:
    tar = {"inPath": "a", "outPath": "b", "level": 1}
    assert said("tar", tar) == []  # that the step is too new is another finding
    assert said("tar", tar, "1.12") == ["config.level: unknown key | allowed here: gzip, ignore, inPath, outPath"]
    both = {"url": "x", "body": "a", "bodyFromFile": "b"}
    assert said("http", both) == []
    assert said("http", both, "1.12") == ["config: body and bodyFromFile are mutually exclusive | keep one of them"]


def test_custom_steps() -> None:
    schema = step_config.custom_schema({"required": ["image"], "properties": {"image": {"type": "string"}}})
    assert said("scan", {"image": 1}, custom={"scan": schema}) == [
        'config.image: 1 is a number, not a string | quote it: "1"'
    ]
    assert said("other", {"image": 1}, custom={"scan": schema}) == []
