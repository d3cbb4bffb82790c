"""fleet.yaml: where services, images and the Git repository are, and the layers that many services share."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from kargo_fleet.files.reading import MOST_SHARED, RepositoryReader, is_absent, read_text
from kargo_fleet.findings import Finding, KeyPath, Place, Problem
from kargo_fleet.fleet import chart_source, custom_steps, nulls, object_kinds, policy_section
from kargo_fleet.fleet.chart import Chart
from kargo_fleet.fleet.folder_pattern import FolderPattern
from kargo_fleet.fleet.layers import Layer, for_team, in_layer, in_one_layer, layer_problems
from kargo_fleet.fleet.names import FLEET_FILE, PROJECT, RECORDED_FILE, SERVICE_FILE
from kargo_fleet.fleet.projects import Projects, filled, name_alone, named
from kargo_fleet.fleet.sections import DEFAULT_PRUNE_SHARE, DEFAULT_SERVICES, fleet_schema
from kargo_fleet.fleet.service_file import unused_files
from kargo_fleet.fleet.shards import Shard, shards_of
from kargo_fleet.fleet.tree import Tree, read_tree
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.json_schema import Schema
from kargo_fleet.text.words import did_you_mean


@dataclass(frozen=True)
class Group:
    """Values for the services that match one of the patterns (shell globs): `names`, or `paths` as in payments/api."""

    name: str
    names: re.Pattern[str]
    paths: re.Pattern[str]
    layer: Layer
    registry: str = ""
    broken: bool = False

    def has(self, service: str, team: str = "") -> bool:
        """Return whether a service belongs to the group."""
        return self.names.match(service) is not None or self.paths.match(f"{team}/{service}") is not None


@dataclass(frozen=True)
class Fleet:
    """The repository and the content of its fleet.yaml. Paths are relative to `root`."""

    root: Path
    data: dict[str, Any]
    text: str
    services: str
    service_file: str
    registry: str
    git: dict[str, str]
    layer: Layer
    groups: tuple[Group, ...]
    shards: tuple[Shard, ...]
    max_prune_share: float
    custom_steps: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    extra_kinds: tuple[object_kinds.GroupKind, ...] = ()
    #: What policy-recorded.yaml has: by rule and service, the keys and values that were violations when they were recorded.
    recorded: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    broken: bool = False
    #: The default of `project.name`, which a copy of the chart may have changed.
    project: str = PROJECT
    #: Whether there is no fleet.yaml. All of it may also come from defaults and from the command line.
    missing: bool = False

    @cached_property
    def layout(self) -> FolderPattern:
        """Where the services are."""
        return FolderPattern.of(self.services)

    @cached_property
    def tree(self) -> Tree:
        """The services of the repository, as they are when this is first asked for."""
        return read_tree(self.root, self.layout)

    def team_of(self, service: str) -> str:
        """Return the team of a service, "" where the layout has no teams or there is no such service."""
        found = self.tree.found(service) if self.layout.has_teams else ()
        return found[0].team if found else ""

    def folder_of(self, service: str) -> str:
        """Return the folder of a service; in an environment-first tree the first of its folders."""
        if self.layout.has_stages and (found := self.tree.found(service)):
            return found[0].folder
        return self.layout.folder(service, self.team_of(service) or "<team>")

    def has(self, service: str) -> bool:
        """Return whether the repository has a folder of the service."""
        return bool(self.tree.found(service))

    def own_file(self, service: str) -> str:
        """Return the path of the file with a service's own values, "" when services have none."""
        if self.service_file:
            pattern = self.service_file.replace("<team>", self.team_of(service) or "<team>")
            return pattern.replace("<service>", service)
        return "" if self.layout.has_stages else f"{self.folder_of(service)}/{SERVICE_FILE}"

    def where_own(self, service: str) -> str:
        """Return where a person writes what is particular to a service, in a sentence."""
        if self.service_file or self.layout.has_stages:
            return self.own_file(service) or f"a group of {FLEET_FILE}"
        return SERVICE_FILE

    @property
    def teams(self) -> dict[str, str]:
        """The team of every service, where the layout has teams."""
        return {name: self.team_of(name) for name in self.tree.names} if self.layout.has_teams else {}

    @cached_property
    def projects(self) -> Projects:
        """The names of the Projects of all services."""
        pattern = named([self.layer.values], self.project)
        teams = self.teams
        usual = Projects(pattern, {}, teams)
        if not any("project" in group.layer.values for group in self.groups):
            return usual
        own = {service: self.project_of(service) for service in self.tree.names}
        return Projects(pattern, {service: name for service, name in own.items() if name != usual.of(service)}, teams)

    @cached_property
    def shared_projects(self) -> dict[str, list[str]]:
        """The services of each Project that several services would have."""
        return self.projects.shared(self.tree.names)

    def project_of(self, service: str) -> str:
        """Return the name of a service's Project, which is that of its namespace; also of a service that is gone."""
        layers = [self.layer.values, *(group.layer.values for group in self.groups_of(service))]
        return filled(named(layers, self.project), service, self.team_of(service))

    def groups_of(self, service: str) -> list[Group]:
        """Return the groups that a service belongs to, in their order."""
        team = self.team_of(service)
        return [group for group in self.groups if group.has(service, team)]

    def is_in(self, group: Group, service: str) -> bool:
        """Return whether a service belongs to a group."""
        return group.has(service, self.team_of(service))

    @property
    def file(self) -> Layer:
        """The whole of fleet.yaml with the options of the command line over it, for places in it."""
        return Layer(FLEET_FILE, (), self.data, self.text)

    @property
    def git_layer(self) -> Layer:
        """The section `git` of fleet.yaml, which is the weakest layer of every service's values."""
        return Layer(FLEET_FILE, (), {"git": self.git}, self.text)

    def overridden(self, registry: str | None, git_repo_url: str | None) -> Fleet:
        """Return the same fleet with the registry and the Git repository that the command line names instead."""
        fleet = self
        if registry:
            registry = registry.rstrip("/")
            groups = tuple(replace(group, registry="") for group in fleet.groups)
            data = _with(fleet.data, "image", "registry", registry)
            fleet = replace(fleet, registry=registry, groups=groups, data=data)
        if git_repo_url:
            fleet = replace(
                fleet,
                git={**fleet.git, "repoURL": git_repo_url},
                data=_with(fleet.data, "git", "repoURL", git_repo_url),
            )
        return fleet


