"""JSON Schema of the section `argocd` of fleet.yaml: closed at every level, except for Argo CD's own objects."""

from __future__ import annotations

from typing import Any

from kargo_fleet.fleet.app_project_section import ROLES_SCHEMA, SYNC_WINDOWS_SCHEMA
from kargo_fleet.fleet.names import DNS_LABEL, LONGEST_NAMESPACE
from kargo_fleet.text import durations
from kargo_fleet.text.placeholders import angled
from kargo_fleet.text.words import enumerate_words

_NAME = f"^{DNS_LABEL}$"


def _object(description: str, properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "additionalProperties": False,
        "properties": properties,
        **more,
    }


def _name(description: str) -> dict[str, Any]:
    return {
        "type": "string",
        "description": description,
        "pattern": _NAME,
        "patternErrorMessage": "a DNS label: a-z, 0-9 and -, starting and ending with a letter or digit",
        "maxLength": LONGEST_NAMESPACE,
        "names": True,
    }


def _reference(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, "names": True, **more}


def _flag(description: str) -> dict[str, Any]:
    return {"type": "boolean", "description": description}


def _strings(description: str, *placeholders: str) -> dict[str, Any]:
    items = {"type": "string", "minLength": 1, "names": True, "placeholders": list(placeholders)}
    return {"type": "array", "description": description, "items": items, "uniqueItems": True}


def _map(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "object", "description": description, "additionalProperties": {"type": "string", **more}}


def _objects(description: str) -> dict[str, Any]:
    return {"type": "array", "description": description, "items": {"type": "object"}}


def _passed_on(description: str) -> dict[str, Any]:
    """Return the schema of an object of Argo CD's, in whose strings placeholders are replaced."""
    return {"type": "object", "description": description, "additionalProperties": True}


def _destination(description: str, namespace: dict[str, Any] | None = None) -> dict[str, Any]:
    properties = {
        "server": _reference("API server URL of the cluster in Argo CD.", minLength=1),
        "name": _reference("Name of the cluster in Argo CD.", minLength=1),
    }
    if namespace:
        properties["namespace"] = namespace
    return _object(description, properties, **{"not": {"required": ["server", "name"]}})


def _automated(description: str) -> dict[str, Any]:
    return _object(
        description,
        {
            "enabled": _flag("Sync automatically. false: each sync is started by hand or by Kargo's argocd-update."),
            "prune": _flag(
                "Delete objects that are no longer rendered. false: a RoleBinding removed from the values stays in effect."
            ),
            "selfHeal": _flag("Revert manual changes in the cluster."),
        },
    )


def _retry() -> dict[str, Any]:
    duration = {"type": "string", "pattern": durations.WHOLE_PATTERN, "maxLength": durations.LONGEST}
    backoff = {
        "duration": {**duration, "description": "Wait before the first retry."},
        "factor": {"type": "integer", "description": "Multiplier of the wait after each retry.", "minimum": 1},
        "maxDuration": {**duration, "description": "Maximum wait."},
    }
    return _object(
        "Retries of a failed sync. Keep them on: Kargo's webhook can reject a Project whose namespace is new.",
        {
            "limit": {"type": "integer", "description": "Maximum number of retries; -1: unlimited.", "minimum": -1},
            "refresh": _flag("Retry with the newest commit instead of the failed commit."),
            "backoff": _object("Wait between retries.", backoff),
        },
    )


def _source() -> dict[str, Any]:
    replaced = {"placeholders": ["service", "stage"]}
    return _object(
        "The chart, kustomization or folder that deploys a service; `<service>` and `<stage>` are replaced in every key.",
        {
            "repoURL": _reference("Repository of the chart. Empty: git.repoURL.", **replaced),
            "path": _reference(
                "Folder of the chart, or of the kustomization or manifests, in the repository.", **replaced
            ),
            "chart": _reference(
                "Name of the chart in a Helm or OCI repository (repoURL); set targetRevision to its version.",
                **replaced,
            ),
            "targetRevision": _reference(
                "Branch, tag, commit or chart version. Empty: argocd.targetRevision.", **replaced
            ),
            "kustomize": _passed_on(
                "The folder is a kustomization; Argo CD's fields, such as namePrefix. Default: if the folders in this "
                "repository have kustomization.yaml and no Chart.yaml.",
            ),
            "directory": _passed_on("The folder has plain manifests; Argo CD's fields, such as recurse."),
        },
    )


def _app_project(**more: Any) -> dict[str, Any]:
    return _object(
        "The AppProject, which limits what the Applications may do.",
        {
            **more,
            "name": _name("Name of the AppProject."),
            "roles": ROLES_SCHEMA,
            "syncWindows": SYNC_WINDOWS_SCHEMA,
        },
    )


