"""The Warehouses of a unit, and the Freight that stages take from them.

The rules are those of templates/_validate_freight.tpl, in the same words. tests/unit/test_rules.py compares both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kargo_fleet.findings import KeyPath, Problem, problem_at
from kargo_fleet.fleet.freight import MAIN
from kargo_fleet.fleet.pipeline import Pipeline, Stage, section
from kargo_fleet.text.words import did_you_mean, enumerate_words
from kargo_fleet.text.yaml_writer import flow


def problems(pipeline: Pipeline) -> Iterator[Problem]:
    """Yield the problems with the Warehouses of a unit and with what its stages take from them."""
    yield from _warehouses(pipeline)
    taken = {name: [request.key for request in stage.requests] for name, stage in pipeline.stages.items()}
    for _, stage in sorted(pipeline.stages.items()):
        yield from _requests(pipeline, stage, taken)
        yield from _sources(pipeline, stage)
    yield from _untaken(pipeline)


def _warehouses(pipeline: Pipeline) -> Iterator[Problem]:
    if not pipeline.warehouses:
        message = "is empty, and image is null; a Warehouse needs at least one subscription"
        yield problem_at(("warehouse", "subscriptions"), "KF104", message, "add a subscription")
    if section(pipeline.values, "warehouses").get(MAIN):
        message = "is the name of the Warehouse that image and warehouse describe; use another name"
        yield problem_at(
            ("warehouses", MAIN), "KF301", message, "move its settings to image and warehouse, or rename it"
        )
    names = {pipeline.warehouses[MAIN].name} if MAIN in pipeline.warehouses else set()
    for key, warehouse in pipeline.warehouses.items():
        if key != MAIN and warehouse.name in names:
            message = f'"{warehouse.name}" is the name of another Warehouse'
            fix = f"set another one: {flow({'warehouses': {key: {'name': f'{warehouse.name}-{key}'}}})[1:-1]}"
            yield problem_at((*warehouse.path, "name"), "KF301", message, fix)
        names.add(warehouse.name)
        if not warehouse.subscriptions:
            message = "has no subscriptions; set image, git, chart or subscriptions"
            yield problem_at(
                warehouse.path, "KF104", message, "add one, such as image: {imageSelectionStrategy: NewestBuild}"
            )


def _requests(pipeline: Pipeline, stage: Stage, taken: Mapping[str, list[str]]) -> Iterator[Problem]:
    """Yield the problems with a stage's requestedFreight itself."""
    known = pipeline.warehouses
    for key, request in sorted(section(stage.given, "requestedFreight").items()):
        here: KeyPath = ("stages", stage.name, "requestedFreight", key)
        if request is not None and key not in known:
            message = f'"{key}" is not a Warehouse of this service; it has {enumerate_words(sorted(known))}'
            named = [other for other, warehouse in known.items() if warehouse.name == key]
            new = {"image": {"imageSelectionStrategy": "NewestBuild"}} if pipeline.image else {"git": {}}
            fix = did_you_mean(key, sorted(known), f"add it, such as {flow({'warehouses': {key: new}})[1:-1]}")
            fix = f"write {named[0]}, the key of the Warehouse of this name" if named else fix
            yield problem_at(here, "KF301", message, fix)
        upstream: list[Any] = (request or {}).get("upstream") or []
        for index, source in enumerate(upstream):
            if source != stage.name and key in known and key not in taken.get(source, [key]):
                message = f"stage {source} takes no Freight from Warehouse {key}"
                fix = _passing(pipeline, source, key)
                yield problem_at((*here, "upstream", index), "KF301", message, fix)
    for one in stage.requests:
        if not (one.direct or one.upstream):
            sources = [source for source in stage.given.get("upstream") or [] if source in pipeline.stages]
            what = (
                f"add it to requestedFreight of {enumerate_words(sources)}"
                if sources
                else "set direct: true, or upstream"
            )
            message = f"no upstream stage of {stage.name} takes Freight from Warehouse {one.key}; {what}"
            yield problem_at(
                one.path, "KF301", message, _passing(pipeline, sources[0], one.key) if sources else "set direct: true"
            )


def _passing(pipeline: Pipeline, source: str, key: str) -> str:
    """Return the fix that lets a stage take Freight of a Warehouse, and the stages before it, up to one that takes it directly.

    `direct: true` on the stage after it would take what no other stage has seen.
    """
    stages: dict[str, Any] = {}
    seen: list[str] = []
    while source in pipeline.stages and source not in seen:
        seen.append(source)
        stage = pipeline.stages[source]
        if key in [one.key for one in stage.requests]:
            break
        own = [one for one, given in section(stage.given, "requestedFreight").items() if given is not None]
        upstream = list(stage.given.get("upstream") or [])
        others = [] if upstream else [name for one in stage.requests for name in one.upstream]
        if own or not upstream:  # else it takes what the stages before it take
            taken: dict[str, Any] = {} if own else {one.key: {} for one in stage.requests}
            stages[source] = {"requestedFreight": {**taken, key: {"upstream": others[:1]} if others else {}}}
        source = next(iter(upstream or others), "")
    wanted = flow({"stages": dict(reversed(stages.items()))})[1:-1]
    return f"set {wanted}" if stages else "set direct: true"


def _sources(pipeline: Pipeline, stage: Stage) -> Iterator[Problem]:
    """Yield a problem where a stage has no Warehouse, or where it cannot be told whose image is written."""
    path: KeyPath = ("stages", stage.name, "requestedFreight")
    given = stage.given
    if pipeline.warehouses and not (stage.requests or given.get("requestedFreight") or given.get("upstream")):
        known = sorted(pipeline.warehouses)
        message = f"is required, as no Warehouse is the first; there are {enumerate_words(known)}"
        yield problem_at(path, "KF301", message, f"set requestedFreight: {{{known[0]}: {{direct: true}}}}")
    having = list(stage.image_of)
    if 1 < len(having) < len(stage.requests) and stage.has_default_steps:
        others = [request.key for request in stage.requests if request.key not in having]
        message = (
            f"{enumerate_words(having)} have the service's image, not so {enumerate_words(others)}, so that a promotion"
            " cannot tell which image to write; use a stage for each"
        )
        yield problem_at(path, "KF301", message, f"remove {enumerate_words(others)}, or all of these but one")


def _untaken(pipeline: Pipeline) -> Iterator[Problem]:
    """Yield a problem for each Warehouse from which no stage takes Freight directly."""
    direct = {request.key for stage in pipeline.stages.values() for request in stage.requests if request.direct}
    for key, warehouse in pipeline.warehouses.items():
        if key in direct or not pipeline.stages:
            continue
        if [*pipeline.warehouses] == [MAIN]:
            message = "no stage takes Freight directly from the Warehouse; a stage without upstream, or with direct: true, is required"
            yield problem_at(
                ("stages",), "KF301", message, "set direct: true on the first stage, or remove its upstream"
            )
            continue
        wanted = f"requestedFreight: {{{key}: {{direct: true}}}}"
        message = f"no stage takes Freight directly from Warehouse {key}; add {wanted} to a stage"
        fix = f"write stages: {{{next(iter(pipeline.stages))}: {{{wanted}}}}}, or the stage that is meant"
        yield problem_at(warehouse.path, "KF301", message, fix)
