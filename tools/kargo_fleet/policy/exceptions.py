"""The days of exceptions. Only `check` looks at the calendar: what is generated never depends on it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from kargo_fleet.findings import Finding
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.policy.ruleset import Exemption, Policy
from kargo_fleet.text.words import plural

_SOON = datetime.timedelta(days=14)


def find(policy: Policy, fleet: Fleet, today: datetime.date) -> Iterator[Finding]:
    """Yield an error for each exception whose last day was before `today` (in UTC), and a warning for one that ends soon."""
    for exception in policy.exceptions:
        until = datetime.date.fromisoformat(exception.until)
        if until < today:
            message = f"{_of(exception)} ended on {until}"
            fix = f"correct the values and remove the exception, or agree on a later day with {exception.owner}"
            yield _finding("KF352", exception, fleet, message, fix)
        elif until - today <= _SOON:
            left = f"in {plural((until - today).days, 'day')}" if until > today else "today"
            message = f"{_of(exception)} ends {left}, on {until}"
            fix = f"correct the values and remove the exception, or agree on a later day with {exception.owner}"
            yield _finding("KFW352", exception, fleet, message, fix)


def _of(exception: Exemption) -> str:
    return f"the exception from rule {exception.rule} for {', '.join(exception.of.services)} (owner {exception.owner})"


def _finding(code: str, exception: Exemption, fleet: Fleet, message: str, fix: str) -> Finding:
    path = ("policy", "exceptions", exception.index, "until")
    return Finding(fleet.file.place(path), code, message, fix, path=path)
