"""kargo-fleet generate: write values/<service>.yaml and argocd/."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from kargo_fleet.findings import has_errors
from kargo_fleet.fleet.names import FLEET_FILE, VALUES
from kargo_fleet.generate.apply import Applied, FileChange, Mode, apply
from kargo_fleet.generate.desired import Desired, desired_state
from kargo_fleet.terminal.progress import PATIENCE
from kargo_fleet.terminal.reporters import TEXT, Change, Report, Reporter
from kargo_fleet.text.diffs import unified
from kargo_fleet.text.words import plural


def generate(
    root: Path,
    services: Sequence[str],
    *,
    image_repository: str | None = None,
    git_repo_url: str | None = None,
    mode: Mode = Mode.WRITE,
    force: bool = False,
    diff: bool = False,
    prune: bool = False,
    use_cache: bool = True,
    reporter: Reporter = TEXT,
) -> int:
    """Update the generated files and report the changes; return 1 if there is an error, else 0.

    With `services`, only their values files. A file that was edited by hand is kept unless `force`; values files of
    services that no longer exist are removed only with `prune`. One service's errors do not stop the others. A file that
    cannot be written or removed is a finding and does not stop the others. With `use_cache`, what has not changed since the
    last run is not evaluated again.
    """
    desired = desired_state(
        root,
        services,
        image_repository=image_repository,
        git_repo_url=git_repo_url,
        use_cache=use_cache,
        progress=partial(reporter.bar, what="checking", patience=PATIENCE),
    )
    writing = partial(reporter.bar, what="writing", patience=PATIENCE)
    applied = apply(root, desired, mode, force=force, prune=prune, named=bool(services), progress=writing)
    findings = sorted({*desired.findings, *applied.findings})
    changes = [_shown(change, diff=diff) for change in applied.changes]
    reporter.show(Report(findings, changes, _summary(desired, applied, mode), dry_run=mode is Mode.DRY_RUN))
    if changes and (image_repository or git_repo_url):
        reporter.note(f"note: {FLEET_FILE} still has another value; without the option these files are out of date")
    return 1 if has_errors(findings) else 0


def _shown(change: FileChange, *, diff: bool) -> Change:
    item = change.output
    return Change(change.action, item.path, unified(item.path, item.current, item.wanted) if diff else "", change.shard)


def _summary(desired: Desired, applied: Applied, mode: Mode) -> str:
    counts = {"unchanged": applied.unchanged}
    for change in applied.changes:
        counts[change.action] = counts.get(change.action, 0) + 1
    counts["kept"] = applied.kept
    would = "would be " if mode is Mode.DRY_RUN else ""
    counted = [
        f"{plural(count, 'file')} {'' if action in ('unchanged', 'kept') else would}{action}"
        for action, count in counts.items()
        if count
    ]
    if applied.failed:
        counted.append(f"{plural(applied.failed, 'file')} could not be written or removed")
    done = ", ".join(counted) or "nothing written"
    if any(change.action == "removed" and change.output.path.startswith(VALUES) for change in applied.changes):
        done += " (deployed units stay in the cluster)"
    if moves := sum(change.shard is not None for change in applied.changes):
        done += f"; {plural(moves, 'service')} to another shard"
    errors = f"; {plural(len(desired.broken), 'service')} with errors skipped" if desired.broken else ""
    if desired.fleet.broken:
        return done
    return f"{plural(len(desired.services), 'service')}: {done}{errors}"
