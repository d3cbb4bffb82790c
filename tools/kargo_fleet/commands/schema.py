"""kargo-fleet schema: write the JSON Schemas of fleet.yaml and kargo.yaml, for editors, with the default of every key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kargo_fleet.argocd import settings
from kargo_fleet.capacity.assumptions import Assumptions
from kargo_fleet.files import generated
from kargo_fleet.files.writing import FileWriter, unwritable
from kargo_fleet.findings import Finding
from kargo_fleet.fleet.chart import Chart
from kargo_fleet.fleet.load import load_chart, require_fleet
from kargo_fleet.fleet.names import SCHEMAS
from kargo_fleet.fleet.sections import fleet_schema
from kargo_fleet.terminal.reporters import TEXT, Change, Report, Reporter
from kargo_fleet.text.editor_schema import with_defaults, with_described_defaults, without_defaults

_OF_CHART = "Default of the chart"
#: Keys whose default comes from fleet.yaml. An editor that completes `image: {…}` must not write the chart's over it.
FROM_FLEET = ("service.name", "image.repoURL", "git.repoURL", "git.branch", "promotion.path", "shard")


def schema(root: Path, *, reporter: Reporter = TEXT) -> int:
    """Write schemas/fleet.schema.json and schemas/kargo.schema.json to the repository; return 1 when one cannot be written, else 0.

    Raises FleetError in a folder that is not a fleet.
    """
    require_fleet(root)
    findings: set[Finding] = set()
    changes: list[Change] = []
    with FileWriter(root) as writer:
        writer.sweep([SCHEMAS])
        for name, content in contents(root).items():
            path = f"{SCHEMAS}/{name}"
            try:
                current = None if (root / path).is_symlink() else generated.read(root / path)
                if current != content:
                    writer.write(path, content)
                    changes.append(Change("created" if current is None else "updated", path))
            except OSError as error:
                findings.add(unwritable(path, error))
    reporter.show(Report(sorted(findings), changes, "" if changes or findings else "the schemas are up to date"))
    return 1 if findings else 0


def contents(root: Path) -> dict[str, str]:
    """Return the text of each schema file of the repository at `root`, by file name."""
    return texts(load_chart(root))


def texts(chart: Chart) -> dict[str, str]:
    """Return the text of each schema file for a chart, by file name."""
    schemas = {"fleet.schema.json": _fleet_schema(chart), "kargo.schema.json": _service_schema(chart)}
    return {name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in schemas.items()}


def _fleet_schema(chart: Chart) -> dict[str, Any]:
    sections = {"argocd": settings.DEFAULTS, "capacity": Assumptions().as_settings()}
    return with_described_defaults(with_defaults(fleet_schema(_chart_schema(chart)), sections))


def _service_schema(chart: Chart) -> dict[str, Any]:
    schema = _chart_schema(chart)
    own = {key: value for key, value in schema["properties"].items() if key not in ("service", "global")}
    return {
        **schema,
        "title": "kargo.yaml",
        "description": "What one service's team says about its unit: chart values, every key optional.",
        "properties": own,
    }


def _chart_schema(chart: Chart) -> dict[str, Any]:
    # A weaker layer can set another value, so this is not yet the default of the file.
    described = with_described_defaults(with_defaults(chart.schema, chart.defaults), _OF_CHART)
    return without_defaults(described, FROM_FLEET)
