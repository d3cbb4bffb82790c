"""The ApplicationSets of the workloads: one per stage, one Application per service in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from kargo_fleet.argocd.appsets import (
    ChartOrigin,
    app_project_of,
    application_set,
    git_generator,
    literal,
    source,
    sync_policy,
)
from kargo_fleet.argocd.settings import HELM, KINDS_OF_SOURCE, SERVICE, ArgoFleet, StageApplication
from kargo_fleet.argocd.split import Bucket
from kargo_fleet.fleet.names import AUTHORIZED_STAGE, COMPONENT_LABEL, NAME_LABEL
from kargo_fleet.text.placeholders import with_strings
from kargo_fleet.text.yaml_writer import Note

Services = Mapping[str, Sequence[StageApplication]]

#: Only a change below these paths makes Argo CD render an Application again.
GENERATE_PATHS = "argocd.argoproj.io/manifest-generate-paths"

_WHY_STAGE = "Which Stage of Kargo may sync this Application (argocd-update)."

_WHY_NAMES = "The names that services chose themselves (promotion.argocdUpdate); all others follow the pattern."

_WHY_MANUAL = "No `automated`: a person syncs this stage, or Kargo does when it has promoted."


def stage_names(fleet: ArgoFleet, services: Services) -> tuple[str, ...]:
    """Return every stage of the fleet: the usual ones that are in use, in their order, then the others by name."""
    used = {stage.name for stages in services.values() for stage in stages}
    usual = [name for name in fleet.usual_stages if name in used or not used]
    return tuple(usual + sorted(used - set(usual)))


def workload_set(fleet: ArgoFleet, services: Services, stage: str, bucket: Bucket) -> dict[str, Any]:
    """Return the ApplicationSet of the workloads at `stage` of the services in `bucket`.

    A usual stage takes every folder but the services without it; any other stage names the services that have it. So
    only a service whose pipeline is unusual shows in the text.
    """
    settings = fleet.workload(stage)
    members = {service for service in services if has_stage(services, service, stage)}
    choice: dict[str, Any]
    if stage in fleet.usual_stages:
        choice = {"without": [service for service in services if service not in members and service in bucket]}
    else:
        choice = {"only": sorted(service for service in members if service in bucket)}
    own = _own_names(fleet, services, stage, bucket)
    revision = settings["targetRevision"]
    generator = git_generator(
        fleet, settings, bucket, revision=revision, values=_names(fleet, settings, stage, own), stage=stage, **choice
    )
    name = f"{settings['name']}-{stage}{bucket.suffix}"
    return application_set(fleet, settings, name, generator, _template(fleet, settings, stage))


def has_stage(services: Services, service: str, stage: str) -> bool:
    """Return whether the pipeline of `service` has `stage`."""
    return any(found.name == stage for found in services[service])


def workload_application(fleet: ArgoFleet, service: str, stage: StageApplication) -> str:
    """Return the name of the Application of `service` at `stage`."""
    return stage.application or fleet.filled(fleet.workloads["applicationName"], service, stage.name)


def workload_namespace(fleet: ArgoFleet, service: str, stage: str) -> str:
    """Return the namespace that `service` is deployed to at `stage`."""
    return fleet.filled(fleet.workload(stage)["destination"]["namespace"], service, stage)


def value_files(settings: Mapping[str, Any]) -> list[str]:
    """Return the values files of the workloads, from the root of the repository, as patterns.

    Argo CD would look for a path without the leading slash in the chart's folder, or not at all.
    """
    return [file if file.startswith("/") or "://" in file else f"/{file}" for file in settings["valueFiles"]]


def _own_names(fleet: ArgoFleet, services: Services, stage: str, bucket: Bucket) -> dict[str, str]:
    pattern = fleet.workloads["applicationName"]
    return {
        service: found.application
        for service, stages in sorted(services.items())
        for found in stages
        if found.name == stage and found.application and service in bucket
        if found.application != fleet.filled(pattern, service, stage)
    }


def _names(fleet: ArgoFleet, settings: Mapping[str, Any], stage: str, own: Mapping[str, str]) -> dict[str, Any]:
    pattern = fleet.templated(settings["applicationName"], stage)
    if not own:
        return {"application": pattern}
    lines = ["{{- $own := dict"]
    lines += [f"  {json.dumps(service)} {json.dumps(application)}" for service, application in own.items()]
    lines += [
        "}}",
        "{{- if hasKey $own .path.basename }}{{ get $own .path.basename }}{{ else }}" + pattern + "{{ end }}",
    ]
    return {"application": Note(_WHY_NAMES, "\n".join(lines))}


def _template(fleet: ArgoFleet, settings: Mapping[str, Any], stage: str) -> dict[str, Any]:
    origin, paths = _source(fleet, settings, stage)
    target = settings["destination"]
    given = {key: fleet.templated(literal(value), stage) for key, value in settings["annotations"].items()}
    own = {NAME_LABEL: SERVICE, COMPONENT_LABEL: f"workload-{stage}"}
    metadata = {
        "name": "{{ .values.application }}",
        "labels": {**{key: fleet.templated(literal(value), stage) for key, value in settings["labels"].items()}, **own},
        "annotations": {
            **given,
            AUTHORIZED_STAGE: Note(_WHY_STAGE, f"{fleet.project_template()}:{stage}"),
            GENERATE_PATHS: given.get(GENERATE_PATHS, paths),
        },
    }
    spec = {
        "project": app_project_of(settings),
        **origin,
        "destination": {**target, "namespace": fleet.templated(target["namespace"], stage)},
        "syncPolicy": sync_policy(settings, _WHY_MANUAL),
        "revisionHistoryLimit": settings["revisionHistoryLimit"],
    }
    return {"metadata": metadata, "spec": spec}


def _source(fleet: ArgoFleet, settings: Mapping[str, Any], stage: str) -> tuple[dict[str, Any], str]:
    """Return where the manifests of the workloads come from, and the paths that they depend on."""
    origin = _chart_origin(fleet, settings, stage)
    if fleet.kind == HELM:
        files = [fleet.templated(literal(file), stage) for file in value_files(settings)]
        helm = {"releaseName": SERVICE, "ignoreMissingValueFiles": settings["ignoreMissingValueFiles"]}
        return source(fleet, origin, settings["targetRevision"], files, helm)
    found: dict[str, Any] = {"repoURL": origin.repo_url, "targetRevision": origin.revision, "path": origin.path}
    for key in KINDS_OF_SOURCE:
        if settings["source"].get(key):
            found[key] = with_strings(settings["source"][key], lambda text: fleet.templated(literal(text), stage))
    return {"source": found}, fleet.templated(literal(generate_paths(settings)), stage)


def generate_paths(settings: Mapping[str, Any]) -> str:
    """Return the paths that workloads without a chart depend on, as a pattern: a service's folder has its base, too."""
    if GENERATE_PATHS in settings["annotations"]:
        return str(settings["annotations"][GENERATE_PATHS])
    parts = settings["source"]["path"].strip("/").split("/")
    ends = [index for index, part in enumerate(parts) if "<service>" in part]
    return ";".join([".", *(["/" + "/".join(parts[: ends[0] + 1])] if ends else [])])


def _chart_origin(fleet: ArgoFleet, settings: Mapping[str, Any], stage: str) -> ChartOrigin:
    chosen = settings["source"]

    def filled(text: str) -> str:
        return fleet.templated(literal(text), stage)

    repo_url = filled(chosen.get("repoURL") or fleet.repo_url)
    revision = filled(chosen.get("targetRevision") or settings["targetRevision"])
    if chosen.get("chart"):
        return ChartOrigin(repo_url, revision, chart=filled(chosen["chart"]))
    return ChartOrigin(repo_url, revision, path=filled(chosen.get("path") or "").strip("/"))
