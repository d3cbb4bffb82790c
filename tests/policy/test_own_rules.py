"""Rules of the platform's own, on merged values; exceptions and their days."""

from __future__ import annotations

import datetime
import json

import pytest

from conftest import FLEET, Run, Tree, service
from kargo_fleet.commands import check
from kargo_fleet.policy import keys
from kargo_fleet.text.semver import is_within

HAND = "prod: {keys: [stages.*.autoPromotionEnabled], writes: ['services/*/values-prod*.yaml'], must: {const: false}}"


WRITES_PROD = "promotion: {path: services/nginx/values-prod.yaml}"


def policy(rules: str, more: str = "") -> str:
    """Return a fleet.yaml with these rules, and without the shipped ones."""
    return f"{FLEET}policy:\n  baseline: false\n  rules: {{{rules}}}\n{more}"


def said(run: Run, *arguments: str) -> list[tuple[str, str]]:
    """Return place and message of what the policy says."""
    found = json.loads(run(*(arguments or ("generate",)), "--output", "json").stdout)["findings"]
    codes = ("KF351", "KFW351", "KF352", "KFW352", "KF353")
    return [(f"{one['file']}:{one['line']}", one["message"]) for one in found if one["code"] in codes]


@pytest.mark.parametrize(
    ("rules", "kargo", "message"),
    [
        (HAND, "stages: {prod: {autoPromotionEnabled: true}}", "stages.prod.autoPromotionEnabled: true is not allowed"),
        # Whatever stage writes the file of prod.
        (
            HAND,
            f"stages: {{prod: null, live: {{upstream: [staging], autoPromotionEnabled: true, {WRITES_PROD}}}}}",
            "stages.live.autoPromotionEnabled: true is not allowed",
        ),
        (
            "soak: {keys: [stages.prod.requestedFreight.*.requiredSoakTime], minimumDuration: 1h}",
            "stages: {prod: {requiredSoakTime: 59m}}",
            'stages.prod.requiredSoakTime: "59m" is too short',
        ),
        (
            "soak: {keys: [stages.prod.requestedFreight.*.requiredSoakTime], minimumDuration: 1h}",
            "",
            "stages.prod.requiredSoakTime: no value is no duration",
        ),
        ("often: {keys: [warehouse.interval], maximumDuration: 1h}", "warehouse: {interval: 2h}", '"2h" is too long'),
        (
            "one: {keys: [image.constraint], constraintWithin: ^1.0.0}",
            "image: {constraint: '>=1'}",
            '">=1" takes other',
        ),
        (
            "tls: {keys: ['**.insecureSkipTLSVerify'], must: {const: false}}",
            "git: {insecureSkipTLSVerify: true}",
            "git.",
        ),
        (
            "images: {keys: ['warehouses.*.subscriptions.*.image.repoURL'], must: {pattern: ^registry.example.com/}}",
            "image: {repoURL: docker.io/a}",
            'image.repoURL: "docker.io/a" is not allowed',
        ),
        (
            "steps: {keys: ['stages.*.promotion.steps.*.*.uses'], must: {not: {const: http}}}",
            "promotion: {steps: {after: [{uses: http, config: {url: https://example.com}}]}}",
            'promotion.steps.after[0].uses: "http" is not allowed',
        ),
        (
            "kinds: {keys: ['rbac.bindings.*.role'], must: {enum: [viewer]}}",
            "rbac: {bindings: {a: {role: admin, groups: [a]}}}",
            "rbac",
        ),
        (
            "locked: {keys: [rbac], setBy: platform}",
            "rbac: {bindings: {a: {role: viewer, groups: [a]}}}",
            "rbac: is set by the platform",
        ),
        (
            "locked: {keys: [stages.prod], setBy: platform}",
            "stages: {prod: null}",
            "stages.prod: is set by the platform",
        ),
        (
            "requests: {keys: [stages.prod.promotion.pullRequest.enabled], must: {const: true}}",
            "",
            "stages.prod.promotion.pullRequest.enabled: false is not allowed",
        ),
        # An expression in a service's own file may become anything.
        (
            "message: {keys: [stages.*.promotion.message], must: {type: string}}",
            "promotion: {message: '${{ vars.x }}'}",
            "promotion.message: an expression may become anything",
        ),
    ],
)
def test_a_rule_that_is_broken(tree: Tree, run: Run, rules: str, kargo: str, message: str) -> None:
    tree({"fleet.yaml": policy(rules), **service("nginx", kargo=kargo + "\n")})
    assert any(message in one for _, one in said(run)), said(run)


@pytest.mark.parametrize(
    ("rules", "kargo"),
    [
        (HAND, "stages: {prod: {autoPromotionEnabled: false}}"),
        (HAND, "stages: {dev: {autoPromotionEnabled: true}}"),
        (
            "soak: {keys: [stages.prod.requiredSoakTime], minimumDuration: 1h}",
            "stages: {prod: {requiredSoakTime: 60m}}",
        ),
        ("one: {keys: [image.constraint], constraintWithin: ^1.0.0}", "image: {constraint: ~1.2.0}"),
        ("off: {severity: off, keys: [image], must: false}", ""),
        ("others: {services: [api], keys: [image], must: false}", ""),
        ("groups: {groups: [some], keys: [image], must: false}", ""),
        ("absent: {keys: ['stages.*.git.author.*'], must: {type: string}}", ""),
    ],
)
def test_a_rule_that_is_kept(tree: Tree, run: Run, rules: str, kargo: str) -> None:
    more = "groups: {some: {services: [api]}}\n"
    tree({"fleet.yaml": policy(rules, more), **service("nginx", kargo=kargo + "\n"), **service("api")})
    assert said(run, "generate", "nginx") == []


