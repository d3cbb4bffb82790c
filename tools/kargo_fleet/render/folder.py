"""The folder to which manifests are written, one file per service."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kargo_fleet.errors import FleetError
from kargo_fleet.files import generated
from kargo_fleet.files.reading import is_link_error
from kargo_fleet.files.writing import FileWriter, LinkError, unwritable
from kargo_fleet.findings import Finding, Place
from kargo_fleet.fleet.names import ARGOCD, VALUES
from kargo_fleet.render.renderer import RenderedUnit

_MARK = "---\n# Source: "  # how each file of manifests begins


@dataclass(frozen=True)
class ManifestFolder:
    """A folder that holds only manifests. `root` is the repository; the folder may be outside of it.

    In the repository no part of its path may be a link; elsewhere the user has named it, whatever it is.
    """

    root: Path
    path: Path

    @classmethod
    def choose(cls, root: Path, output_dir: str, services: str, chart: Path) -> ManifestFolder:
        """Return the folder of `--output-dir`.

        Raises FleetError for folders of other files: values/<service>.yaml would be overwritten.
        """
        folder = (root / output_dir).resolve()
        for taken in (root, root / VALUES, root / ARGOCD, root / services, chart):
            if folder == taken.resolve() or (taken != root and taken.resolve() in folder.parents):
                raise FleetError(f"--output-dir {output_dir}: the folder is for other files; choose another folder")
        if os.path.exists(folder) and not os.path.isdir(folder):
            raise FleetError(f"--output-dir {output_dir}: this is a file; choose a folder")
        return cls(root, root / output_dir)

    def write(self, unit: RenderedUnit) -> Iterable[tuple[str, str]]:
        """Write the manifests of one unit; yield the action, created or updated, and the file, unless it is unchanged."""
        path = self.path / f"{unit.service}.yaml"
        current = generated.read(path)
        if current != unit.text:
            below, folder = self._anchor()
            with FileWriter(below) as writer:
                writer.write(f"{folder}/{path.name}" if folder else path.name, unit.text)
            yield "created" if current is None else "updated", self._shown(path)

    def sweep(self) -> None:
        """Remove what killed runs left."""
        below, folder = self._anchor()
        with FileWriter(below) as writer:
            writer.sweep([folder])

    def unwritten(self, service: str, error: OSError) -> Finding:
        """Return the finding for a file that could not be written."""
        path = self._shown(self.path / f"{service}.yaml")
        if is_link_error(error) and not isinstance(error, LinkError):  # the file itself
            return generated.unreadable(path, error, service)
        return unwritable(path, error, service)

    def _anchor(self) -> tuple[Path, str]:
        """Return the folder below which no link is followed, and the way from there to this one."""
        inside = os.path.relpath(self.path, self.root)
        if inside.split(os.sep)[0] == os.pardir:
            return self.path, ""
        return self.root, Path(inside).as_posix()

    def orphans(self, names: Iterable[str]) -> list[Finding]:
        """Return findings for manifests of services that no longer exist: applying the folder still applies them."""
        expected = {f"{name}.yaml" for name in names}
        found = []
        for path in sorted(self.path.glob("*.yaml")) if self.path.is_dir() else []:
            if path.name not in expected and _begin(path).startswith(_MARK):
                message = f"service {path.stem} no longer exists, but applying the folder still installs it"
                fix = f"remove the file, and run `kargo-fleet delete {path.stem}` to delete the unit"
                found.append(Finding(Place(self._shown(path)), "KFW801", message, fix, path.stem))
        return found

    def _shown(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)


def _begin(path: Path) -> str:
    """Return the text of a file that may have been rendered, "" for one that cannot be read."""
    try:
        return generated.read(path) or "" if path.is_file() else ""
    except OSError:
        return ""
