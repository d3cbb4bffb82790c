"""Read manifests as kubectl, Helm and Argo CD do: by the rules of YAML 1.1 for unquoted scalars.

The files of a fleet are read by the rules of YAML 1.2: see yaml_reader.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import yaml
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

_WORDS: dict[str, Any] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
for _yes, _no in (("y", "n"), ("yes", "no"), ("on", "off"), ("true", "false")):
    _WORDS |= dict.fromkeys((_yes, _yes.title(), _yes.upper()), True)
    _WORDS |= dict.fromkeys((_no, _no.title(), _no.upper()), False)
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0b[01_]+|0o?[0-7_]+)")
#: A manifest is nested by some ten levels, a CustomResourceDefinition by some thirty.
_MAX_DEPTH = 200
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?")


@lru_cache(maxsize=50_000)
def _plain(text: str) -> Any:
    """Return the value of an unquoted scalar, by the rules of the YAML library that kubectl, Helm and Argo CD use."""
    if text in _WORDS:
        return _WORDS[text]
    digits = text.replace("_", "")
    if _INTEGER.fullmatch(text):
        sign = -1 if digits[0] == "-" else 1
        digits = digits.lstrip("+-")
        octal = digits[0] == "0" and digits[1:].isdigit()
        try:
            return sign * (int(digits, 8) if octal else int(digits, 0))
        except ValueError:  # no digit behind 0x, an 8 in an octal number, or thousands of digits
            return text
    return float(digits) if _FLOAT.fullmatch(text) else text


def parse(text: str) -> list[Any]:
    """Return the documents of a YAML text as plain data, twice as fast as PyYAML does. Raises yaml.YAMLError."""
    parser = CParser(text)
    following: Callable[[], Any] = parser.get_event
    anchors: dict[str, Any] = {}

    def build(event: Any, depth: int = 0) -> Any:
        kind, anchor = type(event), event.anchor
        if depth > _MAX_DEPTH:
            raise yaml.YAMLError(f"the document is nested deeper than {_MAX_DEPTH} levels")
        value: Any
        if kind is ScalarEvent:
            value = _plain(event.value) if event.implicit[0] else event.value
        elif kind is AliasEvent:
            return anchors.get(anchor)
        elif kind is MappingStartEvent:
            value = {}
            while type(event := following()) is not MappingEndEvent:
                key = build(event, depth + 1)
                value[key if isinstance(key, str) else event.value] = build(following(), depth + 1)
        else:
            value = []
            while type(item := following()) is not SequenceEndEvent:
                value.append(build(item, depth + 1))
        if anchor:
            anchors[anchor] = value
        return value

    documents = []
    try:
        while type(event := following()) is not StreamEndEvent:
            if type(event) is DocumentStartEvent:
                documents.append(build(following()))
    finally:
        parser.dispose()
    return documents


def is_well_formed(text: str) -> bool:
    """Say whether a text of many documents is YAML; only libyaml runs, which builds no objects and is therefore fast."""
    parser = CParser(text)
    try:
        parser.raw_parse()
    except (yaml.MarkedYAMLError, yaml.reader.ReaderError):
        return False
    finally:
        parser.dispose()
    return True
