"""Access to fields of Kubernetes objects as plain data, which tolerates missing fields."""

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
    """Return the value at a path of keys, None when the path does not exist."""
    value: Any = obj
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def label(obj: Mapping[str, Any], key: str) -> str:
    """Return a label of an object, "" when it is not set."""
    return str((dig(obj, "metadata", "labels") or {}).get(key, ""))


def is_ours(obj: Mapping[str, Any]) -> bool:
    """Return whether the chart or an ApplicationSet of this tool created an object."""
    return label(obj, PART_OF_LABEL) == PART_OF


def annotation(obj: Mapping[str, Any], key: str) -> str:
    """Return an annotation of an object, "" when it is not set."""
    return str((dig(obj, "metadata", "annotations") or {}).get(key, ""))


def condition(obj: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """Return the condition of a type, such as Ready; {} when the object has none."""
    conditions: list[Mapping[str, Any]] = dig(obj, "status", "conditions") or []
    return next((item for item in conditions if item.get("type") == kind), {})


def instant(text: Any) -> datetime | None:
    """Return a timestamp of Kubernetes as a datetime, None for anything else."""
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def since(now: datetime, text: Any) -> timedelta:
    """Return the time from a timestamp until now; zero without a timestamp."""
    start = instant(text)
    return max(now - start, timedelta()) if start else timedelta()


def age(now: datetime, obj: Mapping[str, Any]) -> timedelta:
    """Return the time since an object was created."""
    return since(now, dig(obj, "metadata", "creationTimestamp"))
