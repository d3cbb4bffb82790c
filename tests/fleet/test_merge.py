"""Layers merge as Helm merges values files, and what is written out is what the chart then sees."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helm import CHART, ROOT, values_of
from kargo_fleet.fleet.chart import read_chart
from kargo_fleet.fleet.merge import difference, merge
from kargo_fleet.text import yaml_writer
from properties import examples

_scalars = st.sampled_from([0, 1, 0.5, True, False, "", "a"])
_keys = st.sampled_from("abcd")


def _maps(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Maps of few keys, so that two of them have much in common."""
    lists = st.lists(leaves | st.dictionaries(_keys, leaves, max_size=2), max_size=2)
    values = st.recursive(leaves | lists, lambda inner: st.dictionaries(_keys, inner, max_size=4), max_leaves=12)
    return st.dictionaries(_keys, values, max_size=4)


_whole = _maps(_scalars)
_with_nulls = _maps(_scalars | st.none())


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same to YAML: 1 and true are not, maps in another order are."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


@examples(500)
@given(_with_nulls, _whole)
def test_the_difference_leads_to_what_is_wanted(base: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert _same(merge(base, difference(base, wanted)), wanted)


@given(_whole)
def test_there_is_no_difference_between_equals(values: dict[str, Any]) -> None:
    assert difference(values, copy.deepcopy(values)) == {}


@examples(300)
@given(_whole, _whole)
def test_nothing_can_be_left_out_of_the_difference(base: dict[str, Any], wanted: dict[str, Any]) -> None:
    overlay = difference(base, wanted)
    for path in _leaves(overlay):
        smaller = copy.deepcopy(overlay)
        parent = smaller
        for key in path[:-1]:
            parent = parent[key]
        del parent[path[-1]]
        assert not _same(merge(base, smaller), wanted)


def _leaves(values: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        yield from _leaves(value, (*path, key)) if isinstance(value, dict) and value else [(*path, key)]


@examples(200)
@given(_with_nulls, _with_nulls)
def test_the_inputs_stay_as_they_are(one: dict[str, Any], other: dict[str, Any]) -> None:
    before = copy.deepcopy((one, other))
    merge(one, other)
    difference(one, other)
    assert (one, other) == before


@given(_with_nulls, _with_nulls)
def test_merging_twice_is_merging_once(base: dict[str, Any], over: dict[str, Any]) -> None:
    once = merge(base, over)
    assert _same(merge(once, over), once)


def _shape(depth: int, leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Maps in which the same key always holds the same kind of value, as a schema has it."""
    inner = _shape(depth - 1, leaves) if depth else st.just({})
    kinds = {"map": inner, "other": inner, "text": leaves, "list": st.lists(_scalars, max_size=2)}
    return st.fixed_dictionaries({}, optional=kinds)


_shaped = _shape(2, _scalars)


@examples(200)
@given(_shaped, _shaped, _shaped)
def test_layers_can_be_merged_in_any_grouping(one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]) -> None:
    """Where no layer has a null, and a key holds a map in all of them or in none."""
    assert _same(merge(merge(one, two), three), merge(one, merge(two, three)))


@pytest.mark.parametrize(
    ("base", "over", "merged"),
    [
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}, {"a": {"x": 1, "y": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"x": 1}}, {"a": None}, {}),
        ({"a": {"x": 1}}, {"a": {"x": None}}, {"a": {}}),
        ({"a": {"x": 1}}, {"a": "text"}, {"a": "text"}),
        ({"a": "text"}, {"a": {"x": 1}}, {"a": {"x": 1}}),
        ({"a": 1}, {"a": {}}, {"a": {}}),
        ({"a": {"x": 1}}, {"a": {}}, {"a": {"x": 1}}),
        ({}, {"a": {"x": None, "y": {"z": None}}}, {"a": {"y": {}}}),
        ({}, {"a": [None, {"x": None}]}, {"a": [None, {"x": None}]}),
        ({"a": None}, {}, {"a": None}),
    ],
)
def test_merge(base: dict[str, Any], over: dict[str, Any], merged: dict[str, Any]) -> None:
    assert merge(base, over) == merged


@pytest.mark.parametrize(
    ("base", "wanted", "overlay"),
    [
        (1, True, True),
        ([1], [True], [True]),
        ([{"x": 0}], [{"x": False}], [{"x": False}]),
        ([0, 1], [0, 1, 2], [0, 1, 2]),
        ({"x": 1}, {}, {"x": None}),
        ({"x": 1}, 5, 5),
        (5, {"x": 1}, {"x": 1}),
    ],
)
def test_difference(base: Any, wanted: Any, overlay: Any) -> None:
    assert repr(difference({"a": base, "b": 1}, {"a": wanted, "b": 1})) == repr({"a": overlay})


def test_the_difference_keeps_the_order_of_its_sources() -> None:
    base = {"image": {"a": 1, "b": 2}, "stages": {"dev": {}, "prod": {}}, "git": 1}
    wanted = {"new": 1, "git": 2, "stages": {"test": {}, "prod": {}}, "image": {"b": 3, "a": 4}}
    overlay = difference(base, wanted)
    assert yaml_writer.document(overlay) == (
        "image:\n  a: 4\n  b: 3\nstages:\n  dev: null\n  test: {}\ngit: 2\nnew: 1\n"
    )


# -- Helm itself. Many cases in one start: each is one key of the values ----------------------------


def _random(chance: random.Random, depth: int, *, nulls: bool) -> dict[str, Any]:
    def value(depth: int) -> Any:
        kind = chance.random()
        if depth and kind < 0.5:
            return _random(chance, depth - 1, nulls=nulls)
        if kind < 0.6:
            return [chance.choice(["a", 1, None, {"x": None, "y": [1]}]) for _ in range(chance.randint(0, 2))]
        return chance.choice(["", "a", "no", 0, 1, True, False, 0.5, *([None] if nulls else [])])

    return {key: value(depth) for key in "abcde" if chance.random() < 0.6}


def test_helm_sees_what_was_wanted(tmp_path: Path) -> None:
    """What is shipped: the chart's defaults, and one file with the difference."""
    chance = random.Random(1)
    defaults = {f"k{i}": _random(chance, 3, nulls=False) for i in range(300)}
    wanted = {f"k{i}": _random(chance, 3, nulls=False) for i in range(300)}
    overlay = difference(defaults, wanted)
    assert _same(values_of(tmp_path, yaml_writer.document(defaults), yaml_writer.document(overlay)), wanted)


def test_helm_merges_one_layer_alike(tmp_path: Path) -> None:
    """Alike but for a null that has nothing to remove: Helm keeps it, to templates it is as good as nothing."""
    chance = random.Random(2)
    defaults = {f"k{i}": _random(chance, 3, nulls=False) for i in range(300)}
    over = {f"k{i}": _random(chance, 3, nulls=True) for i in range(300)}
    seen = values_of(tmp_path, yaml_writer.document(defaults), yaml_writer.document(over))
    assert _same(_without_nulls(seen), merge(defaults, over))


def _without_nulls(value: Any) -> Any:
    return {k: _without_nulls(v) for k, v in value.items() if v is not None} if isinstance(value, dict) else value


def test_helm_merges_two_layers_alike(tmp_path: Path) -> None:
    """Alike where a key holds a map in all layers or in none, and only the last layer removes maps.

    Helm merges the files first and the defaults last: a map that one file removes, and the next file sets again, is
    back with its defaults. In a fleet it is gone, and this is why one file is written that says so.
    """
    chance = random.Random(3)

    def shaped(depth: int, *, nulls: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key in ("map", "other") if depth else ():
            if chance.random() < 0.7:
                remove = "map" in nulls and chance.random() < 0.2
                found[key] = None if remove else shaped(depth - 1, nulls=nulls)
        for key, choices in (("text", ["a", "b"]), ("count", [0, 1]), ("list", [[], ["a", None]])):
            if chance.random() < 0.5:
                found[key] = None if "scalar" in nulls and chance.random() < 0.2 else chance.choice(choices)
        return found

    defaults, one, two = (
        {f"k{i}": shaped(3, nulls=nulls) for i in range(200)} for nulls in ("", "scalar", "scalar, map")
    )
    seen = values_of(tmp_path, *map(yaml_writer.document, (defaults, one, two)))
    assert _same(_without_nulls(seen), merge(merge(defaults, one), two))


def test_a_map_that_is_removed_and_set_again_is_back_in_helm(tmp_path: Path) -> None:
    layers: list[dict[str, Any]] = [{"a": {"x": 1}}, {"a": None}, {"a": {"y": 2}}]
    assert merge(merge(layers[0], layers[1]), layers[2]) == {"a": {"y": 2}}
    assert values_of(tmp_path, *map(yaml_writer.document, layers)) == {"a": {"x": 1, "y": 2}}


def test_helm_reads_the_charts_defaults_alike(tmp_path: Path) -> None:
    """Helm takes `no` and 017 for something else than this tool does, and drops what is null."""
    defaults = read_chart(ROOT, None).defaults
    assert _same(values_of(tmp_path, (CHART / "values.yaml").read_text()), defaults)
    assert _same(_without_nulls(defaults), defaults)
