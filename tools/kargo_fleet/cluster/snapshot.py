"""The cluster as plain data, in few calls of kubectl, whatever the fleet's size.

Kinds are listed for all namespaces at once, page by page, and of each object only what the checks look at is kept:
a Stage of Kargo carries its history, thousands of them would not fit. Promotions are not listed at all, for there can be
hundreds per service: a Stage says how its last one ended and which one runs. Only with services named are their
namespaces read one by one, which needs no rights beyond these namespaces.

Nothing is ever written. Of Secrets only `repoURL` and `repoURLIsRegex` leave kubectl.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode

from kargo_fleet.clients.kube import Failed, Kube
from kargo_fleet.cluster.objects import Object, condition, dig, label, name_of, since
from kargo_fleet.doctor.expected import PREFIX, Repository, Unit, project_of
from kargo_fleet.errors import FleetError

SHARED = "kargo-shared-resources"
LONG = timedelta(hours=1)  # a promotion that takes longer is looked at
PART_OF = "app.kubernetes.io/part-of"
_FLEET = "kargo-fleet"
_COMPONENT = "app.kubernetes.io/component"
_PAGE = 500
_CALLS = 8  # at once
_T = TypeVar("_T")


class Resource(NamedTuple):
    """A kind of object, as it is named in the API."""

    plural: str
    api: str
    namespaced: bool = True

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return where its objects are."""
        inside = f"/namespaces/{namespace}" if namespace else ""
        return f"{self.api}{inside}/{self.plural}" + (f"/{name}" if name else "")


_KARGO, _ARGO, _RBAC = (
    "/apis/kargo.akuity.io/v1alpha1",
    "/apis/argoproj.io/v1alpha1",
    "/apis/rbac.authorization.k8s.io/v1",
)
NAMESPACES = Resource("namespaces", "/api/v1", namespaced=False)
PROJECTS = Resource("projects", _KARGO, namespaced=False)
CONFIGS = Resource("projectconfigs", _KARGO)
WAREHOUSES = Resource("warehouses", _KARGO)
STAGES = Resource("stages", _KARGO)
PROMOTIONS = Resource("promotions", _KARGO)
APPLICATIONS = Resource("applications", _ARGO)
APPLICATION_SETS = Resource("applicationsets", _ARGO)
CRDS = Resource("customresourcedefinitions", "/apis/apiextensions.k8s.io/v1", namespaced=False)
LEASES = Resource("leases", "/apis/coordination.k8s.io/v1")
DEPLOYMENTS = Resource("deployments", "/apis/apps/v1")
CONFIG_MAPS = Resource("configmaps", "/api/v1")
SECRETS = Resource("secrets", "/api/v1")
ACCESS = (Resource("roles", _RBAC), Resource("rolebindings", _RBAC), Resource("serviceaccounts", "/api/v1"))
QUOTAS = Resource("resourcequotas", "/api/v1")

_UNIT = (NAMESPACES, PROJECTS, CONFIGS, WAREHOUSES, STAGES)
_EXTRA = (*ACCESS, QUOTAS)


class Controller(NamedTuple):
    """A controller of Kargo in this cluster, as it was installed; `image` is "" when that may not be read."""

    namespace: str
    name: str
    image: str
    settings: Mapping[str, str]

    @property
    def shard(self) -> str:
        """The shard it was started for, "" for the default."""
        return self.settings.get("SHARD_NAME", "")

    @property
    def is_default(self) -> bool:
        """Whether it handles what names no shard."""
        return self.settings.get("IS_DEFAULT_CONTROLLER") == "true"


class Credential(NamedTuple):
    """A Secret with Git credentials, without them."""

    namespace: str
    name: str
    url: str
    is_regex: bool


@dataclass
class Cluster:
    """What was found. `objects` are by plural and then by namespace and name.

    `missing` are kinds that the cluster does not know. `unread` are those that may not be read, with the namespace,
    "" standing for all of them.
    """

    now: datetime
    objects: dict[str, dict[tuple[str, str], Object]] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    unread: set[tuple[str, str]] = field(default_factory=set)
    controllers: list[Controller] = field(default_factory=list)
    credentials: list[Credential] = field(default_factory=list)
    _by_namespace: dict[str, dict[str, dict[str, Object]]] = field(default_factory=dict)

    def add(self, resource: Resource, objects: Iterable[Object]) -> None:
        """Keep objects of a kind."""
        kept = self.objects.setdefault(resource.plural, {})
        for obj in objects:
            kept[obj["metadata"].get("namespace", ""), name_of(obj)] = obj
        self._by_namespace.pop(resource.plural, None)

    def get(self, resource: Resource, name: str, namespace: str = "") -> Object | None:
        """Return an object, None when it is not there."""
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
        """Say whether objects that were not found are not there: the kind exists, and this user may read it."""
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
        return self.setting("SHARED_RESOURCES_NAMESPACE", SHARED)


