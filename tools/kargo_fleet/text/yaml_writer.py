"""Writing YAML: the few shapes that generated files have, forty times faster than a general emitter.

The text means the same to YAML 1.1 and 1.2 readers (PyYAML, Helm, Kargo, editors); whatever one of them could take for
something else than a text is quoted.
"""

from __future__ import annotations

import json
import re
from typing import Any

# Safe as a plain scalar in a block: starts with no indicator, holds no `: ` and no ` #`.
_PLAIN = re.compile(
    r"(?!<<|\.\.)[A-Za-z/^<.](?:[A-Za-z0-9_./@^<>~+=()*-]|:(?=[A-Za-z0-9/])| (?=[A-Za-z0-9_./@^<>(]))*", re.ASCII
)
# What YAML 1.1 or 1.2 reads as something else than text although it starts like one.
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])
_NUMBER_LIKE = re.compile(r"\.(?:[0-9_]|inf|nan)", re.IGNORECASE)
_WIDTH = 100
_LONGEST_KEY = 1000  # parsers look for the colon of a longer one no further


def scalar(value: Any) -> str:
    """Return the YAML text of a string, number, bool or None, on one line."""
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _WORDS and not _NUMBER_LIKE.match(value):
            return value
        return quoted(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, int) else _float(value)


def quoted(value: str) -> str:
    """Return a string as a double-quoted scalar. JSON strings are YAML, but for three characters that YAML wants escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(
        "[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]", lambda match: f"\\u{ord(match[0]):04x}", text
    )


def _float(value: float) -> str:
    if value != value:
        return ".nan"
    if value in (float("inf"), float("-inf")):
        return ".inf" if value > 0 else "-.inf"
    text = repr(value)
    return text if "." in text or "e" not in text else text.replace("e", ".0e")


def document(data: dict[str, Any]) -> str:
    """Return the YAML text of a mapping: block style, keys in the order of the dicts, short lists of scalars on one line."""
    lines: list[str] = []
    _mapping(data, "", lines)
    return "\n".join(lines) + "\n" if lines else "{}\n"


def _mapping(data: dict[str, Any], indent: str, lines: list[str]) -> None:
    for key, value in data.items():
        head = f"{indent}{scalar(key)}:"
        if len(head) > _LONGEST_KEY:
            lines.append(f"{indent}? {scalar(key)}")
            head = f"{indent}:"
        _entry(head, value, indent, lines)


def _entry(head: str, value: Any, indent: str, lines: list[str]) -> None:
    if isinstance(value, dict) and value:
        lines.append(head)
        _mapping(value, indent + "  ", lines)
    elif isinstance(value, list) and value:
        flow = _flow(value)
        if flow and len(head) + len(flow) < _WIDTH:
            lines.append(f"{head} {flow}")
        else:
            lines.append(head)
            _sequence(value, indent + "  ", lines)
    else:
        lines.append(f"{head} {_leaf(value)}")


def _leaf(value: Any) -> str:
    if isinstance(value, dict):
        return "{}"
    return "[]" if isinstance(value, list) else scalar(value)


def _flow(items: list[Any]) -> str:
    if any(isinstance(item, dict | list) for item in items):
        return ""
    texts = [scalar(item) for item in items]
    # Old parsers take a colon in a flow list for the end of a key.
    return (
        "["
        + ", ".join(
            quoted(item) if ":" in text and text[0] != '"' else text for item, text in zip(items, texts, strict=True)
        )
        + "]"
    )


def _sequence(items: list[Any], indent: str, lines: list[str]) -> None:
    for item in items:
        inner: list[str] = []
        if isinstance(item, dict):
            _mapping(item, indent + "  ", inner)
        elif isinstance(item, list):
            _sequence(item, indent + "  ", inner)
        if inner:
            lines.append(f"{indent}- {inner[0].lstrip(' ')}")
            lines.extend(inner[1:])
        else:
            lines.append(f"{indent}- {_leaf(item)}")
