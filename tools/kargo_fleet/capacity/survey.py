"""The fleet in a repository, as the planner needs it: read, scaled to another size, and rendered where it differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kargo_fleet.argocd import settings as argocd
from kargo_fleet.argocd.shares import unit_shares
from kargo_fleet.capacity import advice, facts, stored_objects
from kargo_fleet.capacity.model import Fleet
from kargo_fleet.capacity.planner import Sets, Units
from kargo_fleet.fleet.chart import Chart
from kargo_fleet.fleet.config import Fleet as Config
from kargo_fleet.fleet.merge import difference, merge
from kargo_fleet.generate.evaluate import values_text
from kargo_fleet.unit.build import Inputs, Unit, build, inherited

#: What a fleet without services, or without a registry or a repository, is planned with.
_EXAMPLE = "service"
_PLACEHOLDERS = {
    "image": {"repoURL": f"registry.example.com/{_EXAMPLE}"},
    "git": {"repoURL": "https://git.example.com/platform.git"},
}
#: Values that no layer has: a service that gets them from fleet.yaml leaves that to fleet.yaml.
_PROBE: dict[str, Any] = {"warehouse": {"interval": "7919h"}, "image": {"cacheByTag": True}}


@dataclass(frozen=True)
class WhatIf:
    """What is to be supposed of the fleet that it does not say itself. None leaves it as it is."""

    services: int | None = None
    interval: float | None = None
    shards: int | None = None


@dataclass(frozen=True)
class Survey:
    """A fleet in the planner's terms. `left_out` are services that have errors."""

    fleet: Fleet
    units: Units
    sets: Sets
    left_out: tuple[str, ...]


def survey(chart: Chart, fleet: Config, services: Iterable[str], what_if: WhatIf) -> Survey:
    """Return the fleet of these services, read and scaled, with one of every shape of unit rendered.

    Raises FleetError when Helm is not there.
    """
    inputs = Inputs(fleet, chart)
    built = [build(inputs, service) for service in services]
    sound = [one for one in built if not one.broken]
    left_out = tuple(one.service for one in built if one.broken)
    units = sound or ([] if what_if.services is None else [_example(inputs)])
    count = len(units) if what_if.services is None else what_if.services
    shares = facts.pool(fleet.shards)
    found = [
        facts.service(one.values, _follows(one.values, probed, shares)) for one, probed in _probed(chart, fleet, units)
    ]
    if what_if.shards:
        found = [replace(one, shard="") if one.shard in shares else one for one in found]
        shares = {f"shard-{index:02d}": 1 / what_if.shards for index in range(1, what_if.shards + 1)}
    if what_if.interval is not None:
        found = [replace(one, interval=what_if.interval) for one in found]
    as_it_is = what_if.services is None and not what_if.shards
    return Survey(
        fleet=facts.scaled(found, count, {} if as_it_is and all(one.shard for one in found) else shares),
        units=_rendered(chart, units, count),
        sets=_sets(fleet, [one.service for one in units], count),
        left_out=left_out,
    )


def _example(inputs: Inputs) -> Unit:
    """Return the unit that a first service would have."""
    values = merge(inherited(inputs, _EXAMPLE), {})
    for key, placeholder in _PLACEHOLDERS.items():
        values[key] = merge(placeholder, {name: value for name, value in (values.get(key) or {}).items() if value})
    return Unit(_EXAMPLE, values, difference(inputs.chart.defaults, values), (), ())


def _probed(chart: Chart, fleet: Config, units: Sequence[Unit]) -> Iterable[tuple[Unit, dict[str, Any]]]:
    """Yield each unit with the values that it would have if `values` of fleet.yaml were others."""
    probe = replace(fleet, layer=replace(fleet.layer, values=merge(fleet.layer.values, _PROBE)))
    inputs = Inputs(probe, chart)
    for one in units:
        yield one, build(inputs, one.service).values if one.sources else merge(one.values, _PROBE)


def _follows(values: dict[str, Any], probed: dict[str, Any], shares: dict[str, float]) -> list[str]:
    follows = []
    if (probed.get("warehouse") or {}).get("interval") == _PROBE["warehouse"]["interval"]:
        follows.append(advice.INTERVAL)
    if (probed.get("image") or {}).get("cacheByTag") and not values["image"].get("cacheByTag"):
        follows.append(advice.CACHE)
    if (values.get("shard") or "") in ("", *shares):
        follows.append(advice.SHARD)
    return follows


def _rendered(chart: Chart, units: Sequence[Unit], count: int) -> Units:
    """Render the first unit of every shape, and say how many services it stands for."""
    stands_for = Counter(index * len(units) // count for index in range(count)) if units else Counter[int]()
    weights, texts = {}, {}
    for indices in stored_objects.representatives(units, chart).values():
        first = units[indices[0]]
        weight = sum(stands_for[index] for index in indices)
        if weight:
            weights[first.service] = float(weight)
            texts[first.service] = values_text(first)
    return Units(list(stored_objects.documents(chart, texts)), weights)


def _sets(fleet: Config, services: Sequence[str], count: int) -> Sets:
    known = argocd.read(fleet.data)
    named = services if len(services) == count else [f"service-{index:05d}" for index in range(count)]
    # Pins are left out: they change little, and another number of services has none.
    shares = [members for _, members in unit_shares(known, named, {})]
    settings = known.units
    return Sets(shares, settings["maxApplications"], settings["minSets"], settings["requeueAfterSeconds"])
