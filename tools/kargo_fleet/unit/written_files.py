"""The files that the promotions of a unit write: whether they are there, are the unit's own, and hold what is written."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath

from kargo_fleet.files.reading import RepositoryReader, read_text
from kargo_fleet.findings import Finding, Place, Problem, dotted
from kargo_fleet.fleet import pipeline
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.layers import Layer, decides, in_layers
from kargo_fleet.fleet.names import KUSTOMIZATIONS, NOT_STAGES
from kargo_fleet.fleet.sections import DEFAULT_BRANCH
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.git_urls import normalized
from kargo_fleet.text.words import closest
from kargo_fleet.unit import clones, helm_dependencies, present_tags, promoted_files, rendered_files
from kargo_fleet.unit.folders import stageless_folders
from kargo_fleet.unit.linked_files import linked_file_findings

_STAGE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def find(
    fleet: Fleet, reader: RepositoryReader, unit: pipeline.Pipeline, layers: list[Layer], service: str
) -> list[Finding]:
    """Return the findings about the files that the promotions of a unit write: each must exist and hold what they write."""
    findings: list[Finding] = []
    held: list[present_tags.Held] = []
    here = promoted_here(fleet, unit)
    for stage, one in here.items():
        findings += rendered_files.find(fleet, reader, unit, one, layers)
        for update in one.updates:
            findings += _foreign(fleet, layers, stage, update, service)
            if update.kind == "kustomize":
                findings += _kustomization(reader, update, stage, service)
                continue
            written: pipeline.Update | Finding = update
            if update.kind == "helmDependency":
                written = helm_dependencies.in_chart_file(reader, unit, one, update, service)
            if isinstance(written, Finding):
                findings.append(written)
                continue
            of_file, present = _file(fleet, reader, written, stage, service)
            findings += of_file + _present_values(written, present, service)
            held += [
                present_tags.Held(stage, written.path, value, takers)
                for key, value in present.items()
                if (takers := _takers(unit, one, written.keys[key]))
            ]
    findings += present_tags.findings(held, service)
    findings += linked_file_findings(reader, here.values(), lambda stage: _folder(fleet, service, stage), service)
    return findings + _stageless(fleet, reader, unit, layers, service)


def _folder(fleet: Fleet, service: str, stage: str) -> str:
    """Return the folder of a service, in an environment-first tree that of one stage."""
    return fleet.layout.folder(service, stage=stage) if fleet.layout.has_stages else fleet.folder_of(service)


def promoted_here(fleet: Fleet, unit: pipeline.Pipeline) -> dict[str, pipeline.Stage]:
    """Return the stages whose files the chart's steps write, on the branch that all services share.

    Others are written by other steps, or somewhere that is not checked out here.
    """
    return {name: one for name, one in unit.stages.items() if one.has_default_steps and _is_here(fleet, one)}


def _is_here(fleet: Fleet, stage: pipeline.Stage) -> bool:
    """Return whether a stage is promoted in this repository, on the branch that all services share."""
    is_other = (
        stage.repo_url and fleet.git.get("repoURL") and normalized(stage.repo_url) != normalized(fleet.git["repoURL"])
    )
    return not is_other and stage.branch == (fleet.git.get("branch") or DEFAULT_BRANCH)


def _takers(unit: pipeline.Pipeline, stage: pipeline.Stage, what: str) -> tuple[present_tags.Taker, ...]:
    """Return what decides which tags, or versions of a chart, the Warehouses of a stage take."""
    if what == "tag":
        images = [one for one in unit.subscribed(stage, "image") if one.repo_url == unit.image]
        return tuple(present_tags.taker_of(one.given, dotted(one.path)) for one in images)
    charts = unit.subscribed(stage, "chart") if what == "chartVersion" else []
    return tuple(present_tags.taker_of_chart(one.given, dotted(one.path)) for one in charts)


def _stageless(
    fleet: Fleet, reader: RepositoryReader, unit: pipeline.Pipeline, layers: list[Layer], service: str
) -> list[Finding]:
    """Return a warning for each file that is named like the values file of a stage that the service does not have.

    A stage that a layer removes is meant to have no effect.
    """
    stages = unit.stages

    def is_known(word: str) -> bool:
        return word in NOT_STAGES or decides(layers, ("stages", word))

    if fleet.layout.has_stages:
        return stageless_folders(fleet, reader, service, stages, is_known) if stages else []
    folder = fleet.folder_of(service)
    patterns = {_pattern(folder, unit, one) for one in stages.values() if one.has_default_steps}
    used = {one.path for one in stages.values()}
    findings = []
    for before, after in sorted(filter(None, patterns)):
        names = reader.names(folder)
        for name in names:
            if not (name.startswith(before) and name.endswith(after)) or f"{folder}/{name}" in used:
                continue
            word = name[len(before) : len(name) - len(after)]
            is_known_word = word in stages or is_known(word)
            if _STAGE.fullmatch(word) and not is_known_word and name not in _workload_files(fleet):
                findings.append(_stageless_file(fleet, Place(f"{folder}/{name}"), word, stages, service))
    return findings


def _stageless_file(fleet: Fleet, place: Place, word: str, stages: Collection[str], service: str) -> Finding:
    example = f"`stages: {{{word}: {{upstream: [{next(iter(stages))}]}}}}`"
    fix = f"add the stage, such as {example} in {fleet.where_own(service)}, or rename or remove the file"
    if similar := closest(word, stages):
        fix = f"did you mean stage {similar}? Else {fix}"
    return Finding(place, "KFW406", f"the service has no stage {word}, so nothing uses this file", fix, service)


def _pattern(folder: str, unit: pipeline.Pipeline, stage: pipeline.Stage) -> tuple[str, str] | None:
    """Return what stands before and after the stage in the names of a service's values files; None if that is not in its folder."""
    own = pipeline.section(unit.values["stages"][stage.name], "promotion").get("path")
    path: str = own or pipeline.section(unit.values, "promotion").get("path") or ""
    before, placeholder, after = path.removeprefix(f"{folder}/").partition("<stage>")
    is_here = path.startswith(f"{folder}/") and "/" not in before + after
    return (before, after) if placeholder and before and after and is_here else None


