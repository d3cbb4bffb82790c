"""kargo-fleet chart vendor: copy the chart that comes with the tool into the repository, or update the copy."""

from __future__ import annotations

from pathlib import Path

from kargo_fleet.files.writing import until_failure
from kargo_fleet.findings import has_errors
from kargo_fleet.fleet.config import read_file
from kargo_fleet.fleet.failures import unusable
from kargo_fleet.fleet.load import require_fleet
from kargo_fleet.onboard.vendoring import Vendoring, vendored_path, vendoring
from kargo_fleet.terminal.reporters import TEXT, Change, Report, Reporter
from kargo_fleet.text.words import plural


def vendor(root: Path, *, force: bool = False, dry_run: bool = False, reporter: Reporter = TEXT) -> int:
    """Write the chart to `chart.path` of fleet.yaml and report the changes; return 1 when an update was refused or failed, else 0.

    A copy that was edited by hand is kept unless `force`. Raises FleetError in a folder that is not a fleet, when
    fleet.yaml cannot be read, or when it takes the chart from elsewhere.
    """
    require_fleet(root)
    file = read_file(root)
    if file.unusable:
        raise unusable(file.findings[0])
    planned = vendoring(root, vendored_path(root, file), force=force)
    changes = [Change(*change) for change in planned.changes]
    findings = list(planned.findings)
    if not dry_run:
        done, failures = until_failure(root, planned.carry_out())
        findings += failures
        changes = [change for change in changes if change.path in done]
    summary = "stopped before the end" if len(findings) > len(planned.findings) else _summary(planned, len(changes))
    reporter.show(Report(findings, changes, summary, dry_run=dry_run))
    return 1 if has_errors(findings) else 0


def _summary(planned: Vendoring, changes: int) -> str:
    if planned.own:
        return f"{planned.path} is the chart that this kargo-fleet comes with; nothing to do"
    if changes:
        return f"{planned.path}: version {planned.version}, {plural(changes, 'file')} changed"
    if planned.findings:
        return f"{planned.path}: nothing written"
    return f"{planned.path}: version {planned.version}, up to date"
