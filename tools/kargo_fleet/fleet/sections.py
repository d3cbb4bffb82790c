"""The JSON Schema of fleet.yaml, of all its sections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kargo_fleet.fleet.argocd_section import ARGOCD_SCHEMA
from kargo_fleet.fleet.plan_section import PLAN_SCHEMA
from kargo_fleet.fleet.shards import HEAVIEST

#: A shard may name ApplicationSets, so it is a DNS label, which is less than Kargo allows.
_SHARD = r"^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$"
_SHARD_MESSAGE = "the name of a shard: a-z, 0-9 and -, at most 40 characters"
_FOLDER = r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$"


def fleet_schema(chart_schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of fleet.yaml; `chart_schema` is that of the chart's values, which every layer shares."""
    values = {key: value for key, value in chart_schema.items() if key not in ("$schema", "definitions", "title")}
    image = chart_schema["properties"]["image"]["properties"]["repoURL"]
    git = chart_schema["properties"]["git"]["properties"]

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
        "description": "A fleet: where its services are, and the values that they share.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "services": {
                "description": "The folder with one folder per service. Default: services.",
                "type": "string",
                "pattern": _FOLDER,
                "patternErrorMessage": "a path from the root of the repository, such as services",
            },
            "image": section(
                "Location of the images.",
                {
                    "registry": {
                        **image,
                        "description": "Images are <registry>/<service>, unless a layer sets image.repoURL.",
                    }
                },
            ),
            "git": section(
                "This GitOps repository.",
                {
                    "repoURL": {**git["repoURL"], "description": "URL of the repository, https://."},
                    "branch": {**git["branch"], "description": "Branch that promotions commit to. Default: main."},
                },
            ),
            "chart": section(
                "The chart that templates one unit.",
                {
                    "path": {
                        "description": "Folder of the chart. Default: charts/kargo-service, or the chart that comes with kargo-fleet.",
                        "type": "string",
                        "pattern": _FOLDER,
                        "patternErrorMessage": "a path from the root of the repository, such as charts/kargo-service",
                    }
                },
            ),
            "shards": {
                "description": "The shardNames of Kargo's controllers; every service is assigned to one by a hash of its name.",
                "type": ["array", "null"],
                "items": {
                    "description": "The name of a shard, or its name and weight.",
                    "type": ["string", "object"],
                    "pattern": _SHARD,
                    "patternErrorMessage": _SHARD_MESSAGE,
                    "additionalProperties": False,
                    "required": ["name"],
                    "properties": {
                        "name": {
                            "description": "The shardName that a controller of Kargo was started with.",
                            "type": "string",
                            "pattern": _SHARD,
                            "patternErrorMessage": _SHARD_MESSAGE,
                        },
                        "weight": {
                            "description": "Its share relative to the others. 0: only services pinned to it. Default: 1.",
                            "type": "integer",
                            "minimum": 0,
                            "maximum": HEAVIEST,
                        },
                    },
                },
            },
            "values": {"$ref": "#/definitions/values"},
            "groups": {
                "description": "Values for some of the services, in the order in which they are merged.",
                "type": ["object", "null"],
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["services"],
                    "properties": {
                        "services": {
                            "description": "Names of services; the wildcards * and ? are allowed.",
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "minLength": 1},
                        },
                        "image": section(
                            "Location of the images of these services.",
                            {"registry": {**image, "description": "Images are <registry>/<service>."}},
                        ),
                        "values": {"$ref": "#/definitions/values"},
                    },
                },
            },
            "argocd": ARGOCD_SCHEMA,
            "plan": PLAN_SCHEMA,
            "prune": section(
                "Limits of `generate --prune`.",
                {
                    "maxShare": {
                        "description": "Largest share of the fleet that a run may remove, but always one service. Default: 0.1.",
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
                "description": "Chart values for every one of these services.",
            },
        },
    }