def _with(data: Mapping[str, Any], section: str, key: str, value: str) -> dict[str, Any]:
    return {**data, section: {**(data.get(section) or {}), key: value}}


@dataclass(frozen=True)
class FleetFile:
    """fleet.yaml as it is on disk, not yet validated by its schema; `findings` explain why it is `unusable`."""

    data: dict[str, Any]
    text: str = ""
    findings: tuple[Finding, ...] = ()
    unusable: bool = False
    missing: bool = False

    @property
    def layer(self) -> Layer:
        """The whole file, for places in it."""
        return Layer(FLEET_FILE, (), self.data, self.text)

    @property
    def chart_path(self) -> str | None:
        """The folder of the chart that is read, which must be known before the rest of the file can be checked."""
        return chart_source.local_path(self.data.get("chart"))


def read_file(root: Path) -> FleetFile:
    """Read fleet.yaml. A repository without one is a fleet with default settings."""
    path = root / FLEET_FILE
    if is_absent(path):
        wrong = "fleet.yml"
        if is_absent(root / wrong):
            return FleetFile({}, missing=True)
        fix = f"rename it to {FLEET_FILE}"
        return FleetFile({}, findings=(Finding(Place(wrong), "KFW201", "this file is ignored", fix),))
    text = read_text(RepositoryReader(root, most=MOST_SHARED), FLEET_FILE)
    if isinstance(text, Finding):
        return FleetFile({}, findings=(text,), unusable=True)
    try:
        return FleetFile(yaml_reader.parse(text), text)
    except yaml_reader.YamlError as error:
        return FleetFile({}, text, (error.problem.in_file(FLEET_FILE),), unusable=True)


