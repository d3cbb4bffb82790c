"""One service: its layers merged, and the result checked.

This is the pure core of the tool: its input is Inputs and a reader, its output is a Unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from kargo_fleet.files.reading import RepositoryReader, read_text
from kargo_fleet.findings import Finding, KeyPath, Place, Problem, dotted, has_errors, value_at
from kargo_fleet.fleet import nulls
from kargo_fleet.fleet.chart import Chart
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.examples import example_findings
from kargo_fleet.fleet.layers import (
    Layer,
    attributed,
    bounded,
    decides,
    for_team,
    in_layers,
    in_one_layer,
    once_per_pipeline,
    origin,
    says,
    schema_findings,
)
from kargo_fleet.fleet.merge import difference, merge
from kargo_fleet.fleet.names import FLEET_FILE
from kargo_fleet.fleet.pipeline import Pipeline, pipeline_of, section
from kargo_fleet.fleet.scan import name_findings
from kargo_fleet.fleet.sections import DEFAULT_SERVICES
from kargo_fleet.fleet.shards import assign
from kargo_fleet.policy import violations
from kargo_fleet.policy.ruleset import Policy, policy_of
from kargo_fleet.policy.subject import Subject
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.image_references import image_of
from kargo_fleet.text.json_schema import Schema
from kargo_fleet.text.placeholders import filled
from kargo_fleet.text.words import did_you_mean
from kargo_fleet.unit import (
    artifacts,
    beside,
    kargo_versions,
    own_steps,
    project_names,
    rules,
    stage_files,
    step_config,
    two_layers,
    warnings,
    written_files,
)
from kargo_fleet.unit.folders import link_findings, nested_findings, team_findings, unreadable_findings
from kargo_fleet.unit.ignored_files import ignored_findings


@dataclass
class Inputs:
    """The input that all services share: the fleet and the chart, and what is derived from them."""

    fleet: Fleet
    chart: Chart
    _shared: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)

    @cached_property
    def base(self) -> dict[str, Any]:
        """The chart's defaults, with the repository and the services folder of fleet.yaml filled in."""
        known: dict[str, Any] = {"git": self.fleet.git}
        if self.fleet.services != DEFAULT_SERVICES:
            known["promotion"] = {"path": self.fleet.layout.values_file}
        return merge(self.chart.defaults, known)

    @cached_property
    def policy(self) -> Policy:
        """What the values of services are held to."""
        return policy_of(self.fleet.data)

    @cached_property
    def custom_steps(self) -> dict[str, Schema]:
        """The schemas of those custom steps of fleet.yaml that have one."""
        known = self.fleet.custom_steps.items()
        return {name: step_config.custom_schema(schema) for name, schema in known if schema is not None}

    def shared(self, service: str) -> tuple[dict[str, Any], list[Layer], bool]:
        """Return the values from all layers but the service's own, those layers, and whether a layer is broken."""
        groups = self.fleet.groups_of(service)
        team = self.fleet.team_of(service)
        layers = [
            for_team(layer, team)
            for layer in (self.fleet.git_layer, self.fleet.layer, *(group.layer for group in groups))
        ]
        key = (team, *(group.name for group in groups))
        if key not in self._shared:
            values = filled(self.base, "team", team) if team else self.base
            for layer in layers:
                values = merge(values, layer.values)
            self._shared[key] = values
        return self._shared[key], layers, any(group.broken for group in groups)

    def registry(self, service: str) -> str:
        """Return the registry of the service's images: that of the last of its groups that sets one, else the fleet's."""
        registries = [group.registry for group in self.fleet.groups_of(service) if group.registry]
        return registries[-1] if registries else self.fleet.registry


@dataclass(frozen=True)
class Unit:
    """The result for one service: complete `values`, `overlay` (where they differ from the chart's), and findings."""

    service: str
    values: dict[str, Any]
    overlay: dict[str, Any]
    layers: tuple[Layer, ...]
    findings: tuple[Finding, ...]
    violations: tuple[violations.Violation, ...] = ()
    #: What `values` describe; None without values.
    pipeline: Pipeline | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """The files that the unit is generated from."""
        return tuple(dict.fromkeys([FLEET_FILE, *(layer.file for layer in self.layers)]))

    @property
    def broken(self) -> bool:
        """Whether an error forbids writing the values file."""
        return has_errors(self.findings)


