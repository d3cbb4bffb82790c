"""JSON Schema of fleet.yaml and all its sections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kargo_fleet.fleet.argocd_section import ARGOCD_SCHEMA
from kargo_fleet.fleet.capacity_section import CAPACITY_SCHEMA
from kargo_fleet.fleet.chart_source import DEFAULT_PATH
from kargo_fleet.fleet.custom_steps import CUSTOM_STEPS_SCHEMA
from kargo_fleet.fleet.folder_pattern import FOLDER_PATTERN, SERVICES_PATTERN, WRITTEN_PATTERN
from kargo_fleet.fleet.object_kinds import EXTRA_OBJECTS_SCHEMA
from kargo_fleet.fleet.policy_section import POLICY_SCHEMA
from kargo_fleet.fleet.service_file import SERVICE_FILE_SCHEMA
from kargo_fleet.fleet.shards import HEAVIEST, Shard
from kargo_fleet.text.image_references import REGISTRY_PATTERN
from kargo_fleet.text.schema_nodes import at
from kargo_fleet.text.url_patterns import HELM_REPOSITORY, OCI_CHART

#: Defaults of fleet.yaml. Those of `argocd` and `capacity` are in argocd/settings.py and capacity/assumptions.py.
DEFAULT_SERVICES = "services"
DEFAULT_BRANCH = "main"
DEFAULT_PRUNE_SHARE = 0.1

#: The name of a shard becomes part of ApplicationSet names, so it is a DNS label, which is stricter than Kargo.
_SHARD = r"^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$"
_SHARD_MESSAGE = "the name of a shard: a-z, 0-9 and -, at most 40 characters"
#: An image reference without tag and digest: a host, perhaps with a port, and lowercase parts.
OCI_PATTERN = OCI_CHART
_VERSION = r"^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$"

#: What `image.registry` and --image-repository may be.
REGISTRY_SCHEMA: dict[str, Any] = {
    "type": ["string", "null"],
    "pattern": f"^({REGISTRY_PATTERN})?$",
    "patternErrorMessage": "a registry such as registry.example.com, localhost:5000 or ghcr.io/example, or a pattern of "
    "images such as ghcr.io/example/<service>-image",
    "names": True,
    "placeholders": ["service"],
    "reference": "registry",
    "maxLength": 255,
}


def fleet_schema(chart_schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of fleet.yaml. `chart_schema` is the schema of the chart's values, which all layers share."""
    values = {key: value for key, value in chart_schema.items() if key not in ("$schema", "definitions", "title")}
    git = at(chart_schema, "git")["properties"]

    def section(description: str, properties: dict[str, Any]) -> dict[str, Any]:
        return {
            "description": description,
            "type": ["object", "null"],
            "additionalProperties": False,
            "properties": properties,
        }

    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "fleet.yaml",
        "description": "A fleet: the location of its services, and the values that they share.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "services": {
                "description": "Folder with one folder per service, or a pattern of these folders: services/<team>/<service>, "
                "or envs/<stage>/<service>.",
                "default": DEFAULT_SERVICES,
                "type": "string",
                "pattern": SERVICES_PATTERN,
                "not": {"pattern": WRITTEN_PATTERN},
                "patternErrorMessage": "a path from the root of the repository, such as services, or a pattern such as "
                "services/<team>/<service>; values, argocd, policy and schemas are for what kargo-fleet writes",
                "names": True,
                "placeholders": ["team", "stage", "service"],
            },
            "serviceFile": SERVICE_FILE_SCHEMA,
            "image": section(
                "Location of the images.",
                {
                    "registry": {
                        **REGISTRY_SCHEMA,
                        "description": "Registry or a path in it; images are `<registry>/<service>` unless image.repoURL is set. "
                        "With `<service>` in it, the whole pattern: `ghcr.io/example/<service>-image`.",
                    }
                },
            ),
            "git": section(
                "The GitOps repository (this repository).",
                {
                    "repoURL": {
                        **_without_default(git["repoURL"]),
                        "description": "URL of the repository, https://.",
                    },
                    "branch": {
                        **git["branch"],
                        "description": "Branch that promotions commit to.",
                        "default": DEFAULT_BRANCH,
                    },
                },
            ),
            "chart": section(
                "Location of the chart that templates one unit. Default: the folder charts/kargo-service of this repository.",
                {
                    "path": {
                        "description": "Folder of the chart in this repository. With git: in that one. With oci or helm: "
                        "a copy of the chart, for its defaults and its schema.",
                        "default": DEFAULT_PATH,
                        "type": "string",
                        "pattern": FOLDER_PATTERN,
                        "patternErrorMessage": "a path from the root of the repository, such as charts/kargo-service",
                    },
                    "oci": {
                        "description": "The chart in an OCI registry, without a tag. Requires version.",
                        "type": "string",
                        "pattern": OCI_PATTERN,
                        "patternErrorMessage": "the chart in an OCI registry, such as oci://registry.example.com/org/kargo-service; "
                        "its version is chart.version",
                    },
                    "helm": {
                        "description": "URL of a Helm repository with the chart kargo-service. Requires version.",
                        "type": "string",
                        "pattern": HELM_REPOSITORY,
                        "patternErrorMessage": "the URL of a Helm repository, such as https://charts.example.com; "
                        "a chart in a registry is chart.oci",
                    },
                    "git": {
                        **git["repoURL"],
                        "description": "URL of another Git repository that has the chart in path.",
                    },
                    "version": {
                        "description": "Version of the chart, with oci or helm: that of kargo-fleet, or of the copy in path.",
                        "type": "string",
                        "pattern": _VERSION,
                        "patternErrorMessage": "the exact version of the chart, such as 1.2.3",
                    },
                    "revision": {
                        "description": "Branch, tag or commit of git. Default: argocd.targetRevision, else git.branch.",
                        "type": "string",
                        "minLength": 1,
                    },
                },
            ),
            "shards": {
                "description": "Kargo's controllers by shardName; a hash of its name assigns every service to one of them.",
                "type": ["array", "null"],
                "items": {
                    "description": "Name of a shard, or its name and weight.",
                    "type": ["string", "object"],
                    "pattern": _SHARD,
                    "patternErrorMessage": _SHARD_MESSAGE,
                    "additionalProperties": False,
                    "required": ["name"],
                    "properties": {
                        "name": {
                            "description": "shardName of a Kargo controller.",
                            "type": "string",
                            "pattern": _SHARD,
                            "patternErrorMessage": _SHARD_MESSAGE,
                        },
                        "weight": {
                            "description": "Relative share of the services. 0: only services that are pinned to it.",
                            "default": Shard.weight,
                            "type": "integer",
                            "minimum": 0,
                            "maximum": HEAVIEST,
                        },
                    },
                },
            },
            "customSteps": CUSTOM_STEPS_SCHEMA,
            "extraObjects": EXTRA_OBJECTS_SCHEMA,
            "values": {"description": "Chart values for every service.", "$ref": "#/definitions/values"},
            "groups": {
                "description": "Values for some of the services, in the order in which they are merged.",
                "type": ["object", "null"],
                "additionalProperties": {
                    "description": "A group of services. Later groups win over earlier ones.",
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["services"],
                    "properties": {
                        "services": {
                            "description": "Names of services, or globs with * and ?. With a slash, of team and service: `payments/*`.",
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "minLength": 1},
                        },
                        "image": section(
                            "Location of these services' images.",
                            {
                                "registry": {
                                    **REGISTRY_SCHEMA,
                                    "description": "Registry of these services: images are `<registry>/<service>`, or a pattern with "
                                    "`<service>` in it.",
                                }
                            },
                        ),
                        "values": {
                            "description": "Chart values for the services of this group.",
                            "$ref": "#/definitions/values",
                        },
                    },
                },
            },
            "argocd": ARGOCD_SCHEMA,
            "capacity": CAPACITY_SCHEMA,
            "policy": POLICY_SCHEMA,
            "prune": section(
                "Limits of `generate --prune`.",
                {
                    "maxShare": {
                        "description": "Largest share of the fleet that a run may remove. One service is always allowed.",
                        "default": DEFAULT_PRUNE_SHARE,
                        "type": "number",
                        "minimum": 0,
                        "maximum": 1,
                    }
                },
            ),
        },
        "definitions": {
            **chart_schema["definitions"],
            "values": {
                **values,
                "type": ["object", "null"],
                "description": "Chart values for each of these services.",
            },
        },
    }


def _without_default(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "default"}
