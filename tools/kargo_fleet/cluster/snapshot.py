"""The objects that were read from a cluster, as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from kargo_fleet.cluster.objects import Object, is_ours, label, name_of
from kargo_fleet.cluster.resources import APPLICATION_SETS, APPLICATIONS, NAMESPACES, PROJECTS, Resource
from kargo_fleet.cluster.scope import ExpectedUnit
from kargo_fleet.fleet.names import COMPONENT_LABEL, INSTANCE_LABEL, NAME_LABEL, SHARED_RESOURCES, UNIT_COMPONENT


class KargoController(NamedTuple):
    """A controller of Kargo in this cluster, as installed; `image` is "" when it may not be read."""

    namespace: str
    name: str
    image: str
    settings: Mapping[str, str]

    @property
    def shard(self) -> str:
        """The shard that it was started for, "" for the default."""
        return self.settings.get("SHARD_NAME", "")

    @property
    def is_default(self) -> bool:
        """Whether it reconciles objects without a shard."""
        return self.settings.get("IS_DEFAULT_CONTROLLER") == "true"


class GitCredential(NamedTuple):
    """A Secret with Git credentials, without the credentials themselves."""

    namespace: str
    name: str
    url: str
    is_regex: bool


@dataclass
class Snapshot:
    """What was read. `objects` are by plural, then by namespace and name.

    `missing` are kinds that the cluster does not have. `unread` are kinds that may not be read, each with the namespace,
    "" for all namespaces.
    """

    now: datetime
    objects: dict[str, dict[tuple[str, str], Object]] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    unread: set[tuple[str, str]] = field(default_factory=set)
    controllers: list[KargoController] = field(default_factory=list)
    credentials: list[GitCredential] = field(default_factory=list)
    _by_namespace: dict[str, dict[str, dict[str, Object]]] = field(default_factory=dict)

    def add(self, resource: Resource, objects: Iterable[Object]) -> None:
        """Add objects of a kind."""
        kept = self.objects.setdefault(resource.plural, {})
        for obj in objects:
            kept[obj["metadata"].get("namespace", ""), name_of(obj)] = obj
        self._by_namespace.pop(resource.plural, None)

    def get(self, resource: Resource, name: str, namespace: str = "") -> Object | None:
        """Return an object, None when it was not read."""
        return self.objects.get(resource.plural, {}).get((namespace, name))

    def all(self, resource: Resource) -> Iterable[Object]:
        """Return every object of a kind."""
        return self.objects.get(resource.plural, {}).values()

    def within(self, resource: Resource, namespace: str) -> Mapping[str, Object]:
        """Return the objects of a kind in a namespace, by name."""
        if resource.plural not in self._by_namespace:
            index: dict[str, dict[str, Object]] = {}
            for (inside, name), obj in self.objects.get(resource.plural, {}).items():
                index.setdefault(inside, {})[name] = obj
            self._by_namespace[resource.plural] = index
        return self._by_namespace[resource.plural].get(namespace, {})

    def knows(self, resource: Resource, namespace: str = "") -> bool:
        """Return whether an object that was not read does not exist: the kind exists, and this user may read it."""
        return (
            resource.plural not in self.missing
            and not {
                (resource.plural, namespace),
                (resource.plural, ""),
            }
            & self.unread
        )

    def setting(self, key: str, default: str) -> str:
        """Return a setting of Kargo's controllers."""
        return next((one.settings[key] for one in self.controllers if one.settings.get(key)), default)

    @property
    def shared_namespace(self) -> str:
        """The namespace with the credentials for all Projects."""
        return self.setting("SHARED_RESOURCES_NAMESPACE", SHARED_RESOURCES)

    @property
    def installs_units(self) -> bool:
        """Whether Argo CD installs the units here: it is there, and so is a set of this fleet."""
        return any(True for _ in self.all(APPLICATION_SETS))

    def workload_places(self, unit: ExpectedUnit, argocd_namespace: str) -> list[tuple[str, str]]:
        """Return namespace and name of the Applications that a unit's promotions update; none when Argo CD is elsewhere.

        They are in `argocd_namespace` unless the unit or Kargo's controllers set another namespace.
        """
        if self.setting("ARGOCD_KUBECONFIG", ""):
            return []
        default = self.setting("ARGOCD_NAMESPACE", argocd_namespace)
        return [(workload.namespace or default, workload.application) for workload in unit.workloads]


def fleet_services(snapshot: Snapshot) -> dict[str, list[tuple[Resource, Object]]]:
    """Return the objects in the cluster that belong to units of a fleet, by the name of the service."""
    services: dict[str, list[tuple[Resource, Object]]] = {}
    for resource in (NAMESPACES, PROJECTS):
        for obj in snapshot.all(resource):
            if is_ours(obj) and (service := label(obj, INSTANCE_LABEL)):
                services.setdefault(service, []).append((resource, obj))
    for obj in snapshot.all(APPLICATIONS):
        if label(obj, COMPONENT_LABEL) == UNIT_COMPONENT and (service := label(obj, NAME_LABEL)):
            services.setdefault(service, []).append((APPLICATIONS, obj))
    return services
