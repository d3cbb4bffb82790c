"""The steps that people wrote themselves, beside or instead of the chart's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kargo_fleet.findings import KeyPath
from kargo_fleet.fleet.pipeline import Pipeline, pipeline_of, section


class OwnStep(NamedTuple):
    """One step that is not a task: where it is, what it uses, its config, and the names of custom steps allowed there."""

    path: KeyPath
    uses: str
    config: Mapping[str, Any]
    custom: Sequence[str]


def own_steps(pipeline: Pipeline) -> Iterator[OwnStep]:
    """Yield the steps of all stages that run, in the order in which they do, stages by name; then those of PromotionTasks."""
    for name, stage in sorted(pipeline.stages.items()):
        custom = stage.promotion.get("customSteps") or []
        for key, steps in stage.own_steps.items():
            yield from in_list(("stages", name, "promotion", "steps", key), steps, custom)
    yield from task_steps(pipeline.values)


def task_steps(values: Mapping[str, Any]) -> Iterator[OwnStep]:
    """Yield the steps of the unit's PromotionTasks, whether a stage runs them or not."""
    custom = section(values, "promotion").get("customSteps") or []
    for name, spec in sorted(section(values, "promotionTasks").items()):
        yield from in_list(("promotionTasks", name, "steps"), (spec or {}).get("steps") or [], custom)


def in_list(path: KeyPath, steps: Sequence[Mapping[str, Any]], custom: Sequence[str] = ()) -> Iterator[OwnStep]:
    """Yield the steps of a list of steps at `path`, those that run a task left out."""
    for index, step in enumerate(steps):
        if step.get("uses"):
            yield OwnStep((*path, index), step["uses"], step.get("config") or {}, custom)


def with_custom_steps(values: dict[str, Any], declared: Collection[str]) -> dict[str, Any]:
    """Return values whose `customSteps` have the steps among `declared` that the unit uses, so that the chart knows them."""
    if not declared:
        return values
    used = {
        step.uses for step in own_steps(pipeline_of(values)) if step.uses in declared and step.uses not in step.custom
    }
    if not used:
        return values
    stages = {
        name: _with_custom(stage or {}, used, only_given=True) for name, stage in section(values, "stages").items()
    }
    return {**_with_custom(values, used), "stages": stages}


def _with_custom(owner: dict[str, Any], used: set[str], *, only_given: bool = False) -> dict[str, Any]:
    promotion = section(owner, "promotion")
    given = promotion.get("customSteps") or []
    if only_given and not given:
        return owner
    return {**owner, "promotion": {**promotion, "customSteps": [*given, *sorted(used.difference(given))]}}
