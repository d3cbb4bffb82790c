"""JSON Schema of the section `argocd` of fleet.yaml: closed at every level, except where Argo CD's own objects go."""

from __future__ import annotations

from typing import Any

from kargo_fleet.text import durations

_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"


def _object(description: str, properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "additionalProperties": False,
        "properties": properties,
        **more,
    }


def _name(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description, "pattern": _NAME, "maxLength": 63}


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def _flag(description: str) -> dict[str, Any]:
    return {"type": "boolean", "description": description}


def _strings(description: str) -> dict[str, Any]:
    items = {"type": "string", "minLength": 1}
    return {"type": "array", "description": description, "items": items, "uniqueItems": True}


def _map(description: str) -> dict[str, Any]:
    return {"type": "object", "description": description, "additionalProperties": {"type": "string"}}


def _objects(description: str) -> dict[str, Any]:
    return {"type": "array", "description": description, "items": {"type": "object"}}


def _destination(description: str, namespace: dict[str, Any] | None = None) -> dict[str, Any]:
    properties = {
        "server": {"type": "string", "description": "API server of the cluster, as Argo CD knows it.", "minLength": 1},
        "name": {"type": "string", "description": "Name of the cluster, as Argo CD knows it.", "minLength": 1},
    }
    if namespace:
        properties["namespace"] = namespace
    return _object(description, properties, **{"not": {"required": ["server", "name"]}})


def _automated(description: str) -> dict[str, Any]:
    return _object(
        description,
        {
            "enabled": _flag("Sync automatically. false: a person, or Kargo's argocd-update, starts each sync."),
            "prune": _flag(
                "Delete objects that are no longer rendered. false: a RoleBinding removed from the values stays in force."
            ),
            "selfHeal": _flag("Undo changes made by hand in the cluster."),
        },
    )


def _retry() -> dict[str, Any]:
    duration = {"type": "string", "pattern": durations.WHOLE_PATTERN}
    backoff = {
        "duration": {**duration, "description": "Wait before the first retry."},
        "factor": {"type": "integer", "description": "Factor between one wait and the next.", "minimum": 1},
        "maxDuration": {**duration, "description": "Longest wait."},
    }
    return _object(
        "Retries of a failed sync. Keep this on: Kargo's webhook can lose a race against a new namespace.",
        {
            "limit": {"type": "integer", "description": "Number of retries; -1: no limit.", "minimum": -1},
            "refresh": _flag("Retry with the newest commit instead of the one that failed."),
            "backoff": _object("Waits between retries.", backoff),
        },
    )


def _source(description: str, path: str) -> dict[str, Any]:
    return _object(
        description,
        {
            "repoURL": _text("Repository of the chart. Empty: git.repoURL."),
            "path": _text(path),
            "chart": _text("Name of the chart in a Helm or OCI repository (repoURL); targetRevision is its version."),
            "targetRevision": _text("Branch, tag, commit or chart version. Empty: argocd.targetRevision."),
        },
    )


def _app_project(**more: Any) -> dict[str, Any]:
    return _object(
        "The AppProject, which limits what the Applications may do.",
        {
            **more,
            "name": _name("Name of the AppProject."),
            "roles": _objects("spec.roles, as they are."),
            "syncWindows": _objects("spec.syncWindows, as they are: when syncs are allowed or denied."),
        },
    )


