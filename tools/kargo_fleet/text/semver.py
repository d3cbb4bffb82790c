"""The grammar of version constraints, as Kargo reads them: github.com/Masterminds/semver v3.4.0, constraints.go.

This module decides whether a string is a constraint, not which versions satisfy it. tests/text/test_semver.py compares
with the library's results.
"""

from __future__ import annotations

import re

_SPACE = r"[\t\n\f\r ]"  # Go's \s
_VERSION = (
    r"v?([0-9|x|X|\*]+)(\.[0-9|x|X|\*]+)?(\.[0-9|x|X|\*]+)?"
    r"(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?"
    r"(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?"
)
_OPERATOR = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^"
_RANGE = re.compile(f"{_SPACE}*({_VERSION}){_SPACE}+-{_SPACE}+({_VERSION}){_SPACE}*")
_DASH = re.compile(f"{_SPACE}-{_SPACE}")  # matching a range is slow
_ONE = re.compile(f"{_SPACE}*({_OPERATOR}){_SPACE}*({_VERSION}){_SPACE}*")
_FIND = re.compile(f"({_OPERATOR}){_SPACE}*({_VERSION})")
# The library's own pattern is ambiguous about spaces: harmless in Go, exponential in Python.
_PART = f"(?:(?:!=|>=|=>|<=|=<|~>|[=<>~^]){_SPACE}*)?{_VERSION}"
_GROUP = re.compile(f"{_SPACE}*{_PART}(?:(?:{_SPACE}*,{_SPACE}*|{_SPACE}+){_PART})*{_SPACE}*")
_LOOSE_VERSION = re.compile(r"v?([0-9]+)(\.[0-9]+)?(\.[0-9]+)?(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?(\+.*)?")
_MAX_UINT64 = 2**64 - 1
_MAX_DIGITS = 20


def is_constraint(text: str) -> bool:
    """Return whether Masterminds' NewConstraint accepts a string such as "^1.0.0", "~1.2.0", ">=1.2.0 <3.0.0" or "*"."""
    if _DASH.search(text):
        for match in list(_RANGE.finditer(text)):
            text = text.replace(match[0], f">= {match[1]}, <= {match[11]} ", 1)
    return all(_is_group(group) for group in text.split("||"))


def _is_group(group: str) -> bool:
    if not _GROUP.fullmatch(group):
        return False
    return all(_parses(match[0]) for match in _FIND.finditer(group))


def _parses(one: str) -> bool:
    match = _ONE.fullmatch(one)
    if match is None:
        return False
    major, minor, patch, prerelease = match[3], match[4] or "", match[5] or "", match[6] or ""
    if _is_x(major):
        version = f"0.0.0{prerelease}"
    elif not minor or _is_x(minor[1:]):
        version = f"{major}.0.0{prerelease}"
    elif not patch or _is_x(patch[1:]):
        version = f"{major}{minor}.0{prerelease}"
    else:
        version = match[2]
    return _is_version(version)


def _is_x(text: str) -> bool:
    return text in ("x", "X", "*")


def _is_version(text: str) -> bool:
    match = _LOOSE_VERSION.fullmatch(text)
    if match is None:
        return False
    numbers = (part.lstrip(".0") for part in match.group(1, 2, 3) if part)
    if any(len(number) > _MAX_DIGITS or int(number or 0) > _MAX_UINT64 for number in numbers):
        return False
    parts = match[5].split(".") if match[5] else []
    return not any(part.isdigit() and len(part) > 1 and part.startswith("0") for part in parts)
