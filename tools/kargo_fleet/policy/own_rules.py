"""Rules of the platform's own: values by their keys, held to JSON Schema, durations, constraints, and who may set them."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import jsonschema_rs

from kargo_fleet.findings import KeyPath, value_at
from kargo_fleet.fleet.pipeline import Pipeline, Stage
from kargo_fleet.policy import keys
from kargo_fleet.policy.ruleset import Rule
from kargo_fleet.policy.subject import Breach, Subject
from kargo_fleet.text import semver
from kargo_fleet.text.durations import is_duration, seconds


def breaches(rule: Rule, subject: Subject, values: Mapping[str, Any]) -> Iterator[Breach]:
    """Yield what breaks a rule; `values` is the service's `effective_values`."""
    if rule.given.get("setBy"):
        for pattern in rule.given["keys"]:
            yield from _set_by_the_service(pattern, subject)
    tests = rule_tests(rule.given)
    if not tests:
        return
    for pattern in rule.given["keys"]:
        for path, value in keys.found(pattern, values):
            if not _is_meant(rule, subject, path):
                continue
            if subject.decides(origin_of(subject, path)) and any("${{" in text for _, text in keys.strings(value)):
                yield Breach(path, "an expression may become anything", _allowed(tests))
            elif fault := _fault(tests, value):
                yield Breach(path, f"{_shown(value)} {fault}", _allowed(tests))


def rule_tests(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a rule holds the values of its keys to."""
    return {
        key: given[key] for key in ("must", "minimumDuration", "maximumDuration", "constraintWithin") if key in given
    }


def is_allowed(rule: Rule, value: Any) -> bool:
    """Return whether a rule allows a value, whoever sets it."""
    return not _fault(rule_tests(rule.given), value)


def _set_by_the_service(pattern: str, subject: Subject) -> Iterator[Breach]:
    literal = pattern.partition("*")[0]
    for path, value in keys.found(pattern, subject.said):
        if value is not None or subject.decides(path):
            yield Breach(path, "is set by the platform", f"{literal or pattern} in fleet.yaml only")


def effective_values(pipeline: Pipeline) -> dict[str, Any]:
    """Return the merged values as promotions have them, whichever way they are written.

    Each stage has its `promotion` and `git` with those of all stages merged in, its shard, whether it promotes by itself,
    and `requestedFreight` by Warehouse, also where the short form is used; each Warehouse, `main` as well, has its
    subscriptions in Kargo's format.
    """
    warehouses = {
        key: {
            **one.given,
            "name": one.name,
            "subscriptions": [{sub.kind: dict(sub.given)} for sub in one.subscriptions],
        }
        for key, one in pipeline.warehouses.items()
    }
    stages = {name: _stage(stage) for name, stage in pipeline.stages.items()}
    return {**pipeline.values, "warehouses": warehouses, "stages": stages}


def _stage(stage: Stage) -> dict[str, Any]:
    requests = {
        one.key: {
            "direct": one.direct,
            "upstream": list(one.upstream),
            "requiredSoakTime": one.soak or None,
            "availabilityStrategy": one.availability or None,
            "selectionPolicy": one.selection or None,
        }
        for one in stage.requests
    }
    return {
        **stage.given,
        "autoPromotionEnabled": bool(stage.given.get("autoPromotionEnabled")),
        "controlFlow": stage.is_control_flow,
        "requestedFreight": requests,
        "promotion": stage.promotion,
        "git": stage.git,
        "shard": stage.shard,
    }


def origin_of(subject: Subject, path: KeyPath) -> KeyPath:
    """Return the key that an effective value comes from, as people write it."""
    if path[:1] == ("stages",) and len(path) > 2:
        _, name, section, *rest = path
        if section == "requestedFreight" and rest and not value_at(subject.pipeline.values, path):
            return ("stages", name, *rest[1:]) if len(rest) > 1 else ("stages", name, "upstream")
        if section in ("promotion", "git") and not subject.decides(path):
            return (section, *rest) if subject.decides((section, *rest)) else path
        if section == "shard" and not subject.decides(path):
            return ("shard",)
    if path[:2] == ("warehouses", "main"):
        kinds = ("image",) if path[2:5] == ("subscriptions", 0, "image") else ()
        own = value_at(subject.pipeline.values, ("image",))
        return (*kinds, *path[5:]) if kinds and isinstance(own, dict) else ("warehouse", *path[2:])
    return path


def _is_meant(rule: Rule, subject: Subject, path: KeyPath) -> bool:
    """Return whether a key is that of a stage that writes one of the rule's files, where it names files."""
    patterns = rule.given.get("writes")
    if not patterns:
        return True
    stage = subject.pipeline.stages.get(str(path[1]))
    files = [file for update in stage.updates for file in update.files] if stage and stage.has_default_steps else []
    return any(fnmatch.fnmatchcase(file, pattern) for file in files for pattern in patterns)


def _fault(tests: Mapping[str, Any], value: Any) -> str:
    """Return what is wrong with a value, "" for nothing."""
    if "must" in tests and not _validator(json.dumps(tests["must"], sort_keys=True)).is_valid(value):
        return "is not allowed"
    for key, sign in (("minimumDuration", 1), ("maximumDuration", -1)):
        if key in tests:
            if not isinstance(value, str) or not is_duration(value):
                return "is no duration"
            if sign * seconds(value) < sign * seconds(tests[key]):
                return "is too short" if sign > 0 else "is too long"
    if "constraintWithin" in tests and not (
        isinstance(value, str) and semver.is_within(value, tests["constraintWithin"])
    ):
        return "takes other versions, too"
    return ""


@lru_cache(maxsize=256)
def _validator(schema: str) -> jsonschema_rs.Draft7Validator:
    return jsonschema_rs.Draft7Validator(json.loads(schema), offline=True, pattern_options=jsonschema_rs.RegexOptions())


def _allowed(tests: Mapping[str, Any]) -> str:
    words = {
        "minimumDuration": "at least {}",
        "maximumDuration": "at most {}",
        "constraintWithin": "a constraint within {}",
    }
    return " and ".join(
        words[key].format(value) if key in words else json.dumps(value, ensure_ascii=False)
        for key, value in tests.items()
    )


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return "no value" if value is None else text if len(text) <= 80 else f"{text[:77]}…"
