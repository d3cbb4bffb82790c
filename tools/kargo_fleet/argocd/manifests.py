"""Every file under argocd/, as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from kargo_fleet.argocd.app_projects import units_project, workloads_project
from kargo_fleet.argocd.health import argocd_cm
from kargo_fleet.argocd.settings import ArgoFleet, StageApplication, argo_fleet, stages_of
from kargo_fleet.argocd.shares import unit_shares
from kargo_fleet.argocd.split import split
from kargo_fleet.argocd.unit_sets import unit_set
from kargo_fleet.argocd.workload_sets import has_stage, stage_names, workload_set
from kargo_fleet.fleet.projects import Projects
from kargo_fleet.text import yaml_manifests
from kargo_fleet.text.yaml_writer import ANNOTATED, document

_PATCH_COMMENT = """\
Health checks for Kargo's kinds. A patch, not an object to apply:
  kubectl -n {namespace} patch configmap argocd-cm --type merge --patch-file argocd/patches/argocd-cm.yaml"""


def manifests(
    fleet: Mapping[str, Any],
    services: Mapping[str, Sequence[StageApplication | str]],
    shards: Mapping[str, str] | None = None,
    teams: Mapping[str, str] | None = None,
    projects: Projects | None = None,
) -> dict[str, str]:
    """Return the text of every file under argocd/, by its path in the repository.

    `fleet` is the plain, valid content of fleet.yaml; `services` has each service's stages in pipeline order, a
    plain string being a Stage without a name of its own in Argo CD. A service that is broken at the moment belongs in
    it with the stages that it had last, or the workloads' sets treat it as one with the usual pipeline. `shards` has the
    shard of the services that chose one themselves; those of all others follow from their names. `teams` has the team of
    every service, where the layout has teams; `projects` the names of their Projects.
    """
    known = argo_fleet(fleet, teams, projects)
    stages = {service: stages_of(found) for service, found in services.items()}
    comment = _PATCH_COMMENT.format(namespace=known.argocd["namespace"])
    files = {
        "argocd/appproject.yaml": document(units_project(known, stages), ANNOTATED),
        "argocd/patches/argocd-cm.yaml": document(argocd_cm(known), ANNOTATED, comment),
    }
    if known.workloads["enabled"] and known.workloads["appProject"]["create"]:
        project = workloads_project(known, stage_names(known, stages), stages)
        files["argocd/appproject-workloads.yaml"] = document(project, ANNOTATED)
    files.update((path, document(appset, ANNOTATED)) for path, appset in _sets(known, stages, shards or {}))
    return dict(sorted(files.items()))


def handover(fleet: Mapping[str, Any], old_texts: Iterable[str]) -> list[str]:
    """Return the commands that follow a split: they release the Applications of the sets in `old_texts`.

    `old_texts` are those of the files of argocd/ that are no longer generated. Released Applications keep running, and
    the next `kubectl apply` lets the new sets take them over; none is deleted, none is created anew.
    """
    known = argo_fleet(fleet)
    old = sorted(name for text in old_texts for name in _names_of_sets(text))
    if not old:
        return []
    namespace = known.argocd["namespace"]
    return [
        f"kubectl -n {namespace} delete applicationset {' '.join(old)} --cascade=orphan",
        "kubectl apply --server-side --force-conflicts -f argocd/",
    ]


def _names_of_sets(text: str) -> Iterator[str]:
    """Yield the names of the ApplicationSets in a manifest; none when it is not valid YAML."""
    try:
        documents = yaml_manifests.parse(text)
    except yaml.YAMLError:
        return
    for found in documents:
        if isinstance(found, dict) and found.get("kind") == "ApplicationSet":
            yield str(found["metadata"]["name"])


def _sets(
    fleet: ArgoFleet, services: Mapping[str, Sequence[StageApplication]], shards: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for share, names in unit_shares(fleet, services, shards):
        for bucket in split(names, fleet.units["maxApplications"], fleet.units["minSets"]):
            suffix = (share.suffix if share else "") + bucket.suffix
            yield f"argocd/units{suffix}.yaml", unit_set(fleet, bucket, share, names)
    if not fleet.workloads["enabled"]:
        return
    for stage in stage_names(fleet, services):
        members = [service for service in services if has_stage(services, service, stage)]
        if stage not in fleet.usual_stages and not members:
            continue
        for bucket in split(members, fleet.workloads["maxApplications"], fleet.workloads["minSets"]):
            if stage in fleet.usual_stages or any(service in bucket for service in members):
                yield f"argocd/workloads-{stage}{bucket.suffix}.yaml", workload_set(fleet, services, stage, bucket)
