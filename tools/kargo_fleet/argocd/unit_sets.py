"""The ApplicationSet of the units: one Application per service, which installs the chart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kargo_fleet.argocd.appsets import (
    ChartOrigin,
    app_project_of,
    application_set,
    git_generator,
    list_generator,
    literal,
    source,
    sync_policy,
)
from kargo_fleet.argocd.settings import LISTED, SERVICE, ArgoFleet
from kargo_fleet.argocd.shares import Share
from kargo_fleet.argocd.split import Bucket
from kargo_fleet.fleet.names import (
    COMPONENT_LABEL,
    NAME_LABEL,
    UNIT_COMPONENT,
    release_template,
    values_path,
)
from kargo_fleet.text.yaml_writer import Note

_WHY_PATHS = "Only a change of the chart or of this file renders the service again. Every promotion is a commit."

_WHY_FORCED = "Whatever the file says, the unit is the one of this folder."

_WHY_RELEASE = "Helm release names are limited to 53 characters. The unit is called after service.name, below."

_WHY_FILES = "A service without its file fails, alone and visibly, instead of running on the chart's defaults."

_WHY_AUTOMATED = """\
prune, so that a RoleBinding or a Stage taken out of the values goes. Namespace and Project carry Prune=false."""

_WHY_OPTIONS = """\
An object that another Application owns is not taken over. Only what differs is applied: each needless write costs a
call of Kargo's webhook. No CreateNamespace: the chart makes the namespace, with the label that Kargo asks for."""

_WHY_RETRY = "Kargo's webhook may not know a namespace yet that was created a moment ago; the next try succeeds."


def unit_set(
    fleet: ArgoFleet, bucket: Bucket, shard: Share | None = None, services: Iterable[str] = ()
) -> dict[str, Any]:
    """Return the ApplicationSet of the units in `bucket`; with `shard`, only of those in that shard.

    `services` are those of the shard, or all; only a set that lists its services needs them.
    """
    settings = fleet.units
    if fleet.lists_units:
        generator = list_generator(service for service in services if service in bucket)
    else:
        generator = git_generator(fleet, settings, bucket, shard=shard)
    name = settings["name"] + (shard.suffix if shard else "") + bucket.suffix
    destination = fleet.destination(shard.name if shard else "")
    return application_set(fleet, settings, name, generator, _template(fleet, destination))


def unit_application(fleet: ArgoFleet, service: str) -> str:
    """Return the name of the Application of the unit of `service`."""
    return fleet.filled(fleet.units["applicationName"], service)


def _template(fleet: ArgoFleet, destination: Mapping[str, Any]) -> dict[str, Any]:
    settings = fleet.units
    service = LISTED if fleet.lists_units else SERVICE
    values_file = f"/{values_path(service)}"
    origin, paths = source(fleet, _chart_origin(fleet), fleet.revision, [values_file], _helm(service))
    spec: dict[str, Any] = {
        "project": app_project_of({**fleet.argocd, **settings}),
        **origin,
        "destination": {**destination, "namespace": fleet.project_template(service)},
    }
    policy = sync_policy(settings)
    for key, why in (("automated", _WHY_AUTOMATED), ("syncOptions", _WHY_OPTIONS), ("retry", _WHY_RETRY)):
        if key in policy:
            policy[key] = Note(why, policy[key])
    spec["syncPolicy"] = policy
    spec["revisionHistoryLimit"] = settings["revisionHistoryLimit"]
    return {"metadata": _metadata(fleet, paths, service), "spec": spec}


def _chart_origin(fleet: ArgoFleet) -> ChartOrigin:
    chart = fleet.chart
    if chart.is_package:
        return ChartOrigin(literal(chart.repo_url), literal(chart.version), chart=literal(chart.chart))
    revision = chart.revision or fleet.revision
    return ChartOrigin(literal(chart.repo_url or fleet.repo_url), literal(revision), path=literal(chart.path))


def _helm(service: str) -> dict[str, Any]:
    return {
        "releaseName": Note(_WHY_RELEASE, release_template(service.strip("{} "))),
        "ignoreMissingValueFiles": Note(_WHY_FILES, value=False),
        "parameters": Note(_WHY_FORCED, [{"name": "service.name", "value": service, "forceString": True}]),
    }


def _metadata(fleet: ArgoFleet, paths: str, service: str) -> dict[str, Any]:
    settings = fleet.units
    own = {NAME_LABEL: service, COMPONENT_LABEL: UNIT_COMPONENT}

    def templated(text: str) -> str:
        return fleet.templated(text, service=service)

    return {
        "name": templated(settings["applicationName"]),
        "labels": {**{key: templated(literal(value)) for key, value in settings["labels"].items()}, **own},
        "annotations": {
            **{key: templated(literal(value)) for key, value in settings["annotations"].items()},
            "argocd.argoproj.io/manifest-generate-paths": Note(_WHY_PATHS, paths),
        },
    }
