"""Folders of services: two of the same name, links, and folders at another level than the layout has them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from shlex import quote

from kargo_fleet.files.reading import RepositoryReader
from kargo_fleet.findings import Finding, Place
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.names import FLEET_FILE
from kargo_fleet.fleet.tree import unreadable
from kargo_fleet.text.words import closest, first_of


def team_findings(fleet: Fleet, reader: RepositoryReader, service: str) -> list[Finding]:
    """Return the finding about teams that have services of the same name.

    All folders are looked up with the `reader`, so that a result does not outlive a move to another team.
    """
    if not fleet.layout.has_teams:
        return []
    folders = [one.folder for one in fleet.tree.found(service)]
    for folder in folders:
        reader.exists(folder)
    if len(folders) < 2:
        return []
    message = (
        f"{' and '.join(folders)} are services of the same name; the name is that of the Project, "
        "the values file and the Application, so neither is generated"
    )
    return [Finding(Place(folders[0]), "KF206", message, "rename all of these folders but one", service)]


def unreadable_findings(fleet: Fleet, service: str) -> list[Finding]:
    """Return the findings about folders of a service that cannot be looked at, such as links to themselves."""
    found = [one for one in fleet.tree.found(service) if one.fault]
    return [Finding(Place(one.folder), "KF001", *unreadable(one.fault), service) for one in found]


def link_findings(fleet: Fleet, reader: RepositoryReader, service: str) -> list[Finding]:
    """Return the findings about folders of a service that are symbolic links, or are in one.

    Argo CD's generator lists folders without following links (util/git, GetDirectories), so that nothing is installed; and a
    promotion checks out the link alone.
    """
    folders = [one.folder for one in fleet.tree.found(service)]
    for stage in fleet.tree.stages:
        reader.exists(fleet.layout.folder(service, stage=stage))  # so that a result does not outlive a new folder
    findings = []
    for link in dict.fromkeys(one.link for one in fleet.tree.found(service) if one.link and not one.fault):
        target = reader.target(link)
        what = "this service" if link in folders else "the services in it"
        message = f"is a symbolic link to {target}: Argo CD does not see {what}, and promotions do not check it out"
        fix = f"replace the link with a folder: `rm {quote(link)} && cp -R {quote(target)} {quote(link)}`"
        if link == fleet.layout.base and not target.startswith("."):
            fix = f"set `services: {fleet.layout.pattern.replace(link, target, 1)}` in {FLEET_FILE}, or {fix}"
        findings.append(Finding(Place(link), "KF210", message, fix, service if link in folders else ""))
    return findings


def nested_findings(fleet: Fleet, reader: RepositoryReader, service: str, missing: Collection[str]) -> list[Finding]:
    """Return the findings about folders that hold services instead of being those of one.

    `missing` are the values files that the service lacks; subfolders that have one of them are services.
    """
    folders = [one.folder for one in fleet.tree.found(service)]
    return [found for folder in folders for found in _nested(fleet, reader, service, folder, missing)]


def _nested(
    fleet: Fleet, reader: RepositoryReader, service: str, folder: str, missing: Collection[str]
) -> Iterator[Finding]:
    names = [file.removeprefix(f"{folder}/") for file in sorted(missing) if file.startswith(f"{folder}/")]
    if not names:
        return
    path = str(fleet.root / folder)
    try:
        below = sorted(
            name for name in os.listdir(path) if name[0] not in "._" and os.path.isdir(os.path.join(path, name))
        )
    except OSError:  # there is none, or its files are reported
        return
    parent, pattern = fleet.layout.parent, fleet.layout.pattern
    if fleet.layout.is_flat and f"values-{service}.yaml" in names:
        names, what, meant = [*names, "values.yaml"], "stage", f"{parent}/<stage>/<service>"
    else:
        what, meant = "folder of services", f"{parent}/<team>/<service>"
    # Through the reader, so that the result is computed again when these files have gone.
    found = [name for name in below if any(reader.sees(f"{folder}/{name}/{file}") for file in names)]
    if found:
        message = f"this folder has no {names[0]}, but {first_of(found)} in it: a {what} is no service"
        fix = f"move them to {pattern}"
        fix = f"set `services: {meant}` in {FLEET_FILE}, or {fix}" if fleet.layout.is_flat else fix
        yield Finding(Place(folder), "KF207", message, fix, service)


def stageless_folders(
    fleet: Fleet, reader: RepositoryReader, service: str, stages: Collection[str], also: Callable[[str], bool]
) -> list[Finding]:
    """Return a warning for each folder of the service, in an environment-first tree, that is for none of its `stages`.

    `also` says which other words are meant to be there.
    """
    findings = []
    for stage in fleet.tree.stages:
        folder = fleet.layout.folder(service, stage=stage)
        if reader.sees(folder) and stage not in stages and not also(stage):
            example = f"`stages: {{{stage}: {{upstream: [{next(iter(stages))}]}}}}`"
            fix = f"add the stage, such as {example} in {fleet.where_own(service)}, or rename or remove the folder"
            if similar := closest(stage, stages):
                fix = f"did you mean stage {similar}? Else {fix}"
            message = f"the service has no stage {stage}, so nothing uses this folder"
            findings.append(Finding(Place(folder), "KFW406", message, fix, service))
    return findings
