"""Versions and constraints on them, as Kargo reads them: github.com/Masterminds/semver v3.4.0, constraints.go.

tests/text/test_semver.py compares with the library's results.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import zip_longest
from typing import NamedTuple

from kargo_fleet.text.patterns import linear

_VERSION = (
    r"v?([0-9|x|X|\*]+)(\.[0-9|x|X|\*]+)?(\.[0-9|x|X|\*]+)?"
    r"(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?"
    r"(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?"
)
_OPERATOR = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^"
_RANGE = linear(rf"\s*({_VERSION})\s+-\s+({_VERSION})\s*")
_ONE = linear(rf"\s*({_OPERATOR})\s*({_VERSION})\s*")
_FIND = linear(rf"({_OPERATOR})\s*({_VERSION})")
_PART = rf"({_OPERATOR})\s*({_VERSION})\s*"
_GROUP = linear(rf"\s*{_PART}((?:\s+|,\s*){_PART})*")  # exponential in an engine that backtracks
_LOOSE_VERSION = linear(
    r"v?([0-9]+)(\.[0-9]+)?(\.[0-9]+)?(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?(\+[0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*)?"
)
_NUMBER = "(0|[1-9][0-9]*)"
_STRICT_VERSION = linear(rf"v?{_NUMBER}\.{_NUMBER}\.{_NUMBER}([-+].*)?")
#: How many numbers a version has.
_ALL = 3
#: How many groups a constraint has at most in Kargo 1.11.4, which has version 3.5.0 of the library.
MOST_GROUPS = 32
_MAX_UINT64 = 2**64 - 1
_MAX_DIGITS = 20


class SemanticVersion(NamedTuple):
    """A version without its build metadata, which the library does not compare."""

    major: int
    minor: int
    patch: int
    prerelease: str = ""


class _Comparison(NamedTuple):
    """One operator and version of a constraint. `given` counts the numbers before the first wildcard or gap."""

    operator: str
    version: SemanticVersion
    given: int


def excess_groups(text: str) -> int:
    """Return how many groups (`||`) a constraint has if these are more than newer versions of the library accept, else 0.

    Version 3.5.0, constraints.go, MaxConstraintGroups. Its limit for the length is in the chart's schema.
    """
    groups = text.count("||") + 1
    return groups if groups > MOST_GROUPS else 0


def is_constraint(text: str) -> bool:
    """Return whether Masterminds' NewConstraint accepts a string such as "^1.0.0", "~1.2.0", ">=1.2.0 <3.0.0" or "*"."""
    return _parsed(text) is not None


def satisfies(version: SemanticVersion, constraint: str) -> bool:
    """Return whether a version satisfies a constraint; no version satisfies what is no constraint."""
    return any(_is_in(version, group) for group in _parsed(constraint) or ())


def parse_version(text: str, *, strict: bool) -> SemanticVersion | None:
    """Return the version that a tag stands for, None if Kargo does not take it for one.

    That is what Kargo's pkg/controller/semver does: `v` in front is allowed; with `strict` there are three numbers without
    leading zeros.
    """
    version = _version(text)
    return version if not strict or _STRICT_VERSION.fullmatch(text) else None


@lru_cache(maxsize=4096)
def _parsed(text: str) -> tuple[tuple[_Comparison, ...], ...] | None:
    """Return the groups of a constraint, any of which a version has to satisfy as a whole; None if it is none."""
    if "-" in text:
        for match in list(_RANGE.finditer(text)):
            text = text.replace(match[0], f">= {match[1]}, <= {match[11]} ", 1)
    groups = []
    for part in text.split("||"):
        if not _GROUP.fullmatch(part):
            return None
        comparisons = [_comparison(match[0]) for match in _FIND.finditer(part)]
        group = tuple(comparison for comparison in comparisons if comparison is not None)
        if len(group) != len(comparisons):
            return None
        groups.append(group)
    return tuple(groups)


def _comparison(one: str) -> _Comparison | None:
    match = _ONE.fullmatch(one)
    if match is None:
        return None
    major, minor, patch, prerelease = match[3], match[4] or "", match[5] or "", match[6] or ""
    if _is_x(major):
        given, text = 0, f"0.0.0{prerelease}"
    elif not minor or _is_x(minor[1:]):
        given, text = 1, f"{major}.0.0{prerelease}"
    elif not patch or _is_x(patch[1:]):
        given, text = 2, f"{major}{minor}.0{prerelease}"
    else:
        given, text = 3, match[2]
    version = _version(text)
    return None if version is None else _Comparison(match[1], version, given)


def _is_x(text: str) -> bool:
    return text in ("x", "X", "*")


def _version(text: str) -> SemanticVersion | None:
    match = _LOOSE_VERSION.fullmatch(text)
    if match is None:
        return None
    digits = [(part or "").lstrip(".0") for part in match.group(1, 2, 3)]
    if any(len(number) > _MAX_DIGITS or int(number or 0) > _MAX_UINT64 for number in digits):
        return None
    prerelease = match[5] or ""
    if any(part.isdigit() and len(part) > 1 and part.startswith("0") for part in prerelease.split(".")):
        return None
    major, minor, patch = (int(number or 0) for number in digits)
    return SemanticVersion(major, minor, patch, prerelease)


