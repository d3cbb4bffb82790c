"""JSON Schema with readable messages: the key, its value, what is allowed, a suggestion after a typo."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import jsonschema_rs

from kargo_fleet.findings import KeyPath, Problem, dotted
from kargo_fleet.text import image_references
from kargo_fleet.text.schema_nodes import Node, child, referred, resolved, without_names
from kargo_fleet.text.words import closest

# Keys of older Kargo releases or of other tools, and their names in these schemas.
_FORMER_NAMES = {
    "semverConstraint": "constraint",
    "allowTags": "allowTagsRegexes",
    "ignoreTags": "ignoreTagsRegexes",
    "autoPromotion": "autoPromotionEnabled",
    "repository": "repoURL",
    "repoUrl": "repoURL",
    "soakTime": "requiredSoakTime",
    "upstreams": "upstream",
}
_TYPE_NAMES = {
    "object": "a mapping",
    "array": "a list",
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "a boolean (true or false)",
}

#: How many unknown keys get a suggestion: looking for similar keys takes time, and nobody reads more.
_MOST_SUGGESTIONS = 1000
#: The fix where the schema does not say what is allowed.
SEE_README = "see the chart's README"


def validator(schema: Mapping[str, Any]) -> jsonschema_rs.Validator:
    """Compile a JSON Schema. Its patterns take linear time, and are those that Go knows; nothing is read from the network.

    Raises ValueError, jsonschema_rs.ValidationError or jsonschema_rs.ReferencingError.
    """
    return jsonschema_rs.validator_for(dict(schema), offline=True, pattern_options=jsonschema_rs.RegexOptions())


class Schema:
    """A compiled schema. It is never completed from the network."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.data = schema
        self._validator = validator(schema)

    def is_valid(self, data: Any) -> bool:
        """Return whether the data is valid; thousands of times faster than `problems`."""
        return bool(self._validator.is_valid(data))

    def problems(self, data: Any) -> list[Problem]:
        """Return all problems of the data, [] when it is valid."""
        if self.is_valid(data):
            return []
        found = dict.fromkeys(self._names(self.data, data, ()))
        for error in self._nameless.iter_errors(data):
            found.update(dict.fromkeys(self._explain(error, suggests=len(found) < _MOST_SUGGESTIONS)))
        return list(found) or [Problem("KF103", "the document: is invalid", SEE_README)]

    @cached_property
    def _nameless(self) -> jsonschema_rs.Validator:
        """The schema without its `propertyNames`: for each invalid name, the library copies the whole mapping."""
        return validator(without_names(self.data))

    def _names(self, node: Node, data: Any, path: KeyPath) -> Iterator[Problem]:
        """Yield a problem for each key that `propertyNames` does not allow."""
        node = resolved(self.data, node)
        if isinstance(data, dict) and (allowed := node.get("propertyNames")):
            allowed = resolved(self.data, allowed)
            names = validator(allowed)
            for key in data:
                if not names.is_valid(key):
                    message = f"{dotted(path) or 'the document'}: {json.dumps(key)} is not a valid key"
                    yield Problem("KF103", message, _expected(allowed, key), (*path, key), at_key=True)
        for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
            inner = child(self.data, node, key) if isinstance(value, dict | list) else None
            if inner is not None:
                yield from self._names(inner, value, (*path, key))

    def _explain(self, error: jsonschema_rs.ValidationError, *, suggests: bool) -> Iterator[Problem]:
        instance: Any = error.instance
        path: KeyPath = tuple(error.instance_path)
        kind = error.kind.name
        details: dict[str, Any] = error.kind.as_dict()
        subschema = self._at(error.schema_path[:-1])
        name = dotted(path) or "the document"
        if kind == "additionalProperties":
            allowed = list(subschema.get("properties", {}))
            for index, key in enumerate(details["unexpected"]):
                message = f"{dotted((*path, key))}: unknown key"
                fix = _suggest(key, allowed) if suggests and index < _MOST_SUGGESTIONS else ""
                yield Problem("KF101", message, fix, (*path, key), at_key=True)
        elif kind == "propertyNames":  # where `_names` does not come
            yield Problem("KF103", f"{name}: has a key that is not valid", SEE_README, path)
        elif kind == "type":
            types = [_TYPE_NAMES[name] for name in _types(subschema) if name != "null"]
            given = f"{_shown(instance)} is {_type_name(instance)}"
            fix = f"write {' or '.join(types)}"
            if types == ["a string"] and isinstance(instance, int | float):
                fix = _quoted(subschema, instance)
            elif types == ["a list"] and isinstance(instance, str):
                fix = f"write a list: [{instance}]"
            elif types == ["a mapping"] and _are_names(instance):
                keys = ", ".join(f"{item}: {{}}" for item in instance)
                fix = f"write a mapping: {{{keys}}}"
            yield Problem("KF102", f"{name}: {given}, not {' or '.join(types)}", fix, path)
        elif kind == "required":
            key = details["property"]
            yield Problem("KF104", f"{name}: {key} is required", f"add {key}", (*path, key), at_key=True)
        elif kind in ("oneOfNotValid", "oneOfMultipleValid", "oneOf"):
            if not isinstance(instance, dict):
                return  # reported as an error of its own
            choices = ", ".join("/".join(choice["required"]) for choice in subschema["oneOf"])
            yield Problem(
                "KF104", f"{name}: exactly one of {choices} is required", f"set exactly one of {choices}", path
            )
        elif kind in ("minProperties", "maxProperties"):
            yield Problem("KF103", f"{name}: has the wrong number of keys", _count(subschema), path)
        elif kind == "maxLength":
            most = subschema["maxLength"]
            message = f"{name}: {_shown(instance)} is {len(instance)} characters long; at most {most} are allowed"
            yield Problem("KF103", message, f"use at most {most} characters", path)
        elif kind == "pattern" and "reference" in subschema:
            why, wanted = image_references.explain(instance, subschema["reference"])
            message = f"{name}: {_shown(instance)} is not allowed" + (why and f"; {why}")
            yield Problem("KF103", message, _written(path, wanted) or _expected(subschema, instance), path)
        else:
            yield Problem("KF103", f"{name}: {_shown(instance)} is not allowed", _expected(subschema, instance), path)

    def _at(self, path: list[str | int]) -> dict[str, Any]:
        node: Any = self.data
        for part in path:
            while isinstance(node, Mapping) and part not in node and "$ref" in node:
                node = referred(self.data, node["$ref"])
            if part == "$ref":
                node = referred(self.data, node["$ref"])
            else:
                node = node[part]
        while isinstance(node, Mapping) and "$ref" in node:
            node = referred(self.data, node["$ref"])
        return dict(node) if isinstance(node, Mapping) else {}