def _sets(*placeholders: str) -> dict[str, Any]:
    """Return the properties that units and workloads share."""
    required = [*map(angled, placeholders)]
    needed = [{"pattern": word, "patternErrorMessage": f"a name with {word}"} for word in required]
    words = enumerate_words(required)
    replaced = {"placeholders": list(placeholders)}
    return {
        "applicationName": _reference(
            f"Names of the Applications; must contain {words}.",
            pattern=r"^([-a-z0-9]|<service>|<stage>|<team>)+$",
            patternErrorMessage=f"the name of an Application: a-z, 0-9, - and {words}",
            allOf=needed,
            placeholders=list(placeholders),
        ),
        "maxApplications": {
            "type": "integer",
            "description": "Maximum number of Applications in a set; above it, the set is split into 2, 4, 8 … by a hash of the name.",
            "minimum": 1,
        },
        "minSets": {
            "enum": [1, 2, 4, 8, 16, 32, 64, 128, 256],
            "description": "Minimum number of sets. Set it after a split, so that removing a service does not undo the split.",
        },
        "requeueAfterSeconds": {
            "type": "integer",
            "description": "Interval at which a set looks for new services without a webhook.",
            "minimum": 30,
        },
        "applicationsSync": {
            "enum": ["create-update", "create-only", "create-delete", "sync"],
            "description": "Allowed operations of a set. create-delete and sync delete Applications whose folder was removed.",
        },
        "preserveResourcesOnDeletion": _flag("Keep deployed objects when an Application is deleted."),
        "labels": _map(f"Additional labels of every Application; {words} are replaced.", names=True, **replaced),
        "annotations": _map(
            f"Additional annotations of every Application, for example for Argo CD notifications; {words} are replaced.",
            **replaced,
        ),
        "preservedFields": _object(
            "Metadata of Applications that the set keeps when people or tools change it.",
            {"annotations": _strings("Names of annotations."), "labels": _strings("Names of labels.")},
        ),
        "ignoreApplicationDifferences": _objects("spec.ignoreApplicationDifferences of the sets, passed through."),
        "automated": _automated("syncPolicy.automated."),
        "syncOptions": _strings("syncPolicy.syncOptions."),
        "retry": _retry(),
        "revisionHistoryLimit": {
            "type": "integer",
            "description": "Number of syncs kept in an Application's history.",
            "minimum": 0,
        },
    }


_NAMESPACE = _reference(
    "Namespace of a workload; `<service>` and `<stage>` are replaced.",
    pattern=r"^([-a-z0-9]|<service>|<stage>|<team>)+$",
    patternErrorMessage="the name of a namespace: a-z, 0-9, -, <service> and <stage>",
    placeholders=["service", "stage"],
)

_UNITS = _object(
    "The ApplicationSet of the units: one Application per service, which installs the chart (`chart` of fleet.yaml).",
    {
        "name": _name("Name of the ApplicationSet; after a split, the prefix of the names."),
        **_sets("service"),
        "splitBy": {
            "enum": ["size", "shard"],
            "description": "size: one set up to maxApplications. shard: a set for each of `shards`.",
        },
        "shards": {
            "type": "object",
            "description": "Overrides for the units of a shard, with splitBy: shard.",
            "additionalProperties": _object(
                "One shard's units.", {"destination": _destination("Cluster of the Kargo that has this shard.")}
            ),
        },
    },
)

_STAGE = _object(
    "Overrides for this stage.",
    {
        "project": _name("AppProject of these Applications. Empty: workloads.appProject.name."),
        "targetRevision": _reference("Branch of the values files and, unless source overrides it, of the chart."),
        "destination": _destination("Cluster and namespace.", _NAMESPACE),
        "automated": _automated("syncPolicy.automated of this stage."),
        "syncOptions": _strings("syncPolicy.syncOptions of this stage."),
    },
)

_WORKLOADS = _object(
    "The ApplicationSets of the services themselves: one Application per service and stage, for Kargo's argocd-update.",
    {
        "enabled": _flag("Generate them. Keep it false if the platform already has such ApplicationSets."),
        "name": _name("Prefix of the names of the ApplicationSets, followed by `-<stage>`."),
        **_sets("service", "stage"),
        "appProject": _app_project(create=_flag("Generate the AppProject. false: it exists already.")),
        "source": _source(),
        "valueFiles": _strings(
            "Values files of a Helm chart, from the root of the repository, with `<services>`, `<service>`, `<stage>`.",
            "services",
            "service",
            "stage",
        ),
        "ignoreMissingValueFiles": _flag("Deploy with the chart's defaults if a values file is missing."),
        "destination": _destination("Cluster and namespace.", _NAMESPACE),
        "stages": {
            "type": "object",
            "description": "Overrides by stage. A key is a name or a glob (`prod*`); the last match wins.",
            "propertyNames": {"pattern": r"^[-a-z0-9*?]+$"},
            "additionalProperties": _STAGE,
        },
    },
)

ARGOCD_SCHEMA: dict[str, Any] = _object(
    "Settings of the files in argocd/.",
    {
        "namespace": _name("Namespace of Argo CD, for AppProjects, ApplicationSets and Applications."),
        "destination": _destination("The cluster that Kargo runs in."),
        "targetRevision": _reference("Branch that Argo CD follows. Empty: git.branch."),
        "appProject": _app_project(),
        "units": _UNITS,
        "workloads": _WORKLOADS,
    },
)
