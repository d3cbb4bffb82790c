"""Soak times that Kargo does not honour, or that never end."""

from __future__ import annotations

from collections.abc import Iterator

from kargo_fleet.findings import Problem, dotted, value_at
from kargo_fleet.fleet.freight import Request
from kargo_fleet.fleet.pipeline import Pipeline
from kargo_fleet.text.words import enumerate_words


def problems(pipeline: Pipeline) -> Iterator[Problem]:
    """Yield the problems with the soak time and the availability of Freight in a valid pipeline."""
    for name, stage in pipeline.stages.items():
        for one in stage.requests:
            soak, availability = (*one.path, "requiredSoakTime"), (*one.path, "availabilityStrategy")
            if one.soak and one.direct and one.upstream:
                message = f"{dotted(soak)}: has no effect with direct: true, which takes Freight at once"
                yield Problem("KFW306", message, "remove one of the two", soak)
            elif one.soak and not one.upstream:
                if value_at(pipeline.values, soak):  # what an entry of requestedFreight inherits is for the others
                    message = f"{dotted(soak)}: has no effect without an upstream stage"
                    yield Problem("KFW306", message, "remove it, or set upstream", soak)
            elif one.soak and (gates := _gates(pipeline, one)):
                yield _behind_gates(name, one, gates)
            elif one.soak and one.availability == "All" and (others := _others(pipeline, name, one)):
                yield _never(name, one, others)
            elif one.availability and len(one.upstream) < 2 and value_at(pipeline.values, availability):
                message = f"{dotted(availability)}: has no effect with fewer than two upstream stages"
                yield Problem("KFW306", message, "remove it", availability)


def _gates(pipeline: Pipeline, request: Request) -> list[str]:
    """Return the control flow stages before a stage, if it can have Freight from no other."""
    gates = [name for name in request.upstream if (stage := pipeline.stages.get(name)) and stage.is_control_flow]
    return gates if len(gates) == len(request.upstream) or request.availability == "All" else []


def _behind_gates(name: str, request: Request, gates: list[str]) -> Problem:
    """Return the problem with a soak time behind control flow stages.

    Freight counts as soaked while it is in a stage's history, and a control flow stage has none: pkg/api/warehouse.go.
    """
    path, where = (*request.path, "requiredSoakTime"), enumerate_words(gates)
    message = f"{dotted(path)}: Freight never soaks in a control flow stage ({where}), so that it never becomes available to {name}"
    return Problem("KFW319", message, f"set requiredSoakTime of {where} instead", path)


def _never(name: str, request: Request, others: list[str]) -> Problem:
    """Return the problem with `All` and a soak time.

    Kargo v1.11 compares the upstream stages with all stages that the Freight has soaked in: pkg/api/warehouse.go.
    """
    behind = enumerate_words(request.upstream)
    path = (*request.path, "requiredSoakTime")
    message = (
        f"{dotted(path)}: with availabilityStrategy: All, Kargo v1.11 takes Freight only while it has soaked"
        f" in {behind} alone; {enumerate_words(others)} {'count' if len(others) > 1 else 'counts'}, too, so that {name} is"
        " never promoted automatically"
    )
    if len(request.upstream) == 1:
        fix = "remove availabilityStrategy"
    else:
        fix = f"remove requiredSoakTime, and let a verification of {behind} take {request.soak}; or remove availabilityStrategy"
    return Problem("KFW319", message, fix, path)


def _others(pipeline: Pipeline, name: str, request: Request) -> list[str]:
    """Return the stages that a Warehouse's Freight may soak in before it is in one stage, except those right before it."""
    sources = {
        stage.name: {*one.upstream}
        for stage in pipeline.stages.values()
        for one in stage.requests
        if one.key == request.key
    }
    after = {name}
    while more := {stage for stage, upstream in sources.items() if stage not in after and after & upstream}:
        after |= more
    return [stage for stage in sources if stage not in after and stage not in request.upstream]
