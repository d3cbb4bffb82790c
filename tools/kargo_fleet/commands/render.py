"""kargo-fleet render: the manifests of the whole fleet, as `helm template` prints them, in seconds."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kargo_fleet.errors import FleetError
from kargo_fleet.files import generated
from kargo_fleet.findings import Finding, Place, has_errors
from kargo_fleet.fleet import scan
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.generate import desired, evaluate
from kargo_fleet.render import crds, renderer
from kargo_fleet.render.crds import Kinds
from kargo_fleet.render.renderer import Rendered
from kargo_fleet.terminal import reporters
from kargo_fleet.terminal.progress import PATIENCE, bar
from kargo_fleet.terminal.reporters import Change, Format, Report, plural

_MARK = "---\n# Source: "  # how each file of manifests begins


@dataclass
class _Outcome:
    """What became of the units so far."""

    findings: list[Finding] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    rendered: int = 0
    repeated: dict[tuple[str, str], tuple[Finding, int]] = field(default_factory=dict)


def render(
    root: Path,
    services: Sequence[str],
    *,
    output_dir: str | None = None,
    validate: bool = False,
    crds_path: str | None = None,
    output: Format = Format.TEXT,
) -> int:
    """Print the manifests of each service, or write them to `<output_dir>/<service>.yaml`; return 1 when some could not be.

    One that cannot be rendered is a finding and stops no other. With `validate`, manifests are held to the CRDs of Kargo in
    `crds_path` (see crds.find), and a unit that does not fit is neither printed nor written. Raises FleetError when there
    is nothing to render, a name is no service, or Helm, the chart or the CRDs are missing.
    """
    chart, fleet = desired.load_sound(root)
    names = _names(root, fleet, services)
    kinds = crds.find(root, crds_path) if validate else None
    folder = _folder(root, fleet, chart.path, output_dir)
    outcome = _Outcome()
    units = _units(root, names, outcome)
    results = renderer.render(chart, units, note=lambda text: print(f"note: {text}", file=sys.stderr))
    with contextlib.closing(results):
        sound = _sound(_tracked(results, len(units), folder), kinds, outcome)
        if folder is not None:
            for one in sound:
                _write(root, folder, one, outcome)
        else:
            _print(sound, output)
    if folder is not None and not services:
        outcome.findings += _orphans(root, folder, names)
    findings = sorted([*outcome.findings, *_told_once(outcome)])
    failed = len(names) - outcome.rendered
    counts = f"{outcome.rendered} rendered, {failed} failed"
    if folder is not None:
        counts += f", {plural(len(outcome.changes), 'file')} written"
    _show(Report(findings, outcome.changes, f"{plural(len(names), 'service')}: {counts}"), output, folder)
    return 1 if has_errors(findings) else 0


def _names(root: Path, fleet: Fleet, services: Sequence[str]) -> list[str]:
    known, _ = scan.services(root, fleet.services)
    if unknown := [name for name in dict.fromkeys(services) if name not in known]:
        raise scan.unknown(unknown, known, f"{fleet.services}/")
    if not known:
        raise FleetError("there are no services to render")
    return sorted(set(services)) or known


def _folder(root: Path, fleet: Fleet, chart: Path, output_dir: str | None) -> Path | None:
    """Return where manifests go. The folders that other files live in are refused: values/<service>.yaml would be overwritten."""
    if output_dir is None:
        return None
    folder = (root / output_dir).resolve()
    for taken in (root, root / evaluate.VALUES, root / desired.ARGOCD, root / fleet.services, chart):
        if folder == taken.resolve() or (taken != root and taken.resolve() in folder.parents):
            raise FleetError(f"--output-dir {output_dir}: other files are there; choose a folder of its own")
    return root / output_dir


def _units(root: Path, names: Iterable[str], outcome: _Outcome) -> dict[str, str]:
    """Read the values file of each service."""
    units = {}
    for name in names:
        file = evaluate.values_path(name)
        try:
            units[name] = (root / file).read_bytes().decode("utf-8", errors="surrogateescape")
        except FileNotFoundError:
            outcome.findings.append(_finding(name, "it has no values file", "run `kargo-fleet generate`"))
        except OSError as error:
            fix = "remove it: kargo-fleet writes a file here"
            outcome.findings.append(_finding(name, f"its values file cannot be read: {error.strerror}", fix))
    return units


def _finding(service: str, problem: str, fix: str, line: int = 0, column: int = 0) -> Finding:
    place = Place(evaluate.values_path(service), line, column)
    return Finding(place, "KF803", f"{service} was not rendered: {problem}", fix, service)


def _tracked(results: Iterator[Rendered], total: int, folder: Path | None) -> Iterator[Rendered]:
    """Show how far it is, unless manifests are printed to the same terminal."""
    is_free = folder is not None or not sys.stdout.isatty()
    return bar(results, total, "rendering", PATIENCE) if is_free else results


def _sound(results: Iterable[Rendered], kinds: Kinds | None, outcome: _Outcome) -> Iterator[Rendered]:
    """Yield the units that were rendered and fit; the others become findings."""
    for one in results:
        outcome.findings += [_finding(one.service, *problem) for problem in one.problems]
        mistakes = kinds.mistakes(one.text) if kinds is not None and not one.problems else []
        for mistake in mistakes:
            place = Place(evaluate.values_path(one.service))
            message = f"{mistake.where}: {mistake.message}"
            finding = Finding(place, "KF804", message, mistake.fix, one.service)
            key = (message.replace(one.service, "<service>"), mistake.fix)
            first, count = outcome.repeated.get(key, (finding, 0))
            outcome.repeated[key] = first, count + 1
        if not one.problems and not mistakes:
            outcome.rendered += 1
            yield one


def _told_once(outcome: _Outcome) -> Iterator[Finding]:
    """Yield what does not fit. A mistake of the chart is in every unit, and told once."""
    for finding, count in outcome.repeated.values():
        others = f" (and so in {plural(count - 1, 'other service')})" if count > 1 else ""
        yield Finding(finding.place, finding.code, finding.message + others, finding.fix, finding.service)


def _write(root: Path, folder: Path, one: Rendered, outcome: _Outcome) -> None:
    path = folder / f"{one.service}.yaml"
    current = generated.read(path)
    if current == one.text:
        return
    generated.write(path, one.text)
    outcome.changes.append(Change("created" if current is None else "updated", _shown(root, path)))


def _shown(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _orphans(root: Path, folder: Path, names: Iterable[str]) -> list[Finding]:
    """Find the manifests of services that are gone: whoever applies the folder still applies them."""
    expected = {f"{name}.yaml" for name in names}
    found = []
    for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else []:
        if path.name not in expected and path.is_file() and (generated.read(path) or "").startswith(_MARK):
            message = f"there is no service {path.stem} any more, and this is still applied"
            fix = f"remove it, once the unit may go: kargo-fleet delete {path.stem}"
            found.append(Finding(Place(_shown(root, path)), "KFW801", message, fix, path.stem))
    return found


def _print(units: Iterable[Rendered], output: Format) -> None:
    """Print manifests; in JSON, the first half of the document that `_show` completes, so that none has to be kept."""
    if output is not Format.JSON:
        for one in units:
            sys.stdout.write(one.text)
        sys.stdout.flush()
        return
    before = '{"manifests": {'
    for one in units:
        sys.stdout.write(f"{before}\n{_json(one.service)}: {_json(one.text)}")
        before = ","
    sys.stdout.write("\n}," if before == "," else f"{before}}},")


def _show(report: Report, output: Format, folder: Path | None) -> None:
    """Print the report: where manifests are printed, on stderr, so that they can be piped to kubectl."""
    if folder is not None:
        reporters.show(report, output)
    elif output is Format.JSON:
        print(json.dumps(reporters.as_data(report), indent=2, ensure_ascii=False)[1:], flush=True)
    else:
        with contextlib.redirect_stdout(sys.stderr):
            reporters.show(report, output)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
