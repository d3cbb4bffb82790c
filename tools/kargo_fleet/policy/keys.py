"""Patterns of keys, such as `stages.*.git.**.insecureSkipTLSVerify`, and the values that they find.

A part is a key or the index of an item; `*` stands for any one, `**` for any number of them. `\\.` is a dot within a key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from kargo_fleet.findings import KeyPath

_DOT = re.compile(r"(?<!\\)\.")
ANY, ANY_NUMBER = "*", "**"


def parts_of(pattern: str) -> tuple[str, ...]:
    """Return the parts of a pattern of keys."""
    return tuple(part.replace("\\.", ".") for part in _DOT.split(pattern))


def matches(pattern: str, path: KeyPath) -> bool:
    """Return whether a pattern is that of a path, or of something that the path is in."""
    return _matches(parts_of(pattern), tuple(map(str, path)))


def _matches(parts: Sequence[str], path: Sequence[str]) -> bool:
    if not parts:
        return True
    if parts[0] == ANY_NUMBER:
        return any(_matches(parts[1:], path[start:]) for start in range(len(path) + 1))
    return bool(path) and parts[0] in (ANY, path[0]) and _matches(parts[1:], path[1:])


def found(pattern: str, values: Any) -> Iterator[tuple[KeyPath, Any]]:
    """Yield the path and the value of each key that a pattern finds; a key without wildcards is always one, with None.

    What is asked for by name and is not there is a value that nobody set, which a rule may forbid.
    """
    yield from _found(parts_of(pattern), values, ())


def _found(parts: Sequence[str], value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    if not parts:
        yield path, value
        return
    part, rest = parts[0], parts[1:]
    items: list[tuple[str | int, Any]] = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    if part == ANY_NUMBER:
        yield from _found(rest, value, path) if not rest or _is_there(rest[0], value) else ()
        for key, inner in items:
            yield from _found(parts, inner, (*path, key))
    elif part == ANY:
        for key, inner in items:
            yield from _found(rest, inner, (*path, key))
    else:
        known = {str(key): (key, inner) for key, inner in items}
        key, inner = known.get(part, (part, None))
        yield from _found(rest, inner, (*path, key))


def _is_there(part: str, value: Any) -> bool:
    """Return whether a value has a key: what `**` leads to is only looked at where it is."""
    if part in (ANY, ANY_NUMBER):
        return True
    return isinstance(value, dict) and part in value


def strings(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Yield each string in plain data, and each key of a mapping, with its path."""
    if isinstance(value, str):
        yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if isinstance(key, str):
            yield (*path, key), key
        yield from strings(inner, (*path, key))
