"""A checkout of a fleet, and what Argo CD's own code makes of its ApplicationSets: `tests/upstream/appset`, built here."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from builds import one_at_a_time
from kargo_fleet.argocd import manifests as argocd_files
from kargo_fleet.argocd.settings import StageApplication

ROOT = Path(__file__).resolve().parents[1]
APPSET = ROOT / "tests" / "upstream" / "appset"
REPO = "https://github.com/YOUR_ORG/gitops-platform.git"
FLEET: dict[str, Any] = {"git": {"repoURL": REPO, "branch": "main"}, "image": {"registry": "your-registry.io"}}
Services = Mapping[str, Sequence[StageApplication | str]]
USUAL: Sequence[str] = ["dev", "staging", "prod"]
SERVICES: Services = {
    "api-gateway": [*USUAL],
    "nginx": [*USUAL],
    "reports": ["dev", "prod"],
    "shop": ["dev", "staging", "prod-eu", "prod-us"],
    "legacy": [
        StageApplication("dev", "legacy-app-dev"),
        StageApplication("staging"),
        StageApplication("prod", "legacy-app"),
    ],
}
WORKLOADS: dict[str, Any] = {**FLEET, "argocd": {"workloads": {"enabled": True, "source": {"path": "charts/app"}}}}

Objects = dict[str, dict[str, Any]]
Run = Callable[..., Any]


def parsed(fleet: Mapping[str, Any], services: Mapping[str, Any]) -> Objects:
    return {path: yaml.safe_load(text) for path, text in argocd_files.manifests(fleet, services).items()}


def fleet_with(**section: Any) -> dict[str, Any]:
    return {**FLEET, "argocd": section}


# --- Argo CD ---


def go(*arguments: str) -> str:
    found = shutil.which("go")
    if found is None:
        pytest.skip("go is not on PATH")
    done = subprocess.run([found, *arguments], cwd=APPSET, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def argo_cd_module() -> Path:
    return Path(json.loads(go("mod", "download", "-json", "github.com/argoproj/argo-cd/v3"))["Dir"])


@cache
def appset_binary() -> Path:
    given_binary = os.environ.get("KARGO_FLEET_APPSET")
    if given_binary:
        return Path(given_binary)
    sources = b"".join(file.read_bytes() for file in sorted(APPSET.iterdir()))
    folder = ROOT / ".tools" / "appset"
    binary = folder / hashlib.sha256(sources).hexdigest()[:16]
    with one_at_a_time(folder):
        if not binary.exists():
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                built = Path(scratch) / "appset"
                go("build", "-mod=readonly", "-ldflags=-s -w", "-o", str(built), ".")
                built.replace(binary)
            for old in folder.glob("[!.]*"):
                if old.is_file() and old != binary:
                    old.unlink(missing_ok=True)
    return binary


@pytest.fixture(scope="session")
def appset() -> Run:
    """Run the program: `appset("render", "-repo", folder, file)`; returns the JSON that it prints, line by line."""
    binary = appset_binary()

    def run(*arguments: str | Path, stdin: str = "") -> Any:
        command = [str(binary), *map(str, arguments)]
        done = subprocess.run(command, input=stdin, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


class Checkout:
    """A repository's working tree with what is generated for it, as the ApplicationSet controller sees it."""

    def __init__(self, folder: Path, appset: Run) -> None:
        self.folder = folder
        self.repo = folder / "repo"
        self.appset = appset

    def services(self, names: Iterable[str]) -> None:
        for name in names:
            (self.repo / "services" / name).mkdir(parents=True, exist_ok=True)
            (self.repo / "services" / name / "values-dev.yaml").write_text("image: {tag: 1.0.0}\n")

    def rendered(self, texts: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the Applications of the sets in some files of argocd/."""
        return [app for found in self._render(texts) for app in found["applications"] or []]

    def render(self, fleet: Mapping[str, Any], services: Mapping[str, Any]) -> list[dict[str, Any]]:
        return self._render(argocd_files.manifests(fleet, services))

    def _render(self, texts: Mapping[str, str]) -> list[dict[str, Any]]:
        files = []
        for path, text in texts.items():
            if "kind: ApplicationSet" in text:
                file = self.folder / Path(path).name
                file.write_text(text)
                files.append(file)
        rendered: list[dict[str, Any]] = self.appset("render", "-repo", self.repo, *files)[0]
        assert not [found["error"] for found in rendered if "error" in found]
        return rendered

    def applications(self, fleet: Mapping[str, Any], services: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [app for found in self.render(fleet, services) for app in found["applications"] or []]


@pytest.fixture
def checkout(tmp_path: Path, appset: Run) -> Checkout:
    return Checkout(tmp_path, appset)


needs_argocd = pytest.mark.argocd


def set_names(
    fleet: Mapping[str, Any], services: Mapping[str, Any], shards: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the name of the ApplicationSet in each file that holds one."""
    files = {path: yaml.safe_load(text) for path, text in argocd_files.manifests(fleet, services, shards).items()}
    return {path: found["metadata"]["name"] for path, found in files.items() if found["kind"] == "ApplicationSet"}
