"""CEL, the language of ValidatingAdmissionPolicies: literals, tables, and JSON Schema's words as tests of one value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from kargo_fleet.text.go_regex import compiled

#: Keywords of JSON Schema that say nothing about a value.
_SILENT = frozenset(["description", "$comment"])
#: JSON Schema's types as CEL's, "" for those that CEL names otherwise.
_TYPES: Final = {"string": "string", "boolean": "bool", "null": "null_type", "array": "list", "object": "map"}
_LONGEST_LINE = 100
#: Characters of the items in one expression. The API server refuses an expression of more than 100,000 (cel-go's default).
_LONGEST_TABLE = 80_000


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


def identifier(*words: str) -> str:
    """Return a name for a variable: words of a-z, 0-9 and -, joined."""
    return "_".join(words).replace("-", "_")


def lookup(name: str, table: Mapping[str, Any], key: str, default: Any) -> dict[str, str]:
    """Return variables of which `name` is what a table has for a key; the others hold parts of a long table."""
    if not table:
        return {name: literal(default)}
    parts = [literal(dict(part)) for part in _parts(list(table.items()))]
    if len(parts) == 1:
        return {name: f"{parts[0]}[?{key}].orValue({literal(default)})"}
    named = {f"{name}{number}": part for number, part in enumerate(parts, 1)}
    first, *rest = (f"variables.{part}[?{key}]" for part in named)
    return {**named, name: f"{first}{''.join(f'.or({one})' for one in rest)}.orValue({literal(default)})"}


def is_one_of(name: str, items: Sequence[str], key: str) -> dict[str, str]:
    """Return variables of which `name` tells whether a key is one of some texts; the others hold parts of a long list."""
    parts = [f"{key} in {literal(part)}" for part in _parts(items)] or ["false"]
    if len(parts) == 1:
        return {name: parts[0]}
    named = {f"{name}{number}": part for number, part in enumerate(parts, 1)}
    return {**named, name: " || ".join(f"variables.{part}" for part in named)}


def _parts(items: Sequence[Any]) -> Iterator[list[Any]]:
    """Yield the items in parts, each short enough for an expression."""
    part: list[Any] = []
    length = 0
    for item in items:
        size = len(literal(item)) + 4  # with what is around it
        if part and length + size > _LONGEST_TABLE:
            yield part
            part, length = [], 0
        part.append(item)
        length += size
    if part:
        yield part


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
