"""What `init` would write into a repository, and what it has seen there."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from kargo_fleet import __version__
from kargo_fleet.errors import FleetError
from kargo_fleet.files import generated
from kargo_fleet.files.reading import is_absent
from kargo_fleet.files.writing import FileWriter, folders_of
from kargo_fleet.fleet.chart import Chart, packaged, read_chart
from kargo_fleet.fleet.chart_source import CHART_NAME, DEFAULT_PATH
from kargo_fleet.fleet.names import FLEET_FILE, SCHEMAS
from kargo_fleet.fleet.sections import OCI_PATTERN
from kargo_fleet.onboard import starter
from kargo_fleet.onboard.layout import Layout, layout_of
from kargo_fleet.onboard.remote import Checkout, GitHost, checkout_of, files_of
from kargo_fleet.onboard.vendoring import Vendoring, vendoring
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.json_schema import Schema
from kargo_fleet.text.schema_nodes import at
from kargo_fleet.text.words import first_of, plural
from kargo_fleet.text.yaml_editor import with_item


@dataclass
class Initial:
    """The texts of new files and of files with something appended, by path, and the files that are kept, each with the reason.

    `seen` says what the files were made of, `missing` what has to be filled in, `notes` what is left to do by hand.
    """

    root: Path
    texts: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    chart: Vendoring | None = None

    @property
    def changes(self) -> list[tuple[str, str]]:
        """What is done to which file: created, updated, kept."""
        found = [("updated" if (self.root / path).exists() else "created", path) for path in self.texts]
        if self.chart and self.chart.changes:
            found.append(("updated" if (self.root / self.chart.path).exists() else "created", self.chart.path))
        return found + [("kept", path) for path in self.kept]

    def carry_out(self) -> Iterator[str]:
        """Write the files, and yield the path of each; that of the chart is its folder. Raises OSError.

        fleet.yaml comes last: until it is there, the command can be run again.
        """
        if self.chart:
            for _ in self.chart.carry_out():
                pass
            yield self.chart.path
        with FileWriter(self.root) as writer:
            writer.sweep(folders_of(self.texts))
            for path in sorted(self.texts, key=lambda path: path == FLEET_FILE):
                writer.write(path, self.texts[path], durable=True)
                yield path


def initial(root: Path, oci: str, schemas: Callable[[Chart], Mapping[str, str]]) -> Initial:
    """Look at the repository at `root` and plan its first files; the chart is copied, or taken from the registry `oci`.

    `schemas` returns the texts of the files in schemas/ for a chart.

    Raises FleetError when `root` is not the root of a Git repository, has no services, or is a fleet already.
    """
    oci = oci.rstrip("/")
    if oci and not re.search(OCI_PATTERN, oci):
        raise FleetError(
            f"{oci!r} is not a chart in an OCI registry, such as oci://registry.example.com/org/kargo-service\n"
            "Leave out the version; it is that of kargo-fleet."
        )
    checkout = checkout_of(root)
    if (root / FLEET_FILE).is_symlink() and not os.path.exists(root / FLEET_FILE):
        target = os.readlink(root / FLEET_FILE)
        raise FleetError(
            f"{FLEET_FILE} is a symbolic link to {target}, which does not exist\nRemove or correct the link."
        )
    if not is_absent(root / FLEET_FILE):
        raise FleetError(f"{FLEET_FILE} exists, so this repository is set up\nRun `kargo-fleet check`.")
    layout = layout_of(root, files_of(root))
    chart = read_chart(packaged(), ".")
    if checkout.url and not _allows(chart, "repoURL", checkout.url):
        checkout = replace(checkout, url="")
    if checkout.branch and not _allows(chart, "branch", checkout.branch):
        checkout = replace(checkout, branch="")
    planned = Initial(root)
    _report(planned, layout, checkout)
    path = starter.chart_path(layout)
    section = {"oci": oci, "version": chart.version} if oci else {"path": path}
    _add(planned, {FLEET_FILE: starter.fleet_text(layout, checkout, section, chart.defaults)})
    _add(planned, {f"{SCHEMAS}/{name}": text for name, text in schemas(chart).items()})
    if not oci:
        _add_chart(planned, path)
    if oci and (note := _other_name(oci)):
        planned.notes.append(note)
    _add_hook(planned, layout, path)
    _add_workflow(planned, layout, checkout)
    return planned


def _allows(chart: Chart, key: str, value: str) -> bool:
    """Return whether `git` of fleet.yaml accepts a value."""
    return Schema({"properties": {key: at(chart.schema, "git", key)}}).is_valid({key: value})


def _other_name(oci: str) -> str:
    """Return the note about a URL that does not end in the chart's name, as that of `helm push` does."""
    if oci.rpartition("/")[2] == CHART_NAME:
        return ""
    pushed = f"{oci}/{CHART_NAME}"
    return (
        f"chart.oci {oci} does not end in {CHART_NAME}: after `helm push {CHART_NAME}-{__version__}.tgz {oci}`, the chart is "
        f"{pushed}; `kargo-fleet check --online` looks it up"
    )


