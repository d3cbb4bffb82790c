"""The default of a key, where an editor looks for it."""

from __future__ import annotations

from typing import Any

from kargo_fleet.text.editor_schema import properties_of, with_defaults, with_described_defaults, without_defaults

TEXT = {"type": "string", "description": "Some text."}


def _schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def test_each_key_gets_its_value() -> None:
    schema = _schema(a=TEXT, b=_schema(c=TEXT, d=TEXT))
    found = with_defaults(schema, {"a": "x", "b": {"c": "y"}})["properties"]
    assert found["a"]["default"] == "x"
    assert "default" not in found["b"]
    assert found["b"]["properties"]["c"]["default"] == "y"
    assert "default" not in found["b"]["properties"]["d"], "keys that share a schema in Python do not share a default"
    assert "default" not in TEXT, "the argument is left alone"


def test_an_open_map_is_one_value_and_an_unknown_key_none() -> None:
    found = with_defaults(_schema(labels={"type": "object"}), {"labels": {"a": "b"}, "other": 1})
    assert found == _schema(labels={"type": "object", "default": {"a": "b"}})


def test_keys_of_a_definition_have_their_defaults_there() -> None:
    schema = {
        **_schema(promotion={"$ref": "#/definitions/promotion"}, labels={"$ref": "#/definitions/labels"}),
        "definitions": {"promotion": _schema(path=TEXT), "labels": {"type": "object"}},
    }
    found = with_defaults(schema, {"promotion": {"path": "x"}, "labels": {}})
    assert found["definitions"]["promotion"]["properties"]["path"]["default"] == "x"
    assert found["properties"]["labels"] == {"$ref": "#/definitions/labels", "default": {}}
    assert "default" not in found["properties"]["promotion"]


def test_descriptions_end_with_the_default() -> None:
    schema = _schema(
        text={"description": "Interval.", "default": "5m"},
        flag={"description": "Create it.", "default": False},
        number={"description": "Share.", "default": 0},
        listed={"description": "Options.", "default": ["a=b", "c"]},
        empty={"description": "Empty: none.", "default": ""},
        none={"description": "Labels.", "default": {}},
        own={"description": "Limit. Default: that of Kargo.", "default": 1},
        unset={"description": "Name."},
    )
    found = with_described_defaults(schema)["properties"]
    assert {key: node["description"] for key, node in found.items()} == {
        "text": "Interval. Default: `5m`.",
        "flag": "Create it. Default: `false`.",
        "number": "Share. Default: `0`.",
        "listed": 'Options. Default: `["a=b", "c"]`.',
        "empty": "Empty: none.",
        "none": "Labels.",
        "own": "Limit. Default: that of Kargo.",
        "unset": "Name.",
    }


def test_a_default_is_described_once() -> None:
    chart = with_described_defaults(_schema(a={"description": "A.", "default": 1}), "Default of the chart")
    assert with_described_defaults(chart) == chart
    assert chart["properties"]["a"]["description"] == "A. Default of the chart: `1`."


def test_defaults_are_taken_out_by_path() -> None:
    schema = {
        **_schema(a=_schema(b={"default": 1}, c={"default": 2}), d={"$ref": "#/definitions/d"}),
        "definitions": {"d": _schema(e={"default": 3})},
    }
    found = without_defaults(schema, ["a.b", "d.e", "a.b.c", "x.y"])
    assert found["properties"]["a"] == _schema(b={}, c={"default": 2})
    assert found["definitions"]["d"] == _schema(e={})


def test_properties_are_found_at_every_depth() -> None:
    inner = _schema(deep={"title": "deep"})
    schema = {
        **_schema(a={"title": "a", "items": inner}, b={"title": "b", "additionalProperties": inner}, properties=TEXT),
        "definitions": {"c": inner},
    }
    assert [node.get("title", "text") for node in properties_of(schema)] == ["a", "deep", "b", "deep", "text", "deep"]
