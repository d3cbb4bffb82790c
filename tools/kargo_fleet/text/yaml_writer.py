"""Write YAML: the few shapes of generated files, in half the time of PyYAML's C emitter, and with comments.

YAML 1.1 and 1.2 readers (PyYAML, Helm, Kargo, editors) read the same from the text: a string that any of them could read as
another type is quoted. Values files and manifests have different styles: see below.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from kargo_fleet.text.durations import WHOLE_PATTERN

# Scalars that start like a string, but are another type in YAML 1.1 or 1.2.
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])
_NUMBER_LIKE = re.compile(r"\.(?:[0-9_]|inf|nan)", re.IGNORECASE)
# Safe as a plain scalar in a block: starts with no indicator, holds no `: ` and no ` #`.
_PLAIN = re.compile(
    r"(?!<<|\.\.)[A-Za-z/^<.](?:[A-Za-z0-9_./@^<>~+=()*-]|:(?=[A-Za-z0-9/])| (?=[A-Za-z0-9_./@^<>(]))*", re.ASCII
)
_NARROW_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@+=-]*(:[A-Za-z0-9_./@+=-]+)*( [A-Za-z0-9_./@+-]+)*")
_DURATION = re.compile(WHOLE_PATTERN)
# Everything else, including line breaks, is escaped.
_PRINTABLE = re.compile("[\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*")
_WIDTH = 100
_LONGEST_KEY = 1000  # parsers do not find the colon of a longer key


@dataclass(frozen=True, slots=True)
class Note:
    """A value with a comment above its key or its list item."""

    comment: str
    value: Any


class Style(NamedTuple):
    """How values are written: a scalar on one line; short lists of scalars on one line; multi-line strings as blocks."""

    scalar: Callable[[Any], str]
    flow_lists: bool
    blocks: bool


def document(data: Mapping[str, Any], style: Style | None = None, comment: str = "") -> str:
    """Return the YAML text of a mapping: block style, keys in the order of the mappings, `comment` above it.

    `data` holds mappings, lists, strings, numbers, booleans, None, and Notes around any of them.
    """
    lines: list[str] = []
    _comment(comment, "", lines)
    _mapping(data, "", lines, style or COMPACT)
    return "\n".join(lines) + "\n" if lines else "{}\n"


def flow(data: Any) -> str:
    """Return plain data as YAML on one line, as people write it in a fix."""
    if isinstance(data, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(value)}" for key, value in data.items()) + "}"
    if isinstance(data, list | tuple):
        return "[" + ", ".join(map(flow, data)) + "]"
    return scalar(data)


def scalar(value: Any) -> str:
    """Return the YAML text of a string, number, bool or None, on one line, in double quotes where it needs any."""
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


def gently_quoted(value: Any) -> str:
    """Return a scalar on one line, in single quotes if it needs quotes and these suffice: for strings with many double quotes."""
    if not isinstance(value, str):
        return scalar(value)
    if _NARROW_PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    if _PRINTABLE.fullmatch(value):
        return "'" + value.replace("'", "''") + "'"
    return '"' + "".join(_escaped(char) for char in value) + '"'


def _shown(value: Any) -> str:
    return value if isinstance(value, str) and _DURATION.fullmatch(value) else scalar(value)


#: Values files: what differs from the chart's defaults, short.
COMPACT = Style(scalar, flow_lists=True, blocks=False)
#: argocd/: with comments that say why, templates in single quotes, scripts as blocks.
ANNOTATED = Style(gently_quoted, flow_lists=False, blocks=True)
#: On a terminal, for people to paste: no quotes around durations.
SHOWN = Style(_shown, flow_lists=True, blocks=False)


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    return char if _PRINTABLE.fullmatch(char) else f"\\u{ord(char):04x}"


def _float(value: float) -> str:
    if value != value:
        return ".nan"
    if value in (float("inf"), float("-inf")):
        return ".inf" if value > 0 else "-.inf"
    text = repr(value)
    return text if "." in text or "e" not in text else text.replace("e", ".0e")


def _comment(text: str, indent: str, lines: list[str]) -> None:
    lines.extend(f"{indent}# {line}".rstrip() for line in text.splitlines())


def _mapping(data: Mapping[str, Any], indent: str, lines: list[str], style: Style) -> None:
    for key, value in data.items():
        if type(value) is Note:
            _comment(value.comment, indent, lines)
            value = value.value  # noqa: PLW2901
        head = f"{indent}{style.scalar(key)}:"
        if len(head) > _LONGEST_KEY:
            lines.append(f"{indent}? {style.scalar(key)}")
            head = f"{indent}:"
        _entry(head, value, indent, lines, style)


def _entry(head: str, value: Any, indent: str, lines: list[str], style: Style) -> None:
    if isinstance(value, dict) and value:
        lines.append(head)
        _mapping(value, indent + "  ", lines, style)
    elif isinstance(value, list | tuple) and value:
        flow = _flow(value, style)
        if flow and len(head) + len(flow) < _WIDTH:
            lines.append(f"{head} {flow}")
        else:
            lines.append(head)
            _sequence(value, indent + "  ", lines, style)
    elif style.blocks and _is_block(value):
        lines.append(head + (" |" if value.endswith("\n") else " |-"))
        lines.extend(f"{indent}  {line}".rstrip() for line in value.rstrip("\n").split("\n"))
    else:
        lines.append(f"{head} {_leaf(value, style)}")


def _leaf(value: Any, style: Style) -> str:
    if isinstance(value, dict):
        return "{}"
    return "[]" if isinstance(value, list | tuple) else style.scalar(value)


def _flow(items: Sequence[Any], style: Style) -> str:
    """Return a list of scalars on one line, "" for a list that is not written so."""
    if not style.flow_lists or any(isinstance(item, dict | list) for item in items):
        return ""
    texts = [style.scalar(item) for item in items]
    # Old parsers read a colon in a flow list as the end of a key.
    return (
        "["
        + ", ".join(
            quoted(item) if ":" in text and text[0] != '"' else text for item, text in zip(items, texts, strict=True)
        )
        + "]"
    )


def _sequence(items: Sequence[Any], indent: str, lines: list[str], style: Style) -> None:
    for item in items:
        if type(item) is Note:
            _comment(item.comment, indent, lines)
            item = item.value  # noqa: PLW2901
        inner: list[str] = []
        if isinstance(item, dict):
            _mapping(item, indent + "  ", inner, style)
        elif isinstance(item, list | tuple):
            _sequence(item, indent + "  ", inner, style)
        # A comment above an item's first key goes above the dash.
        first = next((number for number, line in enumerate(inner) if not line.lstrip(" ").startswith("#")), 0)
        lines.extend(line[2:] for line in inner[:first])
        if inner:
            lines.append(f"{indent}- {inner[first].lstrip(' ')}")
            lines.extend(inner[first + 1 :])
        else:
            lines.append(f"{indent}- {_leaf(item, style)}")


def _is_block(value: Any) -> bool:
    """Return whether a literal block preserves `value`: lines of text that neither start nor end with white space."""
    if not isinstance(value, str) or "\n" not in value.rstrip("\n") or value.endswith("\n\n") or value[0].isspace():
        return False
    lines = value.removesuffix("\n").split("\n")
    return all(_PRINTABLE.fullmatch(line) and line == line.rstrip() for line in lines)
