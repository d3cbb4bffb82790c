"""Rules of the platform's own in the cluster: those whose keys are fields of Stage, ProjectConfig, Warehouse or RoleBinding."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from kargo_fleet.fleet.pipeline import Stage
from kargo_fleet.policy import keys
from kargo_fleet.policy.admission_baseline import exact_policies
from kargo_fleet.policy.admission_rules import CHART_STEPS, Check, InCluster
from kargo_fleet.policy.cel import all_of, identifier, literal, schema_test
from kargo_fleet.policy.own_rules import is_allowed, rule_tests
from kargo_fleet.policy.platform_layers import Platform, PlatformLayers
from kargo_fleet.policy.ruleset import Rule

Test = Callable[[str], str]

_KINDS = ("image", "git", "chart")
#: Variables of a Stage that a setting becomes.
_VARIABLES: Final = {"repoURL": "gitRepoURL", "branch": "branch"}
_FREIGHT: Final = {"requiredSoakTime": "null", "direct": "false"}
_NO_FIELD = "is no field of an object that says the same"


def held(rule: Rule) -> InCluster:
    """Return what the cluster holds of a rule of the platform's own."""
    given = rule.given
    if not rule_tests(given):
        return InCluster(left="objects do not tell which layer sets a key")
    if "constraintWithin" in given:
        return InCluster(left="CEL does not compare version constraints")
    if "must" in given and schema_test(given["must"], "v") is None:
        return InCluster(left="must has words or values that CEL has no counterpart of")
    checks, left = [], []
    for pattern in given["keys"]:
        parts = keys.parts_of(pattern)
        if parts == ("git", "repoURL") and any(_is_of_stages(one, "repoURL") for one in given["keys"]):
            continue  # the stages have it
        check = _check(parts, rule)
        if isinstance(check, str):
            left.append(f"{pattern} {check}")
        else:
            checks.append(check)
    if given.get("writes") and checks:
        left.append("stages count by the names that fleet.yaml gives those that write these files")
    if "setBy" in given:
        left.append("objects do not tell which layer sets a key")
    return InCluster(tuple(checks), "; ".join(left))


def _is_of_stages(pattern: str, key: str) -> bool:
    return keys.parts_of(pattern) == ("stages", "*", "git", key)


def guarded_stages(rule: Rule) -> str:
    """Return the CEL list of stages that a rule about promotion by hand or about soak times is for, "" for no such rule."""
    meant = [keys.parts_of(pattern) for pattern in rule.given.get("keys") or ()]
    for parts in meant:
        if parts[:1] == ("stages",) and parts[-1] in ("autoPromotionEnabled", "requiredSoakTime") and len(parts) > 2:
            if parts[1] != "*":
                return literal([parts[1]])
            if rule.given.get("writes"):
                return f"variables.{_writers(rule)}"
    return ""


def _tests(rule: Rule) -> Test:
    """Return what makes the test of a value, by its expression."""

    def test(value: str) -> str:
        found = []
        if "must" in rule.given:
            found.append(schema_test(rule.given["must"], value) or "false")
        for key, sign in (("minimumDuration", ">="), ("maximumDuration", "<=")):
            if key in rule.given:
                longer = f"duration({value}) {sign} duration({literal(rule.given[key])})"
                found.append(f"(type(dyn({value})) == string && {longer})")
        return all_of(found)

    return test


def _check(parts: Sequence[str], rule: Rule) -> Check | str:
    """Return the test for one key, or why there is none."""
    test = _tests(rule)
    match tuple(parts):
        case ("stages", stage, "autoPromotionEnabled"):
            return _automatic(stage, rule)
        case ("stages", stage, "requestedFreight", "*", str(key)) if key in _FREIGHT:
            values = f"object.spec.requestedFreight.map(r, r.sources.?{key}.orValue({_FREIGHT[key]}))"
            return _of_stage(stage, f"{values}.all(v, {test('v')})", parts, rule)
        case ("stages", stage, "git", str(key)) if key in _VARIABLES:
            values = f"variables.vars.filter(v, v.name == '{_VARIABLES[key]}').map(v, v.value)"
            return _of_stage(stage, f"{values}.all(v, {test('v')})", parts, rule)
        case ("stages", stage, "promotion", "steps", "**" | "*", "uses") | (
            "stages",
            stage,
            "promotion",
            "steps",
            "*",
            "*",
            "uses",
        ):
            return _of_stage(stage, _steps(test), parts, rule)
        case ("promotionTasks", "*", "steps", "*", "uses"):
            return Check("PromotionTask", _steps(test), _message(parts))
        case ("warehouses", "*", "subscriptions", "*", str(kind), str(field)) if kind in _KINDS and field.isalnum():
            values = f"object.spec.subscriptions.map(s, s.?{kind}.{field}.orValue(null))"
            return Check("Warehouse", f"{values}.all(v, {test('v')})", _message(parts))
        case ("rbac", "bindings", "*", "role"):
            return Check("RoleBinding", f"[variables.shortRole].all(v, {test('v')})", _message(parts))
        case ("rbac", "bindings", "*", "groups" | "users" as subjects, "*"):
            kind = subjects[:-1].capitalize()
            values = f"variables.subjects.filter(s, s.kind == '{kind}').map(s, s.name)"
            return Check("RoleBinding", f"{values}.all(v, {test('v')})", _message(parts))
    return _NO_FIELD


def _message(parts: Sequence[str]) -> str:
    return f"{'.'.join(parts)} is not allowed"


def _steps(test: Test) -> str:
    return f"variables.steps.map(s, s.?uses.orValue(null)).all(v, v in variables.chartSteps || {test('v')})"


def variables(rules: Iterable[Rule], platform: Platform) -> dict[str, str]:
    """Return the variables that the tests of rules of the platform's own name."""
    found = {"chartSteps": literal(sorted(CHART_STEPS))}
    for rule in rules:
        if patterns := rule.given.get("writes"):
            found |= platform.variables(_writers(rule), partial(_writing, patterns))
    return found


def _of_stage(stage: str, expression: str, parts: Sequence[str], rule: Rule) -> Check:
    meant = _meant(stage, rule, "object.metadata.name")
    return Check("Stage", f"!{meant} ||\n  {expression}" if meant else expression, _message(parts))


def _meant(stage: str, rule: Rule, name: str) -> str:
    """Return the test that a rule is about the stage of a name, "" when it is about all."""
    tests = [f"{name} == {literal(stage)}"] if stage != "*" else []
    if rule.given.get("writes"):
        tests.append(f"{name} in variables.{_writers(rule)}")
    return f"({all_of(tests)})" if tests else ""


def _writers(rule: Rule) -> str:
    """Return the name of the variable that has the stages that write the rule's files."""
    return identifier("writers", rule.name)


def _writing(patterns: Sequence[str], layers: PlatformLayers) -> list[str]:
    """Return the stages whose promotions write a file of some patterns."""

    def writes(stage: Stage) -> bool:
        files = [file for update in stage.updates for file in update.files] if stage.has_default_steps else []
        return any(fnmatch.fnmatchcase(file, pattern) for file in files for pattern in patterns)

    return layers.stages(writes)


def _automatic(stage: str, rule: Rule) -> Check | str:
    if not is_allowed(rule, value=False):
        return "cannot be asked for: a stage without a policy has none"
    if is_allowed(rule, value=True):
        return "allows both"
    meant = _meant(stage, rule, "n")
    text = exact_policies(f"!{meant}" if meant else "false")
    return Check("ProjectConfig", text, _message(("stages", stage, "autoPromotionEnabled")))
