"""kargo-fleet init: set up a Git repository that has services, and say what to do next."""

from __future__ import annotations

from pathlib import Path

from kargo_fleet.commands.schema import texts
from kargo_fleet.files.writing import until_failure
from kargo_fleet.fleet.names import FLEET_FILE
from kargo_fleet.onboard.initial import Initial, initial
from kargo_fleet.terminal.reporters import TEXT, Change, Report, Reporter


def init(root: Path, *, oci: str = "", dry_run: bool = False, reporter: Reporter = TEXT) -> int:
    """Write fleet.yaml, schemas, a hook, a CI job and, without `oci`, the chart; return 1 when one cannot be written, else 0.

    Files that exist are kept.

    With `oci`, Argo CD takes the chart from that registry. Raises FleetError when the folder is not the root of a Git
    repository, has no services, or has a fleet.yaml.
    """
    planned = initial(root, oci, texts)
    for line in planned.seen:
        reporter.note(line)
    changes = [Change(*change) for change in planned.changes]
    done, failures = ([change.path for change in changes], []) if dry_run else until_failure(root, planned.carry_out())
    changes = [change for change in changes if change.path in done or (change.action == "kept" and not failures)]
    summary = "stopped before the end" if failures else _summary(planned, dry_run=dry_run)
    reporter.show(Report(failures, changes, summary, dry_run=dry_run))
    return 1 if failures else 0


def _summary(planned: Initial, *, dry_run: bool) -> str:
    lines = [f"kept {path}: {why}" for path, why in planned.kept.items()]
    lines += [f"note: {note}" for note in planned.notes]
    if dry_run:
        return "\n".join(["nothing was written", *lines])  # the reporter puts "dry run" in front
    lines += [f"fill in {key}" for key in planned.missing]
    lines += [
        "next:",
        f"  review {FLEET_FILE}" + (", and fill in what is missing" if planned.missing else ""),
        "  `kargo-fleet generate`",
        "  `git add --all && git commit`, then `kargo-fleet check`",
    ]
    return "\n".join(lines)
