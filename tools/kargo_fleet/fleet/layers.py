"""One source of values, and the place in it that a problem comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from kargo_fleet.findings import Finding, KeyPath, Place, Problem, Severity, dotted
from kargo_fleet.fleet.names import FLEET_FILE
from kargo_fleet.text import placeholders, yaml_reader
from kargo_fleet.text.json_schema import Schema
from kargo_fleet.text.words import plural

#: How many errors of one service are reported, and how many warnings.
_MOST = 100

T = TypeVar("T")


@dataclass(frozen=True)
class Layer:
    """Values from one place: `values` are at `base` in `file`, whose content is `text`."""

    file: str
    base: KeyPath
    values: dict[str, Any]
    text: str = field(repr=False, default="")

    def place(self, path: KeyPath, *, key: bool = False) -> Place:
        """Return the place of the value at `path`, or of the deepest part of the path that exists."""
        position, _ = yaml_reader.locate(self.text, (*self.base, *path), key=key)
        return Place(self.file, *position)


def for_team(layer: Layer, team: str, *, escapes: bool = False) -> Layer:
    """Return the layer with `<team>` replaced, where the layout has teams; see `placeholders.filled` for `escapes`."""
    if "<team>" not in layer.text:  # as in nearly all
        return layer
    return replace(layer, values=placeholders.filled(layer.values, "team", team or "<team>", escapes=escapes))


def schema_findings(schema: Schema, layer: Layer, service: str = "") -> list[Finding]:
    """Validate a layer by a schema; places are looked up only for an invalid layer."""
    return in_one_layer(layer_problems(schema, layer), layer, service)


def layer_problems(schema: Schema, layer: Layer) -> list[Problem]:
    """Return the problems of a layer by itself: with its shape, and with placeholders that nothing replaces."""
    literal = placeholders.problems(schema.data, layer.values) if "<" in layer.text else []
    explained = {problem.path for problem in literal if problem.is_error}
    return [problem for problem in schema.problems(layer.values) if problem.path not in explained] + literal


def in_layer(problem: Problem, layer: Layer, service: str = "") -> Finding:
    """Return the finding for a problem with the values of one layer, at its place in the layer's file."""
    prefix = f"{dotted(layer.base)}." if layer.base and problem.path else ""
    return problem._replace(message=prefix + problem.message).at(layer.place(problem.path, key=problem.at_key), service)


def in_layers(problem: Problem, layers: Sequence[Layer], default: Place, service: str) -> Finding:
    """Return the finding for a problem with the merged values of a service, at the place that it comes from."""
    return attributed(problem, origin(layers, problem.path, default, key=problem.at_key), service)


def attributed(problem: Problem, place: Place, service: str) -> Finding:
    """Return the finding for a problem at `place`: a service's own, unless the place is in the file that all share."""
    return problem.at(place, "" if place.file == FLEET_FILE else service)


def in_one_layer(problems: Sequence[Problem], layer: Layer, service: str = "") -> list[Finding]:
    """Return the findings for problems with the values of one layer, as many as `bounded` leaves: places cost time."""
    kept, more = _first(problems, lambda problem: problem.is_error)
    return [*(in_layer(problem, layer, service) for problem in kept), *_further(more, Place(layer.file), service)]


def bounded(findings: Sequence[Finding], place: Place, service: str) -> list[Finding]:
    """Return the findings about a service, no more than 100 errors and as many warnings; a last one, at `place`, counts the others."""
    if len(findings) <= _MOST:
        return list(findings)
    counted = [finding for finding in findings if finding.code in ("KF006", "KFW006")]
    kept, more = _first(
        [finding for finding in findings if finding not in counted], lambda finding: finding.severity is Severity.ERROR
    )
    return [*kept, *counted, *_further(more, place, service)]


def _first(found: Sequence[T], is_error: Callable[[T], bool]) -> tuple[list[T], dict[bool, int]]:
    """Return the first errors and warnings, in order, and how many there are more of each."""
    if len(found) <= _MOST:
        return list(found), {}
    kept, count = [], {True: 0, False: 0}
    for one in found:
        kind = is_error(one)
        count[kind] += 1
        if count[kind] <= _MOST:
            kept.append(one)
    return kept, {kind: number - _MOST for kind, number in count.items() if number > _MOST}


def _further(more: Mapping[bool, int], place: Place, service: str) -> Iterator[Finding]:
    for is_error, number in more.items():
        what = plural(number, "further error" if is_error else "further warning")
        message = f"{what} of {service or place.file} {'is' if number == 1 else 'are'} not listed"
        yield Finding(place, "KF006" if is_error else "KFW006", message, "correct those that are listed first", service)


def once_per_pipeline(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings about the merged values of a service; a mistake that several stages inherit is one."""
    first: dict[tuple[Place, str, KeyPath, str], Finding] = {}
    for finding in findings:
        path = finding.path
        is_promotion = path[:1] == ("stages",) and path[2:3] == ("promotion",)
        key = (
            (finding.place, finding.code, path[2:], "")
            if is_promotion
            else (finding.place, finding.code, path, finding.message)
        )
        first.setdefault(key, finding)
    return list(first.values())


def origin(layers: Sequence[Layer], path: KeyPath, default: Place, *, key: bool = False) -> Place:
    """Return the place that a problem with the merged value at `path` comes from, with `key` that of its key.

    That is in the strongest layer that sets it; if none does, in the layer that has the longest part of the path;
    `default` if no layer has any of it. A stage's promotion may come from the promotion of all stages.
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
    return best[1].place(best[2], key=key) if best else default


def says(layers: Sequence[Layer], path: KeyPath) -> bool:
    """Return whether any layer has a value at `path`, as opposed to the chart's default."""
    return last(layers, path) >= 0


def last(layers: Sequence[Layer], path: KeyPath) -> int:
    """Return the index of the strongest layer that sets `path`, -1 if none does."""
    wanted = len(path)
    for index in range(len(layers) - 1, -1, -1):
        if _depth(layers[index].values, path) == wanted:
            return index
    return -1


def decides(layers: Sequence[Layer], path: KeyPath) -> bool:
    """Return whether any layer decides the value at `path`: sets it, or removes it or a mapping around it."""
    wanted = len(path)
    return any(_depth(layer.values, path) == wanted or _removes(layer.values, path) for layer in layers)


def _removes(values: Any, path: KeyPath) -> bool:
    for part in path:
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
        if values is None:
            return True
    return False


def _depth(values: Any, path: KeyPath) -> int:
    for depth, part in enumerate(path):
        if not isinstance(values, dict | list):
            return depth
        try:
            values = values[part]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return depth
    return len(path)
