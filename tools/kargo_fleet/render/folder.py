"""The folder to which manifests are written, one file per service."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kargo_fleet.errors import FleetError
from kargo_fleet.files import generated
from kargo_fleet.findings import Finding, Place
from kargo_fleet.fleet.names import ARGOCD, VALUES
from kargo_fleet.render.renderer import RenderedUnit

_MARK = "---\n# Source: "  # how each file of manifests begins


@dataclass(frozen=True)
class ManifestFolder:
    """A folder that holds only manifests. `root` is the repository; the folder may be outside of it."""

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
        return cls(root, root / output_dir)

    def write(self, unit: RenderedUnit) -> Iterable[tuple[str, str]]:
        """Write the manifests of one unit; yield the action, created or updated, and the file, unless it is unchanged."""
        path = self.path / f"{unit.service}.yaml"
        current = generated.read(path)
        if current != unit.text:
            generated.write(path, unit.text)
            yield "created" if current is None else "updated", self._shown(path)

    def orphans(self, names: Iterable[str]) -> list[Finding]:
        """Return findings for manifests of services that no longer exist: applying the folder still applies them."""
        expected = {f"{name}.yaml" for name in names}
        found = []
        for path in sorted(self.path.glob("*.yaml")) if self.path.is_dir() else []:
            if path.name not in expected and path.is_file() and (generated.read(path) or "").startswith(_MARK):
                message = f"service {path.stem} no longer exists, but applying the folder still installs it"
                fix = f"remove the file, and run `kargo-fleet delete {path.stem}` to delete the unit"
                found.append(Finding(Place(self._shown(path)), "KFW801", message, fix, path.stem))
        return found

    def _shown(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)
