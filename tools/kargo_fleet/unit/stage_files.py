"""Promotions that write what belongs to another stage: its values file, its overlay, its chart.

A stage that writes prod's file promotes to prod, whatever it is called, without prod's soak time, pull request and access. Two
stages that write one file are an error (KF305); this is about a stage that is removed, or whose promotions write elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from kargo_fleet.findings import Finding, KeyPath, Place, Problem, dotted, value_at
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.layers import Layer, in_layers
from kargo_fleet.fleet.names import NOT_STAGES
from kargo_fleet.fleet.pipeline import Pipeline, Stage, Update, expanded


def find(
    fleet: Fleet, unit: Pipeline, here: Iterable[Stage], layers: Sequence[Layer], usual: Iterable[str], service: str
) -> list[Finding]:
    """Return a warning for each stage of `here` that writes a file of another one.

    The other one is a stage of the service, of a layer that may remove it, or one of `usual`, those of the chart.
    """
    known = [*dict.fromkeys([*unit.stages, *_named(layers), *usual])]
    others = [name for name in known if name not in NOT_STAGES]
    return [
        in_layers(found, layers, Place(update.path), service)
        for stage in here
        if stage.rendering is None  # else the sources stay as they are
        for update in stage.updates
        for found in _problems(fleet, unit, stage, update, others, service)
    ]


def _problems(
    fleet: Fleet, unit: Pipeline, stage: Stage, update: Update, others: Collection[str], service: str
) -> Iterator[Problem]:
    at: KeyPath = (*update.at, "path")
    patterns = [value_at(unit.values, ("promotion", *at)), fleet.layout.values_file]
    for pattern in patterns:
        if not isinstance(pattern, str) or "<stage>" not in pattern:
            continue
        for other in others:
            is_others = expanded(pattern, service, other) == update.path
            if other == stage.name or not is_others or _writes(unit.stages.get(other), update.path):
                continue
            left = "" if other in unit.stages else ", which is no stage of this service"
            message = f"promotions to {stage.name} write the file of stage {other}{left}"
            fix = f"put <stage> into promotion.{dotted(at)}, or name the stage {other}"
            yield Problem("KFW321", message, fix, ("stages", stage.name, "promotion", *at))
            return


def _writes(stage: Stage | None, path: str) -> bool:
    return stage is not None and any(update.path == path for update in stage.updates)


def _named(layers: Iterable[Layer]) -> Iterator[str]:
    """Yield the stages that layers have something to say of, those that they remove among them."""
    for layer in layers:
        yield from value_at(layer.values, ("stages",)) or ()
