"""YAML text that people read: block style, in the order given, with comments, every string safely quoted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# A plain scalar that no reader of YAML 1.1 or 1.2 takes for anything but a string.
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@+=-]*(:[A-Za-z0-9_./@+=-]+)*( [A-Za-z0-9_./@+-]+)*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
# Everything else, line breaks among it, is escaped.
_PRINTABLE = re.compile("[\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*")


@dataclass(frozen=True, slots=True)
class Note:
    """A value with a comment above its key or its list item."""

    comment: str
    value: Any


def dump(document: Mapping[str, Any], comment: str = "") -> str:
    """Return `document` as YAML, under `comment`. Values are maps, sequences, strings, numbers, booleans or Notes."""
    lines = [*_comment(comment, ""), *_mapping(document, "")]
    return "\n".join(lines) + "\n"


def scalar(value: Any) -> str:
    """Return a string, number or boolean as it stands in one line of YAML."""
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    if _PRINTABLE.fullmatch(value):
        return "'" + value.replace("'", "''") + "'"
    return '"' + "".join(_escaped(char) for char in value) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    return char if _PRINTABLE.fullmatch(char) else f"\\u{ord(char):04x}"


def _comment(text: str, indent: str) -> Iterator[str]:
    for line in text.splitlines():
        yield f"{indent}# {line}".rstrip()


def _split(value: Any) -> tuple[str, Any]:
    return (value.comment, value.value) if isinstance(value, Note) else ("", value)


def _mapping(value: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, item in value.items():
        comment, plain = _split(item)
        yield from _comment(comment, indent)
        yield from _entry(f"{indent}{scalar(key)}:", plain, indent)


def _entry(head: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield head
        yield from _mapping(value, indent + "  ")
    elif _is_list(value) and value:
        yield head
        yield from _sequence(value, indent + "  ")
    elif _is_block(value):
        yield head + (" |" if value.endswith("\n") else " |-")
        yield from (f"{indent}  {line}".rstrip() for line in value.rstrip("\n").split("\n"))
    else:
        yield f"{head} {_inline(value)}"


def _sequence(values: Sequence[Any], indent: str) -> Iterator[str]:
    for item in values:
        comment, plain = _split(item)
        yield from _comment(comment, indent)
        if isinstance(plain, Mapping) and plain:
            lines = list(_mapping(plain, indent + "  "))
            first = next(i for i, line in enumerate(lines) if not line.lstrip().startswith("#"))
            yield from (line[2:] for line in lines[:first])
            yield f"{indent}- {lines[first][len(indent) + 2 :]}"
            yield from lines[first + 1 :]
        else:
            yield f"{indent}- {_inline(plain)}"


def _inline(value: Any) -> str:
    if isinstance(value, Mapping) or _is_list(value):
        return json.dumps(value, ensure_ascii=False)  # an empty map, an empty list, or a list within a list
    return scalar(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_block(value: Any) -> bool:
    """Whether a literal block holds `value` exactly: lines of text that neither start nor end with white space."""
    if not isinstance(value, str) or "\n" not in value.rstrip("\n") or value.endswith("\n\n") or value[0].isspace():
        return False
    lines = value.removesuffix("\n").split("\n")
    return all(_PRINTABLE.fullmatch(line) and line == line.rstrip() for line in lines)
