"""The parts of a JSON Schema that describe the keys and items of a document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Node = Mapping[str, Any]


def referred(root: Node, reference: str) -> Any:
    """Return what a `$ref` within the schema `root`, such as #/definitions/stage, leads to."""
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def resolved(root: Node, node: Node) -> Node:
    """Return a node of the schema `root` without its `$ref`; what stands beside the reference wins."""
    while "$ref" in node:
        own = {key: value for key, value in node.items() if key != "$ref"}
        node = {**referred(root, node["$ref"]), **own}
    return node


def child(root: Node, node: Node, key: str | int) -> Node | None:
    """Return the node for a key or an item, {} where the schema leaves it open, None where it knows no such key."""
    node = resolved(root, node)
    if isinstance(key, int):
        found = node.get("items", {})
    else:
        found = node.get("properties", {}).get(key, node.get("additionalProperties", True))
    return None if found is False else resolved(root, {} if found is True else found)


def at(root: Node, *path: str) -> Node:
    """Return the node of a key of a document, such as `at(schema, "git", "branch")`. Raises KeyError if there is none."""
    node = root
    for key in path:
        node = resolved(root, resolved(root, node)["properties"][key])
    return node


def names_are_free(root: Node, node: Node) -> bool:
    """Return whether people choose the keys of a mapping: those of `stages`, as opposed to those of `git`."""
    node = resolved(root, node)
    return not node.get("properties") and "enum" not in node.get("propertyNames", {})


def without_names(node: Node) -> dict[str, Any]:
    """Return a JSON Schema without the `propertyNames` of the nodes that `child` leads to."""
    found: dict[str, Any] = {}
    for key, value in node.items():
        if key in ("properties", "definitions", "$defs") and isinstance(value, Mapping):
            parts = value.items()
            found[key] = {name: without_names(part) if isinstance(part, Mapping) else part for name, part in parts}
        elif key in ("additionalProperties", "items") and isinstance(value, Mapping):
            found[key] = without_names(value)
        elif key != "propertyNames":
            found[key] = value
    return found
