"""kargo-fleet schema: write the JSON Schemas of fleet.yaml and kargo.yaml, for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kargo_fleet.files import generated
from kargo_fleet.fleet.load import load_chart
from kargo_fleet.fleet.sections import fleet_schema
from kargo_fleet.terminal.reporters import TEXT, Change, Report, Reporter

FOLDER = "schemas"


def schema(root: Path, *, reporter: Reporter = TEXT) -> int:
    """Write schemas/fleet.schema.json and schemas/kargo.schema.json to the repository; return 0."""
    changes = []
    for name, content in contents(root).items():
        path = f"{FOLDER}/{name}"
        current = generated.read(root / path)
        if current != content:
            generated.write(root / path, content)
            changes.append(Change("created" if current is None else "updated", path))
    reporter.show(Report([], changes, "" if changes else "the schemas are up to date"))
    return 0


def contents(root: Path) -> dict[str, str]:
    """Return the content of each schema file, by file name."""
    chart = load_chart(root)
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
