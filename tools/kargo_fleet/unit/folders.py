"""Folders of services: two of the same name, links, and folders at another level than the layout has them."""

from __future__ import annotations

import os
from collections.abc import Collection

from kargo_fleet.files.reading import RepositoryReader
from kargo_fleet.findings import Finding, Place
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.names import FLEET_FILE
from kargo_fleet.text.words import first_of


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


def link_findings(fleet: Fleet, reader: RepositoryReader, service: str) -> list[Finding]:
    """Return the finding about a service's folder that is a symbolic link, or is in one.

    Argo CD's generator lists folders without following links (util/git, GetDirectories), so that no unit is installed; and a
    promotion checks out the link alone.
    """
    for link in {one.link: None for one in fleet.tree.found(service) if one.link}:
        target = reader.target(link)
        what = "this service" if link == fleet.folder_of(service) else "the services in it"
        message = f"is a symbolic link to {target}: Argo CD does not see {what}, and promotions do not check it out"
        fix = f"replace the link with a folder: `rm {link} && cp -R {target} {link}`"
        if link == fleet.layout.base and not target.startswith("."):
            fix = f"set `services: {fleet.layout.pattern.replace(link, target, 1)}` in {FLEET_FILE}, or {fix}"
        return [Finding(Place(link), "KF210", message, fix, service if link == fleet.folder_of(service) else "")]
    return []


def nested_findings(fleet: Fleet, reader: RepositoryReader, service: str, missing: Collection[str]) -> list[Finding]:
    """Return the finding about a folder that holds services instead of being one.

    `missing` are the values files that the service lacks; subfolders that have one of them are services.
    """
    folder = fleet.folder_of(service)
    names = [file.removeprefix(f"{folder}/") for file in sorted(missing) if file.startswith(f"{folder}/")]
    if not names or not (fleet.root / folder).is_dir():
        return []
    with os.scandir(fleet.root / folder) as entries:
        below = sorted(entry.name for entry in entries if entry.name[0] not in "._" and entry.is_dir())
    # Through the reader, so that the result is computed again when these files have gone.
    found = [name for name in below if any(reader.exists(f"{folder}/{name}/{file}") for file in names)]
    if not found:
        return []
    message = f"this folder has no {names[0]}, but {first_of(found)} in it: a folder of services is no service"
    pattern = f"{fleet.layout.parent}/<team>/<service>"
    fix = f"move them to {fleet.layout.pattern}"
    if not fleet.layout.has_teams:
        fix = f"set `services: {pattern}` in fleet.yaml, or {fix}"
    return [Finding(Place(folder), "KF207", message, fix, service)]
