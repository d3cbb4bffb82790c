"""What people read when a value breaks the chart's schema; and that the schema means the same to Helm."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

import samples
from helm import CHART
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.json_schema import Schema, dotted
from properties import examples

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
VALUES = Schema(SCHEMA)
KEYS_OF_IMAGE = ", ".join(SCHEMA["properties"]["image"]["properties"])
STEPS = (
    "git-clone, yaml-update, kustomize-set-image, helm-update-chart, delete, git-clear, helm-template, kustomize-build, git-commit,"
    " git-push, git-open-pr, git-wait-for-pr, git-merge-pr, argocd-update"
)
RECEIVERS = "artifactory, azure, bitbucket, dockerhub, generic, gitea, github, gitlab, harbor, quay"
LONG = "a" * 64
DNS = "write a DNS label: a-z, 0-9 and -, starting and ending with a letter or digit"
DURATION = "write a duration such as 30s, 5m, 1h30m or 1.5h, at most 999999h"


def _nested(path: str, value: Any) -> Any:
    """{"a": {"b": value}} for a.b; a part [] makes a list."""
    for part in reversed(path.split(".")):
        value = [value] if part == "[]" else {part: value}
    return value


@pytest.mark.parametrize(
    ("path", "value", "code", "message", "fix"),
    [
        # A list without items, where it would mean all of them, or nothing at all.
        (
            "rbac.bindings.a.stages",
            [],
            "KF103",
            "rbac.bindings.a.stages: [] is not allowed",
            "list at least one stage; without the key, the binding allows all of them",
        ),
        (
            "rbac.bindings.a.claims.groups",
            [],
            "KF103",
            "rbac.bindings.a.claims.groups: [] is not allowed",
            "list at least one value of the claim, or remove the claim",
        ),
        (
            "stages.prod.verification.analysisTemplates",
            [],
            "KF103",
            "stages.prod.verification.analysisTemplates: [] is not allowed",
            "add an item, or remove the key",
        ),
        # A key that there is not.
        ("imagee", {}, "KF101", "imagee: unknown key", "did you mean image?"),
        ("image.constrant", "1", "KF101", "image.constrant: unknown key", "did you mean constraint?"),
        ("image.repoUrl", "a", "KF101", "image.repoUrl: unknown key", "did you mean repoURL?"),
        ("image.semverConstraint", "1", "KF101", "image.semverConstraint: unknown key", "did you mean constraint?"),
        ("image.allowTags", "1", "KF101", "image.allowTags: unknown key", "did you mean allowTagsRegexes?"),
        ("image.repository", "a", "KF101", "image.repository: unknown key", "did you mean repoURL?"),
        ("stages.prod.soakTime", "1h", "KF101", "stages.prod.soakTime: unknown key", "did you mean requiredSoakTime?"),
        ("stages.prod.upstreams", [], "KF101", "stages.prod.upstreams: unknown key", "did you mean upstream?"),
        ("image.zzz", 1, "KF101", "image.zzz: unknown key", f"allowed here: {KEYS_OF_IMAGE}"),
        (
            "promotion.steps.before.[].with",
            {},
            "KF101",
            "promotion.steps.before[0].with: unknown key",
            "allowed here: uses, task, as, if, continueOnError, retry, vars, config",
        ),
        # A key that may not be called so.
        ("stages.Prod", {}, "KF103", 'stages: "Prod" is not a valid key', DNS),
        (f"stages.{LONG}", {}, "KF103", f'stages: "{LONG}" is not a valid key', "use at most 63 characters"),
        (
            "stages.prod.vars.my-var",
            "x",
            "KF103",
            'stages.prod.vars: "my-var" is not a valid key',
            "write the name of a variable: letters, digits and _",
        ),
        (
            "promotion.retry.git-clonee",
            {},
            "KF103",
            'promotion.retry: "git-clonee" is not a valid key',
            f"use one of {STEPS}",
        ),
        # A value of another type.
        ("image.constraint", 1, "KF102", "image.constraint: 1 is a number, not a string", 'quote it: "1"'),
        ("image.constraint", 1.1, "KF102", "image.constraint: 1.1 is a number, not a string", "quote it"),
        (
            "stages.prod.vars.a",
            True,
            "KF102",
            "stages.prod.vars.a: true is a boolean, not a string",
            'quote it: "true"',
        ),
        ("warehouse.interval", 5, "KF102", "warehouse.interval: 5 is a number, not a string", DURATION),
        ("shard", ["a"], "KF102", 'shard: ["a"] is a list, not a string', "write a string"),
        ("shard", {"a": 1}, "KF102", 'shard: {"a": 1} is a mapping, not a string', "write a string"),
        (
            "image.allowTagsRegexes.[]",
            None,
            "KF102",
            "image.allowTagsRegexes[0]: null is empty, not a string",
            "write a string",
        ),
        (
            "image.discoveryLimit",
            "10",
            "KF102",
            'image.discoveryLimit: "10" is a string, not an integer',
            "write an integer",
        ),
        (
            "image.discoveryLimit",
            1.5,
            "KF102",
            "image.discoveryLimit: 1.5 is a number, not an integer",
            "write an integer",
        ),
        (
            "image.cacheByTag",
            "yes",
            "KF102",
            'image.cacheByTag: "yes" is a string, not a boolean (true or false)',
            "write a boolean (true or false)",
        ),
        ("stages", [], "KF102", "stages: [] is a list, not a mapping", "write a mapping"),
        (
            "stages.prod.upstream",
            "staging",
            "KF102",
            'stages.prod.upstream: "staging" is a string, not a list',
            "write a list: [staging]",
        ),
        (
            "rbac.bindings.a.claims.groups",
            5,
            "KF102",
            "rbac.bindings.a.claims.groups: 5 is a number, not a list or a string",
            "write a list or a string",
        ),
        (
            "promotion.steps.after.[]",
            "git-push",
            "KF102",
            'promotion.steps.after[0]: "git-push" is a string, not a mapping',
            "write a mapping",
        ),
        # A value that is not among the allowed ones.
        (
            "image.imageSelectionStrategy",
            "Newest",
            "KF103",
            'image.imageSelectionStrategy: "Newest" is not allowed',
            "use one of SemVer, Lexical, Digest, NewestBuild",
        ),
        (
            "promotion.pullRequest.provider",
            "git",
            "KF103",
            'promotion.pullRequest.provider: "git" is not allowed',
            "use one of azure, bitbucket, gitea, github, gitlab",
        ),
        (
            "image.repoURL",
            "https://a/b:1",
            "KF103",
            'image.repoURL: "https://a/b:1" is not allowed; image repositories have no scheme',
            "write repoURL: a/b",
        ),
        (
            "image.repoURL",
            "größe",
            "KF103",
            'image.repoURL: "größe" is not allowed',
            "write an image repository such as registry.example.com/team/nginx: lowercase, no scheme, no tag",
        ),
        ("warehouse.interval", "5", "KF103", 'warehouse.interval: "5" is not allowed', DURATION),
        ("service.name", "Nginx", "KF103", 'service.name: "Nginx" is not allowed', DNS),
        (
            "service.name",
            58 * "a",
            "KF103",
            f'service.name: "{58 * "a"}" is 58 characters long; at most 57 are allowed',
            "use at most 57 characters",
        ),
        (
            "image.repoURL",
            300 * "a",
            "KF103",
            f'image.repoURL: "{76 * "a"}… is 300 characters long; at most 255 are allowed',
            "use at most 255 characters",
        ),
        ("image.discoveryLimit", 0, "KF103", "image.discoveryLimit: 0 is not allowed", "use a number from 1 to 100"),
        (
            "image.discoveryLimit",
            101,
            "KF103",
            "image.discoveryLimit: 101 is not allowed",
            "use a number from 1 to 100",
        ),
        (
            "resourceQuota.hard.pods",
            -1,
            "KF103",
            "resourceQuota.hard.pods: -1 is not allowed",
            "write a count such as 500",
        ),
        ("promotion.message", "", "KF103", 'promotion.message: "" is not allowed', "must not be empty"),
        (
            "stages.prod.upstream",
            ["a", "a"],
            "KF103",
            'stages.prod.upstream: ["a", "a"] is not allowed',
            "remove the duplicates",
        ),
        (
            "warehouse.subscriptions.[]",
            {"git": {"repoURL": "https://a/b"}, "image": {"repoURL": "a"}},
            "KF104",
            "warehouse.subscriptions[0]: exactly one of image, git, chart is required",
            "set exactly one of image, git, chart",
        ),
        (
            "projectConfig.webhookReceivers.[].name",
            "a",
            "KF103",
            "projectConfig.webhookReceivers[0]: has the wrong number of keys",
            f"set name and one of {RECEIVERS}",
        ),
        # A value that is missing.
        (
            "rbac.bindings.a.roleRef.kind",
            "Role",
            "KF104",
            "rbac.bindings.a.roleRef: name is required",
            "add name",
        ),
        (
            "promotion.steps.before.[]",
            {},
            "KF104",
            "promotion.steps.before[0]: exactly one of uses, task is required",
            "set exactly one of uses, task",
        ),
        (
            "promotion.steps.before.[]",
            {"uses": "a", "task": {"name": "b"}},
            "KF104",
            "promotion.steps.before[0]: exactly one of uses, task is required",
            "set exactly one of uses, task",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "",
)
def test_messages(path: str, value: Any, code: str, message: str, fix: str) -> None:
    problems = VALUES.problems(_nested(path, value))
    assert (code, message, fix) in [problem[:3] for problem in problems]
    assert len({problem.path for problem in problems}) == len(problems), "one place, one problem"


def test_a_key_is_pointed_at_when_it_is_the_key() -> None:
    (unknown,) = VALUES.problems({"image": {"a": 1}})
    (name,) = VALUES.problems({"stages": {"A": {}}})
    (value,) = VALUES.problems({"image": {"constraint": 1}})
    (missing,) = VALUES.problems({"rbac": {"bindings": {"a": {"roleRef": {"kind": "Role"}}}}})
    assert (unknown.path, unknown.at_key) == (("image", "a"), True)
    assert (name.path, name.at_key) == (("stages", "A"), True)
    assert (value.path, value.at_key) == (("image", "constraint"), False)
    assert (missing.path, missing.at_key) == (("rbac", "bindings", "a", "roleRef", "name"), True)


def test_all_problems_are_found_at_once() -> None:
    data = {"imagee": {}, "stages": {"A": {}, "prod": {"upstream": "x", "zz": 1, "y": 2}}, "shard": 1}
    assert sorted(dotted(problem.path) for problem in VALUES.problems(data)) == [
        "imagee",
        "shard",
        "stages.A",
        "stages.prod.upstream",
        "stages.prod.y",
        "stages.prod.zz",
    ]


@pytest.mark.parametrize("data", [None, [], "text", 1])
def test_a_document_that_is_no_mapping(data: Any) -> None:
    (problem,) = VALUES.problems(data)
    assert problem.message.startswith("the document: ")


def test_paths_as_people_write_them() -> None:
    assert dotted(("stages", "prod", "upstream", 0)) == "stages.prod.upstream[0]"
    assert dotted(()) == ""


# -- The same verdicts as another validator, over what the samples hold, changed at one place or two ------------------

FILES = [*(CHART / "ci").glob("*.yaml"), *samples.VALUES, CHART / "values.yaml"]
SAMPLES = [yaml_reader.parse(file.read_text()) for file in sorted(FILES)]
# fmt: off
ODD = [
    None, True, 0, 1, -1, 101, 1.5, 5.0, "", "a", "A", "1h", "5", "a b", "<stage>", "https://example.com/a", "x" * 300,
    [], ["a"], ["a", "a"], [1], [None], [{}], {}, {"a": 1}, {"name": "a"}, {"A b": "c"}, {"uses": "a", "task": {}},
]
# fmt: on


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, inner in items:
        yield (*path, part)
        yield from _paths(inner, (*path, part))


@st.composite
def _changed(draw: st.DrawFn) -> Any:
    data = copy.deepcopy(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(1, 2))):
        *way, last = draw(st.sampled_from(list(_paths(data)) or [("a",)]))
        parent = data
        for part in way:
            parent = parent[part]
        what = draw(st.sampled_from(["replace", "replace", "replace", "remove", "add"]))
        if what == "add" and isinstance(parent, dict):
            last = draw(st.sampled_from(["zzz", "name", "repoURL", "upstream", "", "é", "a.b/c"]))
        if what == "remove":
            del parent[last]
        else:
            parent[last] = copy.deepcopy(draw(st.sampled_from(ODD)))
    return data


_reference = Draft7Validator(SCHEMA)


@examples(250)
@given(_changed())
def test_another_validator_says_the_same(data: Any) -> None:
    problems = VALUES.problems(data)
    assert bool(problems) != _reference.is_valid(data)
    assert VALUES.is_valid(data) == (not problems)
    for problem in problems:
        assert problem.message
        assert problem.fix
        assert problem.fix != "see the chart's README", "the schema has a rule without words for it"
        assert "\n" not in problem.message + problem.fix


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_samples_are_valid(sample: Any) -> None:
    assert VALUES.problems(sample) == []


# -- Patterns. Helm runs them with Go's engine, which is RE2 ----------------------------------------------------------


def _patterns(node: Any) -> Iterator[tuple[str, bool]]:
    if isinstance(node, dict):
        if isinstance(node.get("pattern"), str):
            yield node["pattern"], "patternErrorMessage" in node
        for inner in node.values():
            yield from _patterns(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _patterns(inner)


PATTERNS = sorted({pattern for pattern, _ in _patterns(SCHEMA)})


def test_every_pattern_has_its_words() -> None:
    assert [pattern for pattern, explained in _patterns(SCHEMA) if not explained] == []


@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_this_tool_lets_through_helm_lets_through(pattern: str) -> None:
    """The engines differ in what is a space: to Go only ASCII ones are."""
    ours, helm = jsonschema_rs.validator_for({"type": "string", "pattern": pattern}), re2.compile(pattern)
    assert pattern.startswith("^")
    assert pattern.endswith("$")

    @examples(20)
    @given(
        st.from_regex(re.sub(r"\$$", r"\\Z", pattern)),
        st.sampled_from(["", "\n", " ", "é", "１", "\u00a0", "\v", "/", "."]),
    )
    def check(text: str, odd: str) -> None:
        for candidate in (text, text + odd, odd + text, text[:1] + odd + text[1:]):
            found = helm.search(candidate) is not None
            assert found or not ours.is_valid(candidate)
            assert found == ours.is_valid(candidate) or re.search(r"[^\S \t\n\f\r]", candidate)

    check()


def test_a_list_of_keys_is_shown_as_a_mapping() -> None:
    schema = Schema({"properties": {"stages": {"type": "object"}}})
    (problem,) = schema.problems({"stages": ["dev", "prod"]})
    assert problem.fix == "write a mapping: {dev: {}, prod: {}}"
