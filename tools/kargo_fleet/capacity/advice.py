"""Settings with which a fleet fits that does not fit yet, determined by trying them with the same formulas.

Only settings that were calculated to be sufficient are proposed. If several are, the cheapest comes first: caching by tag,
a longer interval with webhook receivers, more workers, and more controllers last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from kargo_fleet.capacity.assumptions import Assumptions
from kargo_fleet.capacity.model import Limit, Profiles, Push, ServiceProfile
from kargo_fleet.text.durations import written

#: Intervals to choose from. More than an hour is too long for a release, with or without webhook receivers.
_INTERVALS = (300.0, 600.0, 900.0, 1800.0, 3600.0)
#: Above this interval, webhook receivers should announce new images.
_FELT = 900.0
_MOST_SHARDS = 100
_CONTROLLERS = frozenset(["KF901", "KF902"])
#: Values that a service may leave to fleet.yaml.
INTERVAL, CACHE, SHARD = "warehouse.interval", "image.cacheByTag", "shard"


@dataclass(frozen=True)
class Settings:
    """Settings to change, in fleet.yaml and outside of it. None or empty means unchanged."""

    interval: float | None = None
    cache_by_tag: bool = False
    shards: tuple[str, ...] = ()
    webhook_receivers: bool = False
    max_concurrent_reconciles: int | None = None
    branches: tuple[str, ...] = ()
    quota_backend_bytes: int | None = None
    requeue_after: int | None = None

    def __bool__(self) -> bool:
        return self != Settings()


#: Calculates the limits of a fleet; uses the settings that are neither in the fleet nor in the assumptions.
Limits = Callable[[Profiles, Assumptions, Settings], list[Limit]]


@dataclass(frozen=True)
class Advice:
    """The settings to change. `remaining` are limits that no setting relieves; `alternative` is sufficient, too."""

    settings: Settings
    remaining: tuple[Limit, ...] = ()
    alternative: Settings | None = None


def find(fleet: Profiles, given: Assumptions, limits: Limits) -> Advice:
    """Return the settings with which no limit is used more than `utilization`; empty when none is."""
    wrong = _wrong(fleet, given, limits, Settings())
    if not wrong:
        return Advice(Settings())
    rest = _beside_controllers(fleet, given, wrong)
    settings, alternative = rest, None
    if any(limit.code in _CONTROLLERS for limit in wrong):
        settings = _first(_for_controllers(fleet, given, rest), fleet, given, limits) or rest
        if settings.cache_by_tag:
            plain = (one for one in _for_controllers(fleet, given, rest) if not one.cache_by_tag)
            alternative = _first(plain, fleet, given, limits)
    return Advice(settings, tuple(_wrong(fleet, given, limits, settings)), alternative)


def _beside_controllers(fleet: Profiles, given: Assumptions, wrong: list[Limit]) -> Settings:
    """Return the settings for everything except the controllers and their registries."""
    settings = Settings()
    for limit in wrong:
        if limit.code == "KF903":
            settings = replace(settings, branches=_stages(fleet))
        elif limit.code == "KF904":
            settings = replace(settings, quota_backend_bytes=_quota(limit.load / given.utilization))
        elif limit.resource == "ApplicationSet":
            settings = replace(settings, requeue_after=math.ceil(limit.load / given.utilization / 60) * 60)
    return settings


def apply(fleet: Profiles, settings: Settings) -> dict[ServiceProfile, float]:
    """Return the fleet with these settings in fleet.yaml; values that a service sets itself do not change."""
    changed: dict[ServiceProfile, float] = {}
    for service, count in fleet.items():
        one = replace(_part(service, settings), elsewhere=tuple(_part(part, settings) for part in service.elsewhere))
        spread = settings.shards if settings.shards and SHARD in one.follows else (one.shard,)
        for shard in spread:
            moved = replace(one, shard=shard)
            changed[moved] = changed.get(moved, 0) + count / len(spread)
    return changed


def _part(one: ServiceProfile, settings: Settings) -> ServiceProfile:
    """Return what one controller has of a service, with these settings but for the shards."""
    if settings.interval is not None and INTERVAL in one.follows:
        one = replace(one, interval=settings.interval)
    if settings.cache_by_tag and CACHE in one.follows and one.images:
        own, *others = one.images
        one = replace(one, images=(replace(own, cache_by_tag=True), *others))
    if settings.branches:
        pushes = (
            Push(push.stage, f"{push.branch.rpartition('@')[0]}@env/{push.stage}")
            if push.stage in settings.branches
            else push
            for push in one.pushes
        )
        one = replace(one, pushes=tuple(pushes))
    return one


def assumed(given: Assumptions, settings: Settings) -> Assumptions:
    """Return the assumptions with the settings that are outside of the fleet."""
    changed = given
    if settings.webhook_receivers:
        changed = replace(changed, webhook_receivers=True)
    if settings.max_concurrent_reconciles:
        changed = replace(changed, max_concurrent_reconciles=settings.max_concurrent_reconciles)
    if settings.quota_backend_bytes:
        changed = replace(changed, quota_backend_bytes=settings.quota_backend_bytes)
    return changed


def _wrong(fleet: Profiles, given: Assumptions, limits: Limits, settings: Settings) -> list[Limit]:
    found = limits(apply(fleet, settings), assumed(given, settings), settings)
    return [limit for limit in found if limit.share > given.utilization]


def _first(ways: Iterator[Settings], fleet: Profiles, given: Assumptions, limits: Limits) -> Settings | None:
    for way in ways:
        wrong = _wrong(fleet, given, limits, way)
        if not any(limit.code in _CONTROLLERS for limit in wrong):
            return way
    return None


def _for_controllers(fleet: Profiles, given: Assumptions, rest: Settings) -> Iterator[Settings]:
    """Yield settings that reduce the requests to registries or spread them over controllers, the cheapest first."""
    slowest = max((one.interval for one in fleet if INTERVAL in one.follows), default=0.0)
    intervals: list[float | None] = [None, *(each for each in _INTERVALS if each > slowest)]
    caches = [True, False] if any(CACHE in one.follows for one in fleet) else [False]
    named = sorted({one.shard for one in fleet if one.shard and SHARD in one.follows})
    more = [f"shard-{index:02d}" for index in range(1, _MOST_SHARDS + 1) if f"shard-{index:02d}" not in named]
    for shards in [(), *((*named, *more[:count]) for count in range(0 if not named else 1, _MOST_SHARDS))]:
        if len(shards) == 1:
            continue  # one shard spreads nothing
        # More workers, and then more controllers, are only tried with the longest interval.
        for workers in [None] if shards else [None, *(factor * given.max_concurrent_reconciles for factor in (2, 4))]:
            for cache in caches:
                for interval in intervals[-1:] if shards or workers else intervals:
                    yield replace(
                        rest,
                        interval=interval,
                        cache_by_tag=cache,
                        shards=shards,
                        webhook_receivers=not given.webhook_receivers and interval is not None and interval > _FELT,
                        max_concurrent_reconciles=workers,
                    )


def _stages(fleet: Profiles) -> tuple[str, ...]:
    """Return the stages that every service has: setting any other stage for all services would add it to all."""
    pushes = [[push for part in (one, *one.elsewhere) for push in part.pushes] for one in fleet]
    common = [{push.stage for push in own} for own in pushes if own]
    return tuple(sorted(set.intersection(*common))) if common else ()


def _quota(wanted: float) -> int:
    """Return a size for etcd's database in whole GiB; 8 GiB is the maximum that etcd suggests."""
    gib = 2**30
    return min(max(2, int(-(-wanted // gib))), 8) * gib


def as_values(settings: Settings) -> Mapping[str, object]:
    """Return the part of these settings that goes into fleet.yaml."""
    data: dict[str, object] = {}
    values: dict[str, object] = {}
    if settings.interval is not None:
        values["warehouse"] = {"interval": written(settings.interval)}
    if settings.cache_by_tag:
        values["image"] = {"cacheByTag": True}
    if settings.branches:
        values["stages"] = {stage: {"branch": f"env/{stage}"} for stage in settings.branches}
    if settings.shards:
        data["shards"] = list(settings.shards)
    if values:
        data["values"] = values
    if settings.requeue_after:
        data["argocd"] = {"units": {"requeueAfterSeconds": settings.requeue_after}}
    own: dict[str, object] = {}
    if settings.webhook_receivers:
        own["webhookReceivers"] = True
    if settings.max_concurrent_reconciles:
        own["maxConcurrentReconciles"] = settings.max_concurrent_reconciles
    if settings.quota_backend_bytes:
        own["quotaBackendBytes"] = settings.quota_backend_bytes
    if own:
        data["capacity"] = own
    return data
