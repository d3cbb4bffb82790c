"""kargo-fleet check: validate everything and write nothing, for CI."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from kargo_fleet.findings import has_errors
from kargo_fleet.generate.desired import desired_state
from kargo_fleet.generate.online import online_findings
from kargo_fleet.generate.stale import stale
from kargo_fleet.policy import exceptions
from kargo_fleet.policy.ruleset import policy_of
from kargo_fleet.terminal.progress import PATIENCE
from kargo_fleet.terminal.reporters import TEXT, Report, Reporter, counts
from kargo_fleet.text.words import plural


def check(
    root: Path,
    services: Sequence[str],
    *,
    online: bool = False,
    use_cache: bool = True,
    reporter: Reporter = TEXT,
) -> int:
    """Report errors, warnings and outdated files; return 1 if there is an error, else 0.

    With `online`, the chart is also looked at in its registry or in another repository; without, what was not looked at is
    named. With `use_cache`, what has not changed since the last run is not evaluated again.
    """
    progress = partial(reporter.bar, what="checking", patience=PATIENCE)
    desired = desired_state(root, services, use_cache=use_cache, progress=progress)
    elsewhere = online_findings(desired.fleet, desired.chart) if online and not desired.fleet.broken else []
    policy, today = policy_of(desired.fleet.data), datetime.now(UTC).date()
    ended = exceptions.find(policy, desired.fleet, today) if not desired.fleet.broken else ()
    findings = sorted([*desired.findings, *stale(desired), *elsewhere, *ended])
    summary = counts(findings)
    if not desired.fleet.broken:
        summary = f"{plural(len(desired.services), 'service')}: {summary}"
    reporter.show(Report(findings, [], summary))
    for left in desired.unchecked:
        if not (online and left.online):
            reporter.note(f"not checked: {left.what}{' (add --online)' if left.online else ''}")
    return 1 if has_errors(findings) else 0
