"""The `config` of promotion steps, held to what Kargo's steps take.

kargo_steps.json has the keys of each step, derived from Kargo's module (`make kargo-schemas`). Kargo evaluates every string of
a config that has an expression, also where a number, a list or a mapping is wanted, before it validates
(pkg/expressions/json_templates.go): such a string is valid everywhere. Steps without a public schema, those of Kargo's
commercial distributions, are not checked; custom steps are if the fleet declares a schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from kargo_fleet.findings import KeyPath, Problem, dotted
from kargo_fleet.text.json_schema import SEE_README, Schema
from kargo_fleet.text.schema_nodes import child
from kargo_fleet.text.words import enumerate_words
from kargo_fleet.unit.kargo_versions import added_until, new_config
from kargo_fleet.unit.own_steps import OwnStep

_CODE = "KF311"


def problems(steps: Iterable[OwnStep], version: str, custom: Mapping[str, Schema]) -> Iterator[Problem]:
    """Yield the problems of the steps' configs.

    `version` is that of Kargo; `custom` has the schemas of custom steps, made by `custom_schema`.
    """
    for step in steps:
        schema = custom.get(step.uses)
        if schema is None and step.uses not in step.custom:
            schema = _schema(step.uses, version)
        found = [] if schema is None else list(_problems(step, schema))
        yield from found
        unknown = {problem.path for problem in found}
        literal = (_placed(step, problem) for problem in _literal_keys(("config",), step.config))
        yield from (problem for problem in literal if problem.path not in unknown)


def custom_schema(config: Mapping[str, Any]) -> Schema:
    """Return the schema for the steps whose `config` is to be valid by a JSON Schema. Raises ValueError if it is none."""
    return _wrapped(config)


def _wrapped(config: Mapping[str, Any]) -> Schema:
    """Return a schema that names the keys of a config from the step on: config.apps[0].name."""
    return Schema({"type": "object", "properties": {"config": config}})


@cache
def _known() -> dict[str, dict[str, Any]]:
    data: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("kargo_steps.json").read_bytes())["steps"]
    return data


@cache
def _schema(uses: str, version: str) -> Schema | None:
    """Return the schema of a step in a version of Kargo, None if it has no public one or there is no such step."""
    node = _known().get(uses)
    for added in added_until(version):
        node = added.get("steps", {}).get(uses) or node
        if node and (more := added.get("config", {}).get(uses)):
            node = {**node, **more, "properties": {**node["properties"], **more["properties"]}}
    return _wrapped(node) if node else None


def _problems(step: OwnStep, schema: Schema) -> Iterator[Problem]:
    document = {"config": step.config}
    too_new = new_config().get(step.uses, {})  # reported as such: unit/kargo_versions.py
    for problem in schema.problems(document):
        is_too_new = problem.at_key and len(problem.path) == 2 and problem.path[1] in too_new
        if is_too_new or (not problem.at_key and _has_expression(_at(document, problem.path))):
            continue
        fix = f"see the page of {step.uses} in Kargo's documentation" if problem.fix == SEE_README else problem.fix
        yield _placed(step, problem._replace(fix=fix))
    yield from (_placed(step, problem) for problem in _combined(schema.data, ("config",), document["config"]))


def _literal_keys(path: KeyPath, value: Any) -> Iterator[Problem]:
    """Yield a problem for each key with an expression: Kargo evaluates values only, and the key stays as it is."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if _has_expression(key):
                message = (
                    f"{dotted(path)}: Kargo evaluates expressions in values, not in keys, so that this key stays {key}"
                )
                yield Problem(_CODE, message, "write the key as it is to be", (*path, key), at_key=True)
            yield from _literal_keys((*path, key), inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _literal_keys((*path, index), inner)


def _placed(step: OwnStep, problem: Problem) -> Problem:
    path = (*step.path, *problem.path)
    return problem._replace(code=_CODE, message=f"{dotted(step.path)}.{problem.message}", path=path)


def _at(document: Any, path: KeyPath) -> Any:
    for part in path:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def _has_expression(value: Any) -> bool:
    return isinstance(value, str) and ("${{" in value or "${%" in value)


def _combined(root: Mapping[str, Any], path: KeyPath, value: Any) -> Iterator[Problem]:
    """Yield a problem for each mapping with keys that exclude each other, or without one that others require."""
    node: Mapping[str, Any] | None = root
    for part in path:
        node = child(root, node, part) if node is not None else None
    if isinstance(value, dict):
        if node and "combinations" in node:
            yield from _combination(path, value, node["combinations"])
        for key, inner in value.items():
            yield from _combined(root, (*path, key), inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _combined(root, (*path, index), inner)


def _combination(path: KeyPath, value: Mapping[str, Any], legal: Sequence[Sequence[str]]) -> Iterator[Problem]:
    """Yield the problem of one mapping. A key with an expression may turn out to be set or not, both are tried."""
    keys = {key for combination in legal for key in combination}
    open_ = {key for key in keys if _has_expression(value.get(key))}
    chosen = {key for key in keys if value.get(key)} - open_
    if any(chosen <= set(combination) <= chosen | open_ for combination in legal):
        return
    name = dotted(path)
    larger = [combination for combination in legal if chosen <= set(combination)]
    if not larger:
        given = [key for key in value if key in chosen]
        yield Problem(_CODE, f"{name}: {enumerate_words(given)} are mutually exclusive", "keep one of them", path)
    elif chosen:
        missing = [key for key in larger[0] if key not in chosen]
        message = f"{name}: {enumerate_words(sorted(chosen))} requires {enumerate_words(missing)}"
        yield Problem(_CODE, message, f"add {enumerate_words(missing)}", path)
    else:
        choices = " or ".join(combination[0] for combination in legal if len(combination) == 1)
        yield Problem(_CODE, f"{name}: {choices} is required", f"add {choices}", path)
