"""The diagnosis: root causes only. A finding that follows from another finding is left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kargo_fleet.cluster import resources as c
from kargo_fleet.cluster.objects import Object, dig, name_of
from kargo_fleet.cluster.resources import Resource
from kargo_fleet.cluster.scope import ExpectedUnit
from kargo_fleet.cluster.snapshot import Snapshot, fleet_services
from kargo_fleet.doctor import applications, foundation, git_credentials, installation, stages, warehouses
from kargo_fleet.doctor.codes import CLUSTER, found
from kargo_fleet.doctor.expected import Expected
from kargo_fleet.findings import Finding, merged
from kargo_fleet.text.words import first_of

_MANY = 10  # this many missing units are one finding
#: By code of missing units: the predicate of the common finding, and its fix.
_ABSENT = {
    "KF711": ("are not deployed", "run `kargo-fleet deploy`, or let Argo CD sync them; see docs/argocd.md"),
    "KF751": ("have no Application in Argo CD, and are not deployed", ""),
}


def find(expected: Expected, cluster: Snapshot, drift: Mapping[str, Finding] | None = None) -> list[Finding]:
    """Return the findings about the units of a repository. `drift` holds the findings of the comparison, by service."""
    missing = list(installation.installed(cluster))
    if missing:
        return missing
    findings = [*expected.findings, *installation.new_enough(cluster), *applications.sets(cluster)]
    bases = {unit.service: foundation.find(cluster, unit) for unit in expected.units}
    sound = [unit for unit in expected.units if not bases[unit.service] and foundation.is_deployed(cluster, unit)]
    unhandled, idle = installation.unhandled(cluster, sound)
    locked, without = git_credentials.git(cluster, sound)
    findings += _unread(cluster, sound)
    absent: list[Finding] = []
    for unit in expected.units:
        if base := bases[unit.service]:
            findings.append(base)
        elif not foundation.is_deployed(cluster, unit):
            absent += _absent(cluster, expected, unit)
        else:
            findings += _unit(cluster, expected, unit, idle, without, (drift or {}).get(unit.service))
    findings += [*unhandled, *locked, *_together(absent, expected.units), *orphans(cluster, expected)]
    return sorted(
        merged([findings]), key=lambda one: (one.service, one.code.removeprefix("KFW").removeprefix("KF"), one)
    )


def _absent(cluster: Snapshot, expected: Expected, unit: ExpectedUnit) -> list[Finding]:
    """Return why a unit is missing."""
    application = applications.of_unit(cluster, expected, unit)
    if application is None:
        message = "the service is not deployed: it has neither a namespace nor a Project"
        return [found("KF711", unit.project, message, foundation.deploy_fix(unit.service), unit.service)]
    is_reported = application.code == "KF751" and any(applications.sets(cluster))
    return [] if is_reported else [application]


def _unit(
    cluster: Snapshot, expected: Expected, unit: ExpectedUnit, idle: set[str], without: set[str], drift: Finding | None
) -> list[Finding]:
    """Return the findings about one unit whose namespace and Project are ready."""
    findings = list(foundation.parts(cluster, unit))
    # The fields that differ are more precise than OutOfSync.
    if not (drift and applications.is_out_of_sync(cluster, expected, unit)):
        application = applications.of_unit(cluster, expected, unit)
        findings += [application] if application else []
    if drift:
        findings.append(drift)
    if unit.service not in idle:
        findings += warehouses.find(cluster, unit)
        findings += stages.find(cluster, unit, without_credentials=unit.service in without)
        findings += applications.of_workloads(cluster, expected, unit)
    return findings


def _together(absent: list[Finding], all_units: list[ExpectedUnit]) -> list[Finding]:
    """Return one finding instead of one per service when many are missing for the same reason."""
    result = [one for one in absent if one.code not in _ABSENT]
    for code, (what, fix) in _ABSENT.items():
        same = [one for one in absent if one.code == code]
        if len(same) < _MANY:
            result += same
            continue
        names = first_of([one.service for one in same])
        message = f"{len(same)} of {len(all_units)} services {what}: {names}"
        result.append(found(code, CLUSTER, message, fix or same[0].fix))
    return result


def orphans(cluster: Snapshot, expected: Expected) -> Iterator[Finding]:
    """Yield a finding for each unit whose service is no longer in the repository."""
    known = set(expected.services)
    if not known:
        return  # another finding reports that
    projects = {unit.service: unit.project for unit in expected.units}
    for service, objects in sorted(fleet_services(cluster).items()):
        yield from _renamed(service, projects.get(service, ""), objects)
        kinds = [_title(kind, name_of(one)) for kind, one in objects if not dig(one, "metadata", "deletionTimestamp")]
        if service in known or not kinds:
            continue
        verb = "belongs" if len(kinds) == 1 else "belong"
        message = f"{first_of(kinds)} {verb} to no service: there is no {expected.fleet.folder_of(service)}"
        fix = (
            f"run `kargo-fleet delete {service}` to delete the unit with its history, see docs/removing.md; "
            "or restore the folder"
        )
        yield found("KFW761", expected.fleet.project_of(service), message, fix, service)


def _renamed(service: str, project: str, objects: Sequence[tuple[Resource, Object]]) -> Iterator[Finding]:
    """Yield a finding for each Project or namespace that a service had before its Project got another name."""
    for name in sorted({name_of(one) for kind, one in objects if kind in (c.PROJECTS, c.NAMESPACES)}):
        if project and name != project:
            message = f"belongs to {service}, whose Project is {project} now; Stages that are left in it still promote"
            fix = (
                f"when nothing of it is needed any more, run `kubectl delete projects.kargo.akuity.io {name}` and then "
                f"`kubectl delete namespace {name}`; or set project.name back in fleet.yaml"
            )
            yield found("KFW761", name, message, fix, service)


def _title(resource: Resource, name: str) -> str:
    kinds = {c.NAMESPACES: "Namespace", c.PROJECTS: "Project", c.APPLICATIONS: "Application"}
    return f"{kinds[resource]}/{name}"


def _unread(cluster: Snapshot, all_units: list[ExpectedUnit]) -> Iterator[Finding]:
    """Yield a finding about kinds that could not be checked because this user may not read them."""
    unread = {plural for plural, _ in cluster.unread}
    if not git_credentials.uncertain(cluster, all_units):
        unread.discard(c.SECRETS.plural)
    what = {plural: consequence for plural, consequence in _CONSEQUENCES.items() if plural in unread}
    if what:
        message = f"this user may not read {first_of(sorted(what), most=9)}; not checked: {', '.join(dict.fromkeys(what.values()))}"
        fix = f"request permission to `list` them; test it with `kubectl auth can-i list {min(what)} --all-namespaces`"
        yield found("KFW701", CLUSTER, message, fix)


_CONSEQUENCES = {
    c.NAMESPACES.plural: "namespaces",
    c.PROJECTS.plural: "Projects",
    c.CONFIGS.plural: "ProjectConfigs",
    c.WAREHOUSES.plural: "Warehouses",
    c.STAGES.plural: "Stages",
    c.PROMOTIONS.plural: "running promotions",
    c.SECRETS.plural: "Git credentials",
    c.APPLICATIONS.plural: "Applications",
    c.APPLICATION_SETS.plural: "Applications",
    **{resource.plural: "drift of access rules and quotas" for resource in (*c.ACCESS, c.QUOTAS)},
    **{resource.plural: "drift of templates and tasks" for resource in (c.TASKS, c.ANALYSIS_TEMPLATES)},
}
