"""CEL, the language of ValidatingAdmissionPolicies: literals, and JSON Schema's words as tests of one value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from kargo_fleet.text.go_regex import compiled

#: Keywords of JSON Schema that say nothing about a value.
_SILENT = frozenset(["description", "$comment"])
#: JSON Schema's types as CEL's, "" for those that CEL names otherwise.
_TYPES: Final = {"string": "string", "boolean": "bool", "null": "null_type", "array": "list", "object": "map"}
_LONGEST_LINE = 100


def literal(value: Any) -> str:
    """Return plain data as a CEL literal. Lists and maps hold values of one type: Kubernetes takes no others."""
    if isinstance(value, str):
        return "'" + json.dumps(value, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"
    if isinstance(value, Mapping):
        return _joined("{", [f"{literal(key)}: {literal(inner)}" for key, inner in value.items()], "}")
    if isinstance(value, list | tuple):
        return _joined("[", [literal(inner) for inner in value], "]")
    return json.dumps(value)


def _joined(begin: str, items: list[str], end: str) -> str:
    line = f"{begin}{', '.join(items)}{end}"
    return line if len(line) <= _LONGEST_LINE else f"{begin}\n  " + ",\n  ".join(items) + f"\n{end}"


def all_of(tests: Iterable[str]) -> str:
    """Return the test that all of these hold; each is in parentheses or needs none beside `&&`."""
    return " && ".join(tests) or "true"


def any_of(tests: Iterable[str]) -> str:
    """Return the test that one of these holds, in parentheses."""
    return f"({' || '.join(tests) or 'false'})"


def schema_test(schema: Any, value: str) -> str | None:
    """Return the test that the value of an expression satisfies a JSON Schema, None when CEL cannot say the same.

    `value` may be evaluated several times: a variable.
    """
    return _schema(schema, f"dyn({value})")


def _schema(schema: Any, value: str) -> str | None:
    if isinstance(schema, bool):
        return literal(schema)
    tests = [_word(word, given, value) for word, given in schema.items() if word not in _SILENT]
    known = [test for test in tests if test is not None]
    if len(known) < len(tests):
        return None
    return known[0] if len(known) == 1 else f"({all_of(known)})"


def _word(word: str, given: Any, value: str) -> str | None:
    if word == "const":
        return _equals(value, given)
    if word == "enum":
        equal = [_equals(value, one) for one in given]
        return any_of(test for test in equal if test) if all(equal) else None
    if word == "type":
        names = [_TYPES.get(one, "") for one in ([given] if isinstance(given, str) else given)]
        return any_of(f"type({value}) == {name}" for name in names) if all(names) else None
    if word == "pattern":
        return f"(type({value}) != string || {value}.matches({literal(given)}))" if compiled(given) else None
    if word in ("minLength", "maxLength"):
        sign = ">=" if word == "minLength" else "<="
        return f"(type({value}) != string || size({value}) {sign} {given})"
    if word == "not":
        inner = _schema(given, value)
        return f"!({inner})" if inner else None
    if word in ("allOf", "anyOf"):
        found = [_schema(one, value) for one in given]
        known = [one for one in found if one]
        text = f"({all_of(known)})" if word == "allOf" else any_of(known)
        return text if len(known) == len(found) else None
    return None


def _equals(value: str, given: Any) -> str | None:
    return f"{value} == {literal(given)}" if given is None or isinstance(given, str | bool) else None
