"""Output of an estimate: text for people, plain data for programs, and findings."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from kargo_fleet.capacity import advice
from kargo_fleet.capacity.estimate import Estimate
from kargo_fleet.capacity.model import Limit
from kargo_fleet.findings import Finding, Place, has_errors
from kargo_fleet.fleet.names import FLEET_FILE
from kargo_fleet.terminal.tables import table
from kargo_fleet.text import yaml_writer
from kargo_fleet.text.durations import written
from kargo_fleet.text.words import plural

_SOURCES = {"chart": "by the chart", "beside": "by others", "releases": "by releases"}


def text(estimate: Estimate, width: int = 110) -> str:
    """Return the estimate in sections; the last has the limit that is reached first, and the settings to change.

    Sentences and tables are wrapped at `width` columns; YAML is not.
    """
    sections = [
        _objects(estimate),
        _etcd(estimate),
        _controllers(estimate, width),
        _registries(estimate, width),
        _git(estimate, width),
        _argocd(estimate),
        _last(estimate),
    ]
    return "\n\n".join("\n".join(_wrapped(section, width)) for section in sections) + "\n"


def as_data(estimate: Estimate) -> dict[str, Any]:
    """Return the estimate as plain data; docs/scaling.md describes it. Durations are in seconds, rates per second by default."""
    settings = estimate.advice.settings
    other = estimate.advice.alternative
    return {
        "services": _round(estimate.services),
        "namespaces": _round(estimate.namespaces),
        "assumptions": estimate.given.as_data(),
        "objects": [
            {"kind": one.name, "source": one.source, "count": _round(one.objects), "storedBytes": round(one.stored)}
            for one in estimate.kinds
        ],
        "etcd": {
            "objectsBytes": round(estimate.storage.objects),
            "historyBytes": round(estimate.storage.history),
            "databaseBytes": round(estimate.storage.database),
            "quotaBackendBytes": estimate.given.quota_backend_bytes,
        },
        "controllers": [_camel(asdict(one)) for one in estimate.controllers],
        "registries": [_camel(asdict(one)) for one in estimate.registries],
        "branches": [
            {
                "branch": one.name,
                "promotionsPerHour": _round(one.promotions),
                "capacityPerHour": _round(one.capacity),
                "controllers": one.controllers,
                "attemptsPerPush": _round(one.attempts),
            }
            for one in estimate.branches
        ],
        "pullRequestsPerHour": _round(estimate.pull_requests),
        "applicationSets": {
            "sizes": list(estimate.sets.sets),
            "reconcileSeconds": _round(estimate.sets.reconcile),
            "requeueAfterSeconds": estimate.sets.requeue_after,
            "share": _round(estimate.sets.share),
            "firstCreationSeconds": _round(estimate.sets.first_creation),
        },
        "kept": {"promotions": _round(estimate.retention.promotions), "freight": _round(estimate.retention.freight)},
        "servicesWithoutQuota": _round(estimate.without_quota),
        "limits": [_limit_data(limit) for limit in estimate.limits],
        "breaksFirst": _first_data(estimate) if estimate.limits else None,
        "advice": {
            "needed": bool(settings) or bool(estimate.advice.remaining),
            "fleet.yaml": advice.as_values(settings),
            "outside": list(_outside(settings)),
            "remaining": [_limit_data(limit) for limit in estimate.advice.remaining],
            "alternative": advice.as_values(other) if other else None,
        },
    }


def findings(estimate: Estimate) -> list[Finding]:
    """Return an error for every exceeded limit and a warning for every limit above `utilization`, the worst first."""
    found = []
    for limit in estimate.limits:
        if limit.share > estimate.given.utilization:
            code = limit.code if limit.share > 1 else limit.code.replace("KF", "KFW")
            found.append(Finding(Place(FLEET_FILE), code, _sentence(limit), _fix(estimate, limit)))
    return found


# -- Sections --------------------------------------------------------------------------------------------------------


def _objects(estimate: Estimate) -> list[str]:
    total = sum(one.objects for one in estimate.kinds)
    lines = [
        f"Objects: {_number(total)} in {_of(estimate.namespaces, 'namespace')}, {_bytes(estimate.storage.objects)} in etcd"
    ]
    for source, label in _SOURCES.items():
        kinds = [one for one in estimate.kinds if one.source == source]
        if not kinds:
            continue
        count, stored = sum(one.objects for one in kinds), sum(one.stored for one in kinds)
        names = ", ".join(f"{_number(one.objects)} {one.name}" for one in sorted(kinds, key=lambda one: -one.objects))
        lines.append(f"  {label:12}  {_number(count)}, {_bytes(stored)}: {names}")
    return lines


def _etcd(estimate: Estimate) -> list[str]:
    storage, quota = estimate.storage, estimate.given.quota_backend_bytes
    lines = [
        (
            f"etcd: database of {_bytes(storage.database)}, {_percent(storage.database / quota)} of {_bytes(quota)}; "
            f"{_bytes(storage.history)} of it are versions that are not compacted yet"
        )
    ]
    if estimate.without_quota:
        lines.append(
            f"  {_of(round(estimate.without_quota), 'service')} without resourceQuota: Promotions and Freight are not limited"
        )
    return lines


def _controllers(estimate: Estimate, width: int) -> list[str]:
    given = estimate.given
    head = ["shard", "services", "discoveries/s", f"workers of {given.max_concurrent_reconciles}"]
    head += [f"API requests/s of {given.kube_api_qps}", "Stage reconciles/s", "smallest interval"]
    rows = [
        [
            one.shard or "(default)",
            _number(one.services),
            _number(one.discoveries),
            _number(one.workers),
            _number(one.api_requests),
            _number(one.stage_reconciles),
            written(one.smallest_interval),
        ]
        for one in estimate.controllers
    ]
    return ["Kargo's controllers", *table(head, rows, width)]


def _registries(estimate: Estimate, width: int) -> list[str]:
    head = ["registry", "shard", "Warehouses", "discoveries/s", f"requests/s of {estimate.given.rate_limit}"]
    head += ["requests each", "smallest interval"]
    rows = [
        [
            one.host,
            one.shard or "(default)",
            _number(one.warehouses),
            _number(one.discoveries),
            _number(one.requests),
            _number(one.requests_per_discovery),
            written(one.smallest_interval),
        ]
        for one in estimate.registries
    ]
    return ["Registries", *table(head, rows, width)]


def _git(estimate: Estimate, width: int) -> list[str]:
    head = ["branch", "promotions/h", "limit/h", "controllers", "attempts"]
    rows = [
        [one.name, _number(one.promotions), _number(one.capacity), _number(one.controllers), _number(one.attempts)]
        for one in estimate.branches
    ]
    lines = ["Git", *(table(head, rows, width) if rows else [])]
    if estimate.pull_requests:
        lines.append(f"  {_of(estimate.pull_requests, 'pull request')}/h, each on its own branch")
    kept = estimate.retention
    lines.append(
        f"  {_of(estimate.given.releases_per_service_per_day, 'release')} per service and day; Kargo keeps "
        f"{_of(kept.promotions, 'Promotion')} and {_number(kept.freight)} Freight"
    )
    return lines


def _argocd(estimate: Estimate) -> list[str]:
    sets = estimate.sets
    return [
        (
            f"Argo CD: {plural(len(sets.sets), 'ApplicationSet')} of {_of(max(sets.sets, default=0), 'Application')} at most; "
            f"first creation {_number(sets.first_creation)} s, then {_number(sets.reconcile)} s "
            f"every {_number(sets.requeue_after)} s ({_percent(sets.share)} of the time)"
        )
    ]


def _last(estimate: Estimate) -> list[str]:
    lines = []
    if estimate.limits:
        first = estimate.limits[0]
        full = f"; full at {_of(_full_at(estimate, first), 'service')}" if first.grows and first.load else ""
        lines.append(f"breaks first: {_sentence(first)}{full}")
    settings = estimate.advice.settings
    if not settings and not estimate.advice.remaining:
        return [*lines, f"set: nothing; every limit is used {_percent(estimate.given.utilization)} or less"]
    lines += _set("set", settings) if settings else ["set: no setting is enough"]
    lines += [f"not enough for {_sentence(limit)}; {_beyond(limit)}" for limit in estimate.advice.remaining]
    if estimate.advice.alternative:
        lines += _set("or, if tags move, set", estimate.advice.alternative)
    return lines


def _set(words: str, settings: advice.Settings) -> list[str]:
    lines = [f"{words} in fleet.yaml:", *(f"  {line}" for line in _yaml(settings))]
    outside = [f"  {line}" for line in _outside(settings)]
    return [*lines, "and outside of it:", *outside] if outside else lines


def _yaml(settings: advice.Settings) -> list[str]:
    values = advice.as_values(settings)
    return yaml_writer.document(values, yaml_writer.SHOWN).splitlines() if values else []


# -- Sentences -------------------------------------------------------------------------------------------------------


def _sentence(limit: Limit) -> str:
    if limit.unit == "bytes":
        used = f"{_bytes(limit.load)} of {_bytes(limit.capacity)}"
    elif limit.unit == "Applications too many":
        return f"{limit.resource}, {limit.where}: {_of(limit.load, 'Application')} more than maxApplications"
    else:
        used = f"{_number(limit.load)} of {_number(limit.capacity)} {limit.unit}"
    return f"{limit.resource}, {limit.where}: {used} ({_percent(limit.share)})"


def _outside(settings: advice.Settings) -> Iterator[str]:
    """Yield the changes outside of fleet.yaml."""
    if settings.webhook_receivers:
        yield "configure webhook receivers in Kargo's ClusterConfig, which announce images before the interval ends"
    if settings.max_concurrent_reconciles:
        workers = settings.max_concurrent_reconciles
        yield f"set controller.reconcilers.maxConcurrentReconciles: {workers} in the values of Kargo's chart"
    if settings.shards:
        yield f"run one Kargo controller per shard, {len(settings.shards)} in all, each with its controller.shardName"
    if settings.branches:
        yield "let Argo CD read every stage from its branch (targetRevision), and allow Kargo's credentials to push to it"
    if settings.quota_backend_bytes:
        yield f"run etcd with --quota-backend-bytes={settings.quota_backend_bytes}"
    if settings.cache_by_tag:
        yield "set image.cacheByTag: false in kargo.yaml of services whose tags move; it is only for tags that never move"


def _fix(estimate: Estimate, limit: Limit) -> str:
    """Return the fix for one limit, in one line."""
    settings = estimate.advice.settings
    changes = {
        "KF901": _changes(settings),
        "KF902": _changes(settings),
        "KF903": [f"stages.{stage}.branch: env/{stage}" for stage in settings.branches],
        "KF904": [f"--quota-backend-bytes={settings.quota_backend_bytes}"] if settings.quota_backend_bytes else [],
        "KF905": [f"argocd.units.requeueAfterSeconds: {settings.requeue_after}"] if settings.requeue_after else [],
        "KF906": [],
    }[limit.code]
    if (
        any((left.resource, left.where) == (limit.resource, limit.where) for left in estimate.advice.remaining)
        or not changes
    ):
        return _beyond(limit)
    return "set " + ", ".join(changes)


def _changes(settings: advice.Settings) -> list[str]:
    changes = ["image.cacheByTag: true"] if settings.cache_by_tag else []
    if settings.interval is not None:
        changes.append(f"warehouse.interval: {written(settings.interval)}")
    if settings.webhook_receivers:
        changes.append("webhook receivers")
    if settings.max_concurrent_reconciles:
        changes.append(f"maxConcurrentReconciles: {settings.max_concurrent_reconciles}")
    return changes + ([f"{len(settings.shards)} shards"] if settings.shards else [])


def _beyond(limit: Limit) -> str:
    """Return the fix for a limit that no setting of the fleet relieves."""
    return {
        "KF901": "change the services that set interval or cacheByTag themselves, or raise the limit of the registry",
        "KF902": "raise controller.reconcilers.maxConcurrentReconciles and KUBE_API_QPS of Kargo's controller",
        "KF903": "use several repositories, or bundle releases: a branch takes one push at a time",
        "KF904": "use several clusters, shorten retention (garbageCollector of Kargo's chart), or give every service a resourceQuota",
        "KF905": "raise argocd.units.maxApplications, or use several fleets",
        "KF906": "raise resourceQuota.hard, or shorten minPromotionDeletionAge and minFreightDeletionAge of Kargo's chart",
    }[limit.code]


def _full_at(estimate: Estimate, limit: Limit) -> float:
    """Return the number of services like the present ones that use all of a limit, rounded down to two digits."""
    services = estimate.services / limit.share
    step = 10.0 ** max(math.floor(math.log10(services)) - 1, 0)
    return math.floor(services / step) * step


def _limit_data(limit: Limit) -> dict[str, Any]:
    share = None if math.isinf(limit.share) else _round(limit.share)
    return {
        "code": limit.code,
        "resource": limit.resource,
        "where": limit.where,
        "load": _round(limit.load),
        "capacity": _round(limit.capacity),
        "unit": limit.unit,
        "share": share,
    }


def _first_data(estimate: Estimate) -> dict[str, Any]:
    first = estimate.limits[0]
    return _limit_data(first) | {
        "fullAtServices": round(_full_at(estimate, first)) if first.grows and first.load else None
    }


# -- Numbers and tables ----------------------------------------------------------------------------------------------


def _of(value: float, noun: str) -> str:
    """Return a number as it is shown, with its noun: 1 namespace, 1,000 namespaces, 0.2 releases."""
    shown = _number(value)
    return f"{shown} {noun}{'s' * (shown != '1')}"


def _number(value: float) -> str:
    """Return a number with two significant digits, or as an integer from 10 on: 0.033, 4.7, 12, 1,433."""
    if value == 0:
        return "0"
    if value >= 10 or value == round(value):
        return f"{value:,.0f}"
    digits = 1 if value >= 1 else 2 - math.floor(math.log10(value)) - 1
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if value < 1 else f"{value:.{digits}f}"


def _bytes(value: float) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if value >= size:
            return f"{_number(value / size)} {unit}"
    return f"{value:.0f} B"


def _percent(share: float) -> str:
    return f"{share * 100:,.0f} %" if share >= 0.01 or share == 0 else "under 1 %"


def _round(value: float) -> float:
    rounded = round(value, 6)
    return int(rounded) if rounded == int(rounded) else rounded


def _camel(data: dict[str, Any]) -> dict[str, Any]:
    return {
        "".join([first, *(word.capitalize() for word in rest)]): _round(value) if isinstance(value, float) else value
        for (first, *rest), value in ((key.split("_"), value) for key, value in data.items())
    }


def _wrapped(lines: Iterable[str], width: int) -> Iterator[str]:
    """Yield lines of at most `width` columns. Tables are that narrow already; YAML, which is indented, is left alone."""
    import textwrap

    for line in lines:
        label = re.match(r"  (?:by \w+(?: \w+)? +)?", line)  # what follows the label of a line stands below it
        if line.startswith("  ") and not (label and len(label[0]) > 2):
            yield line
        else:
            indent = " " * len(label[0]) if label else "  "
            yield from textwrap.wrap(line, width, subsequent_indent=indent, break_on_hyphens=False)


def summary(estimate: Estimate, found: Iterable[Finding], left_out: Sequence[str]) -> str:
    """Return one sentence: the size of the fleet and whether it fits."""
    verdict = "exceeds limits" if has_errors(found) else "close to limits" if list(findings(estimate)) else "fits"
    left = f"; {plural(len(left_out), 'service')} with errors left out, see `kargo-fleet check`" if left_out else ""
    return f"{plural(round(estimate.services), 'service')}: {verdict}{left}"
