"""kargo-fleet check: validate everything and write nothing, for CI."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from kargo_fleet.findings import has_errors
from kargo_fleet.generate.desired import desired_state
from kargo_fleet.generate.stale import stale
from kargo_fleet.terminal import reporters
from kargo_fleet.terminal.progress import PATIENCE, bar
from kargo_fleet.terminal.reporters import Format, Report, counts
from kargo_fleet.text.words import plural


def check(root: Path, services: Sequence[str], *, use_cache: bool = True, output: Format = Format.TEXT) -> int:
    """Report everything that is wrong or out of date; return 1 when there is such a thing, else 0.

    Warnings alone leave the status at 0. What did not change since the last run is not evaluated again, with `use_cache`.
    """
    progress = partial(bar, what="checking", patience=PATIENCE)
    desired = desired_state(root, services, use_cache=use_cache, progress=progress)
    findings = sorted([*desired.findings, *stale(desired)])
    found = counts(findings)
    summary = found if desired.fleet.broken else f"{plural(len(desired.services), 'service')}: {found}"
    reporters.show(Report(findings, [], summary), output)
    return 1 if has_errors(findings) else 0