def _types(subschema: Mapping[str, Any]) -> list[str]:
    types = subschema.get("type", [])
    return [types] if isinstance(types, str) else list(types)


def _type_name(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "a boolean"
    return {int: "a number", float: "a number", str: "a string", list: "a list", dict: "a mapping"}[type(value)]


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _suggest(key: str, allowed: list[str]) -> str:
    guess = closest(key, allowed) or _FORMER_NAMES.get(key, "")
    if guess in allowed:
        return f"did you mean {guess}?"
    return f"allowed here: {', '.join(allowed)}" if allowed else "remove it"


def _written(path: KeyPath, value: str) -> str:
    """Return the fix that gives a key, or an option of the command line, another value; "" without a value."""
    key = str(path[-1])
    separator = "=" if key.startswith("--") else ": "
    return f"write {key}{separator}{value}" if value else ""


def _expected(subschema: Mapping[str, Any], value: Any) -> str:
    if isinstance(value, str) and "maxLength" in subschema and len(value) > subschema["maxLength"]:
        return f"use at most {subschema['maxLength']} characters"
    if value in ([], "") and "emptyErrorMessage" in subschema:
        return str(subschema["emptyErrorMessage"])
    if value == []:
        return "add an item, or remove the key"
    if "enum" in subschema:
        return "use one of " + ", ".join(str(item) for item in subschema["enum"] if item not in (None, ""))
    if "words" in subschema and (close := closest(str(value), subschema["words"])):
        return f"did you mean {close}?"
    if "patternErrorMessage" in subschema:
        return f"write {subschema['patternErrorMessage']}"
    if "minimum" in subschema and "maximum" in subschema:
        return f"use a number from {subschema['minimum']} to {subschema['maximum']}"
    if "minimum" in subschema:
        return f"use a number of at least {subschema['minimum']}"
    if subschema.get("uniqueItems") and isinstance(value, list):
        return "remove the duplicates"
    if subschema.get("minLength") or subschema.get("minItems"):
        return "must not be empty"
    return SEE_README


def _quoted(subschema: Mapping[str, Any], value: Any) -> str:
    text = json.dumps(value)
    if not validator(subschema).is_valid(text):
        return _expected(subschema, value)
    # 1.10 is parsed as 1.1, so the original string is unknown.
    return "quote it" if isinstance(value, float) else f'quote it: "{text}"'


def _count(subschema: Mapping[str, Any]) -> str:
    keys = ", ".join(subschema.get("properties", {}))
    if not keys:
        return "must not be empty"
    if subschema.get("minProperties") == subschema.get("maxProperties") == 1:
        return f"set exactly one of {keys}"
    return f"set name and one of {keys.removeprefix('name, ')}"


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)