def _is_in(version: SemanticVersion, group: tuple[_Comparison, ...]) -> bool:
    # A prerelease satisfies only groups that name one.
    if version.prerelease and not any(comparison.version.prerelease for comparison in group):
        return False
    return all(_holds(version, comparison) for comparison in group)


def _holds(version: SemanticVersion, comparison: _Comparison) -> bool:
    """Return whether a version satisfies one comparison. Each branch is one function of the library, oddities included."""
    operator, bound, given = comparison
    order = _compare(version, bound)
    if operator in ("", "="):
        return order == 0 if given == _ALL else _is_about(version, comparison)
    if operator == "!=":
        return _differs(version, comparison)
    if operator == ">":
        return _exceeds(version, comparison)
    if operator == "<":
        return order < 0
    if operator in (">=", "=>"):
        return order >= 0
    if operator in ("<=", "=<"):
        return _is_up_to(version, comparison)
    return _is_about(version, comparison) if operator in ("~", "~>") else _is_compatible(version, comparison)


def _differs(version: SemanticVersion, comparison: _Comparison) -> bool:
    _, bound, given = comparison
    if given in (0, _ALL):
        return _compare(version, bound) != 0
    if given == 1 or version.major != bound.major:
        return version.major != bound.major
    return version.minor != bound.minor or _compare_prereleases(version.prerelease, bound.prerelease) != 0


def _exceeds(version: SemanticVersion, comparison: _Comparison) -> bool:
    _, bound, given = comparison
    if given == _ALL or (given == 0 and version.major == bound.major):
        return _compare(version, bound) > 0
    if version.major != bound.major:
        return version.major > bound.major
    return given == 2 and version.minor > bound.minor  # 11.1 is not >11, and 11.1.1 not >11.1


def _is_up_to(version: SemanticVersion, comparison: _Comparison) -> bool:
    _, bound, given = comparison
    if given == _ALL:
        return _compare(version, bound) <= 0
    if version.major != bound.major:
        return version.major < bound.major
    return given == 1 or version.minor <= bound.minor


def _is_about(version: SemanticVersion, comparison: _Comparison) -> bool:
    _, bound, given = comparison
    if _compare(version, bound) < 0:
        return False
    if bound[:3] == (0, 0, 0) and given in (0, _ALL):
        return True  # also ~0.0.0
    return version.major == bound.major and (given == 1 or version.minor == bound.minor)


def _is_compatible(version: SemanticVersion, comparison: _Comparison) -> bool:
    _, bound, given = comparison
    if _compare(version, bound) < 0 or version.major != bound.major:
        return False
    if bound.major > 0 or given == 1:
        return True
    if version.minor != bound.minor:
        return False
    return bound.minor > 0 or given == 2 or version.patch == bound.patch


def _compare(one: SemanticVersion, other: SemanticVersion) -> int:
    """Return a number below, at or above 0, as `one` is older than, as old as or newer than `other`."""
    if one[:3] != other[:3]:
        return 1 if one[:3] > other[:3] else -1
    if one.prerelease and other.prerelease:
        return _compare_prereleases(one.prerelease, other.prerelease)
    return bool(other.prerelease) - bool(one.prerelease)


def _compare_prereleases(one: str, other: str) -> int:
    for left, right in zip_longest(one.split("."), other.split("."), fillvalue=""):
        if left != right:
            return 1 if _rank(left) > _rank(right) else -1
    return 0


def _rank(identifier: str) -> tuple[int, int, str]:
    """Return what identifiers of a prerelease are ordered by: nothing, then numbers, then words."""
    if identifier.isdigit() and len(identifier) <= _MAX_DIGITS and int(identifier) <= _MAX_UINT64:
        return 1, int(identifier), ""
    return (2, 0, identifier) if identifier else (0, 0, "")


def is_within(constraint: str, bound: str) -> bool:
    """Return whether every version that satisfies a constraint satisfies another one, too; False for what is no constraint.

    A comparison changes its answer only at its own version and at the first ones of the next minor and major, so that
    versions at and beside all of these stand for all others.
    """
    if not (is_constraint(constraint) and is_constraint(bound)):
        return False
    known = [one.version for text in (constraint, bound) for group in _parsed(text) or () for one in group]
    return all(satisfies(version, bound) for version in _representatives(known) if satisfies(version, constraint))


def _representatives(versions: list[SemanticVersion]) -> set[SemanticVersion]:
    numbers = {SemanticVersion(0, 0, 0), SemanticVersion(_MAX_UINT64, _MAX_UINT64, _MAX_UINT64)}
    for major, minor, patch, _ in versions:
        for high in (max(major - 1, 0), major, major + 1):
            for middle in {0, max(minor - 1, 0), minor, minor + 1, _MAX_UINT64}:
                for low in {0, max(patch - 1, 0), patch, patch + 1, _MAX_UINT64}:
                    numbers.add(SemanticVersion(high, middle, low))
    prereleases = {
        "",
        "0",
        "zzz",
        *(one.prerelease for one in versions),
        *(f"{one.prerelease}.0" for one in versions if one.prerelease),
    }
    return {number._replace(prerelease=prerelease) for number in numbers for prerelease in prereleases}
