"""What a stage renders (`promotion.render`): whether the chart or the kustomization is there, with all that it is made of.

Kargo renders what the clone of the sources has. A sparse clone has the folder of the chart or the kustomization, those of its values
files, and those of `git.sparse`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any

from kargo_fleet.files.reading import RepositoryReader, read_text
from kargo_fleet.findings import Finding, Place, Problem
from kargo_fleet.fleet.chart import CHART_FILE
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.layers import Layer, in_layers, last
from kargo_fleet.fleet.names import FLEET_FILE, KUSTOMIZATIONS
from kargo_fleet.fleet.pipeline import Pipeline, Stage
from kargo_fleet.fleet.rendering import Rendering
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.kustomizations import paths_outside
from kargo_fleet.text.words import enumerate_words
from kargo_fleet.unit import clones

_LOCAL = "file://"


def find(
    fleet: Fleet, reader: RepositoryReader, unit: Pipeline, stage: Stage, layers: list[Layer]
) -> Iterator[Finding]:
    """Yield the findings about what a stage renders, and where it puts it."""
    rendering, service = stage.rendering, unit.service
    if rendering is None:
        return
    if rendering.kind == "helm":
        yield from _chart(reader, stage, rendering, service)
        yield from _values_files(reader, stage, rendering, service)
    else:
        yield from _kustomization(reader, stage, rendering, service)
    yield from _foreign(fleet, reader, stage, rendering, layers, service)


def _chart(reader: RepositoryReader, stage: Stage, rendering: Rendering, service: str) -> Iterator[Finding]:
    file = f"{rendering.path}/{CHART_FILE}"
    if not reader.exists(file):
        message = f"the chart that promotions to {stage.name} render is missing"
        yield Finding(Place(file), "KF401", message, f"add {file}, or correct promotion.render.helm.path", service)
        return
    text = read_text(reader, file, service)
    if isinstance(text, Finding):
        yield text
        return
    try:
        given = yaml_reader.parse(text).get("dependencies") or []
    except yaml_reader.YamlError as error:
        yield error.problem.in_file(file, service)
        return
    dependencies = [one for one in given if isinstance(one, dict)]
    place = Place(file, *yaml_reader.locate(text, ("dependencies",), key=True)[0])
    if rendering.given.get("buildDependencies") or any(
        one.kind == "helmDependency" and one.path == rendering.path for one in stage.updates
    ):
        for one in dependencies:
            repository = str(one.get("repository") or "")
            if repository.startswith(_LOCAL):
                folder = posixpath.normpath(f"{rendering.path}/{repository.removeprefix(_LOCAL)}")
                yield from _left_out(stage, folder, place, f"dependency {one.get('name')} of the chart", service)
    elif lacking := _not_vendored(reader, rendering.path, dependencies):
        message = f"{rendering.path}/charts lacks {enumerate_words(lacking)}, so that Kargo cannot render the chart"
        fix = "set promotion.render.helm.buildDependencies: true, or commit what `helm dependency build` downloads"
        yield Finding(place, "KF401", message, fix, service)


def _not_vendored(reader: RepositoryReader, path: str, dependencies: list[dict[str, Any]]) -> list[str]:
    names = reader.names(f"{path}/charts") if dependencies else []
    known = [str(one.get("name")) for one in dependencies]
    return [one for one in known if not any(name == one or name.startswith(f"{one}-") for name in names)]


def _values_files(reader: RepositoryReader, stage: Stage, rendering: Rendering, service: str) -> Iterator[Finding]:
    if rendering.given.get("ignoreMissingValueFiles"):
        return
    for file in rendering.values_files:
        if not reader.exists(file):
            message = f"the values file that promotions to {stage.name} render with is missing"
            fix = "add it, or set promotion.render.helm.valuesFiles to the files that there are"
            yield Finding(Place(file), "KF401", message, fix, service)
        elif not reader.sees(file) and isinstance(unread := read_text(reader, file, service), Finding):
            yield unread


def _kustomization(reader: RepositoryReader, stage: Stage, rendering: Rendering, service: str) -> Iterator[Finding]:
    if not clones.kustomization_in(reader, rendering.path):
        message = f"the kustomization that promotions to {stage.name} render is missing"
        fix = f"add {rendering.path}/{KUSTOMIZATIONS[0]}, or correct promotion.render.kustomize.path"
        yield Finding(Place(rendering.path), "KF401", message, fix, service)
        return
    waiting, seen = [rendering.path], set()
    while waiting:
        folder = waiting.pop(0)
        file = clones.kustomization_in(reader, folder)
        text = read_text(reader, file, service) if file and folder not in seen else ""
        seen.add(folder)
        for used in paths_outside(text) if isinstance(text, str) else ():
            path = posixpath.normpath(f"{folder}/{used}")
            is_file = path.endswith((".yaml", ".yml", ".json", ".env"))
            yield from _left_out(stage, posixpath.dirname(path) if is_file else path, Place(file), used, service)
            waiting.append(path)


def _left_out(stage: Stage, folder: str, place: Place, what: str, service: str) -> Iterator[Finding]:
    """Yield a finding if the clone of the sources does not have a folder that is needed."""
    further = stage.sparse_folders
    folders = [*stage.source_folders, *further]
    if not stage.is_sparse or any(f"{folder}/".startswith(f"{one}/") for one in folders):
        return
    message = f"{what} is in {folder}, which promotions to {stage.name} do not check out"
    fix = f"set git.sparse: [{', '.join([*further, folder])}], or false for the whole repository"
    yield Finding(place, "KFW317", message, fix, service)


def _foreign(
    fleet: Fleet, reader: RepositoryReader, stage: Stage, rendering: Rendering, layers: list[Layer], service: str
) -> Iterator[Finding]:
    """Warn of manifests in a place that is another service's, or every service's: each promotion replaces all that is there."""
    place = f"{rendering.branch}/{rendering.out_path}"
    if re.search(rf"(?<![a-z0-9]){re.escape(service)}(?![a-z0-9])", place):
        return
    path = ("stages", stage.name, "promotion", "render", "outPath")
    first = rendering.out_path.partition("/")[0]
    said = max(last(layers, path), last(layers, ("promotion", "render", "outPath")))
    is_shared = said >= 0 and layers[said].file == FLEET_FILE
    # Looked up with the reader, so that the result does not outlive the other service.
    if is_shared or (first and not fleet.layout.has_teams and reader.sees(fleet.layout.folder(first))):
        owner = "every service" if is_shared else f"service {first}"
        where = f"{rendering.out_path or 'all'} of branch {rendering.branch}"
        message = f"promotions to {stage.name} replace {where}, which is the place of {owner}"
        problem = Problem("KFW307", message, "put <service> into promotion.render.outPath", path)
        yield in_layers(problem, layers, Place(FLEET_FILE), service)