def test_a_violation_says_rule_owner_reason_layer_and_what_is_allowed(tree: Tree, run: Run) -> None:
    group = "groups: {some: {services: [nginx], values: {warehouse: {interval: 2h}}}}\n"
    rule = "often: {owner: ops, reason: registries are slow, keys: [warehouse.interval], maximumDuration: 1h}"
    tree({"fleet.yaml": policy(rule, group)})
    (found,) = json.loads(run("generate", "--output", "json").stdout)["findings"]
    assert (found["file"], found["line"], found["service"]) == ("fleet.yaml", 6, "nginx")
    assert found["message"] == 'warehouse.interval: "2h" is too long; rule often, owner ops: registries are slow'
    assert (
        found["fix"] == "allowed: at most 1h; for anything else, ask ops: policy.rules.often.relaxedFor in fleet.yaml"
    )


@pytest.mark.parametrize(
    ("rules", "message", "fix"),
    [
        ("own-file: {severity: warning}", "is no shipped rule, and has no keys", "own-files"),
        ("gates: {keys: [image]}", "gates is a shipped rule", "another name"),
        ("a: {keys: [image]}", "says nothing of its keys", "must"),
        ("a: {keys: [image], must: {typ: string}}", "typ: is no word of JSON Schema", "type"),
        ("a: {keys: [image], must: {properties: {a: {minimumLength: 1}}}}", "minimumLength: is no word", ""),
        ("a: {keys: [image], must: {type: text}}", "is not a JSON Schema", "correct"),
        ("a: {keys: [image], must: {}, groups: [b]}", '"b" is no group', "has no groups"),
        ("a: {keys: [image], must: {}, relaxedFor: [{groups: [b]}]}", 'relaxedFor[0].groups[0]: "b" is no group', ""),
        ("a: {keys: [image.constraint], constraintWithin: x.y.z.w}", "is not a version constraint", ""),
        ("a: {keys: [image], writes: [x], must: {}}", "image is not about the stages that write a file", "stages.*"),
    ],
)
def test_a_rule_that_cannot_be_used_stops_everything(tree: Tree, run: Run, rules: str, message: str, fix: str) -> None:
    root = tree({"fleet.yaml": policy(rules)})
    found = json.loads(run("generate", "--output", "json").stdout)["findings"]
    assert [one["code"] for one in found] == ["KF353"]
    assert message in found[0]["message"]
    assert fix in found[0]["fix"]
    assert not (root / "values/nginx.yaml").exists()


EXCEPTION = "  exceptions: [{rule: often, services: [nginx], owner: ops, reason: x, until: '2026-03-31'}]\n"


@pytest.mark.parametrize(
    ("day", "expected"),
    [("2026-03-01", []), ("2026-03-17", ["KFW352"]), ("2026-03-31", ["KFW352"]), ("2026-04-01", ["KF352"])],
)
def test_only_check_looks_at_the_day(
    tree: Tree, run: Run, monkeypatch: pytest.MonkeyPatch, day: str, expected: list[str]
) -> None:
    class Clock(datetime.datetime):
        @classmethod
        def now(cls, _: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
            return datetime.datetime.fromisoformat(f"{day}T23:59:00+00:00")

    monkeypatch.setattr(check, "datetime", Clock)
    rule = "often: {keys: [warehouse.interval], maximumDuration: 1h}"
    root = tree({"fleet.yaml": policy(rule, EXCEPTION), **service("nginx", kargo="warehouse: {interval: 2h}\n")})
    assert run("generate").status == 0
    written = (root / "values/nginx.yaml").read_bytes()
    for _ in range(2):  # the second time from the cache
        found = json.loads(run("check", "--output", "json").stdout)["findings"]
        assert [one["code"] for one in found] == expected
    assert run("generate").status == 0
    assert (root / "values/nginx.yaml").read_bytes() == written


@pytest.mark.parametrize(
    ("constraint", "bound", "expected"),
    [
        ("^1.2.0", "^1.0.0", True),
        ("^1.0.0", "^1.2.0", False),
        ("1.2.3", "~1.2.0", True),
        (">=1.0.0 <2.0.0", "^1.0.0", True),
        (">=1.0.0 <=2.0.0", "^1.0.0", False),
        ("*", ">=0.0.0", True),
        ("^1.0.0 || ^2.0.0", ">=1.0.0 <3.0.0", True),
        ("^1.0.0 || ^3.0.0", ">=1.0.0 <3.0.0", False),
        ("!=1.5.0", "^1.0.0", False),
        (">=1.0.0-0 <2.0.0", "^1.0.0", False),
        ("~1.2", "1.x", True),
        ("1.x", "~1.2", False),
        ("nonsense", "*", False),
    ],
)
def test_a_constraint_within_another(constraint: str, bound: str, expected: bool) -> None:
    assert is_within(constraint, bound) == expected


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("stages.*.branch", ("stages", "dev", "branch"), True),
        ("stages", ("stages", "dev", "branch"), True),
        ("stages.*.branch", ("stages", "dev"), False),
        ("**.insecureSkipTLSVerify", ("warehouse", "subscriptions", 0, "git", "insecureSkipTLSVerify"), True),
        ("a.**.b", ("a", "b"), True),
        ("a.0.b", ("a", 0, "b"), True),
        (r"hard.count/promotions\.kargo\.akuity\.io", ("hard", "count/promotions.kargo.akuity.io"), True),
    ],
)
def test_patterns_of_keys(pattern: str, path: tuple[str | int, ...], expected: bool) -> None:
    assert keys.matches(pattern, path) == expected
