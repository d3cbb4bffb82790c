"""What Argo CD will read of this repository, and whether it is there: the chart, and what the workloads are made of."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from shlex import quote
from typing import Any, NamedTuple

from kargo_fleet.argocd.settings import HELM, ArgoFleet, StageApplication, argo_fleet
from kargo_fleet.argocd.workload_sets import GENERATE_PATHS, generate_paths, value_files
from kargo_fleet.clients.git import ignored
from kargo_fleet.findings import Finding, KeyPath, Place
from kargo_fleet.fleet.chart import CHART_FILE, packaged, version_of
from kargo_fleet.fleet.chart_source import Origin
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.names import FLEET_FILE, KUSTOMIZATIONS, VALUES, values_path
from kargo_fleet.fleet.pipeline import expanded
from kargo_fleet.fleet.vendored import RECORD, read_record
from kargo_fleet.generate.workload_kind import folders_used
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.words import first_of

Services = Mapping[str, Sequence[StageApplication]]

#: What must be in the folder of a workload, by what it is rendered with; the first name is the usual one.
CHART_FILES = {HELM: (CHART_FILE,), "kustomize": KUSTOMIZATIONS, "directory": ("",)}
_CALLED = {HELM: "chart", "kustomize": "kustomization", "directory": "folder"}

_VENDOR = "run `kargo-fleet chart vendor` and commit the result, or set chart.oci and chart.version"


class Unchecked(NamedTuple):
    """Something that was not looked at. Whether `check --online` does."""

    what: str
    online: bool = False


@dataclass
class ArgocdInputs:
    """What was found. `blocking` are findings about sets that would point nowhere, `others` those about single Applications.

    `unchecked` names what was not looked at, because it is not in this working tree.
    """

    blocking: list[Finding] = field(default_factory=list)
    others: list[Finding] = field(default_factory=list)
    unchecked: list[Unchecked] = field(default_factory=list)


def argocd_inputs(fleet: Fleet, services: Services, reported: Collection[str] = ()) -> ArgocdInputs:
    """Check that the paths in argocd/ lead somewhere. `reported` are files that are known to be missing.

    The working tree stands for the branch that Argo CD follows.
    """
    found = ArgocdInputs(others=list(_below_the_root(fleet)))
    argo = argo_fleet(fleet.data, fleet.teams)
    if argo.chart.origin is Origin.REPOSITORY:
        found.blocking += _chart(fleet, argo.chart.path)
        found.others += _vendored(fleet, argo.chart.path)
    else:
        found.unchecked.append(Unchecked(f"the chart {argo.chart}", online=True))
    found.others += _ignored_values(fleet, services)
    if argo.workloads["enabled"]:
        _Workloads(fleet, argo, services, frozenset(reported), found).check()
    return found


def place_in_fleet_file(fleet: Fleet, path: KeyPath) -> Place:
    """Return the place of a key in fleet.yaml, or of the deepest part of its path; the whole file when it has none of it."""
    position, depth = yaml_reader.locate(fleet.text, path)
    return Place(FLEET_FILE, *position) if depth else Place(FLEET_FILE)


def _below_the_root(fleet: Fleet) -> Iterator[Finding]:
    """Yield a warning when another folder than the fleet's is the root of its Git repository."""
    folders = [fleet.root.resolve(), *fleet.root.resolve().parents]
    top = next((folder for folder in folders if (folder / ".git").exists()), folders[0])
    if top == folders[0]:
        return
    below = folders[0].relative_to(top).as_posix()
    message = f"this fleet is in {below}/ of its Git repository, but Argo CD and promotions look for its files in the repository's root"
    yield Finding(
        Place(FLEET_FILE), "KFW603", message, "move the fleet to the root, or give it a repository of its own"
    )


