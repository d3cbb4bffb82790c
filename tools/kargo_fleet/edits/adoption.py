"""Move edits of values/<service>.yaml to the service's kargo.yaml."""

from __future__ import annotations

from dataclasses import replace
from shlex import quote

from kargo_fleet.files.generated import Output
from kargo_fleet.files.reading import RepositoryReader, is_absent, read_text
from kargo_fleet.findings import Finding, Place
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.layers import Layer, schema_findings
from kargo_fleet.fleet.merge import difference, merge
from kargo_fleet.text.yaml_editor import rewrite
from kargo_fleet.text.yaml_reader import YamlError, parse
from kargo_fleet.unit.build import Inputs, build, inherited
from kargo_fleet.unit.values_file import values_text

_MODELINE = "# yaml-language-server: $schema={up}/schemas/kargo.schema.json\n"


def adopted(inputs: Inputs, item: Output) -> tuple[list[Finding], dict[str, str]]:
    """Return the findings about an edited values file, and the texts of the files that change, in the order to write them.

    With an error, no file changes. Nothing is written here: the service is built with the new kargo.yaml in memory.
    """
    try:
        edited = parse(item.current or "")
    except YamlError as error:
        return [error.problem.in_file(item.path, item.service)], {}
    if found := schema_findings(inputs.chart.validator, Layer(item.path, (), edited, item.current or ""), item.service):
        return found, {}
    meaning = {**merge(inputs.chart.defaults, edited), "service": {"name": item.service}}
    below = inherited(inputs, item.service)
    root, file = inputs.fleet.root, inputs.fleet.own_file(item.service)
    before = None if is_absent(root / file) else read_text(RepositoryReader(root), file, item.service)
    if isinstance(before, Finding):
        return [before], {}
    own = difference(below, meaning)
    files: dict[str, str] = {}
    if own or before is not None:  # an edit that means nothing needs no kargo.yaml
        text = rewrite(_new_file(inputs.fleet, file) if before is None else before, own, meaning)
        files |= {file: text} if text != before else {}
    if file in files and (target := RepositoryReader(root).target(file)):
        return [_linked(file, target, item)], {}
    unit = build(inputs, item.service, RepositoryReader(root, {path: text.encode() for path, text in files.items()}))
    if unit.broken:  # the edit breaks a rule that spans keys: report it in the edited file
        return [_in_edited_file(finding, file, item) for finding in unit.findings], {}
    return list(unit.findings), {**files, item.path: values_text(unit.overlay, unit.sources)}


def _linked(file: str, target: str, item: Output) -> Finding:
    """Return the finding about a kargo.yaml that is a symbolic link: a file of its own would take its place, or others' change."""
    message = f"is a symbolic link to {target}, so the edits of {item.path} are not moved to it"
    command = f"rm {quote(file)} && cp {quote(target)} {quote(file)}"
    fix = f"replace the link with a file: `{command}`, or move the edits to {target} by hand"
    return Finding(Place(file), "KF505", message, fix, item.service)


def _in_edited_file(finding: Finding, file: str, item: Output) -> Finding:
    """Return a finding about the new kargo.yaml, placed in the edited values file."""
    if finding.place.file != file:
        return finding
    return replace(finding, place=finding.place._replace(file=item.path, line=0, column=0))


def _new_file(fleet: Fleet, file: str) -> str:
    schema = fleet.root / "schemas" / "kargo.schema.json"
    return _MODELINE.format(up="/".join([".."] * file.count("/"))) if not is_absent(schema) else ""
