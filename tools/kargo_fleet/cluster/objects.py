"""Looking into objects of Kubernetes as plain data, whatever of them is missing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from kargo_fleet.fleet.names import PART_OF, PART_OF_LABEL

Object: TypeAlias = dict[str, Any]


def name_of(obj: Mapping[str, Any]) -> str:
    """Return the name of an object."""
    return str(obj["metadata"]["name"])


def dig(obj: Mapping[str, Any], *path: str) -> Any:
    """Return what is at a path of keys, or None where it ends."""
    value: Any = obj
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def label(obj: Mapping[str, Any], key: str) -> str:
    """Return a label of an object, "" when it has none of that name."""
    return str((dig(obj, "metadata", "labels") or {}).get(key, ""))


def is_ours(obj: Mapping[str, Any]) -> bool:
    """Say whether the chart or an ApplicationSet of this tool made an object."""
    return label(obj, PART_OF_LABEL) == PART_OF


def annotation(obj: Mapping[str, Any], key: str) -> str:
    """Return an annotation of an object, "" when it has none of that name."""
    return str((dig(obj, "metadata", "annotations") or {}).get(key, ""))


def condition(obj: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """Return the condition of a type, such as Ready; {} when the object has none."""
    conditions: list[Mapping[str, Any]] = dig(obj, "status", "conditions") or []
    return next((item for item in conditions if item.get("type") == kind), {})


def instant(text: Any) -> datetime | None:
    """Return a timestamp of Kubernetes, None for anything else."""
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def since(now: datetime, text: Any) -> timedelta:
    """Return the time from a timestamp until now; none at all when there is no timestamp."""
    start = instant(text)
    return max(now - start, timedelta()) if start else timedelta()


def age(now: datetime, obj: Mapping[str, Any]) -> timedelta:
    """Return the time since an object was created."""
    return since(now, dig(obj, "metadata", "creationTimestamp"))
