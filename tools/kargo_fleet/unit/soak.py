"""Soak times that Kargo does not honour, or that never end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kargo_fleet.findings import KeyPath, Problem
from kargo_fleet.text.words import enumerate_words


def problems(stages: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the problems with the soak time and the availability of Freight in a valid pipeline."""
    for name, stage in stages.items():
        here: KeyPath = ("stages", name)
        upstream = stage.get("upstream") or []
        strategy = stage.get("availabilityStrategy")
        soak = stage.get("requiredSoakTime")
        if soak and stage.get("direct"):
            message = f"stages.{name}.requiredSoakTime: has no effect with direct: true, which takes Freight at once"
            yield Problem("KFW306", message, "remove one of the two", (*here, "requiredSoakTime"))
        elif soak and upstream and strategy == "All" and (others := _others(stages, name, upstream)):
            yield _never(name, upstream, others, soak)
        elif strategy and len(upstream) < 2:
            message = f"stages.{name}.availabilityStrategy: has no effect with fewer than two upstream stages"
            yield Problem("KFW306", message, "remove it", (*here, "availabilityStrategy"))


def _never(name: str, upstream: list[str], others: list[str], soak: str) -> Problem:
    """Return the problem with `All` and a soak time.

    Kargo v1.11 compares the upstream stages with all stages that the Freight has soaked in: pkg/api/warehouse.go.
    """
    behind = enumerate_words(upstream)
    message = (
        f"stages.{name}.requiredSoakTime: with availabilityStrategy: All, Kargo v1.11 takes Freight only while it has soaked"
        f" in {behind} alone; {enumerate_words(others)} {'count' if len(others) > 1 else 'counts'}, too, so that {name} is"
        " never promoted automatically"
    )
    if len(upstream) == 1:
        fix = "remove availabilityStrategy"
    else:
        fix = f"remove requiredSoakTime, and let a verification of {behind} take {soak}; or remove availabilityStrategy"
    return Problem("KFW319", message, fix, ("stages", name, "requiredSoakTime"))


def _others(stages: Mapping[str, Any], name: str, upstream: list[str]) -> list[str]:
    """Return the stages that Freight may soak in before it is in one stage, except those right before it."""
    after = {name}
    while more := {
        stage for stage, given in stages.items() if stage not in after and after & {*(given.get("upstream") or [])}
    }:
        after |= more
    return [stage for stage in stages if stage not in after and stage not in upstream]