def fleet_of(root: Path, file: FleetFile, chart: Chart) -> tuple[Fleet, list[Finding]]:
    """Validate fleet.yaml and return the fleet. It is `broken` when a mistake concerns every service."""
    if file.unusable:
        return broken_fleet(root), list(file.findings)
    problems = layer_problems(Schema(fleet_schema(chart.schema)), _with_a_team(file.layer))
    findings = [*file.findings, *in_one_layer([_moved(problem, file.data) for problem in problems], file.layer)]
    problems = [problem for problem in problems if problem.is_error]
    if not any(problem.path[:1] == ("policy",) for problem in problems):  # a rule that cannot be used holds nobody
        policy = list(policy_section.problems(file.data))
        findings += [in_layer(problem, file.layer) for problem in policy]
        problems += policy
    if any(_concerns_everyone(problem.path) for problem in problems):
        return broken_fleet(root), findings
    findings += _shard_findings(file.layer)
    findings += [in_layer(problem, file.layer) for problem in chart_source.problems(file.data.get("chart") or {})]
    findings += [in_layer(problem, file.layer) for problem in custom_steps.problems(file.data)]
    findings += [in_layer(problem, file.layer) for problem in object_kinds.problems(file.data)]
    fleet = _fleet(root, file, frozenset(str(problem.path[1]) for problem in problems))
    recorded = recorded_violations(root)
    if isinstance(recorded, Finding):
        return broken_fleet(root), [*findings, recorded]
    fleet = replace(fleet, project=named([chart.defaults], PROJECT), recorded=recorded)
    idle = nulls.problems(chart.schema, fleet.layer.values, [chart.defaults])
    return fleet, [*findings, *(in_layer(problem, fleet.layer) for problem in idle)]


def recorded_violations(root: Path) -> dict[str, dict[str, dict[str, Any]]] | Finding:
    """Return the content of policy-recorded.yaml, {} without the file, or why it cannot be used: nobody would be held to anything."""
    if not (root / RECORDED_FILE).exists():
        return {}
    text = read_text(RepositoryReader(root, most=MOST_SHARED), RECORDED_FILE)
    if isinstance(text, Finding):
        return text
    fix = "write it again with `kargo-fleet policy record`"
    try:
        data = yaml_reader.parse(text)
    except yaml_reader.YamlError as error:
        return replace(error.problem.in_file(RECORDED_FILE), fix=fix)
    services = [one for rule in data.values() if isinstance(rule, dict) for one in rule.values()]
    if all(isinstance(one, dict) for one in (*data.values(), *services)):
        return data
    return Finding(Place(RECORDED_FILE), "KF353", "is not what `kargo-fleet policy record` writes", fix)


def _with_a_team(layer: Layer) -> Layer:
    """Return fleet.yaml as the services of some team have it, if there are teams: `<team>` alone may be no legal value."""
    services = layer.values.get("services")
    if not (isinstance(services, str) and FolderPattern.of(services).has_teams):
        return layer
    return replace(layer, values={**for_team(layer, "team", escapes=True).values, "services": services})


def _moved(problem: Problem, data: Mapping[str, Any]) -> Problem:
    """Return the problem, with the new place of a key that an earlier version had elsewhere."""
    if problem.path != ("argocd", "units", "source"):
        return problem
    return problem._replace(fix=chart_source.moved(data["argocd"]["units"]["source"]))


def broken_fleet(root: Path) -> Fleet:
    """Return the fleet of an unusable fleet.yaml."""
    return replace(_fleet(root, FleetFile({})), broken=True)


def _shard_findings(layer: Layer) -> list[Finding]:
    names = [shard.name for shard in shards_of(layer.values)]
    return [
        Finding(layer.place(("shards", index)), "KF103", f"shards[{index}]: duplicate shard {name}", "remove it")
        for index, name in enumerate(names)
        if name in names[:index]
    ]


