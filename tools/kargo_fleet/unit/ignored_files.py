"""Files that look like a service's own, and that nothing reads."""

from __future__ import annotations

from pathlib import PurePosixPath

from kargo_fleet.files.reading import RepositoryReader
from kargo_fleet.findings import Finding, Place
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.names import FLEET_FILE, SERVICE_FILE
from kargo_fleet.fleet.service_file import EXAMPLE


def ignored_findings(fleet: Fleet, reader: RepositoryReader, service: str, *, is_there: bool) -> list[Finding]:
    """Return a warning for each kargo.yaml or kargo.yml that is not the service's own file; `is_there` says whether that is."""
    own = fleet.own_file(service)
    folders = [one.folder for one in fleet.tree.found(service)] or [fleet.folder_of(service)]
    others = [str(PurePosixPath(own).with_suffix(".yml"))] if own else []
    if fleet.service_file or fleet.layout.has_stages:
        others += [f"{folder}/{name}" for folder in folders for name in (SERVICE_FILE, "kargo.yml")]
    found = [file for file in dict.fromkeys(others) if file != own and reader.sees(file)]
    return [
        Finding(Place(file), "KFW201", "this file is ignored", _fix(own, file, is_there), service) for file in found
    ]


def _fix(own: str, file: str, is_there: bool) -> str:
    if not own:
        return f"set `serviceFile: {EXAMPLE}` in {FLEET_FILE} and move it there, or set these values in a group"
    here = PurePosixPath(own).parent == PurePosixPath(file).parent
    name = PurePosixPath(own).name if here else own
    return f"move its content to {name}" if is_there else f"{'rename' if here else 'move'} it to {name}"
