"""Dependencies of charts that promotions set (`helmDependency` in promotion.updates), with Kargo's step `helm-update-chart`.

The step looks for the entry of Chart.yaml with exactly this name and repository, and fails without it (pkg/helm). It writes
the version as `yaml-update` does, then locks and downloads all dependencies.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kargo_fleet.files.reading import RepositoryReader, read_text
from kargo_fleet.findings import Finding, Place, Problem, dotted, problem_at
from kargo_fleet.fleet.pipeline import Pipeline, Stage, Update
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.words import enumerate_words


def problems(pipeline: Pipeline, stage: Stage, update: Update) -> Iterator[Problem]:
    """Yield a problem for each key that says which dependency it is, and that no chart stands for."""
    if not update.given.get("version") or pipeline.provides(stage, "chart"):
        return
    for key in ("name", "repository"):
        if not update.given.get(key):
            path = ("stages", stage.name, "promotion", *update.at, key)
            message = "is required, as the stage's Warehouses do not subscribe to exactly one chart"
            yield problem_at(path, "KF104", message, f"add the {key} in Chart.yaml")


def in_chart_file(
    reader: RepositoryReader, pipeline: Pipeline, stage: Stage, update: Update, service: str
) -> Update | Finding:
    """Return the key of Chart.yaml that an update writes, or why there is none."""
    file, where = update.target, f"promotion.{dotted((*update.at, 'path'))}"
    if not reader.exists(file):
        message = f"the chart whose dependency promotions to {stage.name} set is missing"
        return Finding(Place(file), "KF401", message, f"add {file}, or correct {where}", service)
    text = read_text(reader, file, service)
    if isinstance(text, Finding):
        return text
    try:
        given = yaml_reader.parse(text).get("dependencies") or []
    except yaml_reader.YamlError as error:
        return error.problem.in_file(file, service)
    found = [one if isinstance(one, dict) else {} for one in given]
    wanted = _dependency(pipeline, stage, update)
    for index, one in enumerate(found):
        if (one.get("name"), one.get("repository") or "") == wanted:
            keys = {f"dependencies.{index}.version": update.given.get("version") or "chartVersion"}
            return Update(file, keys, update.at)
    message = f"has no dependency {wanted[0]} of {wanted[1]}, whose version promotions to {stage.name} set"
    nearest, fix = _likely(found, wanted[0], f"promotion.{dotted(update.at)}")
    place = Place(file, *yaml_reader.locate(text, ("dependencies", *nearest))[0])
    return Finding(place, "KF402", message, fix, service)


def _likely(found: list[dict[str, Any]], name: str, settings: str) -> tuple[list[int], str]:
    """Return the index of the dependency that is probably meant, if there is one, and the fix."""
    for index, one in enumerate(found):
        if one.get("name") == name:
            return [index], f"set repository: {one.get('repository') or ''} in {settings}, exactly as it is here"
    fix = f"add it to dependencies, or correct name and repository in {settings}"
    known = enumerate_words([str(one.get("name")) for one in found])
    return [], f"{fix}; the chart has {known}" if known else fix


def _dependency(pipeline: Pipeline, stage: Stage, update: Update) -> tuple[str, str]:
    """Return name and repository of a dependency, as the chart computes them (kargo-service.helmDependency)."""
    repository, name = "", ""
    if pipeline.provides(stage, "chart"):
        chart = pipeline.subscribed(stage, "chart")[0]
        repository, name = chart.repo_url, chart.given.get("name") or ""
    if repository.startswith("oci://"):  # a subscription's URL ends with the chart's name
        repository, _, name = repository.rpartition("/")
    return update.given.get("name") or name, update.given.get("repository") or repository