def read(kube: Kube, repository: Repository, *, named: bool, whole: bool, now: datetime) -> Cluster:
    """Read what the checks need: everything, or what belongs to the services of `repository` when they were `named`.

    `whole` keeps the complete `spec` of objects and reads those that the chart only sometimes makes, to compare them.
    Raises FleetError when the cluster cannot be reached.
    """
    reader = _Reader(kube, Cluster(now), whole)
    projects = [unit.project for unit in repository.units] + [project_of(service) for service in repository.gone]
    resources = [*_UNIT, *(_EXTRA if whole else ())]
    reader.run([*_installation(reader), *_units(reader, resources, projects if named else None)])
    _add_controllers(reader.cluster)
    second = [*_heartbeats(reader), *_secrets(reader, repository, projects if named else None)]
    reader.run([*second, *_promotions(reader, repository.units, named=named)])
    reader.run(_applications(reader, repository, named=named))
    return reader.cluster


_Job = Callable[[], None]


class _Reader:
    """Reads into `cluster`, notes what is missing or forbidden, and gives up on anything else."""

    def __init__(self, kube: Kube, cluster: Cluster, whole: bool) -> None:
        self.kube, self.cluster, self.whole = kube, cluster, whole

    def run(self, jobs: Iterable[_Job]) -> None:
        with ThreadPoolExecutor(_CALLS) as pool:
            for done in [pool.submit(job) for job in jobs]:
                done.result()

    def many(self, resource: Resource, namespace: str = "", selector: str = "") -> _Job:
        def job() -> None:
            objects = chain.from_iterable(self._pages(resource.path(namespace), selector))
            slim = (_slim(resource, obj, self.whole) for obj in objects)
            self.cluster.add(resource, self._allowed(resource, namespace, lambda: list(slim)) or [])

        return job

    def one(self, resource: Resource, name: str, namespace: str = "") -> _Job:
        def job() -> None:
            path = resource.path(namespace, name)
            obj = self._allowed(resource, namespace, lambda: json.loads(self.kube.kubectl("get", "--raw", path)))
            self.cluster.add(resource, [_slim(resource, obj, self.whole)] if obj else [])

        return job

    def credentials(self, namespace: str, otherwise: _Job | None = None) -> _Job:
        """Read which Git credentials there are. Where that is forbidden in all namespaces, do something else."""
        fields = ("{.metadata.namespace}", "{.metadata.name}", "{.data.repoURL}", "{.data.repoURLIsRegex}")
        template = "{range .items[*]}" + '{"\\t"}'.join(fields) + '{"\\n"}{end}'
        where = ["--namespace", namespace] if namespace else ["--all-namespaces"]
        options = ["--selector", "kargo.akuity.io/cred-type=git", "--output", f"jsonpath={template}"]

        def job() -> None:
            text = self._allowed(SECRETS, namespace, lambda: self.kube.kubectl("get", "secrets", *where, *options))
            if text is None and otherwise:
                otherwise()
            for line in (text or "").splitlines():
                inside, name, url, is_regex = line.split("\t")
                self.cluster.credentials.append(Credential(inside, name, _decoded(url), _decoded(is_regex) == "true"))

        return job

    def _pages(self, path: str, selector: str) -> Iterator[list[Object]]:
        more: str | None = ""
        while more is not None:
            query = {"limit": str(_PAGE), "labelSelector": selector, "continue": more}
            text = self.kube.kubectl("get", "--raw", f"{path}?{urlencode({k: v for k, v in query.items() if v})}")
            page = json.loads(text)
            yield page["items"]
            more = page["metadata"].get("continue") or None

    def _allowed(self, resource: Resource, namespace: str, ask: Callable[[], _T]) -> _T | None:
        try:
            return ask()
        except Failed as failed:
            if "(NotFound)" in failed.message:
                if "could not find the requested resource" in failed.message:
                    self.cluster.missing.add(resource.plural)
            elif "(Forbidden)" in failed.message:
                self.cluster.unread.add((resource.plural, namespace))
            else:
                raise FleetError(_unreachable(failed.message)) from None
            return None


