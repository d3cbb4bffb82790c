"""Durations, as Go and Kubernetes write them: 90s, 5m, 1h30m (https://pkg.go.dev/time#ParseDuration)."""

from __future__ import annotations

import re
from datetime import timedelta

#: Patterns for JSON Schemas: hours, minutes and seconds, the first one with decimals. With LONGEST characters at most, nothing
#: that they accept is beyond Go's longest duration, 2562047h.
PATTERN = r"^([0-9]{1,6}(\.[0-9]{1,9})?h|[0-9]{1,7}(\.[0-9]{1,9})?m|[0-9]{1,9}(\.[0-9]{1,9})?s)+$"
WHOLE_PATTERN = r"^([0-9]{1,6}h|[0-9]{1,7}m|[0-9]{1,9}s)+$"
LONGEST = 20
EXAMPLES = "a duration such as 30s, 5m, 1h30m or 1.5h, at most 999999h"

_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def is_duration(text: str) -> bool:
    """Return whether a string is a valid duration."""
    return len(text) <= LONGEST and re.fullmatch(PATTERN, text) is not None


def seconds(duration: str) -> float:
    """Return the length of a duration such as 5m or 1h30m in seconds."""
    return sum(float(number) * _SECONDS[unit] for number, unit in re.findall(r"([0-9.]+)(ms|h|m|s)", duration))


def written(length: float) -> str:
    """Return seconds as people write a duration: 15m, 1h, 3h47m."""
    hours, rest = divmod(round(length), 3600)
    minutes, left = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "m"), (left, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def in_words(time: timedelta) -> str:
    """Return a length of time for people: 45 minutes, 3 hours, 2 days."""
    minutes = int(time.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 2 * 24 * 60 else f"{minutes // (24 * 60)} days"
