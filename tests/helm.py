"""The real Helm, as the tests call it. `make test` puts the pinned one first on PATH."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
CHART = ROOT / "charts" / "kargo-service"


def template(release: str, chart: Path, *values: Path, sets: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run `helm template` and return the finished process."""
    command = ["helm", "template", release, str(chart)]
    for file in values:
        command += ["--values", str(file)]
    for item in sets:
        command += ["--set", item]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def render(release: str, chart: Path, *values: Path, sets: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Return the objects that `helm template` prints; fails the test when it does not print any."""
    result = template(release, chart, *values, sets=sets)
    assert result.returncode == 0, result.stderr
    return [document for document in yaml.safe_load_all(result.stdout) if document]


def values_of(folder: Path, defaults: str, *overlays: str) -> dict[str, Any]:
    """Return what a chart's templates see as `.Values`, from the text of its values.yaml and of values files.

    The chart is written to `folder`.
    """
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("{apiVersion: v2, name: probe, version: 0.1.0}\n")
    (folder / "templates" / "values.yaml").write_text("json: {{ toJson .Values | b64enc }}\n")
    files = [folder / "values.yaml", *(folder / f"overlay-{i}.yaml" for i in range(len(overlays)))]
    for file, text in zip(files, [defaults, *overlays], strict=True):
        file.write_text(text)
    (printed,) = render("probe", folder, *files[1:])
    seen: dict[str, Any] = json.loads(base64.b64decode(printed["json"]))
    return seen