def _concerns_everyone(path: KeyPath) -> bool:
    # As long as the members of a group are unknown, every service may be one.
    return path[:1] != ("groups",) or len(path) < 3 or path[2] == "services"


def _fleet(root: Path, file: FleetFile, broken: frozenset[str] = frozenset()) -> Fleet:
    def section(key: str) -> dict[str, Any]:
        return file.data.get(key) or {}

    groups = []
    for name, group in section("groups").items():
        patterns = group["services"]
        names, paths = (
            _any_of(item for item in patterns if "/" not in item),
            _any_of(item for item in patterns if "/" in item),
        )
        values = group.get("values") or {}
        values = name_alone(values) if name in broken else values
        layer = Layer(FLEET_FILE, ("groups", name, "values"), values, file.text)
        registry = {} if name in broken else group.get("image") or {}
        groups.append(Group(name, names, paths, layer, _registry(registry), name in broken))
    return Fleet(
        root=root,
        data=file.data,
        text=file.text,
        services=(file.data.get("services") or DEFAULT_SERVICES),
        service_file=file.data.get("serviceFile") or "",
        registry=_registry(section("image")),
        git={key: value for key, value in section("git").items() if value},
        layer=Layer(FLEET_FILE, ("values",), section("values"), file.text),
        groups=tuple(groups),
        shards=shards_of(file.data),
        max_prune_share=section("prune").get("maxShare", DEFAULT_PRUNE_SHARE),
        missing=file.missing,
        custom_steps=custom_steps.custom_steps_of(file.data),
        extra_kinds=object_kinds.allowed_kinds(file.data),
    )


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """Return the regular expression for any of the patterns of a shell."""
    return re.compile("|".join(f"(?:{fnmatch.translate(item)})" for item in patterns) or "(?!)")


def _registry(image: Mapping[str, Any]) -> str:
    return (image.get("registry") or "").rstrip("/")


def group_findings(fleet: Fleet, chart: Chart, services: list[str]) -> list[Finding]:
    """Return the findings about groups, and about files of services, that depend on which services there are."""
    found = [*_unmatched(fleet, services), *_idle_in_groups(fleet, chart, services)]
    if fleet.service_file:
        found += unused_files(fleet.root, fleet.service_file, {fleet.own_file(name): name for name in services})
    return found


def _idle_in_groups(fleet: Fleet, chart: Chart, services: list[str]) -> list[Finding]:
    """Return a finding for each null of a group that removes nothing from any of the group's services."""
    findings = []
    for index, group in enumerate(fleet.groups):
        if not nulls.problems(chart.schema, group.layer.values, [chart.defaults, fleet.layer.values]):
            continue
        members = [service for service in services if fleet.is_in(group, service)]
        weaker = sorted({tuple(fleet.is_in(other, service) for other in fleet.groups[:index]) for service in members})
        found = []
        for choice in weaker:
            others = [other.layer.values for other, chosen in zip(fleet.groups, choice, strict=False) if chosen]
            layers = [chart.defaults, fleet.layer.values, *others]
            found.append(
                {problem.path: problem for problem in nulls.problems(chart.schema, group.layer.values, layers)}
            )
        idle = [problem for path, problem in found[0].items() if all(path in other for other in found)] if found else []
        findings += [in_layer(problem, group.layer) for problem in idle]
    return findings


def _unmatched(fleet: Fleet, services: list[str]) -> list[Finding]:
    """Return a warning for each pattern of a group that no service matches."""
    findings = []
    for group in fleet.groups:
        for index, pattern in enumerate(fleet.data["groups"][group.name]["services"]):
            known = fleet.tree.paths if "/" in pattern else services
            if any(fnmatch.fnmatchcase(service, pattern) for service in known):
                continue
            position, _ = yaml_reader.locate(fleet.text, ("groups", group.name, "services", index))
            fix = did_you_mean(pattern, known, "correct the pattern or remove it")
            message = f'groups.{group.name}.services: "{pattern}" matches no service'
            findings.append(Finding(Place(FLEET_FILE, *position), "KFW101", message, fix))
    return findings
