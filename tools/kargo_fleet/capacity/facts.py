"""The inputs of the formulas from the values of a fleet's services, and a fleet of another size in the same proportions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from kargo_fleet.capacity import advice
from kargo_fleet.capacity.model import Image, Other, Push, ServiceProfile
from kargo_fleet.fleet.freight import MAIN, Subscription
from kargo_fleet.fleet.pipeline import Pipeline, pipeline_of
from kargo_fleet.fleet.shards import Shard
from kargo_fleet.text.durations import seconds

_PROMOTIONS, _FREIGHT = "count/promotions.kargo.akuity.io", "count/freights.kargo.akuity.io"
#: The default interval of a Warehouse, the chart's default discoveryLimit of `image`, and Kargo's of other subscriptions.
_INTERVAL, _OWN_LIMIT, _LIMIT = "5m", 10, 20

Values = Mapping[str, Any]


def service(values: Values, follows: Iterable[str] = ()) -> ServiceProfile:
    """Return the profile of a unit's complete and valid values."""
    pipeline = pipeline_of(values)
    pushes, pull_requests = _pushes(pipeline)
    quota = pipeline.values.get("resourceQuota") or {}
    hard = (quota.get("hard") or {}) if quota.get("enabled") else {}
    shards = {*pipeline.shards, *(stage.shard for stage in pipeline.stages.values())} - {pipeline.shard}
    elsewhere = [_part(pipeline, shard, pushes, {*follows} - {advice.SHARD}) for shard in sorted(shards)]
    return replace(
        _part(pipeline, pipeline.shard, pushes, {*follows}),
        pull_requests=pull_requests,
        promotions_quota=_limit(hard, _PROMOTIONS),
        freight_quota=_limit(hard, _FREIGHT),
        elsewhere=tuple(elsewhere),
    )


def _part(pipeline: Pipeline, shard: str, pushes: Sequence[Push], follows: set[str]) -> ServiceProfile:
    """Return what the controller of one shard does: the Warehouses and stages that are its own."""
    intervals = {key: seconds(one.given.get("interval") or _INTERVAL) for key, one in pipeline.warehouses.items()}
    first = intervals.get(MAIN) or next(iter(intervals.values()))
    here = {key: one for key, one in pipeline.warehouses.items() if (one.given.get("shard") or pipeline.shard) == shard}
    images, others = [], []
    for key, warehouse in sorted(here.items(), key=lambda item: item[0] != MAIN):  # its own image first
        share = first / intervals[key]
        for one in warehouse.subscriptions:
            if one.kind == "image":
                images.append(_image(one, share))
            else:
                others.append(Other(urlsplit(one.repo_url).hostname or "", share))
    stages = {name for name, stage in pipeline.stages.items() if stage.shard == shard}
    policies = [one.given.get("freightCreationPolicy") or "Automatic" for one in here.values()]
    return ServiceProfile(
        shard=shard,
        interval=first,
        warehouses=sum(first / intervals[key] for key in here),
        automatic="Automatic" in policies,
        images=tuple(images),
        others=tuple(others),
        stages=len(stages),
        pushes=tuple(push for push in pushes if push.stage in stages),
        follows=frozenset(follows if MAIN in here else follows - {advice.CACHE}),
    )


def registry(repo_url: str) -> str:
    """Return the host of an image repository as Kargo's client parses it: the first part, if it looks like a host."""
    first, separator, _ = repo_url.partition("/")
    is_host = separator and ("." in first or ":" in first or first == "localhost")
    return first if is_host else "index.docker.io"


def _image(subscription: Subscription, share: float) -> Image:
    given = subscription.given
    default = _OWN_LIMIT if subscription.path == ("image",) else _LIMIT
    return Image(
        registry(subscription.repo_url),
        given.get("imageSelectionStrategy") or "SemVer",
        given.get("discoveryLimit") or default,
        bool(given.get("cacheByTag")),
        share,
    )


def _pushes(pipeline: Pipeline) -> tuple[tuple[Push, ...], int]:
    """Return the stages that push to a shared branch, and the number of stages that push to the branch of a pull request.

    A stage with custom steps, or a task, may do anything; it is assumed to push to a shared branch.
    """
    pushes, pull_requests = [], 0
    for name, stage in pipeline.stages.items():
        if stage.is_control_flow:
            continue
        if stage.has_pull_request:
            pull_requests += 1
            continue
        url = urlsplit(stage.repo_url)
        place = f"{url.hostname or ''}{url.path}".removesuffix(".git") or stage.repo_url
        pushes.append(Push(name, f"{place}@{stage.target_branch}"))
    return tuple(pushes), pull_requests


def _limit(hard: Values, key: str) -> float:
    """Return a count of a ResourceQuota, which Kubernetes accepts as a number or a string such as 1k."""
    text = str(hard.get(key) or "")
    number, factor = (text[:-1], 1000) if text.endswith("k") else (text, 1)
    return float(number) * factor if number.isdigit() else math.inf


def scaled(services: Sequence[ServiceProfile], count: int, pool: Mapping[str, float]) -> dict[ServiceProfile, float]:
    """Return a fleet of `count` services in which every present service stands for equally many.

    `pool` are the shards of services that are not pinned to a shard, by weight. Shards are assigned by a hash, so the
    shares of a few services differ from those of thousands; the weights are used instead.
    """
    fleet: Counter[ServiceProfile] = Counter()
    present = Counter(services[index * len(services) // count] for index in range(count)) if services else Counter()
    for one, number in present.items():
        if pool and one.shard in ("", *pool):
            for shard, share in pool.items():
                fleet[replace(one, shard=shard)] += number * share  # type: ignore[assignment]
        else:
            fleet[one] += number
    return {one: number for one, number in fleet.items() if number}


def pool(shards: Sequence[Shard]) -> dict[str, float]:
    """Return each shard's share of the services; {} when no shard has a weight."""
    weights = {shard.name: shard.weight for shard in shards}
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items() if weight}
