"""kargo-fleet render: the manifests of the whole fleet, as `helm template` prints them, in seconds."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from kargo_fleet.files.reading import MOST_SHARED, RepositoryReader
from kargo_fleet.findings import Finding, Problem, grouped, has_errors
from kargo_fleet.fleet import scan
from kargo_fleet.fleet.load import load_sound
from kargo_fleet.fleet.names import values_path
from kargo_fleet.render import crds
from kargo_fleet.render.crds import KargoKinds
from kargo_fleet.render.folder import ManifestFolder
from kargo_fleet.render.renderer import NOT_RENDERED, RenderedUnit
from kargo_fleet.render.renderer import render as render_units
from kargo_fleet.terminal.output import document, json_text
from kargo_fleet.terminal.progress import PATIENCE
from kargo_fleet.terminal.reporters import TEXT, Change, Format, Report, Reporter, as_data
from kargo_fleet.text.words import plural


@dataclass
class _Outcome:
    """The results so far. `mistakes` are findings about manifests that do not fit the CRDs, mostly caused by the chart."""

    findings: list[Finding] = field(default_factory=list)
    mistakes: list[Finding] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    rendered: int = 0


def render(
    root: Path,
    services: Sequence[str],
    *,
    output_dir: str | None = None,
    validate: bool = False,
    crds_path: str | None = None,
    reporter: Reporter = TEXT,
) -> int:
    """Print the manifests of each service, or write them to `<output_dir>/<service>.yaml`; return 1 if there is an error.

    A unit that cannot be rendered is a finding and does not stop the others. With `validate`, manifests are validated
    against the CRDs of Kargo in `crds_path` (see crds.find), and an invalid unit is neither printed nor written. Raises
    FleetError when there is nothing to render, a service does not exist, or Helm, the chart or the CRDs are missing.
    """
    chart, fleet, _ = load_sound(root)
    names = scan.some(fleet, services)
    kinds = crds.find(root, crds_path) if validate else None
    folder = ManifestFolder.choose(root, output_dir, fleet.layout.base, chart.path) if output_dir is not None else None
    outcome = _Outcome()
    units = _units(root, names, outcome)
    results = render_units(chart, units, note=lambda text: reporter.note(f"note: {text}"))
    with contextlib.closing(results):
        sound = _sound(_tracked(results, len(units), folder, reporter), kinds, outcome)
        if folder is None:
            _print(sound, reporter)
        else:
            folder.sweep()
            for one in sound:
                _write(folder, one, outcome)
    if folder is not None and not services:
        outcome.findings += folder.orphans(names)
    findings = sorted({*outcome.findings, *_folded(outcome.mistakes)})
    failed = len(names) - outcome.rendered
    done = f"{outcome.rendered} rendered, {failed} failed"
    if folder is not None:
        done += f", {plural(len(outcome.changes), 'file')} written"
    _show(Report(findings, outcome.changes, f"{plural(len(names), 'service')}: {done}"), reporter, folder)
    return 1 if has_errors(findings) else 0


def _units(root: Path, names: Iterable[str], outcome: _Outcome) -> dict[str, str]:
    """Read the values file of each service."""
    units = {}
    for name in names:
        try:
            content = RepositoryReader(root, most=MOST_SHARED).read(values_path(name))
            units[name] = content.decode("utf-8", errors="surrogateescape")
        except FileNotFoundError:
            problem = Problem(NOT_RENDERED, "it has no values file", "run `kargo-fleet generate`")
            outcome.findings.append(_not_rendered(name, problem))
        except OSError as error:
            fix = "remove it: kargo-fleet writes a file here"
            problem = Problem(NOT_RENDERED, f"its values file cannot be read: {error.strerror}", fix)
            outcome.findings.append(_not_rendered(name, problem))
    return units


def _write(folder: ManifestFolder, unit: RenderedUnit, outcome: _Outcome) -> None:
    try:
        outcome.changes += [Change(action, path) for action, path in folder.write(unit)]
    except OSError as error:
        outcome.findings.append(folder.unwritten(unit.service, error))
        outcome.rendered -= 1


def _not_rendered(service: str, problem: Problem) -> Finding:
    message = f"{service} was not rendered: {problem.message}"
    return problem._replace(message=message).in_file(values_path(service), service)


def _tracked(
    results: Iterator[RenderedUnit], total: int, folder: ManifestFolder | None, reporter: Reporter
) -> Iterator[RenderedUnit]:
    """Show a progress bar, unless manifests are printed to the same terminal."""
    is_free = folder is not None or not sys.stdout.isatty()
    return reporter.bar(results, total, "rendering", PATIENCE) if is_free else results


def _sound(results: Iterable[RenderedUnit], kinds: KargoKinds | None, outcome: _Outcome) -> Iterator[RenderedUnit]:
    """Yield the units that were rendered and are valid; the others become findings."""
    for one in results:
        outcome.findings += [_not_rendered(one.service, problem) for problem in one.problems]
        mistakes = kinds.problems(one.text) if kinds is not None and not one.problems else []
        outcome.mistakes += [mistake.in_file(values_path(one.service), one.service) for mistake in mistakes]
        if not one.problems and not mistakes:
            outcome.rendered += 1
            yield one


def _folded(mistakes: Iterable[Finding]) -> Iterator[Finding]:
    """Yield each mistake once. A mistake of the chart is in every unit."""
    for finding, same in grouped(mistakes):
        others = f" (also in {plural(len(same), 'other service')})" if same else ""
        yield replace(finding, message=finding.message + others)


def _print(units: Iterable[RenderedUnit], reporter: Reporter) -> None:
    """Print manifests; in JSON, the first half of the document that `_show` completes, so that none is kept in memory."""
    if reporter.format is not Format.JSON:
        for one in units:
            document(one.text)
        sys.stdout.flush()
        return
    before = '{"manifests": {'
    for one in units:
        document(f"{before}\n{json_text(one.service)}: {json_text(one.text)}")
        before = ","
    document("\n}," if before == "," else f"{before}}},")


def _show(report: Report, reporter: Reporter, folder: ManifestFolder | None) -> None:
    """Print the report; on stderr when manifests go to stdout, so that these can be piped to kubectl."""
    if folder is not None:
        reporter.show(report)
    elif reporter.format is Format.JSON:
        document(f"{json_text(as_data(report))[1:]}\n")
    else:
        with contextlib.redirect_stdout(sys.stderr):
            reporter.show(report)
