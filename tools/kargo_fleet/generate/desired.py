"""What a run would do: every generated file with its text, what is on disk now, and everything that is wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kargo_fleet.errors import FleetError
from kargo_fleet.files import generated, processes
from kargo_fleet.files.generated import Output, State
from kargo_fleet.findings import Finding, Place
from kargo_fleet.fleet import chart as charts
from kargo_fleet.fleet import config, scan
from kargo_fleet.generate import evaluate
from kargo_fleet.generate.cache import Cache, open_cache
from kargo_fleet.generate.evaluate import HEADER, VALUES, Served
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.json_schema import Schema
from kargo_fleet.unit.build import Inputs

ARGOCD = "argocd"

_Answers = Iterable[Served | None]


@dataclass
class Plan:
    """What should be in the repository, and what is wrong with it."""

    fleet: config.Fleet
    services: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    replaced: list[Output] = field(default_factory=list)
    orphans: list[Output] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def make(
    root: Path,
    names: Sequence[str] = (),
    *,
    image_repository: str | None = None,
    git_repo_url: str | None = None,
    cached: bool = True,
    progress: Callable[[_Answers, int], _Answers] = lambda answers, _: answers,
) -> Plan:
    """Work out everything for the services called `names`, or for the whole fleet and `argocd/` when none is named.

    No file of the repository is written. With `cached`, what earlier runs found out about the whole fleet is used where it
    still holds. `progress` is passed the answers of all services as they come, and how many there will be. Raises
    FleetError for a name that is no service.
    """
    chart, fleet, findings = _load(root, image_repository, git_repo_url)
    plan = Plan(fleet, findings=findings)
    if fleet.broken:
        return plan
    if names:
        plan.services = _known(root, fleet, names)
    else:
        plan.services, found = scan.services(root, fleet.services)
        plan.findings += found
        plan.findings += config.group_findings(fleet, plan.services) if plan.services else []
    # One service is worked out faster than the whole cache is read.
    cache = _cache(chart, fleet) if cached and not names else Cache()
    services = _serve(Inputs(fleet, chart), cache, plan.services, progress)
    _add_findings(plan, services)
    plan.outputs += [one.output for one in services if one.output]
    if not names and plan.services:
        _add_argocd(plan, root, services)
    if names or plan.services:  # where nothing was found at all, nothing is called an orphan
        plan.orphans, found = _orphans(root, names, plan.services)
        plan.findings += found
    plan.findings = sorted(set(plan.findings))
    return plan


def _serve(
    inputs: Inputs, cache: Cache, names: Sequence[str], progress: Callable[[_Answers, int], _Answers]
) -> list[Served]:
    """Return what each service comes to: from the cache where that holds, else worked out."""
    answers = list(progress(processes.ordered(evaluate.serving(inputs, cache), names), len(names)))
    services = [answer or evaluate.recalled(cache, name) for name, answer in zip(names, answers, strict=True)]
    if any(answers) or not cache.holds(names):
        cache.save({one.service: one.entry for one in services if one.entry})
    return services


def _cache(chart: charts.Chart, fleet: config.Fleet) -> Cache:
    # fleet.data, too: it has what the command line says. The order of keys is that of the generated files.
    return open_cache(fleet.root, [fleet.text, json.dumps([fleet.data, chart.defaults, chart.schema])])


def _add_findings(plan: Plan, services: list[Served]) -> None:
    """Add what is wrong with the services. A mistake that they inherit is told once, as the first of them has it."""
    inherited: set[tuple[Place, str, str]] = set()
    for one in services:
        new = set()
        for finding in one.findings:
            key = (finding.place, finding.code, "" if finding.place.line else finding.message)
            if finding.service or key not in inherited:
                plan.findings.append(finding)
                new |= set() if finding.service else {key}
        inherited |= new
        plan.broken += [one.service] if one.broken else []


def _load(
    root: Path, image_repository: str | None, git_repo_url: str | None
) -> tuple[charts.Chart, config.Fleet, list[Finding]]:
    path = chart_path(root)
    try:
        chart = charts.load(root, path)
    except charts.ChartError as error:
        if path is None:
            raise
        position, _ = yaml_reader.locate((root / config.FILE).read_text(encoding="utf-8-sig"), ("chart", "path"))
        fix = "correct the path, or leave it out to use the chart that comes with kargo-fleet"
        place = Place(config.FILE, *position)
        return charts.load(root, None), config.unusable(root), [Finding(place, "KF105", str(error), fix)]
    fleet, findings = config.load(root, chart)
    for option, key, value in (
        ("--image-repository", "image", (image_repository or "").rstrip("/")),
        ("--git-repo-url", "git", git_repo_url),
    ):
        allowed = chart.schema["properties"][key]["properties"]["repoURL"]
        if value and (problems := Schema({"properties": {option: allowed}}).problems({option: value})):
            raise FleetError(f"{problems[0].message}\n{problems[0].fix}")
    return chart, fleet.overridden(image_repository, git_repo_url), findings


def load_sound(root: Path) -> tuple[charts.Chart, config.Fleet]:
    """Read the chart and fleet.yaml for a command that works on the cluster. Raises FleetError when they are unusable."""
    chart, fleet, findings = _load(root, None, None)
    if fleet.broken:
        raise FleetError(f"{findings[0].place}: {findings[0].message}\nRun `kargo-fleet check`.")
    return chart, fleet


def chart_path(root: Path) -> str | None:
    """Return chart.path of fleet.yaml, which must be known before the rest of the file can be checked."""
    try:
        data = yaml_reader.parse((root / config.FILE).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, yaml_reader.YamlProblem):
        return None  # config.load says what is wrong
    section = data.get("chart")
    path = section.get("path") if isinstance(section, dict) else None
    return path if isinstance(path, str) and path else None


def _known(root: Path, fleet: config.Fleet, names: Sequence[str]) -> list[str]:
    """Return those of `names` that are services; the others must have left a values file."""
    known, _ = scan.services(root, fleet.services)
    gone = set(names).difference(known)
    unknown = [name for name in names if name in gone and not (root / evaluate.values_path(name)).exists()]
    if unknown:
        raise scan.unknown(unknown, known, f"{fleet.services}/")
    return sorted(set(names) - gone)


def _add_output(plan: Plan, root: Path, path: str, wanted: str) -> None:
    try:
        plan.outputs.append(generated.compare(root, path, wanted))
    except OSError as error:
        plan.findings.append(generated.unreadable(path, error))


def _add_argocd(plan: Plan, root: Path, services: list[Served]) -> None:
    from kargo_fleet import argocd

    made = {found: [argocd.Stage(*stage) for stage in found] for found in {one.stages for one in services}}
    stages = {one.service: made[one.stages] for one in services if scan.is_name(one.service)}
    shards = {one.service: one.shard for one in services} if plan.fleet.shards else {}
    problems = argocd.problems(plan.fleet.data, stages, shards)
    is_said = any(found.code == "KF104" and found.message.startswith("git.repoURL") for found in plan.findings)
    for problem in problems:
        if is_said and problem.message.startswith("git.repoURL"):
            continue
        place = Place(f"{plan.fleet.services}/{problem.service}") if problem.service else Place(config.FILE)
        plan.findings.append(Finding(place, "KF601", problem.message, problem.fix, problem.service))
    if any(not problem.service for problem in problems):
        return  # the last good files stay
    manifests = argocd.manifests(plan.fleet.data, stages, shards)
    for path, body in manifests.items():
        text = generated.render([HEADER.format(sources=f"{config.FILE} and {plan.fleet.services}/")], body)
        _add_output(plan, root, path, text)
    plan.replaced = _replaced(root, manifests)
    if commands := argocd.handover(plan.fleet.data, [item.path for item in plan.replaced]):
        message = "ApplicationSets get new names; their Applications must be handed over, or two sets claim them"
        plan.findings.append(Finding(Place(ARGOCD), "KFW601", message, "once this is pushed: " + " && ".join(commands)))


def _replaced(root: Path, manifests: Iterable[str]) -> list[Output]:
    """Find the files that were generated into argocd/ and no longer are: sets that were split, say."""
    found = []
    for path in sorted(file.relative_to(root).as_posix() for file in (root / ARGOCD).rglob("*.yaml") if file.is_file()):
        text = generated.read(root / path)
        state = generated.state(text, None)
        if path not in manifests and state not in (State.FOREIGN, State.MISSING):
            found.append(Output(path, None, text, state))
    return found


def _orphans(root: Path, names: Sequence[str], services: list[str]) -> tuple[list[Output], list[Finding]]:
    """Find the values files of services that are gone, and files in the folder that were never generated."""
    try:
        files = sorted(entry.name for entry in os.scandir(root / VALUES) if not entry.name.startswith("."))
    except FileNotFoundError:
        return [], []
    expected = {f"{service}.yaml" for service in services}
    if names:
        files = [file for file in files if file.removesuffix(".yaml") in names]
    orphans, findings = [], []
    for file in files:
        if file in expected:
            continue
        path = f"{VALUES}/{file}"
        text = generated.read(root / path) if (root / path).is_file() else None
        state = generated.state(text, None)
        if state in (State.FOREIGN, State.MISSING):
            findings.append(
                Finding(
                    Place(path),
                    "KFW503",
                    "this was not generated by kargo-fleet, and is not touched",
                    f"keep {VALUES}/ for generated files",
                )
            )
        else:
            orphans.append(Output(path, None, text, state, file.removesuffix(".yaml")))
    return orphans, findings
