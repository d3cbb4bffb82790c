"""One source of values, and finding the place in it that a problem comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kargo_fleet.findings import Finding, Place
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.json_schema import Schema, SchemaProblem, dotted
from kargo_fleet.text.yaml_reader import KeyPath


@dataclass(frozen=True)
class Layer:
    """Values that came out of one place: `values` stand at `base` in `file`, whose content is `text`."""

    file: str
    base: KeyPath
    values: dict[str, Any]
    text: str = field(repr=False, default="")

    def place(self, path: KeyPath, *, key: bool = False) -> Place:
        """Return where the value at `path` stands, or what of the path there is."""
        position, _ = yaml_reader.locate(self.text, (*self.base, *path), key=key)
        return Place(self.file, *position)


def schema_findings(schema: Schema, layer: Layer, service: str = "") -> list[Finding]:
    """Hold a layer to a schema; places are looked up only for a layer that breaks it."""
    return [finding(layer, problem, service) for problem in schema.problems(layer.values)]


def finding(layer: Layer, problem: SchemaProblem, service: str = "") -> Finding:
    """Return what a schema has against a layer, with its place."""
    message = f"{dotted(layer.base)}.{problem.message}" if layer.base and problem.path else problem.message
    return Finding(layer.place(problem.path, key=problem.at_key), problem.code, message, problem.fix, service)


def origin(layers: Sequence[Layer], path: KeyPath, default: Place) -> Place:
    """Return the place that a problem with the merged value at `path` comes from.

    That is the strongest layer that says it; when none says exactly this, the one that says most of the way to it;
    `default` when none says any of it. A stage's promotion may come from the promotion of all stages.
    """
    candidates = [path]
    if len(path) > 2 and path[0] == "stages" and path[2] == "promotion":
        candidates.append(("promotion", *path[3:]))
    best: tuple[float, Layer, KeyPath] | None = None
    for layer in reversed(layers):
        for candidate in candidates:
            depth = _depth(layer.values, candidate)
            share = depth / len(candidate)
            if depth and (best is None or share > best[0]):
                best = (share, layer, candidate)
    return best[1].place(best[2]) if best else default


def says(layers: Sequence[Layer], path: KeyPath) -> bool:
    """Say whether any layer has a value at `path`, as opposed to the chart's default."""
    return any(_depth(layer.values, path) == len(path) for layer in layers)


def _depth(values: Any, path: KeyPath) -> int:
    for depth, part in enumerate(path):
        if not isinstance(values, dict | list):
            return depth
        try:
            values = values[part]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return depth
    return len(path)
