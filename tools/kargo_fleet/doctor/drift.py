"""Drift: differences between a unit in the cluster and what the chart renders from its values file.

The chart renders what Kargo stores, field by field, so a difference was made by hand or is not deployed yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kargo_fleet.cluster import resources as c
from kargo_fleet.cluster.objects import Object, dig, is_ours
from kargo_fleet.cluster.resources import ACCESS, QUOTAS, Resource
from kargo_fleet.cluster.scope import ExpectedUnit
from kargo_fleet.cluster.snapshot import Snapshot
from kargo_fleet.doctor.codes import found
from kargo_fleet.doctor.expected import Expected
from kargo_fleet.doctor.foundation import deploy_fix
from kargo_fleet.findings import Finding
from kargo_fleet.fleet.names import values_path
from kargo_fleet.render.renderer import render
from kargo_fleet.text.words import first_of
from kargo_fleet.text.yaml_manifests import parse

_ROLES, _BINDINGS, _ACCOUNTS = ACCESS
#: The kinds that the chart creates, with the parts of each that are compared.
_KINDS: Mapping[str, tuple[Resource, tuple[str, ...]]] = {
    "Namespace": (c.NAMESPACES, ()),
    "Project": (c.PROJECTS, ()),
    "ProjectConfig": (c.CONFIGS, ("spec",)),
    "Warehouse": (c.WAREHOUSES, ("spec",)),
    "Stage": (c.STAGES, ("spec",)),
    "AnalysisTemplate": (c.ANALYSIS_TEMPLATES, ("spec",)),
    "PromotionTask": (c.TASKS, ("spec",)),
    "ResourceQuota": (QUOTAS, ("spec",)),
    "Role": (_ROLES, ("rules",)),
    "RoleBinding": (_BINDINGS, ("roleRef", "subjects")),
    "ServiceAccount": (_ACCOUNTS, ()),
}


def find(cluster: Snapshot, expected: Expected, units: Sequence[ExpectedUnit]) -> Iterator[Finding | None]:
    """Compare units with what Helm renders from their values files; yield None for a unit without drift.

    A unit that Helm cannot render is not compared: `check` reports why. Raises FleetError without Helm.
    """
    texts = {unit.service: expected.texts[unit.service] for unit in units}
    for unit, one in zip(units, render(expected.chart, texts), strict=True):
        yield compare(cluster, unit, filter(None, parse(one.text))) if one.text else None


@dataclass(frozen=True)
class _Difference:
    """One difference as text, and the fix: "" when deploying again removes it."""

    text: str
    fix: str = ""


def compare(cluster: Snapshot, unit: ExpectedUnit, wanted: Iterable[Object]) -> Finding | None:
    """Compare a unit with the objects that the chart renders for it; return the finding, None without drift."""
    differences = list(_differences(cluster, unit, list(wanted)))
    if not differences:
        return None
    file = values_path(unit.service)
    message = f"the cluster differs from {file}: {first_of([one.text for one in differences])}"
    again = [] if all(one.fix for one in differences) else [deploy_fix(unit.service, again=True)]
    by_hand = [one.fix for one in differences if one.fix]
    fixes = [*again, *dict.fromkeys(by_hand), "to keep what is in the cluster, change the service's kargo.yaml"]
    return found("KF761", unit.project, message, "; ".join(fixes), unit.service)


def _differences(cluster: Snapshot, unit: ExpectedUnit, wanted: list[Object]) -> Iterator[_Difference]:
    for obj in wanted:
        kind, name = obj["kind"], obj["metadata"]["name"]
        resource, parts = _KINDS.get(kind, (None, ()))
        if resource is None or not resource.api.endswith(f"/{obj['apiVersion']}"):
            continue  # an extra object: which kinds these are is the platform's choice
        namespace = unit.project if resource.namespaced else ""
        live = cluster.get(resource, name, namespace)
        if live is not None:
            yield from _differing(obj, live, parts)
        elif cluster.knows(resource, namespace) and kind not in _CHECKED_ELSEWHERE:
            yield _Difference(f"{kind}/{name} is missing")
    rendered_names = {(obj["kind"], obj["metadata"]["name"]) for obj in wanted}
    for kind, (resource, _) in _KINDS.items():
        for name, obj in cluster.within(resource, unit.project).items():
            if (kind, name) not in rendered_names and is_ours(obj):
                fix = f"run `kubectl delete {kind.lower()} {name} -n {unit.project}`: no release owns the object"
                yield _Difference(f"{kind}/{name} is not in the values", fix)


_CHECKED_ELSEWHERE = {"Namespace", "Project", "ProjectConfig", "Warehouse", "Stage"}  # other checks report these


def _differing(wanted: Object, live: Object, parts: Iterable[str]) -> Iterator[_Difference]:
    """Yield how an object differs from the rendered one. Labels and additional annotations are not compared."""
    kind, name = wanted["kind"], wanted["metadata"]["name"]
    for part in parts:
        for path, is_added in _paths(wanted.get(part), live.get(part), part):
            # Neither Helm nor Argo CD removes a field of another field manager.
            edit = f"kubectl edit {kind.lower()} {name} -n {live['metadata'].get('namespace')}"
            fix = f"run `{edit}` and remove the added fields"
            yield _Difference(f"{kind}/{name} {path}{' was added' if is_added else ''}", fix if is_added else "")
    there = dig(live, "metadata", "annotations") or {}
    for key, value in (dig(wanted, "metadata", "annotations") or {}).items():
        if there.get(key) != value:
            yield _Difference(f"{kind}/{name} metadata.annotations[{key}]")


def _paths(wanted: Any, live: Any, path: str) -> Iterator[tuple[str, bool]]:
    """Yield the paths at which two values differ, and whether the live value was added."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        for key in [*wanted, *(key for key in live if key not in wanted)]:
            yield from _paths(wanted.get(key), live.get(key), f"{path}.{key}")
    elif isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        for index, (one, other) in enumerate(zip(wanted, live, strict=True)):
            yield from _paths(one, other, f"{path}[{index}]")
    elif wanted != live and not (_is_empty(wanted) and _is_empty(live)):
        yield path, wanted is None and "[" not in path  # lists are replaced as a whole


def _is_empty(value: Any) -> bool:
    return value is None or value in ({}, [], "")