def _chart(fleet: Fleet, path: str) -> Iterator[Finding]:
    """Yield why Argo CD would not find the chart of the units."""
    folder = fleet.root / path
    if not (folder / CHART_FILE).is_file():
        message, fix = f"Argo CD will not find the chart: there is no {path}/{CHART_FILE} in this repository", _VENDOR
    elif not folder.resolve().is_relative_to(fleet.root.resolve()):
        message = f"Argo CD will not read the chart: {path} is a link that leads out of this repository"
        fix = "replace the link with the folder"
    else:
        yield from _ignored_chart(fleet, path)
        return
    key = ("chart", "path")
    yield Finding(place_in_fleet_file(fleet, key), "KF602", message, fix, path=key)


def _ignored_chart(fleet: Fleet, path: str) -> Iterator[Finding]:
    files = [file.relative_to(fleet.root).as_posix() for file in (fleet.root / path).rglob("*") if os.path.isfile(file)]
    needed = [
        file for file in files if file.startswith((f"{path}/templates/", f"{path}/{CHART_FILE}", f"{path}/values."))
    ]
    for file, rule in ignored(fleet.root, needed).items():
        message = f"Argo CD will not find {file}: Git ignores it ({rule.place}: {rule.pattern})"
        yield Finding(Place(file), "KF602", message, f"remove the rule, or run `git add --force {quote(path)}`")
        return


def _ignored_values(fleet: Fleet, services: Services) -> Iterator[Finding]:
    for file, rule in ignored(fleet.root, [values_path(service) for service in sorted(services)[:1]]).items():
        message = f"Argo CD will not find {file}: Git ignores it ({rule.place}: {rule.pattern})"
        yield Finding(Place(VALUES), "KF602", message, "remove the rule; the files in values/ are committed")


def _vendored(fleet: Fleet, path: str) -> Iterator[Finding]:
    """Yield a warning when the chart is a copy that another version of this tool has made."""
    try:
        record = read_record(fleet.root / path)
    except OSError as error:
        message, fix = f"cannot be read: {error.strerror}", "check that it is a file that you may read"
        yield Finding(Place(f"{path}/{RECORD}"), "KF001", message, fix)
        return
    if record is None or not (fleet.root / path / CHART_FILE).is_file():
        return
    if record.version == (own := version_of(packaged())):
        return
    message = f"this copy of the chart is of kargo-fleet {record.version}, and this is kargo-fleet {own}"
    fix = f"run `kargo-fleet chart vendor` and commit the result, or install kargo-fleet {record.version}"
    yield Finding(Place(f"{path}/{CHART_FILE}"), "KFW602", message, fix)


