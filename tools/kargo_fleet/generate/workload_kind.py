"""What the workloads are rendered with, where fleet.yaml does not say: Kustomize when their folders are kustomizations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kargo_fleet.argocd.settings import HELM, StageApplication, argo_fleet
from kargo_fleet.files.reading import is_absent, read_bytes
from kargo_fleet.fleet.chart import CHART_FILE
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.names import KUSTOMIZATIONS
from kargo_fleet.text.kustomizations import paths_outside


def folders_used(folder: Path) -> list[str]:
    """Return the paths outside of its own folder that a kustomization uses, relative to the folder."""
    for name in KUSTOMIZATIONS:
        try:
            return paths_outside(read_bytes(folder / name).decode("utf-8", errors="replace"))
        except OSError:
            continue
    return []


def with_workload_kind(fleet: Fleet, services: Mapping[str, Sequence[StageApplication]]) -> Fleet:
    """Return the fleet with `argocd.workloads.source.kustomize` set if the folders of the workloads are kustomizations.

    Argo CD decides in the same way, folder by folder. Here one chart among them decides for Helm, as before: KF602 then
    names the folders without one. Raises OSError when a folder cannot be looked at.
    """
    argo = argo_fleet(fleet.data, fleet.teams)
    source = argo.workloads["source"]
    is_open = argo.kind == HELM and source.get("path") and not source.get("chart")
    if not (argo.workloads["enabled"] and is_open):
        return fleet
    found = False
    for service, stages in services.items():
        for stage in stages:
            folder = fleet.root / argo.filled(source["path"], service, stage.name).strip("/")
            if not is_absent(folder / CHART_FILE):
                return fleet
            found = found or not all(is_absent(folder / name) for name in KUSTOMIZATIONS)
    if not found:
        return fleet
    section = fleet.data["argocd"]
    workloads = section["workloads"]
    kustomized = {**workloads, "source": {**workloads["source"], "kustomize": {}}}
    return replace(fleet, data={**fleet.data, "argocd": {**section, "workloads": kustomized}})
