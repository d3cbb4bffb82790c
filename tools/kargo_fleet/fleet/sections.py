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
    """Return the JSON Schema of fleet.yaml; `chart_schema` is that of the chart's values, which is the one of every layer."""
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
                "description": "The folder that holds one folder per service. Default: services.",
                "type": "string",
                "pattern": _FOLDER,
                "patternErrorMessage": "a path from the root of the repository, such as services",
            },
            "image": section(
                "Where images are.",
                {
                    "registry": {
                        **image,
                        "description": "Images are <registry>/<service>, unless a layer sets image.repoURL.",
                    }
                },
            ),
            "git": section(
                "The GitOps repository, which is this one.",
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
                "description": "Kargo's controllers by their shardName; every service gets one, by a hash of its name.",
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
                            "description": "Its share compared with the others'. 0: only what is pinned to it. Default: 1.",
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
                            "description": "Names of services; * and ? stand for any characters.",
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "minLength": 1},
                        },
                        "image": section(
                            "Where images of these services are.",
                            {"registry": {**image, "description": "Images are <registry>/<service>."}},
                        ),
                        "values": {"$ref": "#/definitions/values"},
                    },
                },
            },
            "argocd": ARGOCD_SCHEMA,
            "plan": PLAN_SCHEMA,
            "prune": section(
                "What `generate --prune` may remove.",
                {
                    "maxShare": {
                        "description": "Largest share of the fleet that may go in one run. Default: 0.1; one service may always go.",
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
