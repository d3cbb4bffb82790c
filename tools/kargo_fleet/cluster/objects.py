"""Looking into objects of Kubernetes as plain data, whatever of them is missing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]

_LONGEST = 300  # of a message that is quoted


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


def words(time: timedelta) -> str:
    """Return a length of time for people: 45 minutes, 3 hours, 2 days."""
    minutes = int(time.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 2 * 24 * 60 else f"{minutes // (24 * 60)} days"


def quoted(message: Any) -> str:
    """Return somebody else's message as part of a sentence: one line, of bearable length, without a full stop."""
    text = " ".join(str(message or "").split()).rstrip(".")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def listed(names: list[str], most: int = 5) -> str:
    """Return names in a sentence, the first few when there are many."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"
