"""fleet.yaml: where services, images and the Git repository are, and the layers that many services share."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kargo_fleet.files.reading import Reader
from kargo_fleet.findings import Finding, Place
from kargo_fleet.fleet import shards
from kargo_fleet.fleet.chart import Chart
from kargo_fleet.fleet.layers import Layer, finding
from kargo_fleet.fleet.shards import HEAVIEST, Shard
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.json_schema import Schema
from kargo_fleet.text.yaml_reader import KeyPath

FILE = "fleet.yaml"
#: A shard may name ApplicationSets, so it is a DNS label, which is less than Kargo allows.
_SHARD = r"^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$"
_SHARD_MESSAGE = "the name of a shard: a-z, 0-9 and -, at most 40 characters"
_FOLDER = r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$"


@dataclass(frozen=True)
class Group:
    """Values for the services whose names match one of the patterns (shell globs)."""

    name: str
    pattern: re.Pattern[str]
    layer: Layer
    registry: str = ""
    broken: bool = False

    def has(self, service: str) -> bool:
        """Say whether a service belongs to the group."""
        return self.pattern.match(service) is not None


@dataclass(frozen=True)
class Fleet:
    """The repository and what its fleet.yaml says. Paths are relative to `root`."""

    root: Path
    data: dict[str, Any]
    text: str
    services: str
    registry: str
    git: dict[str, str]
    layer: Layer
    groups: tuple[Group, ...]
    shards: tuple[Shard, ...]
    max_prune_share: float
    broken: bool = False

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


def schema(chart_schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of fleet.yaml; `chart_schema` is that of the chart's values, which is the one of every layer."""
    from kargo_fleet.argocd import ARGOCD_SCHEMA
    from kargo_fleet.capacity.assumptions import PLAN_SCHEMA

    values = {key: value for key, value in chart_schema.items() if key not in ("$schema", "definitions", "title")}
    image = chart_schema["properties"]["image"]["properties"]["repoURL"]
    git = chart_schema["properties"]["git"]["properties"]

    def section(description: str, properties: dict[str, Any]) -> dict[str, Any]:
        return {
            "description": description,
            "type": ["object", "null"],
            "additionalProperties": False,
            "properties": properties,
        }

    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "fleet.yaml",
        "description": "A fleet: where its services are, and the values that they share.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "services": {
                "description": "The folder that holds one folder per service. Default: services.",
                "type": "string",
                "pattern": _FOLDER,
                "patternErrorMessage": "a path from the root of the repository, such as services",
            },
            "image": section(
                "Where images are.",
                {
                    "registry": {
                        **image,
                        "description": "Images are <registry>/<service>, unless a layer sets image.repoURL.",
                    }
                },
            ),
            "git": section(
                "The GitOps repository, which is this one.",
                {
                    "repoURL": {**git["repoURL"], "description": "URL of the repository, https://."},
                    "branch": {**git["branch"], "description": "Branch that promotions commit to. Default: main."},
                },
            ),
            "chart": section(
                "The chart that templates one unit.",
                {
                    "path": {
                        "description": "Folder of the chart. Default: charts/kargo-service, or the chart that comes with kargo-fleet.",
                        "type": "string",
                        "pattern": _FOLDER,
                        "patternErrorMessage": "a path from the root of the repository, such as charts/kargo-service",
                    }
                },
            ),
            "shards": {
                "description": "Kargo's controllers by their shardName; every service gets one, by a hash of its name.",
                "type": ["array", "null"],
                "items": {
                    "description": "The name of a shard, or its name and weight.",
                    "type": ["string", "object"],
                    "pattern": _SHARD,
                    "patternErrorMessage": _SHARD_MESSAGE,
                    "additionalProperties": False,
                    "required": ["name"],
                    "properties": {
                        "name": {
                            "description": "The shardName that a controller of Kargo was started with.",
                            "type": "string",
                            "pattern": _SHARD,
                            "patternErrorMessage": _SHARD_MESSAGE,
                        },
                        "weight": {
                            "description": "Its share compared with the others'. 0: only what is pinned to it. Default: 1.",
                            "type": "integer",
                            "minimum": 0,
                            "maximum": HEAVIEST,
                        },
                    },
                },
            },
            "values": {"$ref": "#/definitions/values"},
            "groups": {
                "description": "Values for some of the services, in the order in which they are merged.",
                "type": ["object", "null"],
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["services"],
                    "properties": {
                        "services": {
                            "description": "Names of services; * and ? stand for any characters.",
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "minLength": 1},
                        },
                        "image": section(
                            "Where images of these services are.",
                            {"registry": {**image, "description": "Images are <registry>/<service>."}},
                        ),
                        "values": {"$ref": "#/definitions/values"},
                    },
                },
            },
            "argocd": ARGOCD_SCHEMA,
            "plan": PLAN_SCHEMA,
            "prune": section(
                "What `generate --prune` may remove.",
                {
                    "maxShare": {
                        "description": "Largest share of the fleet that may go in one run. Default: 0.1; one service may always go.",
                        "type": "number",
                        "minimum": 0,
                        "maximum": 1,
                    }
                },
            ),
        },
        "definitions": {
            **chart_schema["definitions"],
            "values": {
                **values,
                "type": ["object", "null"],
                "description": "Chart values for every one of these services.",
            },
        },
    }


