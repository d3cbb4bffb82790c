"""Nulls that remove nothing, because no weaker layer has the key: `stages: {stagin: null}`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kargo_fleet.findings import KeyPath, Problem, dotted, value_at
from kargo_fleet.fleet.freight import INHERITED
from kargo_fleet.text.schema_nodes import Node, child, names_are_free
from kargo_fleet.text.words import did_you_mean

#: What a further Warehouse's `image` and `git` take from those of the service, see fleet/freight.py.
_INHERITED = [(key,) for key in INHERITED]
_Values = Mapping[str, Any]


def problems(schema: Node, values: _Values, weaker: Sequence[_Values]) -> list[Problem]:
    """Return a problem for each null of a layer that removes nothing; `weaker` are the layers that it is merged over.

    It is an error where people choose the names, and a warning elsewhere: there it cannot be a typo, which the schema
    would have reported. A key that a weaker layer only removes counts, too: the layers need not know of each other.
    """
    return [_problem(schema, values, weaker, path) for path in _idle(values, weaker)]


def _idle(values: _Values, weaker: Sequence[_Values]) -> Iterator[KeyPath]:
    for key, value in values.items():
        below = [layer[key] for layer in weaker if key in layer]
        if value is None and not below:
            yield (key,)
        elif isinstance(value, dict):
            for path in _idle(value, [found for found in below if isinstance(found, dict)]):
                yield (key, *path)


def _problem(schema: Node, values: _Values, weaker: Sequence[_Values], path: KeyPath) -> Problem:
    if (of_all := _of_all(path)) and any(value_at(layer, of_all) not in (None, "") for layer in (*weaker, values)):
        owner = "stage" if path[0] == "stages" else "Warehouse"
        message = f"{dotted(path)}: null removes nothing; {dotted(of_all)} still applies to this {owner}"
        return Problem("KF310", message, f"write the value that this {owner} should have", path, at_key=True)
    message = f"{dotted(path)}: null removes nothing; no weaker layer has this key"
    if not names_are_free(schema, _node(schema, path[:-1])):
        return Problem("KFW310", message, "remove it", path, at_key=True)
    otherwise = "remove it"
    if path[:-1] == ("stages",):
        otherwise = f"remove it, or write `{path[-1]}: {{}}` for a stage without settings of its own"
    return Problem("KF310", message, did_you_mean(str(path[-1]), _siblings(weaker, path), otherwise), path, at_key=True)


def _of_all(path: KeyPath) -> KeyPath:
    """Return the path of the setting that a stage or a further Warehouse has where it says nothing, () where there is none."""
    owner, own = path[:1], path[2:]
    if owner == ("stages",) and own[:1] in (("promotion",), ("git",)):
        return own if len(own) > 1 else ()
    if owner in (("stages",), ("warehouses",)) and own == ("shard",):
        return own
    if owner == ("warehouses",) and own[:1] in (("git",), ("image",)) and own[1:] in _INHERITED:
        return own
    return ("git", "branch") if owner == ("stages",) and own == ("branch",) else ()


def _node(schema: Node, path: KeyPath) -> Node:
    node = schema
    for part in path:
        node = child(schema, node, part) or {}
    return node


def _siblings(weaker: Sequence[_Values], path: KeyPath) -> list[str]:
    """Return the keys beside the one at `path` that the weaker layers have."""
    found: dict[str, bool] = {}
    for layer in weaker:
        beside = value_at(layer, path[:-1])
        for key, value in beside.items() if isinstance(beside, dict) else ():
            found[key] = value is not None
    return [key for key, there in found.items() if there]
