"""The Warehouse of one unit: it reads its sources and creates Freight from them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from kargo_fleet.cluster import resources as c
from kargo_fleet.cluster.objects import Object, age, condition, dig, name_of
from kargo_fleet.cluster.scope import ExpectedUnit
from kargo_fleet.cluster.snapshot import Snapshot
from kargo_fleet.doctor.codes import found
from kargo_fleet.findings import Finding, dotted
from kargo_fleet.fleet.freight import Warehouse
from kargo_fleet.text.words import one_line

SETTLED = timedelta(minutes=10)  # within which Kargo promotes available Freight

_HOST = re.compile(r"https?://([^/\s\"]+)")
#: The fix for an error, by a pattern of the message of a registry or Git server.
_ANSWERS = (
    (
        r"unauthori[sz]ed|\b401\b|\b403\b|denied|forbidden|authenticat|credentials",
        "check the credentials: run `kubectl get secrets -n {shared} -l kargo.akuity.io/cred-type`, see docs/credentials.md",
    ),
    (
        r"name_unknown|manifest_unknown|\b404\b|not found|no such repository",
        "correct `{source}.repoURL`, or push a first {kind}",
    ),
    (
        r"x509|certificate|tls",
        "add your certificate authority to Kargo's controller; for a quick test, set `{source}.insecureSkipTLSVerify: true`",
    ),
    (
        r"toomanyrequests|\b429\b|rate limit",
        "the registry limits requests: set a longer `{settings}.interval`, or use a webhook receiver",
    ),
    (
        r"no such host|dial tcp|timeout|timed out|deadline|connection refused|unreachable|\beof\b",
        "the registry does not answer Kargo's controller: check its name, and the network from Kargo's namespace",
    ),
    (r"unsupported as of", "correct the subscription that the message names, in `{settings}`"),
)


def find(cluster: Snapshot, unit: ExpectedUnit) -> Iterator[Finding]:
    """Check that the Warehouses read their sources and create Freight from them."""
    for warehouse in unit.pipeline.warehouses.values():
        if obj := cluster.get(c.WAREHOUSES, warehouse.name, unit.project):
            yield from _warehouse(cluster, unit, warehouse, obj)


def _warehouse(cluster: Snapshot, unit: ExpectedUnit, warehouse: Warehouse, obj: Object) -> Iterator[Finding]:
    place, name = f"{unit.project}/Warehouse/{warehouse.name}", f"warehouse {warehouse.name} -n {unit.project}"
    settings = dotted(warehouse.path)
    healthy, ready = condition(obj, "Healthy"), condition(obj, "Ready")
    message = one_line(healthy.get("message") or ready.get("message")) or healthy.get("reason")
    look = f"run `kubectl describe {name}`"
    if healthy.get("status") == "False":
        reason = str(healthy.get("reason"))
        if reason == "MissingArtifacts" or re.fullmatch(r"No\w+Discovered", reason):
            yield found(
                "KF722", place, f"no artifact matches: {message}", _no_match(obj, warehouse, name), unit.service
            )
        elif reason in ("CriteriaEvaluationFailed", "FreightBuildFailure"):
            fix = f"{look}, and correct `{settings}.freightCreationCriteria.expression`"
            yield found("KF723", place, str(message), fix if reason.startswith("Criteria") else look, unit.service)
        else:
            fix = _answer(str(message), cluster.shared_namespace, warehouse)
            one = found("KF721", place, str(message), f"{fix or look}; then {_refresh(name)}", unit.service)
            yield replace(one, cause=_cause(str(message), fix))
    elif ready.get("status") == "True" and not _has_freight(cluster, unit, obj):
        yield from _no_freight(cluster, unit, obj, warehouse)


def _answer(message: str, shared: str, warehouse: Warehouse) -> str:
    source, kind = _source(warehouse)
    for pattern, fix in _ANSWERS:
        if re.search(pattern, message, re.IGNORECASE):
            return fix.format(shared=shared, source=source, kind=kind, settings=dotted(warehouse.path))
    return ""


def _cause(message: str, answer: str) -> str:
    """Return what many Warehouses may have in common: one host that answers in one way. Ports and paths of messages differ."""
    host = _HOST.search(message)
    return f"{host[1]}: {answer}" if host and answer else ""


def _source(warehouse: Warehouse) -> tuple[str, str]:
    """Return where the first subscription of a Warehouse is set, and what it finds."""
    first = next(iter(warehouse.subscriptions), None)
    kinds = {"image": "image", "git": "commit", "chart": "chart"}
    return (dotted(first.path), kinds[first.kind]) if first else (dotted(warehouse.path), "image")


def _refresh(name: str) -> str:
    return f'run `kubectl annotate {name} --overwrite kargo.akuity.io/refresh="$(date +%s)"`'


#: What decides which artifacts a subscription takes, by its kind.
_SELECTING = {
    "image": "`{}.constraint`, `allowTagsRegexes`, `strictSemvers` and `platform`",
    "commit": "`{}.branch`, `semverConstraint`, `includePaths` and `expressionFilter`",
    "chart": "`{}.semverConstraint`",
}


def _no_match(obj: Object, warehouse: Warehouse, name: str) -> str:
    images = [item["image"] for item in dig(obj, "spec", "subscriptions") or [] if item.get("image")]
    image: Mapping[str, Any] = images[0] if images else {}
    strategy, constraint = image.get("imageSelectionStrategy", "SemVer"), image.get("constraint")
    selection = f"{strategy} {constraint}" if constraint else strategy
    source, kind = _source(warehouse)
    keys = _SELECTING[kind].format(source)
    tags = f" (now {selection})" if images else ""
    there = {"image": "the tags in the registry", "commit": "the commits and tags of the repository"}
    return f"compare {there.get(kind, 'the versions of the chart')} with {keys}{tags}; then {_refresh(name)}"


def _has_freight(cluster: Snapshot, unit: ExpectedUnit, obj: Object) -> bool:
    if dig(obj, "status", "lastFreightID"):
        return True
    stages = cluster.within(c.STAGES, unit.project).values()
    if len(unit.warehouses) > 1:
        origin = f"Warehouse/{name_of(obj)}"
        return any(
            origin in entry.get("items", {}) for one in stages for entry in dig(one, "status", "freightHistory") or []
        )
    return any(dig(stage, "status", "freightHistory") or dig(stage, "status", "lastPromotion") for stage in stages)


def _no_freight(cluster: Snapshot, unit: ExpectedUnit, obj: Object, warehouse: Warehouse) -> Iterator[Finding]:
    name, settings = warehouse.name, dotted(warehouse.path)
    if age(cluster.now, obj) < SETTLED:
        return
    if condition(obj, "FreightCreationCriteriaSatisfied").get("status") == "False":
        message = f"no Freight yet: {settings}.freightCreationCriteria.expression is not satisfied"
        fix = f"correct the expression; `kubectl get warehouse {name} -n {unit.project} -o yaml` shows the artifacts"
    elif dig(obj, "spec", "freightCreationPolicy") == "Manual":
        message = f"no Freight was promoted yet, and none is created: {settings}.freightCreationPolicy is Manual"
        fix = "create Freight in Kargo's UI, or set the policy to Automatic"
    else:
        message = "the Warehouse is ready, but has created no Freight yet"
        fix = f"run `kubectl describe warehouse {name} -n {unit.project}`"
    yield found("KFW721", f"{unit.project}/Warehouse/{name}", message, fix, unit.service)
