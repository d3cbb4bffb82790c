"""kargo-fleet adopt: move what a person edited in values/<service>.yaml to where it belongs, the service's kargo.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kargo_fleet.errors import FleetError
from kargo_fleet.files import generated
from kargo_fleet.files.generated import Output, State
from kargo_fleet.findings import Finding, has_errors
from kargo_fleet.fleet import chart as charts
from kargo_fleet.fleet import config
from kargo_fleet.fleet.layers import Layer, schema_findings
from kargo_fleet.fleet.merge import difference, merge
from kargo_fleet.generate import desired, evaluate
from kargo_fleet.terminal import reporters
from kargo_fleet.terminal.reporters import Change, Format
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.yaml_editor import rewrite
from kargo_fleet.unit.build import Inputs, build, inherited

_MODELINE = "# yaml-language-server: $schema={up}/schemas/kargo.schema.json\n"


def adopt(root: Path, services: Sequence[str], *, output: Format = Format.TEXT) -> int:
    """Move the edits of each service's values file into its kargo.yaml; return 1 when an edit cannot be used, else 0.

    Afterwards the values file is a generated one again, and says what it said. Comments, order and quotes of kargo.yaml
    stay. Raises FleetError for a service whose values file was not edited.
    """
    made = desired.make(root, services)
    edited = {item.service: item for item in made.outputs if item.state in (State.EDITED, State.FOREIGN)}
    if untouched := sorted(set(services) - set(edited)):
        if has_errors(made.findings):
            reporters.show(reporters.Report(made.findings, [], "nothing was adopted; correct this first"), output)
            return 1
        names = ", ".join(evaluate.values_path(name) for name in untouched)
        raise FleetError(f"there is nothing to adopt: {names} was not edited")
    chart = charts.load(root, desired.chart_path(root))
    inputs = Inputs(made.fleet, chart)
    findings: list[Finding] = []
    changes: list[Change] = []
    for item in edited.values():
        found, done = _adopt(inputs, item)
        findings += found
        changes += done
    reporters.show(reporters.Report(sorted(findings), changes, ""), output)
    return 1 if has_errors(findings) else 0


def _adopt(inputs: Inputs, item: Output) -> tuple[list[Finding], list[Change]]:
    text = item.current or ""
    try:
        said = yaml_reader.parse(text)
    except yaml_reader.YamlProblem as problem:
        return [problem.finding(item.path, item.service)], []
    if found := schema_findings(inputs.chart.validator, Layer(item.path, (), said, text), item.service):
        return found, []
    meaning = {**merge(inputs.chart.defaults, said), "service": {"name": item.service}}
    below = inherited(inputs, item.service)
    file = f"{inputs.fleet.services}/{item.service}/kargo.yaml"
    before = generated.read(inputs.fleet.root / file)
    start = before if before is not None else _new_file(inputs.fleet, file)
    after = rewrite(start, difference(below, meaning), meaning)
    return _write(inputs, item, file, before, after)


def _write(
    inputs: Inputs, item: Output, file: str, before: str | None, after: str
) -> tuple[list[Finding], list[Change]]:
    root = inputs.fleet.root
    generated.write(root / file, after)
    one = build(inputs, item.service)
    if one.broken:  # the edit breaks a rule that spans keys: back to what was, and say so where the edit is
        if before is None:
            (root / file).unlink()
        else:
            generated.write(root / file, before)
        return [_moved(finding, file, item) for finding in one.findings], []
    generated.write(root / item.path, evaluate.values_text(one))
    return list(one.findings), [Change("created" if before is None else "updated", file), Change("updated", item.path)]


def _moved(finding: Finding, file: str, item: Output) -> Finding:
    """Place a finding of the kargo.yaml that was tried in the values file that the edit stands in."""
    if finding.place.file != file:
        return finding
    return replace(finding, place=finding.place._replace(file=item.path, line=0, column=0))


def _new_file(fleet: config.Fleet, file: str) -> str:
    schema = fleet.root / "schemas" / "kargo.schema.json"
    return _MODELINE.format(up="/".join([".."] * file.count("/"))) if schema.exists() else ""
