"""The chart that templates one unit: its defaults and its schema are the vocabulary of every layer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from kargo_fleet.errors import FleetError
from kargo_fleet.files.packaged import packaged_folder
from kargo_fleet.files.reading import is_absent, read_bytes
from kargo_fleet.fleet.chart_source import DEFAULT_PATH
from kargo_fleet.fleet.merge import merge
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.json_schema import Schema

#: The file that makes a folder a chart.
CHART_FILE = "Chart.yaml"


class ChartError(FleetError):
    """A folder is not a chart, or not a kargo-service chart; `reason` is why."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or message


@dataclass(frozen=True)
class Chart:
    """A chart on disk: `defaults` is its values.yaml, `schema` its values.schema.json, `version` that of its Chart.yaml."""

    path: Path
    version: str
    defaults: dict[str, Any]
    schema: dict[str, Any]

    @property
    def is_packaged(self) -> bool:
        """Whether it is the chart that comes with this tool."""
        return self.path.resolve() == packaged()

    @cached_property
    def validator(self) -> Schema:
        """The schema, compiled. It validates layers and complete values alike: every key is optional.

        Raises ChartError when it is not a valid JSON Schema.
        """
        try:
            return Schema(self.schema)
        except ValueError as error:
            reason = str(error).splitlines()[0]
            raise ChartError(f"{self.path}/values.schema.json is not a valid JSON Schema: {reason}") from None


def read_chart(root: Path, path: str | None) -> Chart:
    """Read the chart at `path` in the repository, or the one that comes with this tool when the repository has none.

    Raises ChartError when there is no chart at `path`, or when it is not a kargo-service chart.
    """
    folder = root / (path or DEFAULT_PATH)
    try:
        if is_absent(folder / CHART_FILE):
            if path is not None:
                raise ChartError(f"chart.path: there is no chart in {path}")
            folder = packaged()
        version = version_of(folder)
        defaults = yaml_reader.parse(read_bytes(folder / "values.yaml").decode("utf-8"))
        schema = json.loads(read_bytes(folder / "values.schema.json").decode("utf-8"))
    except (OSError, ValueError, RecursionError, yaml_reader.YamlError) as error:
        raise ChartError(f"chart.path: {folder} is not a kargo-service chart: {error}", str(error)) from None
    for part in (defaults, schema.get("properties") if isinstance(schema, dict) else None):
        if not isinstance(part, dict) or not {"image", "git", "promotion", "stages"} <= part.keys():
            reason = "it has other values"
            raise ChartError(f"chart.path: {folder} is not a kargo-service chart: {reason}", reason)
    # As Helm does: a key that is null in values.yaml is only there to be documented.
    return Chart(folder, version, merge({}, defaults), schema)


def version_of(folder: Path) -> str:
    """Return the version of the chart in a folder. Raises OSError, ValueError or yaml_reader.YamlError when it has none."""
    version = yaml_reader.parse(read_bytes(folder / CHART_FILE).decode("utf-8")).get("version")
    if not isinstance(version, str):
        raise ValueError(f"{CHART_FILE} has no version")
    return version


def packaged() -> Path:
    """Return the folder of the chart that comes with this tool: in the package, or beside it in a checkout."""
    return packaged_folder("chart", DEFAULT_PATH)