def _unreachable(message: str) -> str:
    lines = [line for line in message.splitlines() if line.strip() and not re.match(r"E\d{4} ", line)]
    return f"the cluster does not answer: {(lines or [message])[-1].strip()}"


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode(errors="replace")


def _installation(reader: _Reader) -> Iterator[_Job]:
    """Read what is known of Kargo itself."""
    kargo = "app.kubernetes.io/name=kargo,app.kubernetes.io/component=controller"
    for plural in (STAGES.plural, CONFIGS.plural):
        yield reader.one(CRDS, f"{plural}.kargo.akuity.io")
    for resource in (DEPLOYMENTS, CONFIG_MAPS):
        yield reader.many(resource, selector=kargo)


def _units(reader: _Reader, resources: Sequence[Resource], projects: list[str] | None) -> Iterator[_Job]:
    for resource in resources:
        for project in [""] if projects is None else projects:
            if project and not resource.namespaced:
                yield reader.one(resource, project)
            else:
                # Kargo goes by the namespace. Other kinds of objects may be anybody's there.
                yield reader.many(resource, project, f"{PART_OF}={_FLEET}" if resource in _EXTRA else "")


def _heartbeats(reader: _Reader) -> Iterator[_Job]:
    """Read which controllers are alive: Kargo's controllers each renew a Lease, wherever they run."""
    homes = {one.settings.get("KARGO_NAMESPACE") or one.namespace for one in reader.cluster.controllers} or {"kargo"}
    for namespace in sorted(homes):
        yield reader.many(LEASES, namespace, "kargo.akuity.io/controller")


def _secrets(reader: _Reader, repository: Repository, projects: list[str] | None) -> Iterator[_Job]:
    if not any(unit.repo_url for unit in repository.units):
        return
    shared = reader.credentials(reader.cluster.shared_namespace)
    if projects is None:
        yield reader.credentials("", otherwise=shared)
        return
    yield shared
    for project in projects:
        yield reader.credentials(project)


def _promotions(reader: _Reader, units: list[Unit], *, named: bool) -> Iterator[_Job]:
    """Read the Promotions of Stages that have been promoting for long; all Promotions of services that were named."""
    cluster = reader.cluster
    for unit in units:
        stages = cluster.within(STAGES, unit.project)
        if named and stages:
            yield reader.many(PROMOTIONS, unit.project)
            continue
        for stage in stages.values():
            current = dig(stage, "status", "currentPromotion", "name")
            if current and since(cluster.now, condition(stage, "Promoting").get("lastTransitionTime")) > LONG:
                yield reader.one(PROMOTIONS, current, unit.project)


def _applications(reader: _Reader, repository: Repository, *, named: bool) -> Iterator[_Job]:
    home = repository.argocd_namespace
    reader.run([reader.many(APPLICATION_SETS, home, f"{PART_OF}={_FLEET}")])
    cluster = reader.cluster
    if APPLICATION_SETS.plural in cluster.missing:
        cluster.missing.add(APPLICATIONS.plural)
        return
    installs_units = any(True for _ in cluster.all(APPLICATION_SETS))
    workloads = {place for unit in repository.units for place in workload_places(cluster, repository, unit)}
    if named:
        services = [*(unit.service for unit in repository.units), *repository.gone]
        places = {(home, repository.application(service)) for service in services}
        for namespace, name in sorted(workloads | (places if installs_units else set())):
            yield reader.one(APPLICATIONS, name, namespace)
        return
    for namespace in sorted({namespace for namespace, _ in workloads}):
        yield reader.many(APPLICATIONS, namespace)
    if installs_units and all(namespace != home for namespace, _ in workloads):
        yield reader.many(APPLICATIONS, home, f"{_COMPONENT}=kargo-unit")


def workload_places(cluster: Cluster, repository: Repository, unit: Unit) -> list[tuple[str, str]]:
    """Return namespace and name of the Applications that a unit's promotions update; none when Argo CD is elsewhere."""
    if cluster.setting("ARGOCD_KUBECONFIG", ""):
        return []
    default = cluster.setting("ARGOCD_NAMESPACE", repository.argocd_namespace)
    return [(workload.namespace or default, workload.application) for workload in unit.workloads]


