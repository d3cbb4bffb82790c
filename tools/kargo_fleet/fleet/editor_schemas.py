"""The JSON Schemas of fleet.yaml and kargo.yaml, as files for editors."""

from __future__ import annotations

import json
from typing import Any

from kargo_fleet.fleet.chart import Chart
from kargo_fleet.fleet.sections import fleet_schema

#: The folder of the schemas in a repository.
SCHEMAS = "schemas"


def schema_texts(chart: Chart) -> dict[str, str]:
    """Return the text of each schema file, by file name."""
    own: dict[str, Any] = {
        **chart.schema,
        "title": "kargo.yaml",
        "description": "What one service's team says about its unit: chart values, every key optional.",
        "properties": {
            key: value for key, value in chart.schema["properties"].items() if key not in ("service", "global")
        },
    }
    schemas = {"fleet.schema.json": fleet_schema(chart.schema), "kargo.schema.json": own}
    return {name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in schemas.items()}
