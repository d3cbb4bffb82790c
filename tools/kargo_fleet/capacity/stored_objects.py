"""The objects of a fleet in the cluster: their number per kind, by rendering them, and their bytes in etcd, as measured.

stored.json has the bytes in etcd of each kind beyond what the chart renders: the status that Kargo writes, managed fields,
identity. `make measure-etcd` writes it, from a fleet in a real control plane.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from kargo_fleet.capacity import model
from kargo_fleet.capacity.assumptions import Assumptions
from kargo_fleet.errors import FleetError
from kargo_fleet.fleet.chart import Chart
from kargo_fleet.fleet.names import RELEASE_REVISIONS
from kargo_fleet.render.renderer import render
from kargo_fleet.text.yaml_manifests import parse
from kargo_fleet.unit.build import Unit

#: Writes of a Promotion's status while it runs: pending, running, each step, the end (pkg/controller/promotions).
_WRITES_PER_PROMOTION = 10


class Document(NamedTuple):
    """One rendered object: its service, and its size as compact JSON."""

    service: str
    kind: str
    size: int


@dataclass(frozen=True)
class ObjectKind:
    """The number of objects of a kind, their bytes in etcd, and what creates them."""

    name: str
    source: str
    objects: float
    stored: float


def documents(chart: Chart, values: Mapping[str, str]) -> Iterator[Document]:
    """Render units from the text of their values files, and yield their objects.

    Raises FleetError without Helm, or when Helm cannot render a unit.
    """
    for one in render(chart, values):
        if one.problems:
            raise FleetError(f"{one.service}: Helm cannot render it: {one.problems[0].message}")
        for document in filter(None, parse(one.text)):
            size = len(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode())
            yield Document(one.service, document["kind"], size)


def representatives(units: Iterable[Unit], chart: Chart) -> dict[str, list[int]]:
    """Group units, by their index, whose values have the same shape: they render to the same kinds, and nearly the same bytes.

    Strings are compared as empty or not, except those of an `enum`; numbers as zero or not. The first unit of a group
    represents it.
    """
    choices = frozenset(_choices(chart.schema))
    groups: dict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(units):
        groups[json.dumps(_shape(one.overlay, choices), sort_keys=True)].append(index)
    return groups


def _choices(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        yield from (item for item in schema.get("enum", ()) if isinstance(item, str))
        for inner in schema.values():
            yield from _choices(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _choices(inner)


def _shape(value: Any, choices: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {key: _shape(inner, choices) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shape(inner, choices) for inner in value]
    if isinstance(value, str):
        return value if value in choices else bool(value)
    return value if value is None or isinstance(value, bool) else bool(value)


def kinds(
    found: Iterable[Document], weights: Mapping[str, float], services: float, given: Assumptions
) -> list[ObjectKind]:
    """Return the objects of a fleet's units: those of the chart, and those that others create for each unit.

    `weights` is the number of services that each rendered service stands for. The objects that Kargo's management
    controller, Kubernetes and the installer create for a unit were counted by `make measure-etcd`.
    """
    measured = stored()[given.installed_by]
    count: dict[str, float] = defaultdict(float)
    size: dict[str, float] = defaultdict(float)
    for document in found:
        count[document.kind] += weights[document.service]
        size[document.kind] += weights[document.service] * document.size
    chart = [
        ObjectKind(kind, "chart", count[kind], size[kind] + count[kind] * _overhead(measured["chart"], kind))
        for kind in sorted(count)
    ]
    beside = []
    for kind, one in measured["beside"].items():
        each = (
            RELEASE_REVISIONS if kind == "Secret" else one["perService"]
        )  # every upgrade adds a revision of Helm's release
        beside.append(ObjectKind(kind, "beside", services * each, services * each * one["stored"]))
    return chart + beside


def history_kinds(kept: model.Retention, given: Assumptions) -> list[ObjectKind]:
    """Return the objects that releases create and that are kept: Freight and Promotions."""
    measured = stored()[given.installed_by]["release"]
    return [
        ObjectKind(kind, "releases", number, number * measured[kind]["stored"])
        for kind, number in (("Freight", kept.freight), ("Promotion", kept.promotions))
    ]


def storage(found: Sequence[ObjectKind], loads: Iterable[model.ControllerLoad], given: Assumptions) -> model.Storage:
    """Return the size of etcd's database: the objects, and every version written since the last compaction."""
    measured = stored()[given.installed_by]
    objects = sum(kind.stored for kind in found)
    written = sum(
        one.discoveries * model.WRITES_PER_DISCOVERY * measured["chart"]["Warehouse"]["stored"]
        + one.promotions * _WRITES_PER_PROMOTION * measured["release"]["Promotion"]["stored"]
        for one in loads
    )
    database = measured["database"]
    history = written * model.HISTORY * database["historyBytesPerByte"]
    return model.Storage(objects, history, objects * database["bytesPerByte"] + history)


def _overhead(measured: Mapping[str, Any], kind: str) -> float:
    """Return the bytes of an object beyond its rendered size; for a kind that was not measured, the average."""
    found = [measured[kind]] if kind in measured else list(measured.values())
    return float(sum(one["stored"] - one["rendered"] for one in found) / len(found))


@cache
def stored() -> dict[str, Any]:
    """Return the measured sizes, by installer (argocd or helm)."""
    text = resources.files("kargo_fleet.capacity").joinpath("stored.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
