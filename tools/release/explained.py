"""tools/audit/explained.toml: why a known vulnerability needs no new version, and until when that holds."""

from __future__ import annotations

import datetime
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from release.errors import ReleaseError

FILE = "tools/audit/explained.toml"
_KEYS = {"id": str, "package": str, "reason": str, "until": datetime.date}


@dataclass(frozen=True)
class Explanation:
    """One entry: it counts to the end of the day `until`."""

    id: str
    package: str
    reason: str
    until: datetime.date


def read_explained(file: Path) -> list[Explanation]:
    """Return the entries of the file.

    Raises:
        ReleaseError: it is no TOML, or an entry has not exactly the keys id, package, reason and until.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ReleaseError(f"{FILE}: {error}") from error
    if set(content) - {"explained"} or not isinstance(content.get("explained", []), list):
        raise ReleaseError(f"{FILE}: only [[explained]] is allowed")
    return [_entry(number, entry) for number, entry in enumerate(content.get("explained", []), 1)]


def _entry(number: int, entry: dict[str, Any]) -> Explanation:
    where = f"{FILE}: entry {number}"
    if set(entry) != set(_KEYS):
        raise ReleaseError(f"{where}: the keys {', '.join(_KEYS)} are required, and no others are allowed")
    for key, kind in _KEYS.items():
        # A time is a date to Python; it would not compare with one.
        if not entry[key] or not isinstance(entry[key], kind) or isinstance(entry[key], datetime.datetime):
            wanted = "a date, such as 2027-03-31, without quotes" if kind is datetime.date else "a string"
            raise ReleaseError(f"{where}: {key} must be {wanted}")
    return Explanation(**entry)