def build(inputs: Inputs, service: str, reader: RepositoryReader) -> Unit:
    """Merge and check the values of one service.

    The result is broken, and without values, when a layer cannot be read or used. It depends only on `inputs` and
    on the answers of `reader`.
    """
    folder = inputs.fleet.folder_of(service)
    findings = name_findings(folder, service) + team_findings(inputs.fleet, reader, service)
    findings += unreadable_findings(inputs.fleet, service) + link_findings(inputs.fleet, reader, service)
    values, layers, group_broken = inputs.shared(service)
    own, own_findings = _own_layer(inputs, reader, service)
    findings += own_findings
    if own is not None and not _stops(own_findings):
        weaker = [inputs.base, *(layer.values for layer in layers)]
        findings += in_one_layer(nulls.problems(inputs.chart.schema, own.values, weaker), own, service)
    if group_broken:
        findings += _group_findings(inputs.fleet, service)
    if _stops(findings):
        return Unit(service, {}, {}, (), tuple(bounded(findings, Place(folder), service)))
    if own is not None:
        values = merge(values, own.values)
        layers = [*layers, own]
    values = own_steps.with_custom_steps(_identified(inputs, values, layers, service), inputs.fleet.custom_steps)
    pipeline = pipeline_of(values)
    default = Place(own.file, 1, 1) if own else Place(folder)
    findings += _identity_findings(layers, service) + project_names.name_findings(inputs.fleet, layers, service)
    findings += [in_layers(problem, layers, default, service) for problem in _shard_problems(inputs.fleet, values)]
    findings += _values_findings(inputs, pipeline, layers, default, service)
    violated: list[violations.Violation] = []
    if not _stops(findings):
        subject = Subject(inputs.fleet, pipeline, layers, own, lambda: pipeline_of(inherited(inputs, service)))
        violated = violations.find(inputs.policy, subject, default)
        findings += violations.findings(violated)
        findings += warnings.find(pipeline, layers, default, service)
        targets = written_files.find(inputs.fleet, reader, pipeline, layers, service)
        here = written_files.promoted_here(inputs.fleet, pipeline).values()
        targets += stage_files.find(inputs.fleet, pipeline, here, layers, inputs.chart.defaults["stages"], service)
        missing = {finding.place.file for finding in targets if finding.code == "KF401"}
        findings += nested_findings(inputs.fleet, reader, service, missing) or targets
    findings = bounded(findings, Place(default.file), service)
    overlay = difference(inputs.chart.defaults, values)
    return Unit(service, values, overlay, tuple(layers), tuple(findings), tuple(violated), pipeline)


def _stops(findings: list[Finding]) -> bool:
    """Return whether further checks are impossible. An unknown key, also one to remove, hides no other mistake."""
    return has_errors(finding for finding in findings if finding.code not in ("KF101", "KF310"))


def inherited(inputs: Inputs, service: str) -> dict[str, Any]:
    """Return the values that a service has before its own kargo.yaml is merged."""
    values, layers, _ = inputs.shared(service)
    return _identified(inputs, values, layers, service)


def _identified(inputs: Inputs, values: dict[str, Any], layers: list[Layer], service: str) -> dict[str, Any]:
    """Fill in what is derived from the folder's name. The service's name comes only from there, never from a file."""
    values = {**values, "service": {"name": service}}
    image = values.get("image")
    registry = inputs.registry(service)
    if isinstance(image, dict) and not image.get("repoURL") and registry:  # `image: null` means that it has none
        values["image"] = {**image, "repoURL": image_of(registry, service, inputs.fleet.team_of(service))}
    if inputs.fleet.shards and not _is_pinned(layers):
        values["shard"] = assign(service, inputs.fleet.shards)
    return values


def _is_pinned(layers: list[Layer]) -> bool:
    """Return whether a layer sets the shard, including "" for none; null unsets the shard of a weaker layer."""
    choices = [layer.values["shard"] for layer in layers if "shard" in layer.values]
    return bool(choices) and choices[-1] is not None


def _shard_problems(fleet: Fleet, values: dict[str, Any]) -> Iterator[Problem]:
    """Yield a problem for an unknown shard. Kargo ignores objects of a shard without a controller, and reports nothing."""
    names = [shard.name for shard in fleet.shards]
    paths: list[KeyPath] = [("shard",), *(("stages", stage, "shard") for stage in section(values, "stages"))]
    paths += [("warehouse", "shard"), *(("warehouses", key, "shard") for key in section(values, "warehouses"))]
    for path in paths if names else ():
        shard = value_at(values, path)
        if shard and shard not in names:
            fix = did_you_mean(str(shard), names, f"use {' or '.join(names)}, or add it to shards in {FLEET_FILE}")
            yield Problem("KF308", f'{dotted(path)}: "{shard}" is not in shards of {FLEET_FILE}', fix, path)


def _group_findings(fleet: Fleet, service: str) -> list[Finding]:
    # The same message for each service of the group, so that it is reported once.
    return [
        Finding(
            Layer(FLEET_FILE, ("groups",), {}, fleet.text).place((group.name,), key=True),
            "KF205",
            f"groups.{group.name}: is invalid; its services were skipped",
            "correct the other findings of this group",
        )
        for group in fleet.groups_of(service)
        if group.broken
    ]


