"""Reading a cluster in few calls of kubectl, whatever the fleet's size.

Kinds are listed for all namespaces at once, page by page, and of each object only the fields that the checks need are
kept (trimmed.py). Promotions are not listed, because there can be hundreds per service: the status of a Stage has the
result of the last one and the name of the running one. Only the namespaces of named services are read one by one, which
needs no permissions in other namespaces.

Nothing is written. Of Secrets, only `repoURL` and `repoURLIsRegex` leave kubectl.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import TypeVar
from urllib.parse import urlencode

from kargo_fleet.clients.kube import Kube
from kargo_fleet.clients.process import ClientError
from kargo_fleet.clients.running import client_threads
from kargo_fleet.cluster.objects import Object, condition, dig, since
from kargo_fleet.cluster.resources import (
    APPLICATION_SETS,
    APPLICATIONS,
    CONFIG_MAPS,
    CONFIGS,
    CRDS,
    DEPLOYMENTS,
    EXTRA_KINDS,
    LEASES,
    PROMOTIONS,
    SECRETS,
    STAGES,
    UNIT_KINDS,
    Resource,
)
from kargo_fleet.cluster.scope import Scope
from kargo_fleet.cluster.snapshot import GitCredential, KargoController, Snapshot
from kargo_fleet.cluster.trimmed import trimmed
from kargo_fleet.fleet.names import (
    COMPONENT_LABEL,
    CONTROLLER_LABEL,
    CREDENTIAL_LABEL,
    PART_OF,
    PART_OF_LABEL,
    UNIT_COMPONENT,
)

LONG = timedelta(hours=1)  # a promotion that takes longer is read
_PAGE = 500
_CALLS = 8  # at a time
_T = TypeVar("_T")


def collect(kube: Kube, scope: Scope, *, whole: bool, now: datetime) -> Snapshot:
    """Read what the checks need: of all services, or of those that `scope` names.

    `whole` keeps the complete `spec` of objects, and also reads the kinds that only some units have, to compare them.
    Raises FleetError when the cluster cannot be reached.
    """
    collector = _Collector(kube, Snapshot(now), whole)
    projects = [unit.project for unit in scope.units] + [scope.project(service) for service in scope.gone]
    resources = [*UNIT_KINDS, *(EXTRA_KINDS if whole else ())]
    collector.run([*_installation(collector), *_units(collector, resources, projects if scope.named else None)])
    _add_controllers(collector.cluster)
    second = [*_heartbeats(collector), *_secrets(collector, scope, projects if scope.named else None)]
    collector.run([*second, *_promotions(collector, scope)])
    collector.run(_applications(collector, scope))
    return collector.cluster


_Job = Callable[[], None]


class _Collector:
    """Reads into `cluster`, records what is missing or forbidden, and raises FleetError on any other failure."""

    def __init__(self, kube: Kube, cluster: Snapshot, whole: bool) -> None:
        self.kube, self.cluster, self.whole = kube, cluster, whole

    def run(self, jobs: Iterable[_Job]) -> None:
        with client_threads(_CALLS) as pool:
            for done in [pool.submit(job) for job in jobs]:
                done.result()

    def many(self, resource: Resource, namespace: str = "", selector: str = "") -> _Job:
        def job() -> None:
            objects = chain.from_iterable(self._pages(resource.path(namespace), selector))
            slim = (trimmed(resource, obj, self.whole) for obj in objects)
            self.cluster.add(resource, self._allowed(resource, namespace, lambda: list(slim)) or [])

        return job

    def one(self, resource: Resource, name: str, namespace: str = "") -> _Job:
        def job() -> None:
            path = resource.path(namespace, name)
            obj = self._allowed(resource, namespace, lambda: json.loads(self.kube.kubectl("get", "--raw", path)))
            self.cluster.add(resource, [trimmed(resource, obj, self.whole)] if obj else [])

        return job

    def credentials(self, namespace: str, otherwise: _Job | None = None) -> _Job:
        """Read the Git credentials of a namespace, "" for all; run `otherwise` if that is forbidden."""
        fields = ("{.metadata.namespace}", "{.metadata.name}", "{.data.repoURL}", "{.data.repoURLIsRegex}")
        template = "{range .items[*]}" + '{"\\t"}'.join(fields) + '{"\\n"}{end}'
        where = ["--namespace", namespace] if namespace else ["--all-namespaces"]
        options = ["--selector", f"{CREDENTIAL_LABEL}=git", "--output", f"jsonpath={template}"]

        def job() -> None:
            text = self._allowed(SECRETS, namespace, lambda: self.kube.kubectl("get", "secrets", *where, *options))
            if text is None and otherwise:
                otherwise()
            for line in (text or "").splitlines():
                inside, name, url, is_regex = line.split("\t")
                self.cluster.credentials.append(
                    GitCredential(inside, name, _decoded(url), _decoded(is_regex) == "true")
                )

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
        except ClientError as error:
            if "(NotFound)" in error.message:
                if "could not find the requested resource" in error.message:
                    self.cluster.missing.add(resource.plural)
            elif "(Forbidden)" in error.message:
                self.cluster.unread.add((resource.plural, namespace))
            else:
                raise self.kube.unreachable(error) from None
            return None


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode(errors="replace")


def _installation(collector: _Collector) -> Iterator[_Job]:
    """Read the CRDs and the controllers of Kargo."""
    kargo = "app.kubernetes.io/name=kargo,app.kubernetes.io/component=controller"
    for plural in (STAGES.plural, CONFIGS.plural):
        yield collector.one(CRDS, f"{plural}.kargo.akuity.io")
    for resource in (DEPLOYMENTS, CONFIG_MAPS):
        yield collector.many(resource, selector=kargo)


def _units(collector: _Collector, resources: Sequence[Resource], projects: list[str] | None) -> Iterator[_Job]:
    for resource in resources:
        for project in [""] if projects is None else projects:
            if project and not resource.namespaced:
                yield collector.one(resource, project)
            else:
                # Kargo's kinds belong to the unit by their namespace; objects of other kinds may belong to others.
                yield collector.many(resource, project, f"{PART_OF_LABEL}={PART_OF}" if resource in EXTRA_KINDS else "")


def _heartbeats(collector: _Collector) -> Iterator[_Job]:
    """Read the Leases, which show the controllers that are alive: each renews one, wherever it runs."""
    homes = {one.settings.get("KARGO_NAMESPACE") or one.namespace for one in collector.cluster.controllers} or {"kargo"}
    for namespace in sorted(homes):
        yield collector.many(LEASES, namespace, CONTROLLER_LABEL)


def _secrets(collector: _Collector, scope: Scope, projects: list[str] | None) -> Iterator[_Job]:
    if not any(unit.repo_urls for unit in scope.units):
        return
    shared = collector.credentials(collector.cluster.shared_namespace)
    if projects is None:
        yield collector.credentials("", otherwise=shared)
        return
    yield shared
    for project in projects:
        yield collector.credentials(project)


def _promotions(collector: _Collector, scope: Scope) -> Iterator[_Job]:
    """Read the Promotions of Stages that have been promoting for long; of named services, all Promotions."""
    cluster = collector.cluster
    for unit in scope.units:
        stages = cluster.within(STAGES, unit.project)
        if scope.named and stages:
            yield collector.many(PROMOTIONS, unit.project)
            continue
        for stage in stages.values():
            current = dig(stage, "status", "currentPromotion", "name")
            if current and since(cluster.now, condition(stage, "Promoting").get("lastTransitionTime")) > LONG:
                yield collector.one(PROMOTIONS, current, unit.project)


def _applications(collector: _Collector, scope: Scope) -> Iterator[_Job]:
    home = scope.argocd_namespace
    collector.run([collector.many(APPLICATION_SETS, home, f"{PART_OF_LABEL}={PART_OF}")])
    cluster = collector.cluster
    if APPLICATION_SETS.plural in cluster.missing:
        cluster.missing.add(APPLICATIONS.plural)
        return
    workloads = {place for unit in scope.units for place in cluster.workload_places(unit, home)}
    if scope.named:
        services = [*(unit.service for unit in scope.units), *scope.gone]
        places = {(home, scope.application(service)) for service in services}
        for namespace, name in sorted(workloads | (places if cluster.installs_units else set())):
            yield collector.one(APPLICATIONS, name, namespace)
        return
    for namespace in sorted({namespace for namespace, _ in workloads}):
        yield collector.many(APPLICATIONS, namespace)
    if cluster.installs_units and all(namespace != home for namespace, _ in workloads):
        yield collector.many(APPLICATIONS, home, f"{COMPONENT_LABEL}={UNIT_COMPONENT}")


def _add_controllers(cluster: Snapshot) -> None:
    settings = {key: obj.get("data") or {} for key, obj in cluster.objects.get(CONFIG_MAPS.plural, {}).items()}
    deployments = cluster.objects.get(DEPLOYMENTS.plural, {})
    for key in sorted(deployments.keys() | settings.keys()):
        containers = dig(deployments.get(key, {}), "spec", "template", "spec", "containers") or [{}]
        cluster.controllers.append(KargoController(*key, containers[0].get("image", ""), settings.get(key, {})))
