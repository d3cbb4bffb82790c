"""The section `argocd` of fleet.yaml: its defaults, and the facts of the fleet that its manifests need."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kargo_fleet.fleet.chart_source import ChartSource, chart_source
from kargo_fleet.fleet.folder_pattern import FolderPattern
from kargo_fleet.fleet.names import PART_OF, PART_OF_LABEL, PROJECT
from kargo_fleet.fleet.object_kinds import GroupKind, allowed_kinds
from kargo_fleet.fleet.pipeline import expanded
from kargo_fleet.fleet.projects import Projects, named
from kargo_fleet.fleet.sections import DEFAULT_BRANCH, DEFAULT_SERVICES
from kargo_fleet.fleet.shards import Shard, shards_of

LABELS = {PART_OF_LABEL: PART_OF}

#: The Go template for the service of a folder, and for one that a set lists.
SERVICE = "{{ .path.basename }}"
LISTED = "{{ .service }}"

# The chart's own pipeline; `values.stages` of fleet.yaml adds to it and takes from it.
USUAL_STAGES = ("dev", "staging", "prod")

#: The keys of `argocd.workloads.source` for workloads that are no Helm charts, as Argo CD's own sources have them.
KINDS_OF_SOURCE = ("kustomize", "directory")
HELM = "helm"

_RETRY = {"limit": 10, "refresh": True, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "5m"}}

DEFAULTS: dict[str, Any] = {
    "namespace": "argocd",
    "destination": {"server": "https://kubernetes.default.svc"},
    "targetRevision": "",
    "appProject": {"name": "kargo-units", "roles": [], "syncWindows": []},
    "units": {
        "name": "kargo-units",
        "applicationName": "kargo-<service>",
        "splitBy": "size",
        "shards": {},
        "maxApplications": 1500,
        "minSets": 1,
        "requeueAfterSeconds": 600,
        "applicationsSync": "create-update",
        "preserveResourcesOnDeletion": True,
        "labels": {},
        "annotations": {},
        "preservedFields": {"annotations": ["argocd.argoproj.io/skip-reconcile"], "labels": []},
        "ignoreApplicationDifferences": [],
        "automated": {"enabled": True, "prune": True, "selfHeal": True},
        "syncOptions": ["FailOnSharedResource=true", "ApplyOutOfSyncOnly=true"],
        "retry": _RETRY,
        "revisionHistoryLimit": 3,
    },
    "workloads": {
        "enabled": False,
        "name": "kargo-workloads",
        "applicationName": "<service>-<stage>",
        "maxApplications": 1500,
        "minSets": 1,
        "requeueAfterSeconds": 600,
        "applicationsSync": "create-update",
        "preserveResourcesOnDeletion": True,
        "labels": {},
        "annotations": {},
        "preservedFields": {"annotations": ["argocd.argoproj.io/skip-reconcile"], "labels": []},
        "ignoreApplicationDifferences": [],
        "appProject": {"create": True, "name": "kargo-workloads", "roles": [], "syncWindows": []},
        "source": {"repoURL": "", "path": "", "chart": "", "targetRevision": ""},
        "valueFiles": ["/<services>/<service>/base-values.yaml", "/<services>/<service>/values-<stage>.yaml"],
        "ignoreMissingValueFiles": False,
        "destination": {"namespace": "<service>-<stage>"},
        "automated": {"enabled": True, "prune": True, "selfHeal": True},
        "syncOptions": ["CreateNamespace=true"],
        "retry": _RETRY,
        "revisionHistoryLimit": 5,
        "stages": {"prod*": {"automated": {"enabled": False}}},
    },
}

#: What differs in an environment-first tree.
_BY_STAGE = {"workloads": {"valueFiles": ["/<services>/<service>/values.yaml"]}}


@dataclass(frozen=True, slots=True)
class StageApplication:
    """One Stage of one service, as far as Argo CD is concerned.

    `application` is the name of the Application that the Stage's promotion updates (`argocd-update`) when it is not the
    one that `argocd.workloads.applicationName` gives; None otherwise.
    """

    name: str
    application: str | None = None


@dataclass(frozen=True, slots=True)
class ArgoFleet:
    """What fleet.yaml says, with every default filled in."""

    repo_url: str
    revision: str
    layout: FolderPattern
    chart: ChartSource
    usual_stages: tuple[str, ...]
    #: Further stages that groups of fleet.yaml add.
    grouped_stages: frozenset[str]
    shards: tuple[Shard, ...]
    argocd: dict[str, Any]
    teams: Mapping[str, str]
    projects: Projects
    extra_kinds: tuple[GroupKind, ...] = ()

    def folder(self, service: str) -> str:
        """Return the folder of a service; in an environment-first tree the pattern of its folders."""
        return self.layout.folder(service, self.teams.get(service, ""))

    def filled(self, text: str, service: str, stage: str = "<stage>") -> str:
        """Return a text with `<service>`, `<stage>`, `<team>` and `<services>`, the folder above a service's, filled in."""
        text = text.replace("<services>", self.layout.parent)
        return expanded(text.replace("<team>", self.teams.get(service, "")), service, stage)

    def templated(self, text: str, stage: str = "<stage>", service: str = SERVICE) -> str:
        """Return the Go template of an ApplicationSet that computes `filled`, for the folder of a service by default."""
        text = text.replace("<services>", self.layout.parent)
        team = f"{{{{ index .path.segments {self.layout.team_index} }}}}" if self.layout.has_teams else ""
        return expanded(text.replace("<team>", team), service, stage)

    def project_template(self, service: str = SERVICE) -> str:
        """Return the Go template of the name of a service's Project, for the Go template `service`."""
        usual = self.templated(self.projects.pattern, service=service)
        if not self.projects.own:
            return usual
        pairs = " ".join(f"{json.dumps(name)} {json.dumps(own)}" for name, own in sorted(self.projects.own.items()))
        name = service.strip("{} ")
        text = f"{{{{ $own := dict {pairs} }}}}{{{{ if hasKey $own {name} }}}}{{{{ get $own {name} }}}}"
        return f"{text}{{{{ else }}}}{usual}{{{{ end }}}}"

    @property
    def lists_units(self) -> bool:
        """Whether the units' sets list their services, since there is no folder per service that stands for one."""
        return self.layout.has_stages

    @property
    def units(self) -> dict[str, Any]:
        """The settings of the units' ApplicationSet."""
        found: dict[str, Any] = self.argocd["units"]
        return found

    @property
    def follows_shards(self) -> bool:
        """Whether every shard has an ApplicationSet of units of its own."""
        return self.units["splitBy"] == "shard" and bool(self.shards)

    def destination(self, shard: str) -> dict[str, Any]:
        """The cluster that the units of a shard are installed in."""
        own = (self.units["shards"] or {}).get(shard) or {}
        found: dict[str, Any] = own.get("destination") or self.argocd["destination"]
        return found

    @property
    def kind(self) -> str:
        """What the workloads are rendered with: one of KINDS_OF_SOURCE, else HELM, which takes values files."""
        return next((key for key in KINDS_OF_SOURCE if key in self.workloads["source"]), HELM)

    @property
    def workloads(self) -> dict[str, Any]:
        """The settings of the workloads' ApplicationSets."""
        found: dict[str, Any] = self.argocd["workloads"]
        return found

    def workload(self, stage: str) -> dict[str, Any]:
        """The settings of the workloads at one stage: `workloads` with each entry of its `stages` that matches."""
        merged: dict[str, Any] = {"destination": self.argocd["destination"], "targetRevision": self.revision}
        merged = with_changes(merged, {key: value for key, value in self.workloads.items() if key != "stages"})
        for pattern, change in (self.workloads["stages"] or {}).items():
            if fnmatch.fnmatchcase(stage, pattern):
                merged = with_changes(merged, change or {})
        return merged


