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
            "enabled": _flag("Sync without being asked. false: a person, or Kargo's argocd-update, starts each sync."),
            "prune": _flag(
                "Delete what is no longer rendered. Off, a RoleBinding taken out of the values stays in force."
            ),
            "selfHeal": _flag("Undo changes made by hand in the cluster."),
        },
    )


def _retry() -> dict[str, Any]:
    duration = {"type": "string", "pattern": durations.WHOLE_PATTERN}
    backoff = {
        "duration": {**duration, "description": "Wait before the first retry."},
        "factor": {"type": "integer", "description": "What the wait is multiplied by.", "minimum": 1},
        "maxDuration": {**duration, "description": "Longest wait."},
    }
    return _object(
        "How a failed sync is repeated. Kargo's webhook can lose a race against a new namespace: keep this on.",
        {
            "limit": {"type": "integer", "description": "How many times; -1 is for ever.", "minimum": -1},
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
        "The AppProject, which bounds what the Applications may do.",
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
            "description": f"Names of the Applications; has {words}.",
            "pattern": r"^([-a-z0-9]|<service>|<stage>)+$",
            "allOf": needed,
        },
        "maxApplications": {
            "type": "integer",
            "description": "Applications in one set; above it, it is split into 2, 4, 8 … by a hash of the name.",
            "minimum": 1,
        },
        "minSets": {
            "enum": [1, 2, 4, 8, 16, 32, 64, 128, 256],
            "description": "At least so many sets. Set it after a split, so that removing a service does not undo it.",
        },
        "requeueAfterSeconds": {
            "type": "integer",
            "description": "How often a set looks for new services when no webhook tells it.",
            "minimum": 30,
        },
        "applicationsSync": {
            "enum": ["create-update", "create-only", "create-delete", "sync"],
            "description": "What a set may do. create-delete and sync delete Applications whose folder is gone.",
        },
        "preserveResourcesOnDeletion": _flag("Deleting an Application leaves what it deployed."),
        "labels": _map("Further labels of every Application."),
        "annotations": _map("Further annotations of every Application, for instance of Argo CD notifications."),
        "preservedFields": _object(
            "What people and tools may write on Applications without the set taking it away.",
            {"annotations": _strings("Names of annotations."), "labels": _strings("Names of labels.")},
        ),
        "ignoreApplicationDifferences": _objects("spec.ignoreApplicationDifferences of the sets, as it is."),
        "automated": _automated("syncPolicy.automated."),
        "syncOptions": _strings("syncPolicy.syncOptions."),
        "retry": _retry(),
        "revisionHistoryLimit": {"type": "integer", "description": "Syncs remembered per Application.", "minimum": 0},
    }


_NAMESPACE = {
    "type": "string",
    "description": "Namespace of a workload; `<service>` and `<stage>` are replaced.",
    "pattern": r"^([-a-z0-9]|<service>|<stage>)+$",
}

_UNITS = _object(
    "The ApplicationSet of the units: one Application per service, which installs charts/kargo-service.",
    {
        "name": _name("Name of the ApplicationSet; after a split, what the names begin with."),
        **_sets("<service>"),
        "splitBy": {
            "enum": ["size", "shard"],
            "description": "size: one set until it outgrows maxApplications. shard: a set for each of `shards`.",
        },
        "shards": {
            "type": "object",
            "description": "What is different for the units of a shard, with splitBy: shard.",
            "additionalProperties": _object(
                "One shard's units.", {"destination": _destination("Cluster of the Kargo that has this shard.")}
            ),
        },
        "source": _source("Where the chart is, if not in this repository.", "Folder of the chart. Empty: chart.path."),
    },
)

_STAGE = _object(
    "What is different for this stage.",
    {
        "project": _name("AppProject of these Applications. Empty: workloads.appProject.name."),
        "targetRevision": _text("Branch of the values files and, unless source says otherwise, of the chart."),
        "destination": _destination("Cluster and namespace.", _NAMESPACE),
        "automated": _automated("syncPolicy.automated of this stage."),
        "syncOptions": _strings("syncPolicy.syncOptions of this stage."),
    },
)

_WORKLOADS = _object(
    "The ApplicationSets of the services themselves: an Application per service and stage, for Kargo's argocd-update.",
    {
        "enabled": _flag("Write them. Leave it off when the platform has such ApplicationSets already."),
        "name": _name("What the names of the ApplicationSets begin with; `-<stage>` follows."),
        **_sets("<service>", "<stage>"),
        "appProject": _app_project(create=_flag("Write the AppProject. false: it exists already.")),
        "source": _source("The chart that deploys a service.", "Folder of the chart in the repository."),
        "valueFiles": _strings("Values files, from the repository's root, with `<services>`, `<service>`, `<stage>`."),
        "ignoreMissingValueFiles": _flag(
            "Deploy although one is missing: then a lost file means the chart's defaults."
        ),
        "destination": _destination("Cluster and namespace.", _NAMESPACE),
        "stages": {
            "type": "object",
            "description": "Changes by stage; a key is a name or a glob (`prod*`), the last that matches wins.",
            "propertyNames": {"pattern": r"^[-a-z0-9*?]+$"},
            "additionalProperties": _STAGE,
        },
    },
)

ARGOCD_SCHEMA: dict[str, Any] = _object(
    "What argocd/ holds.",
    {
        "namespace": _name("Namespace of Argo CD: where AppProjects, ApplicationSets and Applications live."),
        "destination": _destination("The cluster that Kargo runs in."),
        "targetRevision": _text("Branch that Argo CD follows. Empty: git.branch."),
        "appProject": _app_project(),
        "units": _UNITS,
        "workloads": _WORKLOADS,
    },
)
