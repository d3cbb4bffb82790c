"""`customSteps` of fleet.yaml: the promotion steps that a platform has beside Kargo's, and what their `config` may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs

from kargo_fleet.findings import Problem
from kargo_fleet.text.json_schema import validator

CUSTOM_STEPS_SCHEMA: dict[str, Any] = {
    "description": "Custom promotion steps of this Kargo installation, by name. Services may use them in promotion.steps.",
    "type": ["object", "null"],
    "propertyNames": {
        "minLength": 1,
        "pattern": r"^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$",
        "patternErrorMessage": "the name of a step, such as scan-image",
    },
    "additionalProperties": {
        "description": "A custom step. {}: its config is not checked.",
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {
            "config": {
                "description": "JSON Schema of the step's config, without references to other files.",
                "type": ["object", "null"],
            }
        },
    },
}


def custom_steps_of(data: Mapping[str, Any]) -> dict[str, Mapping[str, Any] | None]:
    """Return the JSON Schema of each custom step of a fleet.yaml, None for a step whose config is not checked."""
    steps = data.get("customSteps") or {}
    schemas = {name: (step or {}).get("config") for name, step in steps.items()}
    return {name: schema if schema and _fault(schema) is None else None for name, schema in schemas.items()}


def problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each schema of a custom step that cannot be used."""
    for name, step in (data.get("customSteps") or {}).items():
        fault = _fault((step or {}).get("config") or {})
        if fault is not None:
            path = ("customSteps", name, "config")
            message = f"customSteps.{name}.config: is not a JSON Schema: {fault}"
            yield Problem("KF103", message, "correct the schema, or remove it to leave the config unchecked", path)


def _fault(schema: Mapping[str, Any]) -> str | None:
    """Return why a JSON Schema cannot be used, None if it can. Nothing is read from the network."""
    try:
        validator(schema)
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        return str(error).splitlines()[0]
    return None
