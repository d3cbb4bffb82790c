"""What expressions look up in Freight: images, charts and commits that the Warehouses of a stage do not have.

Kargo gives null for them, or fails, when the promotion runs (pkg/controller/freight/finder.go). Only what is written out can be
told: strings, and the chart's variables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from kargo_fleet.findings import KeyPath, Problem, dotted, value_at
from kargo_fleet.fleet.freight import Warehouse
from kargo_fleet.fleet.pipeline import Pipeline, Stage, section
from kargo_fleet.text.expressions import Call, calls, embedded, literal
from kargo_fleet.text.git_urls import normalized
from kargo_fleet.text.words import did_you_mean, enumerate_words, quoted, similar
from kargo_fleet.text.yaml_writer import flow
from kargo_fleet.unit.kargo_versions import same_image

_KINDS: Final = {"imageFrom": "image", "chartFrom": "chart", "commitFrom": "git"}
_NOUNS: Final = {"image": "image", "chart": "chart", "git": "Git repository"}
_CODE: Final = "KF313"
#: How close a name is to one that it was meant to be.
_CLOSE: Final = 0.75
#: Parts of a promotion that only the default steps use.
_DEFAULT: Final = ("message", "updates", "render", "pullRequest")


class _Reader(NamedTuple):
    """Where expressions are: whose they are, the Warehouses whose Freight they see, and the variables that are known.

    In Freight, images and charts are compared `is_exact`; among what a Warehouse discovers they are not.
    """

    owner: str
    warehouses: Mapping[str, Warehouse]
    known: Mapping[str, str]
    is_stage: bool = True
    is_exact: bool = True


def problems(pipeline: Pipeline) -> Iterator[Problem]:
    """Yield a problem for each lookup that cannot find anything."""
    for name, stage in sorted(pipeline.stages.items()):
        keys = [request.key for request in stage.requests]
        known = {"vars.imageRepoURL": pipeline.image if stage.image_of else "", "vars.gitRepoURL": stage.repo_url}
        reader = _Reader(f"stage {name}", {key: pipeline.warehouses[key] for key in keys}, known)
        for path, text in _of_stage(stage):
            yield from _in_text(pipeline, reader, path, text)
    for name, task in sorted(section(pipeline.values, "promotionTasks").items()):
        reader = _Reader("this service", pipeline.warehouses, {}, is_stage=False)
        for path, text in _strings((task or {}).get("steps"), ("promotionTasks", name, "steps")):
            yield from _in_text(pipeline, reader, path, text)
    for key, warehouse in pipeline.warehouses.items():
        path = (*warehouse.path, "freightCreationCriteria", "expression")
        expression = value_at(pipeline.values, path) or ""
        reader = _Reader("this Warehouse", {key: warehouse}, {}, is_stage=False, is_exact=False)
        if expression:
            yield from _in_expression(pipeline, reader, path, expression)


def _of_stage(stage: Stage) -> Iterator[tuple[KeyPath, str]]:
    """Yield the strings of a stage that Kargo evaluates when it is promoted or verified."""
    path: KeyPath = ("stages", stage.name)
    yield from _strings(stage.given.get("vars"), (*path, "vars"))
    verification = section(stage.given, "verification")
    yield from _strings(verification.get("args"), (*path, "verification", "args"))
    if stage.is_control_flow:
        return
    for key in _DEFAULT if stage.has_default_steps else ():
        yield from _strings(stage.promotion.get(key), (*path, "promotion", key))
    yield from _strings(section(stage.promotion, "task").get("vars"), (*path, "promotion", "task", "vars"))
    for key, steps in stage.own_steps.items():
        yield from _strings(steps, (*path, "promotion", "steps", key))


def _strings(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str) and "From" in value:
        yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _strings(inner, (*path, key))


def _in_text(pipeline: Pipeline, reader: _Reader, path: KeyPath, text: str) -> Iterator[Problem]:
    for expression in embedded(text):
        yield from _in_expression(pipeline, reader, path, expression)


def _in_expression(pipeline: Pipeline, reader: _Reader, path: KeyPath, expression: str) -> Iterator[Problem]:
    if "?" in expression or "nil" in expression:  # whoever asks whether it is there knows that it may not be
        return
    for call in calls(expression, (*_KINDS, "warehouse")):
        if call.name == "warehouse":
            yield from _origin(reader, path, call)
        else:
            yield from _lookup(pipeline, reader, path, call)


def _origin(reader: _Reader, path: KeyPath, call: Call) -> Iterator[Problem]:
    """Yield the problem with `warehouse("builds")`, if that is not the name of one of the Warehouses."""
    name = literal(call.arguments[0]) if call.arguments else None
    names = {one.name: key for key, one in reader.warehouses.items()}
    if name is None or name in names:
        return
    message = f"{dotted(path)}: {call.name}({quoted(name)}) is not the name of a Warehouse of {reader.owner}"
    message += f"; it has {enumerate_words(sorted(names))}" if names else ""
    meant = reader.warehouses[name].name if name in reader.warehouses else ""
    yield Problem(
        _CODE,
        message,
        f'write warehouse("{meant}")' if meant else did_you_mean(name, sorted(names), "correct it"),
        path,
    )


def _lookup(pipeline: Pipeline, reader: _Reader, path: KeyPath, call: Call) -> Iterator[Problem]:
    """Yield the problem with the lookup of an artifact: no Warehouse has it, or several have."""
    kind = _KINDS[call.name]
    first, *others = call.arguments or ("",)
    wanted = reader.known.get(first, literal(first))
    if wanted is None:
        return
    if not wanted and first in reader.known:
        message = f"{dotted(path)}: {first} is not set, as no Warehouse of {reader.owner} has the service's image"
        yield Problem(_CODE, message, "write something else, or take Freight with the image", path)
        return
    name = (literal(others[0]) if kind == "chart" and others else "") or ""
    candidates, who = (
        reader.warehouses,
        f"no Warehouse of {reader.owner} has" if reader.is_exact else f"{reader.owner} does not have",
    )
    is_chosen = any(literal(one) is None for one in others)
    if is_chosen:
        names = [literal(one.arguments[0]) for one in calls(", ".join(others), ("warehouse",)) if one.arguments]
        candidates = {key: one for key, one in candidates.items() if [one.name] == names}
        if not candidates:  # computed when it runs, or reported as no Warehouse
            return
        who = f"Warehouse {names[0]} does not have"
    having = [key for key, one in candidates.items() if _has(one, kind, wanted, name, is_exact=reader.is_exact)]
    if not having:
        message = f"{dotted(path)}: {who} the {_NOUNS[kind]} {quoted(wanted)}, which {call.name} looks up"
        yield Problem(_CODE, message, _fix(pipeline, reader, kind, wanted, name), path)
    elif len(having) > 1 and reader.is_stage and not is_chosen:
        names = [reader.warehouses[key].name for key in having]
        message = f"{dotted(path)}: {enumerate_words(having)} have {quoted(wanted)}, so that {call.name} fails"
        fix = f'write {call.name}({", ".join(call.arguments)}, warehouse("{names[0]}"))'
        yield Problem(_CODE, message, fix, path)


def _has(warehouse: Warehouse, kind: str, wanted: str, name: str, *, is_exact: bool) -> bool:
    """Return whether a Warehouse has what an expression looks up, as Kargo compares: in Freight, images and charts exactly."""
    for one in warehouse.subscriptions:
        if one.kind != kind:
            continue
        if kind == "git":
            is_same = normalized(one.repo_url) == normalized(wanted)
        else:
            is_same = one.repo_url == wanted or (not is_exact and same_image(one.repo_url, wanted))
        if is_same and (kind != "chart" or (one.given.get("name") or "") == name or not (name or is_exact)):
            return True
    return False


def _fix(pipeline: Pipeline, reader: _Reader, kind: str, wanted: str, name: str) -> str:
    others = {key: one for key, one in pipeline.warehouses.items() if key not in reader.warehouses}
    having = [key for key, one in others.items() if _has(one, kind, wanted, name, is_exact=True)]
    if having and reader.is_stage:
        return f"add {having[0]} to requestedFreight of {reader.owner.removeprefix('stage ')}"
    known = [one.repo_url for each in reader.warehouses.values() for one in each.subscriptions if one.kind == kind]
    given = {"repoURL": wanted, **({"name": name} if name else {})}
    subscription = flow({"warehouse": {"subscriptions": [{kind: given}]}})[1:-1]
    # All names in a registry are alike until their last part.
    ends = {one.rpartition("/")[2]: one for one in known if one != wanted}
    close = similar(wanted.rpartition("/")[2], list(ends), _CLOSE)
    return f"did you mean {ends[close]}?" if close else f"correct it, or subscribe to it: {subscription}"
