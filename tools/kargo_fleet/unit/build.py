"""One service: its layers merged, checked, and written out as the values file of its unit.

This is the pure core of the tool: everything it needs comes in through Inputs, and what it finds goes out in a Unit.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from kargo_fleet.files.reading import Reader
from kargo_fleet.findings import Finding, Place, has_errors
from kargo_fleet.fleet.chart import Chart
from kargo_fleet.fleet.config import FILE, Fleet
from kargo_fleet.fleet.layers import Layer, origin, says, schema_findings
from kargo_fleet.fleet.merge import difference, merge
from kargo_fleet.fleet.scan import name_findings
from kargo_fleet.fleet.shards import assign
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.json_schema import dotted
from kargo_fleet.text.yaml_reader import KeyPath
from kargo_fleet.unit import promoted_files, rules, warnings


@dataclass
class Inputs:
    """What all services share: the fleet and the chart, and what follows from them."""

    fleet: Fleet
    chart: Chart
    _shared: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)

    @cached_property
    def base(self) -> dict[str, Any]:
        """The chart's defaults, with what fleet.yaml says of the repository filled in."""
        known: dict[str, Any] = {"git": self.fleet.git}
        if self.fleet.services != "services":
            known["promotion"] = {"path": f"{self.fleet.services}/<service>/values-<stage>.yaml"}
        return merge(self.chart.defaults, known)

    def shared(self, service: str) -> tuple[dict[str, Any], list[Layer], bool]:
        """Return the values that all layers but the service's own give it, those layers, and whether one is broken."""
        groups = [group for group in self.fleet.groups if group.has(service)]
        layers = [self.fleet.layer, *(group.layer for group in groups)]
        key = tuple(group.name for group in groups)
        if key not in self._shared:
            values = self.base
            for layer in layers:
                values = merge(values, layer.values)
            self._shared[key] = values
        return self._shared[key], layers, any(group.broken for group in groups)

    def registry(self, service: str) -> str:
        """Return where the service's images are: what the last of its groups says that says anything, or the fleet's."""
        said = [group.registry for group in self.fleet.groups if group.registry and group.has(service)]
        return said[-1] if said else self.fleet.registry


@dataclass(frozen=True)
class Unit:
    """What one service comes to: the complete `values`, what of them differs from the chart's, and what is wrong."""

    service: str
    values: dict[str, Any]
    overlay: dict[str, Any]
    sources: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def broken(self) -> bool:
        """Whether something is wrong that must not be written."""
        return has_errors(self.findings)


def build(inputs: Inputs, service: str, reader: Reader | None = None) -> Unit:
    """Merge and check the values of one service.

    The result is broken, and without values, when a layer cannot be read or used. It follows from `inputs` and from what
    `reader` says, from nothing else.
    """
    reader = reader or Reader(inputs.fleet.root)
    folder = f"{inputs.fleet.services}/{service}"
    findings = name_findings(inputs.fleet.services, service)
    values, layers, group_broken = inputs.shared(service)
    own, own_findings = _own_layer(inputs, reader, folder, service)
    findings += own_findings
    if group_broken:
        findings += _group_findings(inputs.fleet, service)
    if _stops(findings):
        return Unit(service, {}, {}, (), tuple(findings))
    if own is not None:
        values = merge(values, own.values)
        layers = [*layers, own]
    values = _identified(inputs, values, layers, service)
    default = Place(own.file, 1, 1) if own else Place(folder)
    findings += _identity_findings(layers, service)
    findings += _shard_findings(inputs.fleet, values, layers, default, service)
    findings += _values_findings(inputs, values, layers, default, service)
    if not _stops(findings):
        findings += warnings.find(values, layers, default, service)
        findings += _target_findings(inputs.fleet, reader, values, layers, service)
    return Unit(service, values, difference(inputs.chart.defaults, values), _sources(layers), tuple(findings))


def _stops(findings: list[Finding]) -> bool:
    """Say whether nothing more can be said of the values. An unknown key is wrong, but hides no other mistake."""
    return has_errors(finding for finding in findings if finding.code != "KF101")