def _workload_files(fleet: Fleet) -> list[str]:
    """Return the names of the values files that the workloads use, as far as they are not per stage."""
    workloads = (fleet.data.get("argocd") or {}).get("workloads") or {}
    return [PurePosixPath(file).name for file in workloads.get("valueFiles") or []]


def _foreign(fleet: Fleet, layers: list[Layer], stage: str, update: pipeline.Update, service: str) -> list[Finding]:
    """Warn of a promotion that writes into the folder of another service."""
    inside = update.target if update.kind != "kustomize" else f"{update.path}/"
    base = f"{fleet.layout.base}/"
    is_own = inside.startswith(f"{fleet.folder_of(service)}/")
    if fleet.layout.has_stages:
        is_own = fleet.layout.find(inside.removeprefix(base)) == service
    if is_own or not inside.startswith(base):
        return []
    message = f"promotions to {stage} write into the folder of another service"
    path = ("stages", stage, "promotion", *update.at, "path")
    found = Problem("KFW307", message, f"correct promotion.{dotted((*update.at, 'path'))}", path)
    return [in_layers(found, layers, Place(update.path), service)]


def _kustomization(reader: RepositoryReader, update: pipeline.Update, stage: str, service: str) -> list[Finding]:
    if clones.kustomization_in(reader, update.path):
        return []
    message = f"the kustomization that promotions to {stage} write is missing"
    fix = f"add {update.path}/{KUSTOMIZATIONS[0]}, or correct promotion.{dotted((*update.at, 'path'))}"
    return [Finding(Place(update.path), "KF401", message, fix, service)]


def _present_values(
    update: pipeline.Update, present: Mapping[str, promoted_files.Present], service: str
) -> list[Finding]:
    """Check that the keys that get a tag or a digest hold one today, and not a whole image."""
    problems = [
        present_tags.whole_image(key, value, digest=update.keys[key] == "digest")
        for key, value in present.items()
        if update.keys[key] in ("tag", "digest")
    ]
    return [problem.in_file(update.path, service) for problem in problems if problem]


def _file(
    fleet: Fleet, reader: RepositoryReader, update: pipeline.Update, stage: str, service: str
) -> tuple[list[Finding], Mapping[str, promoted_files.Present]]:
    """Check one file. Return what is wrong with it, and the present values of the keys that promotions write."""
    file, keys = update.path, list(update.keys)
    what = f"the file that promotions to {stage} write" if update.at else f"the values file of stage {stage}"
    try:
        text = reader.read(file).decode("utf-8")
    except FileNotFoundError:
        where = fleet.where_own(service)
        fix = f"add it with {' and '.join(keys)}, or remove the stage with `stages: {{{stage}: null}}` in {where}"
        other = PurePosixPath(file).with_suffix(".yml")
        if update.at:
            fix = f"add it with {' and '.join(keys)}, or correct promotion.{dotted((*update.at, 'path'))}"
        if file.endswith(".yaml") and reader.sees(str(other)):
            fix = f"rename {other.name}, or set promotion.{dotted((*update.at, 'path'))}"
        return [Finding(Place(file), "KF401", f"{what} is missing", fix, service)], {}
    except (OSError, UnicodeDecodeError):
        read = read_text(reader, file, service)
        return [read] if isinstance(read, Finding) else [], {}
    present: Mapping[str, promoted_files.Present] = {}
    try:
        problem, present = promoted_files.examine(text, keys)
    except yaml_reader.YamlError as error:
        problem = error.problem
    return [problem.in_file(file, service)] if problem else [], present
