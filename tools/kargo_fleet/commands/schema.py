"""kargo-fleet schema: write the JSON Schemas of fleet.yaml and kargo.yaml, for editors."""

from __future__ import annotations

from pathlib import Path

from kargo_fleet.files import generated
from kargo_fleet.fleet.editor_schemas import SCHEMAS, schema_texts
from kargo_fleet.fleet.load import load_chart
from kargo_fleet.terminal import reporters
from kargo_fleet.terminal.reporters import Change, Format, Report


def schema(root: Path, *, output: Format = Format.TEXT) -> int:
    """Write schemas/fleet.schema.json and schemas/kargo.schema.json to the repository; return 0."""
    changes = []
    for name, content in contents(root).items():
        path = f"{SCHEMAS}/{name}"
        current = generated.read(root / path)
        if current != content:
            generated.write(root / path, content)
            changes.append(Change("created" if current is None else "updated", path))
    reporters.show(Report([], changes, "" if changes else "the schemas are up to date"), output)
    return 0


def contents(root: Path) -> dict[str, str]:
    """Return the content of each schema file of the repository at `root`, by file name."""
    return schema_texts(load_chart(root))