def argo_fleet(
    fleet: Mapping[str, Any], teams: Mapping[str, str] | None = None, projects: Projects | None = None
) -> ArgoFleet:
    """Return the facts in `fleet`, the plain and valid content of fleet.yaml; any part of it may be missing.

    `teams` has the team of every service, where the layout has teams; `projects` the names of Projects, if not the usual ones.
    """
    git: Mapping[str, Any] = fleet.get("git") or {}
    layout = FolderPattern.of(fleet.get("services") or DEFAULT_SERVICES)
    defaults = with_changes(DEFAULTS, _BY_STAGE) if layout.has_stages else DEFAULTS
    argocd = with_changes(defaults, fleet.get("argocd") or {})
    return ArgoFleet(
        repo_url=git.get("repoURL") or "",
        revision=argocd["targetRevision"] or git.get("branch") or DEFAULT_BRANCH,
        layout=layout,
        chart=chart_source(fleet),
        usual_stages=_usual_stages((fleet.get("values") or {}).get("stages") or {}),
        grouped_stages=frozenset(
            name
            for group in (fleet.get("groups") or {}).values()
            for name, stage in ((group.get("values") or {}).get("stages") or {}).items()
            if stage is not None
        ),
        shards=shards_of(fleet),
        argocd=argocd,
        teams=teams or {},
        projects=projects or Projects(named([fleet.get("values") or {}], PROJECT), teams=teams or {}),
        extra_kinds=allowed_kinds(fleet),
    )


def with_changes(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge as Helm does: maps merge, everything else is replaced, null removes.

    `destination` is one choice out of two: a `name` replaces a `server` and the other way round.
    """
    merged = dict(base)
    for key, value in over.items():
        before = merged.get(key)
        if key == "destination" and isinstance(before, Mapping) and isinstance(value, Mapping):
            kept = {k: v for k, v in before.items() if k == "namespace" or not {"server", "name"} & value.keys()}
            merged[key] = with_changes(kept, value)
        elif isinstance(before, Mapping) and isinstance(value, Mapping):
            merged[key] = with_changes(before, value)
        else:
            merged[key] = value
    return {key: value for key, value in merged.items() if value is not None}


def stages_of(stages: Sequence[StageApplication | str]) -> tuple[StageApplication, ...]:
    """Return `stages` with plain names turned into Stages."""
    return tuple(StageApplication(stage) if isinstance(stage, str) else stage for stage in stages)


def _usual_stages(stages: Mapping[str, Any]) -> tuple[str, ...]:
    kept = [name for name in USUAL_STAGES if stages.get(name, {}) is not None]
    return tuple(kept + [name for name, stage in stages.items() if stage is not None and name not in kept])