def _sets(*placeholders: str) -> dict[str, Any]:
    """The properties that units and workloads share."""
    needed = [{"pattern": placeholder} for placeholder in placeholders]
    words = " and ".join(placeholders)
    return {
        "applicationName": {
            "type": "string",
            "description": f"Names of the Applications; must contain {words}.",
            "pattern": r"^([-a-z0-9]|<service>|<stage>)+$",
            "allOf": needed,
        },
        "maxApplications": {
            "type": "integer",
            "description": "Maximum Applications of a set; a larger set is split into 2, 4, 8 … by a hash of the name.",
            "minimum": 1,
        },
        "minSets": {
            "enum": [1, 2, 4, 8, 16, 32, 64, 128, 256],
            "description": "Minimum number of sets. Set it after a split, so that removing a service does not undo the split.",
        },
        "requeueAfterSeconds": {
            "type": "integer",
            "description": "How often a set checks for new services without a webhook.",
            "minimum": 30,
        },
        "applicationsSync": {
            "enum": ["create-update", "create-only", "create-delete", "sync"],
            "description": "What a set may do. create-delete and sync delete Applications whose folder is gone.",
        },
        "preserveResourcesOnDeletion": _flag("Deleting an Application keeps what it deployed."),
        "labels": _map("Additional labels of every Application."),
        "annotations": _map("Additional annotations of every Application, for instance of Argo CD notifications."),
        "preservedFields": _object(
            "Annotations and labels of Applications that the set does not remove.",
            {"annotations": _strings("Names of annotations."), "labels": _strings("Names of labels.")},
        ),
        "ignoreApplicationDifferences": _objects("spec.ignoreApplicationDifferences of the sets, as it is."),
        "automated": _automated("syncPolicy.automated."),
        "syncOptions": _strings("syncPolicy.syncOptions."),
        "retry": _retry(),
        "revisionHistoryLimit": {
            "type": "integer",
            "description": "Number of syncs kept per Application.",
            "minimum": 0,
        },
    }


_NAMESPACE = {
    "type": "string",
    "description": "Namespace of a workload; `<service>` and `<stage>` are replaced.",
    "pattern": r"^([-a-z0-9]|<service>|<stage>)+$",
}

_UNITS = _object(
    "The ApplicationSet of the units: one Application per service, which installs charts/kargo-service.",
    {
        "name": _name("Name of the ApplicationSet; after a split, the prefix of the names."),
        **_sets("<service>"),
        "splitBy": {
            "enum": ["size", "shard"],
            "description": "size: one set until it exceeds maxApplications. shard: one set for each of `shards`.",
        },
        "shards": {
            "type": "object",
            "description": "Overrides for the units of a shard, with splitBy: shard.",
            "additionalProperties": _object(
                "Overrides for the units of this shard.",
                {"destination": _destination("Cluster of the Kargo installation with this shard.")},
            ),
        },
        "source": _source("Where the chart is, if not in this repository.", "Folder of the chart. Empty: chart.path."),
    },
)

_STAGE = _object(
    "Overrides for this stage.",
    {
        "project": _name("AppProject of these Applications. Empty: workloads.appProject.name."),
        "targetRevision": _text("Branch of the values files and, unless source sets another one, of the chart."),
        "destination": _destination("Cluster and namespace.", _NAMESPACE),
        "automated": _automated("syncPolicy.automated of this stage."),
        "syncOptions": _strings("syncPolicy.syncOptions of this stage."),
    },
)

_WORKLOADS = _object(
    "The ApplicationSets of the services themselves: an Application per service and stage, for Kargo's argocd-update.",
    {
        "enabled": _flag("Generate them. Keep it off if the platform already has such ApplicationSets."),
        "name": _name("Prefix of the names of the ApplicationSets; `-<stage>` follows."),
        **_sets("<service>", "<stage>"),
        "appProject": _app_project(create=_flag("Generate the AppProject. false: it already exists.")),
        "source": _source("The chart that deploys a service.", "Folder of the chart in the repository."),
        "valueFiles": _strings("Values files, from the repository's root, with `<services>`, `<service>`, `<stage>`."),
        "ignoreMissingValueFiles": _flag("Deploy even if one is missing: a lost file then means the chart's defaults."),
        "destination": _destination("Cluster and namespace.", _NAMESPACE),
        "stages": {
            "type": "object",
            "description": "Overrides by stage; a key is a name or a glob (`prod*`), the last match wins.",
            "propertyNames": {"pattern": r"^[-a-z0-9*?]+$"},
            "additionalProperties": _STAGE,
        },
    },
)

ARGOCD_SCHEMA: dict[str, Any] = _object(
    "Settings of the files in argocd/.",
    {
        "namespace": _name("Namespace of Argo CD: where AppProjects, ApplicationSets and Applications live."),
        "destination": _destination("The cluster that Kargo runs in."),
        "targetRevision": _text("Branch that Argo CD follows. Empty: git.branch."),
        "appProject": _app_project(),
        "units": _UNITS,
        "workloads": _WORKLOADS,
    },
)