def _report(planned: Initial, layout: Layout, checkout: Checkout) -> None:
    names = list(layout.services)
    where = f"{layout.folders.base}/" if layout.folders.is_flat else layout.folders.pattern
    planned.seen.append(f"{where}: {plural(len(names), 'service')} ({first_of(names)})")
    if layout.others:
        elsewhere = [f"{folder}/ ({count})" for folder, count in layout.others.items()]
        planned.seen.append(f"not used, because {where} has most services: {first_of(elsewhere)}")
    what = f"folders {layout.folders.parent}" if layout.folders.has_stages else "names values-<stage>.yaml"
    planned.seen.append(f"stages: {', '.join(layout.stages)}, from the {what}")
    if layout.twice:
        planned.notes.append(
            f"several teams have a service of this name, which must be unique: {first_of(layout.twice)}"
        )
    if layout.service_file:
        planned.seen.append(f"serviceFile: {layout.service_file}, for what is particular to a service")
    if layout.unusual:
        planned.notes.append(
            f"{plural(len(layout.unusual), 'service')} with other stages: {first_of(layout.unusual)}; "
            "`kargo-fleet generate` reports what each of them needs"
        )
    if layout.tag_key != "image.tag":
        planned.seen.append(f"promotion.tagKey: {layout.tag_key}, from the values files")
    if checkout.url:
        planned.seen.append(f"git.repoURL: {checkout.url}, from the remote {checkout.remote} ({checkout.written})")
        if checkout.guessed:
            planned.notes.append(f"git.repoURL {checkout.url} is a guess: the remote is SSH on a port of its own")
    else:
        why = f"the remote {checkout.written} has no https:// form" if checkout.written else "there is no remote origin"
        planned.missing.append(f"git.repoURL: {why}")
    if checkout.branch:
        planned.seen.append(f"git.branch: {checkout.branch}")
    else:
        planned.missing.append(
            "git.branch: Git does not know the default branch; `git remote set-head origin --auto` asks"
        )
    if layout.registry:
        planned.seen.append(f"image.registry: {layout.registry}, from image.repository in the values files")
        others = [f"{name} ({count})" for name, count in layout.registries.items() if name != layout.registry]
        if others:
            planned.notes.append(
                f"other registries, for groups or for a service's kargo.yaml: {first_of(sorted(others))}"
            )
    elif layout.unusable:
        planned.missing.append(f"image.registry: not a registry: {first_of(sorted(layout.unusable))}")
    else:
        planned.missing.append("image.registry: no values file has an image.repository that ends in /<service>")


def _add(planned: Initial, texts: Mapping[str, str]) -> None:
    """Plan new files; one that is there is kept."""
    for path, text in texts.items():
        if (planned.root / path).is_symlink():
            there = os.path.exists(planned.root / path)
            planned.kept[path] = "is a symbolic link" + ("" if there else " to a file that does not exist")
            continue
        current = generated.read(planned.root / path)
        if current is None:
            planned.texts[path] = text
        elif current != text:
            planned.kept[path] = "exists already"


def _add_chart(planned: Initial, path: str) -> None:
    planned.chart = vendoring(planned.root, path)
    if path != DEFAULT_PATH:
        planned.seen.append(f"chart.path: {path}, because {DEFAULT_PATH} would be in the folder of the services")
    if planned.chart.findings:
        planned.kept[path] = planned.chart.findings[0].message


def _add_hook(planned: Initial, layout: Layout, chart: str) -> None:
    if (planned.root / starter.HOOKS).is_symlink():
        planned.kept[starter.HOOKS] = "is a symbolic link; add a local hook with `entry: kargo-fleet check`"
        return
    text = generated.read(planned.root / starter.HOOKS) or ""
    try:
        hook = starter.hook(layout, chart)
        if _has_hook(text, hook["hooks"][0]["id"]):
            planned.kept[starter.HOOKS] = "has the hook already"
        else:
            planned.texts[starter.HOOKS] = with_item(text, "repos", hook)
    except ValueError:
        planned.kept[starter.HOOKS] = "cannot be read; add a local hook with `entry: kargo-fleet check`"


def _has_hook(text: str, name: str) -> bool:
    """Return whether a configuration of pre-commit has a hook. Raises ValueError when it cannot be read."""
    try:
        found = yaml_reader.parse(text)
    except yaml_reader.YamlError as error:
        raise ValueError(str(error)) from None
    entries = found.get("repos") or []
    hooks = [entry.get("hooks") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return any(isinstance(one, dict) and one.get("id") == name for some in hooks for one in some or ())


_OF_THE_INDEX = (
    f"in CI, set {starter.INDEX} to the address of your package index; the public one does not have kargo-fleet"
)


def _add_workflow(planned: Initial, layout: Layout, checkout: Checkout) -> None:
    if checkout.host is GitHost.OTHER:
        planned.notes.append(f"in CI, run: {starter.INSTALL} && kargo-fleet check")
        planned.notes.append(_OF_THE_INDEX)
        return
    path = starter.WORKFLOWS[checkout.host]
    _add(planned, {path: starter.workflow(layout, checkout)})
    if path in planned.texts:
        planned.notes.append(_OF_THE_INDEX)
    if checkout.host is GitHost.GITLAB:
        planned.notes.append(f"in .gitlab-ci.yml, add: include: [{{local: {path}}}]")
