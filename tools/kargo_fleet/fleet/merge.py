"""Merge layers of values as Helm does, and compute the difference of two.

Helm merges maps, replaces everything else and lets null remove a key (https://helm.sh/docs/chart_template_guide/values_files/).
tests/fleet/test_merge.py compares with Helm itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `over` merged over it. Neither is changed; parts of both are shared with the result."""
    result = dict(base)
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            below = result.get(key)
            result[key] = merge(below if isinstance(below, dict) else {}, value)
        else:
            result[key] = value
    return result


def difference(base: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the smallest overlay that turns `base` into `wanted`, so that merge(base, overlay) == wanted.

    Keys come in the order of `base`, then in that of `wanted`. Lists that differ are included as a whole; keys that
    `wanted` lacks are null.
    """
    result: dict[str, Any] = {}
    for key, value in base.items():
        if key not in wanted:
            result[key] = None
            continue
        new = wanted[key]
        if new is value:  # `merge` keeps the object where no layer sets anything
            continue
        if isinstance(value, dict) and isinstance(new, dict):
            if inner := difference(value, new):
                result[key] = inner
        elif not _same(value, new):
            result[key] = new
    for key, value in wanted.items():
        if key not in base:
            result[key] = value
    return result


def _same(one: Any, other: Any) -> bool:
    """Return whether two values are the same in YAML. To Python, 1 equals True."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
