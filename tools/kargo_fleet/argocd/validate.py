"""Findings about a fleet as a whole that concern Argo CD."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kargo_fleet.argocd.settings import HELM, KINDS_OF_SOURCE, ArgoFleet, StageApplication, argo_fleet, stages_of
from kargo_fleet.argocd.shares import unit_shares
from kargo_fleet.argocd.split import MOST, largest, split
from kargo_fleet.argocd.unit_sets import unit_application
from kargo_fleet.argocd.workload_sets import has_stage, stage_names, workload_application, workload_namespace
from kargo_fleet.findings import Finding, Place, Problem
from kargo_fleet.fleet.names import DNS_LABEL, FLEET_FILE, LONGEST_NAMESPACE, PREFIX
from kargo_fleet.fleet.projects import Projects

Services = Mapping[str, Sequence[StageApplication]]

_SUBDOMAIN = re.compile(rf"{DNS_LABEL}(\.{DNS_LABEL})*")


def findings(
    fleet: Mapping[str, Any],
    services: Mapping[str, Sequence[StageApplication | str]],
    shards: Mapping[str, str] | None = None,
    teams: Mapping[str, str] | None = None,
    projects: Projects | None = None,
) -> list[Finding]:
    """Return what Argo CD would refuse or get wrong in these settings and services taken together.

    The arguments are those of `manifests.manifests`. Findings about fleet.yaml come first, then those of each service.
    """
    known = argo_fleet(fleet, teams, projects)
    stages = {service: stages_of(found) for service, found in services.items()}
    return [*_kinds(known, fleet), *_find(known, stages, shards or {})]


def _find(fleet: ArgoFleet, services: Services, shards: Mapping[str, str]) -> Iterator[Finding]:
    yield from _settings(fleet)
    yield from _applications(fleet, services)
    yield from _projects(fleet, services)
    if fleet.workloads["enabled"]:
        yield from _namespaces(fleet, services)
    yield from _sizes(fleet, services, shards)


def _in_fleet(message: str, fix: str, *path: str) -> Finding:
    """Return a finding about fleet.yaml, about the value at `path` where one is named."""
    return Problem("KF601", message, fix, path).at(Place(FLEET_FILE))


def _in_service(fleet: ArgoFleet, service: str, message: str, fix: str) -> Finding:
    return Finding(Place(fleet.folder(service)), "KF601", message, fix, service)


def _settings(fleet: ArgoFleet) -> Iterator[Finding]:
    if not fleet.repo_url:
        message = "git.repoURL is required: Argo CD reads the services from this repository"
        yield _in_fleet(message, "set git.repoURL", "git", "repoURL")
    yield from _shards(fleet)
    if fleet.chart.url and _is_same(fleet.chart.url, fleet.repo_url):
        yield _in_fleet("chart.git is this repository, git.repoURL", "remove it; chart.path is enough", "chart", "git")
    if not fleet.workloads["enabled"]:
        return
    chosen = fleet.workloads["source"]
    if chosen.get("chart") and not (chosen.get("repoURL") and chosen.get("targetRevision")):
        yield _in_fleet(
            "argocd.workloads.source.chart requires repoURL and targetRevision",
            "set argocd.workloads.source.repoURL and argocd.workloads.source.targetRevision",
            *("argocd", "workloads", "source"),
        )
    if fleet.kind == HELM:
        yield from _revisions(fleet, chosen)
    if not (chosen.get("path") or chosen.get("chart")):
        yield _in_fleet(
            "argocd.workloads is enabled, but argocd.workloads.source has no path or chart",
            "set argocd.workloads.source.path to a folder of the repository, or chart, repoURL and targetRevision",
            *("argocd", "workloads", "source"),
        )
    if fleet.workloads["appProject"]["name"] == fleet.argocd["appProject"]["name"]:
        name = fleet.argocd["appProject"]["name"]
        yield _in_fleet(
            f"argocd.appProject.name and argocd.workloads.appProject.name are both {name!r}",
            "use different names: the units' AppProject allows Kargo's kinds only",
            *("argocd", "workloads", "appProject", "name"),
        )


def _kinds(fleet: ArgoFleet, data: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what contradicts itself in the source of the workloads, or is for Helm charts only."""
    chosen = fleet.workloads["source"]
    kinds = [key for key in ("chart", *KINDS_OF_SOURCE) if key in chosen and chosen[key] != ""]
    if not fleet.workloads["enabled"] or fleet.kind == HELM:
        return
    if len(kinds) > 1:
        message = f"argocd.workloads.source has {' and '.join(kinds)}, which are mutually exclusive"
        yield _in_fleet(message, f"remove {' or '.join(kinds)}", "argocd", "workloads", "source", kinds[1])
    for key in ("valueFiles", "ignoreMissingValueFiles"):
        if key in data["argocd"]["workloads"]:
            message = f"argocd.workloads.{key} has no effect: the workloads are no Helm charts ({kinds[-1]})"
            yield _in_fleet(message, "remove it", "argocd", "workloads", key)