def _add_controllers(cluster: Cluster) -> None:
    settings = {key: obj.get("data") or {} for key, obj in cluster.objects.get(CONFIG_MAPS.plural, {}).items()}
    deployments = cluster.objects.get(DEPLOYMENTS.plural, {})
    for key in sorted(deployments.keys() | settings.keys()):
        containers = dig(deployments.get(key, {}), "spec", "template", "spec", "containers") or [{}]
        cluster.controllers.append(Controller(*key, containers[0].get("image", ""), settings.get(key, {})))


def _slim(resource: Resource, obj: Object, whole: bool) -> Object:
    """Return an object without what no check looks at."""
    metadata = {key: value for key, value in obj["metadata"].items() if key in _METADATA}
    slim = {**obj, "metadata": metadata}
    if resource == STAGES:
        slim["spec"] = obj["spec"] if whole else _stage_spec(obj["spec"])
        slim["status"] = _stage_status(obj.get("status") or {})
    elif resource in (WAREHOUSES, PROJECTS, CONFIGS):
        slim["status"] = _only(obj.get("status") or {}, "conditions", "lastFreightID")
    elif resource in (APPLICATIONS, APPLICATION_SETS):
        slim["spec"] = {}
        slim["status"] = _application_status(obj.get("status") or {})
    elif resource == CRDS:
        slim["spec"] = {"fields": _crd_fields(obj)}
    return slim


_METADATA = {"name", "namespace", "labels", "annotations", "creationTimestamp", "deletionTimestamp"}


def _only(obj: Mapping[str, Any], *keys: str) -> Object:
    return {key: obj[key] for key in keys if key in obj}


def _stage_spec(spec: Mapping[str, Any]) -> Object:
    steps = dig(spec, "promotionTemplate", "spec", "steps") or []
    slim = _only(spec, "shard", "requestedFreight")
    slim["promotionTemplate"] = {"spec": {"steps": [_only(step, "uses", "as", "task") for step in steps]}}
    return slim


def _stage_status(status: Mapping[str, Any]) -> Object:
    slim = _only(
        status, "conditions", "health", "currentPromotion", "autoPromotionEnabled", "effectiveAutoPromotionHolds"
    )
    slim["health"] = _only(status.get("health") or {}, "status", "issues")
    slim["freightHistory"] = [_only(item, "id") for item in (status.get("freightHistory") or [])[:1]]
    if last := status.get("lastPromotion"):
        outcome = _only(last.get("status") or {}, "phase", "message", "stepExecutionMetadata", "finishedAt")
        slim["lastPromotion"] = {"name": last.get("name", ""), "status": outcome}
    return slim


def _application_status(status: Mapping[str, Any]) -> Object:
    slim = _only(status, "conditions", "health")
    slim["sync"] = _only(status.get("sync") or {}, "status")
    slim["operationState"] = _only(status.get("operationState") or {}, "phase", "message")
    return slim


def _crd_fields(obj: Object) -> list[str]:
    """Return the fields of a custom resource, two levels deep: spec.shard, status.conditions."""
    for version in dig(obj, "spec", "versions") or []:
        if version.get("name") == "v1alpha1":
            top = dig(version, "schema", "openAPIV3Schema", "properties") or {}
            return [f"{outer}.{inner}" for outer in ("spec", "status") for inner in dig(top, outer, "properties") or {}]
    return []


def fleet_services(cluster: Cluster) -> dict[str, list[tuple[Resource, Object]]]:
    """Return what in the cluster belongs to units of a fleet, by the name of the service."""
    services: dict[str, list[tuple[Resource, Object]]] = {}
    for resource in (NAMESPACES, PROJECTS):
        for obj in cluster.all(resource):
            if label(obj, PART_OF) == _FLEET and name_of(obj).startswith(PREFIX):
                services.setdefault(name_of(obj).removeprefix(PREFIX), []).append((resource, obj))
    for obj in cluster.all(APPLICATIONS):
        if label(obj, _COMPONENT) == "kargo-unit" and (service := label(obj, "app.kubernetes.io/name")):
            services.setdefault(service, []).append((APPLICATIONS, obj))
    return services
