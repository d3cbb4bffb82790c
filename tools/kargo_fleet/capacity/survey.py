"""The fleet of a repository for the estimate: read, scaled to another size, and one unit of every shape rendered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from kargo_fleet.argocd.settings import argo_fleet
from kargo_fleet.argocd.shares import unit_shares
from kargo_fleet.capacity import advice, facts, stored_objects
from kargo_fleet.capacity.estimate import RenderedUnits, UnitSets
from kargo_fleet.capacity.model import Profiles
from kargo_fleet.files.reading import RepositoryReader
from kargo_fleet.fleet.chart import Chart
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.layers import decides
from kargo_fleet.fleet.merge import difference, merge
from kargo_fleet.unit.build import Inputs, Unit, build, inherited
from kargo_fleet.unit.values_file import values_text

#: Placeholders for a fleet without services, or without a registry or a repository.
_EXAMPLE = "service"
_PLACEHOLDERS = {
    "image": {"repoURL": f"registry.example.com/{_EXAMPLE}"},
    "git": {"repoURL": "https://git.example.com/platform.git"},
}


@dataclass(frozen=True)
class WhatIf:
    """Assumed changes of the fleet. None means unchanged."""

    services: int | None = None
    interval: float | None = None
    shards: int | None = None


@dataclass(frozen=True)
class Survey:
    """The input of the estimate. `left_out` are services with errors."""

    fleet: Profiles
    units: RenderedUnits
    sets: UnitSets
    left_out: tuple[str, ...]


def survey(chart: Chart, fleet: Fleet, services: Iterable[str], what_if: WhatIf) -> Survey:
    """Return the fleet of these services, read and scaled, with one unit of every shape rendered.

    Raises FleetError without Helm.
    """
    inputs = Inputs(fleet, chart)
    built = [build(inputs, service, RepositoryReader(fleet.root)) for service in services]
    sound = [one for one in built if not one.broken]
    left_out = tuple(one.service for one in built if one.broken)
    units = sound or ([] if what_if.services is None else [_example(inputs)])
    count = len(units) if what_if.services is None else what_if.services
    shares = facts.pool(fleet.shards)
    found = [facts.service(one.values, _follows(fleet, one, shares)) for one in units]
    if what_if.shards:
        found = [replace(one, shard="") if one.shard in shares else one for one in found]
        shares = {f"shard-{index:02d}": 1 / what_if.shards for index in range(1, what_if.shards + 1)}
    if what_if.interval is not None:
        found = [one.with_interval(what_if.interval) for one in found]
    as_it_is = what_if.services is None and not what_if.shards
    return Survey(
        fleet=facts.scaled(found, count, {} if as_it_is and all(one.shard for one in found) else shares),
        units=_rendered(chart, units, count),
        sets=_sets(fleet, [one.service for one in units], count),
        left_out=left_out,
    )


def _example(inputs: Inputs) -> Unit:
    """Return the unit of a service in an empty fleet."""
    values = merge(inherited(inputs, _EXAMPLE), {})
    for key, placeholder in _PLACEHOLDERS.items():
        values[key] = merge(placeholder, {name: value for name, value in (values.get(key) or {}).items() if value})
    return Unit(_EXAMPLE, values, difference(inputs.chart.defaults, values), (), ())


def _follows(fleet: Fleet, unit: Unit, shares: dict[str, float]) -> list[str]:
    """Return the values that a service leaves to `values` of fleet.yaml, so that a change there takes effect."""
    stronger = [layer for layer in unit.layers if layer is not fleet.layer]
    follows = []
    if not decides(stronger, ("warehouse", "interval")):
        follows.append(advice.INTERVAL)
    if not (decides(stronger, ("image", "cacheByTag")) or (unit.values.get("image") or {}).get("cacheByTag")):
        follows.append(advice.CACHE)
    if (unit.values.get("shard") or "") in ("", *shares):
        follows.append(advice.SHARD)
    return follows


def _rendered(chart: Chart, units: Sequence[Unit], count: int) -> RenderedUnits:
    """Render the first unit of every shape, weighted with the number of services that it stands for."""
    stands_for = Counter(index * len(units) // count for index in range(count)) if units else Counter[int]()
    weights, texts = {}, {}
    for indices in stored_objects.representatives(units, chart).values():
        first = units[indices[0]]
        weight = sum(stands_for[index] for index in indices)
        if weight:
            weights[first.service] = float(weight)
            texts[first.service] = values_text(first.overlay, first.sources)
    return RenderedUnits(list(stored_objects.documents(chart, texts)), weights)


def _sets(fleet: Fleet, services: Sequence[str], count: int) -> UnitSets:
    known = argo_fleet(fleet.data)
    named = services if len(services) == count else [f"service-{index:05d}" for index in range(count)]
    # Pins are ignored: they change little, and a fleet of another size has none.
    shares = [members for _, members in unit_shares(known, named, {})]
    settings = known.units
    return UnitSets(shares, settings["maxApplications"], settings["minSets"], settings["requeueAfterSeconds"])