class _Workloads:
    """The charts and the values files of the workloads. What is missing for many services is one finding."""

    def __init__(
        self, fleet: Fleet, argo: ArgoFleet, services: Services, reported: Collection[str], found: ArgocdInputs
    ) -> None:
        self.fleet, self.argo, self.services, self.reported, self.found = fleet, argo, services, reported, found
        self.root = f"{fleet.root}{os.sep}"
        self.seen: dict[str, bool] = {}
        self.unwatched: dict[str, str] = {}
        self.missing: dict[tuple[str, KeyPath], dict[str, None]] = {}

    def check(self) -> None:
        by_stage: dict[str, list[str]] = {}
        for service, stages in sorted(self.services.items()):
            for one in stages:
                by_stage.setdefault(one.name, []).append(service)
        for stage, services in by_stage.items():
            settings = self.argo.workload(stage)
            if settings["targetRevision"] != self.argo.revision:
                what = "values files" if self.argo.kind == HELM else "workloads"
                self._leave(f"the {what} of stage {stage} on {settings['targetRevision']}")
            elif self.argo.kind == HELM and not settings["ignoreMissingValueFiles"]:
                self._value_files(settings, stage, services)
            self._charts(settings, stage, services)
        self._report_bases()
        for (pattern, path), lacking in self.missing.items():
            self._report(pattern, path, list(lacking))

    def _leave(self, what: str) -> None:
        if (left := Unchecked(what)) not in self.found.unchecked:
            self.found.unchecked.append(left)

    def _value_files(self, settings: Mapping[str, Any], stage: str, services: Sequence[str]) -> None:
        for index, pattern in enumerate(value_files(settings)):
            if "://" in pattern or any(char in pattern for char in "*?["):
                continue
            self._look(pattern, ("argocd", "workloads", "valueFiles", index), stage, services)

    def _charts(self, settings: Mapping[str, Any], stage: str, services: Sequence[str]) -> None:
        chosen = settings["source"]
        is_here = chosen.get("repoURL") in (None, "", self.argo.repo_url)
        is_here &= (chosen.get("targetRevision") or settings["targetRevision"]) == self.argo.revision
        if chosen.get("path") and not chosen.get("chart") and is_here:
            first, *others = CHART_FILES[self.argo.kind]
            pattern = f"/{chosen['path'].strip('/')}/"
            self._look(pattern + first, ("argocd", "workloads", "source", "path"), stage, services, others)
            if self.argo.kind == "kustomize":
                self._bases(settings, stage, services)
        elif chosen.get("path") or chosen.get("chart"):
            self._leave("the charts of the workloads")

    def _bases(self, settings: Mapping[str, Any], stage: str, services: Sequence[str]) -> None:
        """Note the folders that kustomizations use and whose changes Argo CD would not notice."""
        patterns = generate_paths(settings).split(";")
        for service in services:
            folder = self.argo.filled(settings["source"]["path"].strip("/"), service, stage)
            watched = [self.argo.filled(path.strip("/"), service, stage) for path in patterns if path != "."]
            for used in folders_used(self.fleet.root / folder):
                place = posixpath.normpath(f"{folder}/{used}")
                if not any(f"{place}/".startswith(f"{path}/") for path in [folder, *watched]):
                    self.unwatched.setdefault(place, f"{';'.join(patterns)};/{place}")

    def _report_bases(self) -> None:
        if not self.unwatched:
            return
        path = ("argocd", "workloads", "source", "path")
        message = (
            f"kustomizations of the workloads use {first_of(list(self.unwatched))}, "
            f"but changes there do not reach the Applications: {GENERATE_PATHS} does not name it"
        )
        paths = next(iter(self.unwatched.values()))
        fix = f'set argocd.workloads.annotations: {{{GENERATE_PATHS}: "{paths}"}}'
        self.found.others.append(Finding(place_in_fleet_file(self.fleet, path), "KFW203", message, fix, path=path))

    def _look(
        self, pattern: str, path: KeyPath, stage: str, services: Sequence[str], others: Sequence[str] = ()
    ) -> None:
        """Look for a file for each service; `others` are names that it may have instead."""
        pattern = pattern.lstrip("/").replace("<services>", self.argo.layout.parent)
        for service in services:
            file = self.argo.filled(pattern, service, stage)
            if file not in self.seen:
                names = [file, *(f"{file.rpartition('/')[0]}/{name}" for name in others)]
                self.seen[file] = file in self.reported or any(os.access(self.root + name, os.F_OK) for name in names)
            if not self.seen[file]:
                self.missing.setdefault((pattern, path), {})[service] = None

    def _report(self, pattern: str, path: KeyPath, services: list[str]) -> None:
        place = place_in_fleet_file(self.fleet, path)
        is_chart = path[2] == "source"
        fix = (
            f"correct argocd.workloads.source.path, or add the {_CALLED[self.argo.kind]}"
            if is_chart
            else "add the file, or set argocd.workloads.ignoreMissingValueFiles: true"
        )
        what = f"the {_CALLED[self.argo.kind]} of the workloads" if is_chart else "a values file of the workloads"
        if expanded(pattern, "") == pattern and "<stage>" not in pattern:
            message = f"Argo CD will not find {what}: there is no {pattern} in this repository"
            self.found.blocking.append(Finding(place, "KF602", message, fix, path=path))
            return
        message = (
            f"Argo CD will not find {what}: there is no {pattern} "
            f"for {len(services)} of {len(self.services)} services: {first_of(services)}"
        )
        self.found.others.append(Finding(place, "KF602", message, fix, path=path))
