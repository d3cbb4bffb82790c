"""JSON Schemas as editors show them: the default of every key, as the keyword `default` and in its description."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kargo_fleet.text.schema_nodes import referred


def with_defaults(schema: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of `schema` in which every key of `values` has its value there as `default`.

    A mapping whose keys the schema lists has no default of its own, its keys have. Keys that the schema does not have
    are ignored.
    """
    copied = _copy(schema)
    _fill(copied, copied, values)
    return copied


def with_described_defaults(schema: Mapping[str, Any], label: str = "Default") -> dict[str, Any]:
    """Return a copy of `schema` whose descriptions end with the default: "Default: `5m`.".

    yaml-language-server completes a key with `default` and does not show it on hover. Empty defaults are not described, nor
    is a description changed that has the word "Default".
    """
    copied = _copy(schema)
    for node in properties_of(copied):
        shown = _shown(node.get("default"))
        description = node.get("description", "")
        if shown and "Default" not in description:
            node["description"] = f"{description} {label}: `{shown}`.".lstrip()
    return copied


def without_defaults(schema: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """Return a copy of `schema` in which the keys at `paths` (image.repoURL) have no `default`; unknown keys are ignored."""
    copied = _copy(schema)
    for path in paths:
        node: dict[str, Any] | None = copied
        for key in path.split("."):
            node = resolved(copied, node).get("properties", {}).get(key) if node else None
        if node:
            node.pop("default", None)
    return copied


def properties_of(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the schema of every property, at every depth, once."""
    for keyword in ("properties", "definitions"):
        for inner in schema.get(keyword, {}).values():
            if keyword == "properties":
                yield inner
            yield from properties_of(inner)
    for keyword in ("items", "additionalProperties"):
        if isinstance(inner := schema.get(keyword), dict):
            yield from properties_of(inner)


def resolved(root: Mapping[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Return the definition in `root` that a node refers to, or the node itself."""
    while "$ref" in node:
        node = referred(root, node["$ref"])
    return node


def _copy(schema: Mapping[str, Any]) -> dict[str, Any]:
    # copy.deepcopy keeps parts that two keys share as one, and each key has a default of its own.
    copied: dict[str, Any] = json.loads(json.dumps(schema))
    return copied


def _fill(root: dict[str, Any], node: dict[str, Any], values: Mapping[str, Any]) -> None:
    properties = resolved(root, node)["properties"]
    for key, value in values.items():
        if key not in properties:
            continue
        if isinstance(value, Mapping) and "properties" in resolved(root, properties[key]):
            _fill(root, properties[key], value)
        else:
            properties[key]["default"] = value


def _shown(value: Any) -> str:
    if value in (None, "", [], {}):
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