def inherited(inputs: Inputs, service: str) -> dict[str, Any]:
    """Return the values that a service has before its own kargo.yaml is merged."""
    values, layers, _ = inputs.shared(service)
    return _identified(inputs, values, layers, service)


def _identified(inputs: Inputs, values: dict[str, Any], layers: list[Layer], service: str) -> dict[str, Any]:
    """Fill in what follows from the folder's name. The service's name comes from there alone, never from a file."""
    image = values.get("image") or {}
    registry = inputs.registry(service)
    if not image.get("repoURL") and registry:
        image = {**image, "repoURL": f"{registry}/{service}"}
    values = {**values, "service": {"name": service}, "image": image}
    if inputs.fleet.shards and not _is_pinned(layers):
        values["shard"] = assign(service, inputs.fleet.shards)
    return values


def _is_pinned(layers: list[Layer]) -> bool:
    """Say whether a layer chooses the shard, be it none (""); null takes a weaker layer's choice back."""
    choices = [layer.values["shard"] for layer in layers if "shard" in layer.values]
    return bool(choices) and choices[-1] is not None


def _shard_findings(
    fleet: Fleet, values: dict[str, Any], layers: list[Layer], default: Place, service: str
) -> list[Finding]:
    """Kargo says nothing of a shard that no controller was started with, and does nothing either."""
    names = [shard.name for shard in fleet.shards]
    shard = values.get("shard")
    if not names or not shard or shard in names:
        return []
    place = origin(layers, ("shard",), default)
    close = difflib.get_close_matches(str(shard), names, n=1)
    fix = (
        f"did you mean {close[0]}?"
        if close
        else f"choose {rules.enumerate_words(names)}, or add it to shards in {FILE}"
    )
    message = f'shard: "{shard}" is not among the shards of {FILE}'
    return [Finding(place, "KF308", message, fix, "" if place.file == FILE else service)]


def _sources(layers: list[Layer]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([FILE, *(layer.file for layer in layers)]))


def _group_findings(fleet: Fleet, service: str) -> list[Finding]:
    # The same words for each service of the group, so that it is told once.
    return [
        Finding(
            Layer(FILE, ("groups",), {}, fleet.text).place((group.name,), key=True),
            "KF205",
            f"groups.{group.name}: has mistakes, so its services are left as they are",
            "correct what else is said of this group",
        )
        for group in fleet.groups
        if group.broken and group.has(service)
    ]


def _identity_findings(layers: list[Layer], service: str) -> list[Finding]:
    findings = []
    for layer in layers:
        name = (layer.values.get("service") or {}).get("name")
        place = layer.place(("service", "name")) if name else Place("")
        if name and layer.file == FILE:
            message = "service.name: the name of a service is that of its folder"
            findings.append(Finding(place, "KF204", message, "remove it"))
        elif name and name != service:
            message = f"service.name: the name of a service is that of its folder, {service}"
            findings.append(Finding(place, "KF204", message, "remove it", service))
    return findings


def _own_layer(inputs: Inputs, reader: Reader, folder: str, service: str) -> tuple[Layer | None, list[Finding]]:
    file = f"{folder}/kargo.yaml"
    is_there = reader.exists(file)
    findings = []
    if reader.exists(f"{folder}/kargo.yml"):
        fix = "move what it says to kargo.yaml" if is_there else "rename it to kargo.yaml"
        findings.append(Finding(Place(f"{folder}/kargo.yml"), "KFW201", "this file is not read", fix, service))
    if not is_there:
        return None, findings
    text = yaml_reader.read_text(reader, file, service)
    if isinstance(text, Finding):
        return None, [*findings, text]
    try:
        values = yaml_reader.parse(text)
    except yaml_reader.YamlProblem as problem:
        return None, [*findings, problem.finding(file, service)]
    layer = Layer(file, (), values, text)
    return layer, findings + schema_findings(inputs.chart.validator, layer, service)


