"""Settings that exclude each other, or add up, and come from two layers: maps merge, so that no file shows both of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kargo_fleet.findings import KeyPath, Place, Problem, dotted, value_at
from kargo_fleet.fleet.layers import Layer
from kargo_fleet.fleet.pipeline import Pipeline, section
from kargo_fleet.text.words import enumerate_words

_SAYS = ("mutually exclusive", "only one is allowed")
#: Keys that exclude each other, by the path of what has them; "*" is any name. With each, what takes it out in a stronger layer.
_EXCLUSIVE: dict[KeyPath, dict[KeyPath, str]] = {
    ("rbac", "bindings", "*"): {("role",): "role: null", ("roleRef",): "roleRef: null"},
    ("stages", "*", "promotion"): {("steps", "replace"): "steps: {replace: []}", ("task", "name"): 'task: {name: ""}'},
    ("stages", "*", "promotion", "render"): {("helm",): "", ("kustomize",): ""},
    ("stages", "*", "promotion", "updates", "*"): {("yaml",): "", ("kustomize",): "", ("helmDependency",): ""},
}


def explained(problem: Problem, layers: Sequence[Layer]) -> Problem:
    """Return a problem with keys that exclude each other; where two layers have these, with a fix that names the places."""
    if not problem.message.endswith(_SAYS):
        return problem
    keys = next((keys for pattern, keys in _EXCLUSIVE.items() if _fits(problem.path, pattern)), {})
    said = {key: _strongest(layers, (*problem.path, *key)) for key in keys}
    found = sorted((rank, key) for key, rank in said.items() if rank is not None)
    if len({index for (index, _), _ in found}) < 2:
        return problem
    places = {key: layers[index].place(path) for (index, path), key in found}
    where = enumerate_words([f"{dotted(key)} comes from {place}" for key, place in places.items()])
    (_, weaker), *_, (_, stronger) = found
    fix = f"set {keys[weaker]} to keep {dotted(stronger)}" if keys[weaker] else problem.fix
    return problem._replace(fix=f"{fix}; {where}")


def warnings(pipeline: Pipeline, layers: Sequence[Layer]) -> Iterator[Problem]:
    """Yield a problem where one layer takes Freight of a Warehouse directly, and another one from upstream stages."""
    for name, stage in pipeline.stages.items():
        for key, request in section(stage.given, "requestedFreight").items():
            if not (request and request.get("direct") and request.get("upstream")):
                continue
            path: KeyPath = ("stages", name, "requestedFreight", key)
            direct, upstream = (_strongest(layers, (*path, one)) for one in ("direct", "upstream"))
            if direct is None or upstream is None or direct[0] == upstream[0]:
                continue
            stronger, weaker = ("upstream", "direct") if upstream > direct else ("direct", "upstream")
            yield _both_ways(
                path, stronger, layers[min(direct, upstream)[0]].place((*path, weaker)), request["upstream"]
            )


def _both_ways(path: KeyPath, stronger: str, weaker: Place, upstream: Sequence[str]) -> Problem:
    sources, other = enumerate_words(list(upstream)), "direct" if stronger == "upstream" else "upstream"
    message = f"{dotted(path)}: takes Freight directly and from {sources}; {other} comes from {weaker}, and maps merge"
    if stronger == "upstream":
        fix = f"set direct: false beside it for {sources} alone, or direct: true for both"
    else:
        fix = f"set upstream: [] beside it for direct alone, or upstream: [{', '.join(upstream)}] for both"
    return Problem("KFW322", message, fix, (*path, stronger))


def _fits(path: KeyPath, pattern: KeyPath) -> bool:
    return len(path) == len(pattern) and all(two in ("*", one) for one, two in zip(path, pattern, strict=True))


def _strongest(layers: Sequence[Layer], path: KeyPath) -> tuple[int, KeyPath] | None:
    """Return the index of the strongest layer that sets the value at `path`, and where in it: for the stage, or for all."""
    of_all: KeyPath = ("promotion", *path[3:]) if path[0] == "stages" and path[2] == "promotion" else path
    for index in reversed(range(len(layers))):
        for where in (path, of_all):
            if value_at(layers[index].values, where):
                return index, where
    return None
