"""Rendering many units in one Helm process. `helm template` takes 50 ms to start and 2 ms to render a unit.

The chart is copied into another chart that Helm renders once: each of its templates becomes a partial, and the only
template left iterates over the units, puts the values and the release of each into Helm's own context, and includes the
partials. The engine, its functions and the types of all values are therefore Helm's. The output of the templates is
printed as JSON, one line for each unit, after the end of a YAML document, so that Helm does not parse it again.
"""

from __future__ import annotations

import json
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kargo_fleet.clients.helm import Helm
from kargo_fleet.clients.process import ClientError
from kargo_fleet.errors import FleetError
from kargo_fleet.fleet.names import release_name

_FOLDER = "batch"
_UNITS = "kargoFleetUnits"  # the value that holds the units, one line of JSON each
_NOTES = "NOTES.txt"

_TEMPLATE = """\
kind: Fleet
...
{{ if not (hasKey .Values "%(units)s") -}}
{{ toJson .Values }}
{{- else -}}
{{- range splitList "\\n" (get .Values "%(units)s") -}}
{{- $unit := fromJson . -}}
{{- range keys $.Values }}{{ $_ := unset $.Values . }}{{ end -}}
{{- range $key, $value := $unit.values }}{{ $_ := set $.Values $key $value }}{{ end -}}
{{- $_ := set $.Release "Name" $unit.release -}}
{{- $texts := dict -}}
%(includes)s
{{- toJson $texts }}{{ "\\n" }}
{{- end -}}
{{- end }}
"""
_INCLUDE = '{{- $_ := set $.Template "Name" %(path)s -}}{{- $_ := set $texts %(path)s (include %(partial)s $) -}}\n'
# Helm also renders the notes, and fails when it cannot; they are not a manifest.
_INCLUDE_NOTES = '{{- $_ := set $.Template "Name" %(path)s -}}{{- $_ := include %(partial)s $ -}}\n'
# Templates may include each other by path.
_ALIAS = "{{ define %(path)s }}{{ include %(partial)s . }}{{ end }}\n"


@dataclass(frozen=True)
class Batch:
    """The chart that renders many units. `defaults` is values.yaml of the original chart as Helm reads it."""

    helm: Helm
    folder: Path
    defaults: dict[str, Any]

    def render(self, values: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
        """Return the output of all templates, by path, for each service with these complete values.

        Raises ClientError when Helm cannot render a unit; the message does not name the unit.
        """
        lines = "\n".join(
            json.dumps({"release": release_name(service), "values": its}, ensure_ascii=False, separators=(",", ":"))
            for service, its in values.items()
        )
        with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".jsonl") as file:
            file.write(lines.encode())
            file.flush()
            texts = _texts(self.helm, self.folder, "--set-file", f"{_UNITS}={Path(file.name).name}")
        if len(texts) != len(values):
            raise ClientError("Helm printed unexpected output")
        return dict(zip(values, texts, strict=True))


def build(helm: Helm, chart: Path, folder: Path) -> Batch | None:
    """Write the batch's chart into `folder`; return None when this chart can only be rendered one unit at a time.

    That is a chart with subcharts, which have values and templates of their own. Raises ClientError when Helm cannot use
    the chart, FleetError when the disk is full.
    """
    helm.run("package", str(chart.resolve()), "--destination", str(folder), folder=folder)
    (archive,) = folder.glob("*.tgz")
    name, files = _unpacked(archive)
    if any(path.startswith("charts/") for path in files):
        return None
    for path, content in _wrapped(name, files).items():
        file = folder / _FOLDER / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (defaults,) = _texts(helm, folder)
    return Batch(helm, folder, defaults)


def _unpacked(archive: Path) -> tuple[str, dict[str, bytes]]:
    """Return a chart's name and its files as Helm reads them, with .helmignore applied and links resolved."""
    files = {}
    name = ""
    try:
        with tarfile.open(archive) as opened:
            for member in opened:
                name, _, path = member.name.partition("/")
                if (content := opened.extractfile(member)) is not None:
                    files[path] = content.read()
    except (tarfile.TarError, EOFError, zlib.error):  # Helm does not report failed writes
        raise FleetError(f"{archive}: Helm did not write the whole archive; is the disk full?") from None
    return name, files


def _wrapped(name: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    # Helm parses and renders templates in this order: of two definitions of a name, the last one counts.
    templates = sorted(
        (path for path in files if path.startswith("templates/")),
        key=lambda path: (path.count("/"), path.encode()),
        reverse=True,
    )
    result = {path: content for path, content in files.items() if path not in templates}
    result.pop("values.schema.json", None)  # the units are validated one by one, in Python
    aliases, includes = "", ""
    for number, path in zip(range(len(templates), 0, -1), templates, strict=True):
        partial = f"templates/_{number:06}"
        result[partial] = files[path]
        words = {"path": json.dumps(f"{name}/{path}"), "partial": json.dumps(f"{name}/{partial}")}
        aliases += _ALIAS % words
        if path.endswith(_NOTES):
            includes += _INCLUDE_NOTES % words
        elif not path.rpartition("/")[2].startswith("_"):
            includes += _INCLUDE % words
    result["templates/_aliases"] = aliases.encode()
    result["templates/fleet.yaml"] = (_TEMPLATE % {"units": _UNITS, "includes": includes}).encode()
    return result


def _texts(helm: Helm, folder: Path, *arguments: str) -> list[dict[str, Any]]:
    """Render the batch's chart and return the content of its JSON lines."""
    lines = helm.run("template", "fleet", _FOLDER, *arguments, folder=folder).split(b"\n")
    try:
        return [json.loads(line) for line in lines if line.startswith(b"{")]
    except ValueError as error:
        raise ClientError(f"Helm printed unexpected output: {error}") from None