def _values_findings(
    inputs: Inputs, values: dict[str, Any], layers: list[Layer], default: Place, service: str
) -> list[Finding]:
    # Unknown keys are told already: every layer was held to the schema by itself.
    refused = [problem for problem in inputs.chart.validator.problems(values) if problem.code != "KF101"]
    found = [(problem.path, problem.code, problem.message, problem.fix) for problem in refused]
    found = found or [(problem.path, problem.code, str(problem), "") for problem in rules.problems(values)]
    findings: dict[tuple[Place, str, KeyPath, str], Finding] = {}
    for path, code, message, schema_fix in found:
        place, fix = origin(layers, path, default), schema_fix
        if path == ("image", "repoURL") and not values["image"].get("repoURL"):
            place, fix = Place(FILE), "set image.registry in fleet.yaml, or pass --image-repository"
        elif path == ("git", "repoURL") and not (values.get("git") or {}).get("repoURL"):
            place, fix = Place(FILE), "set git.repoURL in fleet.yaml, or pass --git-repo-url"
        elif not fix and path[-2:-1] in (("upstream",), ("stages",)) and isinstance(path[-1], int):
            place, fix = _unknown_stage(values, layers, path, place)
        # What every stage inherits is one mistake, and what every service inherits is one, not thousands.
        is_promotion = path[0] == "stages" and path[2:3] == ("promotion",)
        key = (place, code, path[2:], "") if is_promotion else (place, code, path, message)
        findings.setdefault(key, Finding(place, code, message, fix, service if place.file != FILE else ""))
    return list(findings.values())


def _unknown_stage(values: dict[str, Any], layers: list[Layer], path: KeyPath, place: Place) -> tuple[Place, str]:
    """Return where and how to correct a reference to a stage, at `path`, that is none."""
    name: Any = values
    for part in path:
        name = name[part]
    stages = values.get("stages") or {}
    if name in stages:
        return place, ""
    if not says(layers, path):  # the chart's default, of which a layer took the upstream stage out
        return origin(layers, ("stages", name), place), f"set {dotted(path[:-1])} too, or keep {name}"
    close = difflib.get_close_matches(name, stages, n=1)
    return place, f"did you mean {close[0]}?" if close else ""


def _target_findings(
    fleet: Fleet, reader: Reader, values: dict[str, Any], layers: list[Layer], service: str
) -> list[Finding]:
    """Check that the values file of every stage exists and holds what its promotions write."""
    findings = []
    for stage in values["stages"]:
        promotion = rules.promotion_of(values, stage)
        if not rules.has_default_steps(promotion) or rules.branch_of(values, stage) != (
            fleet.git.get("branch") or "main"
        ):
            continue  # written by other steps, or on a branch that is not checked out here
        file = rules.path_of(values, stage, promotion)
        if file.startswith(f"{fleet.services}/") and not file.startswith(f"{fleet.services}/{service}/"):
            message = f"promotions to {stage} write into the folder of another service"
            place = origin(layers, ("stages", stage, "promotion", "path"), Place(file))
            findings.append(
                Finding(place, "KFW307", message, "correct promotion.path", "" if place.file == FILE else service)
            )
        keys = [key for key in (promotion.get("tagKey", "image.tag"), promotion.get("digestKey")) if key]
        findings += _target_file_findings(reader, file, stage, keys, service)
    return findings


def _target_file_findings(reader: Reader, file: str, stage: str, keys: list[str], service: str) -> list[Finding]:
    try:
        text = reader.read(file).decode("utf-8")
    except FileNotFoundError:
        fix = f"add it, with {' and '.join(keys)}; or take the stage out with `stages: {{{stage}: null}}` in kargo.yaml"
        other = PurePosixPath(file).with_suffix(".yml")
        if file.endswith(".yaml") and reader.exists(str(other)):
            fix = f"rename {other.name}, or set promotion.path"
        return [Finding(Place(file), "KF401", f"the values file of stage {stage} is missing", fix, service)]
    except (OSError, UnicodeDecodeError):
        read = yaml_reader.read_text(reader, file, service)
        return [read] if isinstance(read, Finding) else []
    try:
        problem = promoted_files.problem(text, keys)
    except yaml_reader.YamlProblem as error:
        return [error.finding(file, service)]
    if problem is None:
        return []
    return [Finding(Place(file, problem.line, problem.column), problem.code, problem.message, problem.fix, service)]