def _revisions(fleet: ArgoFleet, chosen: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield a finding for a chart and values files at two revisions of one repository, which Argo CD refuses.

    Source: Argo CD v3.5, reposerver/repository/repository.go, "cannot reference a different revision of the same repository".
    """
    revision = chosen.get("targetRevision")
    same = not chosen.get("chart") and _is_same(chosen.get("repoURL") or fleet.repo_url, fleet.repo_url)
    if not revision or not same or "<" in revision:
        return
    stages = [stage for stage in fleet.usual_stages if fleet.workload(stage)["targetRevision"] != revision]
    if stages:
        yield _in_fleet(
            f"argocd.workloads.source.targetRevision is {revision}, but the values files of stage {stages[0]} are read from "
            f"{fleet.workload(stages[0])['targetRevision']}; Argo CD reads a repository at one revision",
            "remove argocd.workloads.source.targetRevision, or set argocd.workloads.source.repoURL to another repository",
            *("argocd", "workloads", "source", "targetRevision"),
        )


def _is_same(url: str, other: str) -> bool:
    """Return whether two URLs are of one repository, as Argo CD compares them (util/git/git.go, NormalizeGitURL)."""
    return url.strip().lower().removesuffix(".git") == other.strip().lower().removesuffix(".git")


def _shards(fleet: ArgoFleet) -> Iterator[Finding]:
    names = [shard.name for shard in fleet.shards]
    if fleet.units["splitBy"] == "shard" and not names:
        message = "argocd.units.splitBy: shard requires shards"
        yield _in_fleet(message, "list the shards under shards", "argocd", "units", "splitBy")
    for name in fleet.units["shards"] or {}:
        if name not in names:
            fix = f"use {' or '.join(names)}" if names else "list it under shards"
            yield _in_fleet(f"argocd.units.shards.{name}: unknown shard", fix, "argocd", "units", "shards", name)
    if fleet.units["shards"] and fleet.units["splitBy"] != "shard":
        message = "argocd.units.shards has no effect without splitBy: shard"
        yield _in_fleet(message, "set argocd.units.splitBy: shard", "argocd", "units", "shards")


def _applications(fleet: ArgoFleet, services: Services) -> Iterator[Finding]:
    owners: dict[str, list[tuple[str, str]]] = {}
    for service, stages in sorted(services.items()):
        owners.setdefault(unit_application(fleet, service), []).append((service, f"the unit of {service}"))
        for stage in stages if fleet.workloads["enabled"] else ():
            what = f"{service} at stage {stage.name}"
            owners.setdefault(workload_application(fleet, service, stage), []).append((service, what))
    for name, found in owners.items():
        if len(found) > 1:
            yield from _clash(fleet, f"the Argo CD Application {name!r}", found)
        if len(name) > 253 or not _SUBDOMAIN.fullmatch(name):
            service, what = found[0]
            yield _in_service(
                fleet,
                service,
                f"{name!r} is not a valid name for the Argo CD Application of {what}",
                "use lowercase letters, digits, '-' and '.', at most 253 characters",
            )


def without_clashes(
    fleet: Mapping[str, Any],
    services: Mapping[str, Sequence[StageApplication]],
    teams: Mapping[str, str] | None = None,
    projects: Projects | None = None,
) -> dict[str, tuple[StageApplication, ...]]:
    """Return the stages of all services, without those names of Applications that are also another one's.

    The clash is reported; the set keeps the name that `applicationName` gives, so that one service's mistake does not take
    the Application of another.
    """
    known = argo_fleet(fleet, teams, projects)
    names = [unit_application(known, service) for service in services]
    names += [workload_application(known, service, stage) for service, found in services.items() for stage in found]
    taken = {name for name, count in Counter(names).items() if count > 1}
    return {
        service: tuple(StageApplication(stage.name) if stage.application in taken else stage for stage in found)
        for service, found in services.items()
    }


def _clash(fleet: ArgoFleet, what: str, found: Sequence[tuple[str, str]]) -> Iterator[Finding]:
    for service, own in found:
        others = " and ".join(other for _, other in found if other != own) or own
        yield _in_service(
            fleet,
            service,
            f"{what} of {own} is also that of {others}; Argo CD would handle only one of them",
            "rename one of them, or change argocd.workloads.applicationName or promotion.argocdUpdate of the service",
        )


def _projects(fleet: ArgoFleet, services: Services) -> Iterator[Finding]:
    control = fleet.argocd["namespace"]
    for service in sorted(services):
        if fleet.projects.of(service) == control:
            message = f"the Project of {service} would be in Argo CD's own namespace, {control}"
            yield _in_service(fleet, service, message, "set another project.name")


def _namespaces(fleet: ArgoFleet, services: Services) -> Iterator[Finding]:
    control = fleet.argocd["namespace"]
    units = fleet.projects.namespaces(services)
    for service, stages in sorted(services.items()):
        for stage in stages:
            name = workload_namespace(fleet, service, stage.name)
            where = f"the workload of stage {stage.name} would go to namespace {name!r}"
            if name in ("kargo", control) or name.startswith((PREFIX, "kube-")):
                yield _in_service(
                    fleet,
                    service,
                    f"{where}, which belongs to a control plane",
                    "change argocd.workloads.destination.namespace, or rename the service",
                )
            elif pattern := next((one for one in units if fnmatch.fnmatchcase(name, one)), ""):
                yield _in_service(
                    fleet,
                    service,
                    f"{where}, but {pattern} is for units",
                    "change argocd.workloads.destination.namespace, or project.name",
                )
            if len(name) > LONGEST_NAMESPACE:
                yield _in_service(
                    fleet,
                    service,
                    f"{where}; namespace names are limited to {LONGEST_NAMESPACE} characters",
                    "change argocd.workloads.destination.namespace, or rename the service or the stage",
                )


def _sizes(fleet: ArgoFleet, services: Services, shards: Mapping[str, str]) -> Iterator[Finding]:
    sections = [
        ("units", list(names), fleet.units["maxApplications"], fleet.units["minSets"])
        for _, names in unit_shares(fleet, services, shards)
    ]
    if fleet.workloads["enabled"]:
        most, fewest = fleet.workloads["maxApplications"], fleet.workloads["minSets"]
        sections += [
            ("workloads", [service for service in services if has_stage(services, service, stage)], most, fewest)
            for stage in stage_names(fleet, services)
        ]
    for key, names, most, fewest in sections:
        buckets = split(names, most, fewest)
        fullest = largest(names, buckets) if len(buckets) == MOST else 0
        if fullest > most:
            yield _in_fleet(
                f"argocd.{key}.maxApplications is {most}, but even {MOST} sets hold up to {fullest} Applications each",
                f"raise argocd.{key}.maxApplications",
                *("argocd", key, "maxApplications"),
            )
