"""Where Argo CD takes the chart of the units from: the section `chart` of fleet.yaml, which alone says it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kargo_fleet.findings import Problem

#: The name of the chart, in a Helm repository and in charts/.
CHART_NAME = "kargo-service"
DEFAULT_PATH = f"charts/{CHART_NAME}"
_OCI = "oci://"


class Origin(StrEnum):
    """The kinds of places; each but REPOSITORY is the key of `chart` that chooses it."""

    REPOSITORY = "repository"
    OCI = "oci"
    HELM = "helm"
    GIT = "git"


@dataclass(frozen=True)
class ChartSource:
    """The place of the chart, with defaults filled in. `url` is empty for this repository."""

    origin: Origin
    url: str = ""
    path: str = DEFAULT_PATH
    version: str = ""
    revision: str = ""

    @property
    def is_package(self) -> bool:
        """Whether the chart is a package of some version, in a registry or a Helm repository."""
        return self.origin in (Origin.OCI, Origin.HELM)

    @property
    def chart(self) -> str:
        """`chart` of an Argo CD source: the name of a package; empty for a folder."""
        if not self.is_package:
            return ""
        return self.url.rpartition("/")[2] if self.origin is Origin.OCI else CHART_NAME

    @property
    def repo_url(self) -> str:
        """`repoURL` of an Argo CD source; empty for this repository.

        Argo CD takes a URL without a scheme for an OCI registry of Helm charts, whose last part is `chart`.

        Source: Argo CD v3.5, util/helm/client.go, IsHelmOciRepo.
        """
        return self.url.removeprefix(_OCI).rpartition("/")[0] if self.origin is Origin.OCI else self.url

    def __str__(self) -> str:
        """Return the place as people write it."""
        if self.origin is Origin.OCI:
            return f"{self.url}:{self.version}"
        if self.origin is Origin.HELM:
            return f"{self.url} {CHART_NAME} {self.version}"
        at = f" at {self.revision}" if self.revision else ""
        return f"{self.path} in {self.url or 'this repository'}{at}"


def chart_source(fleet: Mapping[str, Any]) -> ChartSource:
    """Return the place of the chart in `fleet`, the plain and valid content of fleet.yaml."""
    section: Mapping[str, Any] = fleet.get("chart") or {}
    chosen = next((origin for origin in Origin if section.get(origin.value)), Origin.REPOSITORY)
    return ChartSource(
        chosen,
        url=(section.get(chosen.value) or "").rstrip("/"),
        path=(section.get("path") or DEFAULT_PATH).strip("/"),
        version=section.get("version") or "",
        revision=section.get("revision") or "",
    )


def local_path(section: object) -> str | None:
    """Return the folder of this repository that the section `chart` names, None when it names none.

    Beside `oci` and `helm` it is a copy, whose defaults and schema are used; beside `git` it is a folder of the other repository.
    """
    if not isinstance(section, Mapping) or section.get(Origin.GIT):
        return None
    path = section.get("path")
    return path if isinstance(path, str) and path else None


def problems(section: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with a section `chart` whose keys are valid one by one."""
    chosen = [origin.value for origin in (Origin.OCI, Origin.HELM, Origin.GIT) if section.get(origin.value)]
    if len(chosen) > 1:
        message = f"chart.{chosen[0]} and chart.{chosen[1]} are mutually exclusive"
        yield Problem("KF103", message, f"remove all but one of {', '.join(chosen)}", ("chart", chosen[1]), at_key=True)
        return
    origin = Origin(chosen[0]) if chosen else Origin.REPOSITORY
    if origin in (Origin.OCI, Origin.HELM):
        if not section.get("version"):
            message = f"chart.version: is required with chart.{origin}"
            yield Problem(
                "KF104", message, "set chart.version to the version of the chart, such as 1.2.3", ("chart", "version")
            )
        if section.get("revision"):
            message = f"chart.revision has no effect with chart.{origin}"
            yield Problem("KF103", message, "remove it, and set chart.version", ("chart", "revision"), at_key=True)
    elif section.get("version"):
        message = "chart.version has no effect without chart.oci or chart.helm"
        yield Problem("KF103", message, "remove it, or set chart.oci", ("chart", "version"), at_key=True)
    if origin is Origin.REPOSITORY and section.get("revision"):
        message = (
            "chart.revision requires chart.git: Argo CD reads a repository's chart and values files at one revision"
        )
        yield Problem("KF103", message, "remove it", ("chart", "revision"), at_key=True)


def moved(source: object) -> str:
    """Return the fix for `argocd.units.source`, which said the same in an earlier version: the section `chart` to write."""
    found: Mapping[str, Any] = source if isinstance(source, Mapping) else {}
    url, name, revision = (str(found.get(key) or "") for key in ("repoURL", "chart", "targetRevision"))
    section = {"path": found.get("path") or ""}
    if name and "://" not in url.removeprefix(_OCI):
        section = {"oci": f"{_OCI}{url.removeprefix(_OCI).rstrip('/')}/{name}", "version": revision}
    elif name:
        section = {"helm": url, "version": revision}
    elif url:
        section |= {"git": url, "revision": revision}
    text = ", ".join(f"{key}: {value}" for key, value in section.items() if value) or f"path: {DEFAULT_PATH}"
    return f"remove it, and set `chart: {{{text}}}` at the top level of fleet.yaml"
