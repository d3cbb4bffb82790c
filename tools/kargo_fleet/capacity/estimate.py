"""The estimate of a fleet: its loads and limits, and the settings to change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kargo_fleet.argocd.split import largest, split
from kargo_fleet.capacity import advice, model, stored_objects
from kargo_fleet.capacity.assumptions import Assumptions
from kargo_fleet.capacity.model import Limit, Profiles
from kargo_fleet.capacity.stored_objects import Document, ObjectKind


@dataclass(frozen=True)
class UnitSets:
    """How Argo CD installs the units: services by the shard of their ApplicationSets (all in one group unless sets follow
    shards), and the settings `argocd.units` of fleet.yaml."""

    shares: Sequence[Sequence[str]]
    max_applications: int
    min_sets: int
    requeue_after: int

    def sizes(self) -> list[int]:
        """Return the number of services in each ApplicationSet."""
        return [
            largest(services, [bucket])
            for services in self.shares
            for bucket in split(services, self.max_applications, self.min_sets)
        ]


@dataclass(frozen=True)
class RenderedUnits:
    """The objects of rendered services, and the number of services that each of these stands for."""

    documents: Sequence[Document]
    weights: dict[str, float]


@dataclass(frozen=True)
class Estimate:
    """All results for a fleet. `limits` are sorted by their use, the highest first."""

    services: float
    given: Assumptions
    kinds: Sequence[ObjectKind]
    controllers: Sequence[model.ControllerLoad]
    registries: Sequence[model.RegistryLoad]
    branches: Sequence[model.BranchLoad]
    pull_requests: float
    without_quota: float
    retention: model.Retention
    storage: model.Storage
    sets: model.ApplicationSets
    limits: Sequence[Limit]
    advice: advice.Advice

    @property
    def namespaces(self) -> float:
        """The number of namespaces: one per service, whether or not the chart creates it."""
        return self.services


def estimate(fleet: Profiles, units: RenderedUnits, sets: UnitSets, given: Assumptions) -> Estimate:
    """Calculate the estimate. `units` and `sets` are of the same services as `fleet`."""
    services = sum(fleet.values())
    kinds = stored_objects.kinds(units.documents, units.weights, services, given)
    sizes = sets.sizes()
    rendered = model.application_sets(sizes, sets.requeue_after, given)

    def limits(fleet: Profiles, given: Assumptions, settings: advice.Settings) -> list[Limit]:
        every = [*kinds, *stored_objects.history_kinds(model.retention(fleet, given), given)]
        storage = stored_objects.storage(every, model.controllers(fleet, given), given)
        again = replace(rendered, requeue_after=settings.requeue_after) if settings.requeue_after else rendered
        return model.limits(fleet, given, storage=storage, sets=again, max_applications=sets.max_applications)

    kept = model.retention(fleet, given)
    every = [*kinds, *stored_objects.history_kinds(kept, given)]
    controllers = model.controllers(fleet, given)
    return Estimate(
        services=services,
        given=given,
        kinds=every,
        controllers=controllers,
        registries=model.registries(fleet, given),
        branches=model.branches(fleet, given),
        pull_requests=sum(count * one.pull_requests for one, count in fleet.items()) * model.releases(given) * 3600,
        without_quota=sum(count for one, count in fleet.items() if one.promotions_quota == float("inf")),
        retention=kept,
        storage=stored_objects.storage(every, controllers, given),
        sets=rendered,
        limits=limits(fleet, given, advice.Settings()),
        advice=advice.find(fleet, given, limits),
    )