def load(root: Path, chart: Chart) -> tuple[Fleet, list[Finding]]:
    """Read fleet.yaml and check it. The result is `broken` when something is wrong that concerns every service.

    A repository without fleet.yaml is a fleet with nothing but defaults.
    """
    path = root / FILE
    if not path.exists() and not path.is_symlink():
        wrong = "fleet.yml"
        fix = f"rename it to {FILE}"
        unread = [Finding(Place(wrong), "KFW201", "this file is not read", fix)] if (root / wrong).exists() else []
        return _fleet(root, {}, ""), unread
    text = yaml_reader.read_text(Reader(root), FILE)
    if isinstance(text, Finding):
        return unusable(root), [text]
    try:
        data = yaml_reader.parse(text)
    except yaml_reader.YamlProblem as problem:
        return unusable(root), [problem.finding(FILE)]
    layer = Layer(FILE, (), data, text)
    problems = Schema(schema(chart.schema)).problems(data)
    findings = [finding(layer, problem) for problem in problems]
    if any(_concerns_everyone(problem.path) for problem in problems):
        return unusable(root), findings
    findings += _shard_findings(layer)
    return _fleet(root, data, text, frozenset(str(problem.path[1]) for problem in problems)), findings


def _shard_findings(layer: Layer) -> list[Finding]:
    names = [shard.name for shard in shards.read(layer.values)]
    return [
        Finding(layer.place(("shards", index)), "KF103", f"shards[{index}]: {name} is listed already", "name it once")
        for index, name in enumerate(names)
        if name in names[:index]
    ]


def unusable(root: Path) -> Fleet:
    """Return the fleet of a fleet.yaml that leaves nothing to go on with."""
    return replace(_fleet(root, {}, ""), broken=True)


def _concerns_everyone(path: KeyPath) -> bool:
    # While it is not known who belongs to a group, any service may.
    return path[0] != "groups" or len(path) < 3 or path[2] == "services"


def _fleet(root: Path, data: dict[str, Any], text: str, broken: frozenset[str] = frozenset()) -> Fleet:
    def section(key: str) -> dict[str, Any]:
        return data.get(key) or {}

    groups = []
    for name, group in section("groups").items():
        pattern = "|".join(f"(?:{fnmatch.translate(item)})" for item in group["services"])
        values = {} if name in broken else group.get("values") or {}
        layer = Layer(FILE, ("groups", name, "values"), values, text)
        registry = {} if name in broken else group.get("image") or {}
        groups.append(Group(name, re.compile(pattern), layer, _registry(registry), name in broken))
    return Fleet(
        root=root,
        data=data,
        text=text,
        services=(data.get("services") or "services"),
        registry=_registry(section("image")),
        git={key: value for key, value in section("git").items() if value},
        layer=Layer(FILE, ("values",), section("values"), text),
        groups=tuple(groups),
        shards=shards.read(data),
        max_prune_share=section("prune").get("maxShare", 0.1),
    )


def _registry(image: Mapping[str, Any]) -> str:
    return (image.get("registry") or "").rstrip("/")


def group_findings(fleet: Fleet, services: list[str]) -> list[Finding]:
    """Return a warning for each pattern of a group that no service matches."""
    findings = []
    for group in fleet.groups:
        for index, pattern in enumerate(fleet.data["groups"][group.name]["services"]):
            if any(fnmatch.fnmatchcase(service, pattern) for service in services):
                continue
            position, _ = yaml_reader.locate(fleet.text, ("groups", group.name, "services", index))
            close = difflib.get_close_matches(pattern, services, n=1)
            fix = f"did you mean {close[0]}?" if close else "correct the pattern or remove it"
            message = f'groups.{group.name}.services: "{pattern}" matches no service'
            findings.append(Finding(Place(FILE, *position), "KFW101", message, fix))
    return findings
