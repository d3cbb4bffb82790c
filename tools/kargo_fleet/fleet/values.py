"""A unit's complete values, from its values file: those that Helm uses when it installs the chart with that file."""

from __future__ import annotations

from typing import Any

from kargo_fleet.fleet.chart import Chart
from kargo_fleet.fleet.merge import merge
from kargo_fleet.text import yaml_reader


def complete_values(chart: Chart, text: str) -> dict[str, Any]:
    """Return the chart's defaults with the text of a values file merged over them. Raises yaml_reader.YamlError."""
    return merge(chart.defaults, yaml_reader.parse(text))