def _identity_findings(layers: list[Layer], service: str) -> list[Finding]:
    findings = []
    for layer in layers:
        name = (layer.values.get("service") or {}).get("name")
        if name and layer.file == FLEET_FILE:
            message = "service.name: must not be set here; a service is named after its folder"
            findings.append(Finding(layer.place(("service", "name")), "KF204", message, "remove it"))
        elif name and name != service:
            message = f"service.name: must be {service}, the name of the folder"
            findings.append(Finding(layer.place(("service", "name")), "KF204", message, "remove it", service))
    return findings


def _own_layer(inputs: Inputs, reader: RepositoryReader, service: str) -> tuple[Layer | None, list[Finding]]:
    file = inputs.fleet.own_file(service)
    is_there = bool(file) and reader.exists(file)
    findings = ignored_findings(inputs.fleet, reader, service, is_there=is_there)
    if not is_there:
        return None, findings
    text = read_text(reader, file, service)
    if isinstance(text, Finding):
        return None, [*findings, text]
    try:
        values = yaml_reader.parse(text)
    except yaml_reader.YamlError as error:
        return None, [*findings, error.problem.in_file(file, service)]
    layer = Layer(file, (), values, text)
    team = inputs.fleet.team_of(service)
    findings += example_findings(layer, service)
    findings += schema_findings(inputs.chart.validator, for_team(layer, team, escapes=True), service)
    return for_team(layer, team), findings


def _values_findings(
    inputs: Inputs, pipeline: Pipeline, layers: list[Layer], default: Place, service: str
) -> list[Finding]:
    # Unknown keys are reported already: every layer was validated by itself. What placeholders make of a name was not.
    problems = [problem for problem in inputs.chart.validator.problems(pipeline.values) if problem.code != "KF101"]
    problems = problems or [*rules.problems(pipeline), *_fleet_problems(inputs, pipeline)]
    missing = inputs.fleet.missing
    return once_per_pipeline(
        _values_finding(problem, pipeline.values, layers, default, service, missing) for problem in problems
    )


def _fleet_problems(inputs: Inputs, pipeline: Pipeline) -> Iterator[Problem]:
    """Yield the problems that the chart cannot see: with the config of the service's own steps, and with fleet.yaml."""
    yield from artifacts.problems(pipeline)
    yield from beside.not_allowed(pipeline.values, inputs.fleet.extra_kinds)
    version = kargo_versions.version_of(pipeline.values)
    yield from step_config.problems(own_steps.own_steps(pipeline), version, inputs.custom_steps)


def _values_finding(
    problem: Problem, values: dict[str, Any], layers: list[Layer], default: Place, service: str, no_fleet_file: bool
) -> Finding:
    """Return the finding for a problem with the merged values, with a more specific fix where the place allows it."""
    path = problem.path
    if path in (("image", "repoURL"), ("git", "repoURL")) and (remover := _remover(layers, path)):
        fix = f"this removes the {dotted(path)} that another layer sets: remove it, or set a URL"
        return attributed(problem._replace(fix=fix), remover.place(path), service)
    begin = f"there is no {FLEET_FILE}: run `kargo-fleet init`, or "
    if path == ("image", "repoURL") and not section(values, "image").get("repoURL"):
        fix = f"set image.registry in {FLEET_FILE}, or pass --image-repository"
        fix = f"{begin}pass --image-repository" if no_fleet_file else fix
        return attributed(problem._replace(fix=fix), Place(FLEET_FILE), service)
    if path == ("git", "repoURL") and not (values.get("git") or {}).get("repoURL"):
        fix = f"set git.repoURL in {FLEET_FILE}, or pass --git-repo-url"
        fix = f"{begin}pass --git-repo-url" if no_fleet_file else fix
        return attributed(problem._replace(fix=fix), Place(FLEET_FILE), service)
    problem = two_layers.explained(problem, layers)
    place = origin(layers, path, default, key=problem.at_key)
    if not problem.fix and path[-2:-1] in (("upstream",), ("stages",)) and isinstance(path[-1], int):
        place, fix = _unknown_stage(values, layers, path, place)
        problem = problem._replace(fix=fix)
    return attributed(problem, place, service)


def _remover(layers: list[Layer], path: KeyPath) -> Layer | None:
    """Return the layer that removes a value of a weaker one, or sets it to nothing; None when there is no such layer."""
    deciding = [layer for layer in layers if decides([layer], path)]
    is_set = [bool(value_at(layer.values, path)) for layer in deciding]
    return deciding[-1] if any(is_set) and not is_set[-1] else None


def _unknown_stage(values: dict[str, Any], layers: list[Layer], path: KeyPath, place: Place) -> tuple[Place, str]:
    """Return where and how to correct the reference to an unknown stage at `path`."""
    name: Any = values
    for part in path:
        name = name[part]
    stages = values.get("stages") or {}
    if name in stages:
        return place, ""
    if not says(layers, path):  # the chart's default, whose upstream stage a layer removed
        return origin(layers, ("stages", name), place), f"set {dotted(path[:-1])} too, or keep {name}"
    return place, did_you_mean(name, stages)
