"""Load a fleet, its chart and its fleet.yaml, in the same way for all commands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kargo_fleet.errors import FleetError
from kargo_fleet.files.reading import is_absent
from kargo_fleet.findings import Finding, Problem
from kargo_fleet.fleet import chart as charts
from kargo_fleet.fleet import config
from kargo_fleet.fleet.chart import Chart
from kargo_fleet.fleet.chart_source import chart_source
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.examples import example_findings
from kargo_fleet.fleet.failures import failure, unusable
from kargo_fleet.fleet.folder_pattern import TEAM, FolderPattern
from kargo_fleet.fleet.layers import in_layer
from kargo_fleet.fleet.names import FLEET_FILE
from kargo_fleet.fleet.sections import DEFAULT_SERVICES, REGISTRY_SCHEMA
from kargo_fleet.fleet.tree import read_tree
from kargo_fleet.fleet.vendored import read_record, refusal
from kargo_fleet.text.json_schema import Schema
from kargo_fleet.text.schema_nodes import at


class Loaded(NamedTuple):
    """A chart, a fleet, and the findings about fleet.yaml. The fleet is `broken` when fleet.yaml is unusable."""

    chart: Chart
    fleet: Fleet
    findings: list[Finding]


def load(root: Path, *, image_repository: str | None = None, git_repo_url: str | None = None) -> Loaded:
    """Read the chart and fleet.yaml of the repository at `root`, with the options of the command line over them.

    Raises FleetError for an option that is not allowed, and ChartError when the repository's own chart at its usual place
    cannot be used.
    """
    file = config.read_file(root)
    try:
        chart = charts.read_chart(root, file.chart_path)
    except charts.ChartError as error:
        if file.chart_path is None:
            raise
        found = Finding(file.layer.place(("chart", "path")), "KF105", str(error), _chart_fix(root, file))
        return Loaded(charts.read_chart(root, None), config.broken_fleet(root), [found])
    fleet, findings = config.fleet_of(root, file, chart)
    if not fleet.broken and (problem := _version_problem(chart, fleet)):
        findings.append(in_layer(problem, file.layer))
        fleet = config.broken_fleet(root)
    _check_option(REGISTRY_SCHEMA, "--image-repository", image_repository)
    _check_option(at(chart.schema, "git", "repoURL"), "--git-repo-url", git_repo_url)
    if image_repository and TEAM in image_repository and not fleet.layout.has_teams:
        raise FleetError(f"--image-repository: {TEAM} is not replaced: `services` of {FLEET_FILE} has no {TEAM}")
    return Loaded(chart, fleet.overridden(image_repository, git_repo_url), findings)


def load_sound(root: Path) -> Loaded:
    """Read chart and fleet.yaml for a command that requires valid ones. Raises FleetError when they are unusable."""
    loaded = load(root)
    if loaded.fleet.broken:
        raise unusable(loaded.findings[0])
    return loaded


def load_own(root: Path) -> Loaded:
    """Load a fleet for a command that takes it to the cluster. Raises FleetError also while fleet.yaml has the template's examples."""
    loaded = load_sound(root)
    for finding in example_findings(loaded.fleet.file):
        raise failure(finding)
    return loaded


def _chart_fix(root: Path, file: config.FleetFile) -> str:
    """Return the fix for a folder without the chart: `chart vendor`, if that would write there."""
    path = file.chart_path or ""
    if why := refusal(root, path, file.data.get("services")):
        return f"correct the path; {path} {why}"
    if not is_absent(root / path) and read_record(root / path) is None:
        return "correct the path, or set another one and run `kargo-fleet chart vendor` to copy the chart there"
    return "correct the path, or run `kargo-fleet chart vendor` to copy the chart there"


def require_fleet(root: Path) -> None:
    """Raise FleetError when the folder has neither a fleet.yaml nor services: what is written there would be of no use."""
    if not is_absent(root / FLEET_FILE):
        return
    tree = read_tree(root, FolderPattern.of(DEFAULT_SERVICES))
    for finding in [] if tree.folders else tree.findings:
        raise failure(finding)


def load_chart(root: Path) -> Chart:
    """Read the chart alone, whatever else is wrong with fleet.yaml. Raises FleetError when it cannot be used."""
    loaded = load(root)
    for finding in loaded.findings:
        if finding.code == "KF105":
            raise unusable(finding)
    return loaded.chart


def _version_problem(chart: Chart, fleet: Fleet) -> Problem | None:
    """Return why values that are computed with `chart` are wrong for the package that Argo CD installs, if they may be."""
    source = chart_source(fleet.data)
    if (
        not source.is_package
        or not source.version
        or source.version.removeprefix("v") == chart.version.removeprefix("v")
    ):
        return None
    here = f"the chart of kargo-fleet is {chart.version}"
    fix = f"set chart.version to {chart.version}, or install kargo-fleet {source.version}, or set chart.path to a copy of the chart"
    if not chart.is_packaged:
        copy = chart.path.relative_to(fleet.root).as_posix()
        here = f"the chart in {copy}, which values are computed with, is {chart.version}"
        fix = f"set chart.version to {chart.version}, or replace {copy} with version {source.version}"
    return Problem("KF106", f"chart.version is {source.version}, but {here}", fix, ("chart", "version"))


def _check_option(allowed: Mapping[str, Any], option: str, value: str | None) -> None:
    """Validate the value of an option by the schema of the key that it stands for."""
    if value and (problems := Schema({"properties": {option: allowed}}).problems({option: value})):
        raise FleetError(f"{problems[0].message}\n{problems[0].fix}")
