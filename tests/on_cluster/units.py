"""Units on a cluster, as Helm installs them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

import samples

from .binaries import ROOT
from .control_plane import Client, CommandError, Object

CHART = ROOT / "charts" / "kargo-service"
NGINX = samples.EXPECTED / "values" / "nginx.yaml"
KARGO_KINDS = "warehouses.kargo.akuity.io,stages.kargo.akuity.io,projectconfigs.kargo.akuity.io"

#: What Kargo's webhook says when it has not heard of a new namespace yet. The same request a moment later succeeds.
RACE = re.compile(r'error creating namespace "[^"]+": namespaces "[^"]+" already exists')

Done = subprocess.CompletedProcess[str]


class Units:
    """Releases of the chart. `install("nginx", file)` is `helm install nginx charts/kargo-service -f file`."""

    def __init__(self, cluster: Client) -> None:
        self.cluster = cluster
        self.releases: set[str] = set()
        self.projects: set[str] = set()

    def install(
        self,
        release: str,
        *values: Path,
        sets: Iterable[str] = (),
        project: str = "",
        check: bool = True,
        more: Iterable[str] = (),
    ) -> Done:
        return self._helm("install", release, *values, sets=sets, project=project, check=check, more=more)

    def upgrade(
        self,
        release: str,
        *values: Path,
        sets: Iterable[str] = (),
        project: str = "",
        check: bool = True,
        more: Iterable[str] = (),
        chart: Path = CHART,
    ) -> Done:
        return self._helm("upgrade", release, *values, sets=sets, project=project, check=check, more=more, chart=chart)

    def _helm(
        self,
        command: str,
        release: str,
        *values: Path,
        sets: Iterable[str],
        project: str,
        check: bool,
        more: Iterable[str],
        chart: Path = CHART,
    ) -> Done:
        self.expect(release, project or f"kargo-{release}")
        arguments = [*(f"--values={file}" for file in values), *(f"--set={item}" for item in sets), *more]
        done = self.cluster.helm(command, release, chart, *arguments, check=False)
        if RACE.search(done.stderr):  # Kargo's own, some in a hundred installations: as docs/troubleshooting.md says
            arguments += ["--install"] if "--install" not in arguments else []
            done = self.cluster.helm("upgrade", release, chart, *arguments, check=False)
        if 'no matches for kind "AnalysisTemplate"' in done.stderr:
            pytest.skip("the cluster has no AnalysisTemplates: Argo Rollouts' CRDs are not installed")
        if check and done.returncode:
            raise CommandError(done)
        return done

    def expect(self, release: str, project: str) -> None:
        """Take these away at the end, whoever makes them."""
        self.releases.add(release)
        self.projects.add(project)

    def rendered(self, release: str) -> list[Object]:
        """The objects of a release, as the chart rendered them."""
        manifest = self.cluster.helm("get", "manifest", release).stdout
        return [document for document in yaml.safe_load_all(manifest) if document]

    def stored(self, objects: list[Object]) -> list[Object]:
        """The objects as the API server has them, in the same order."""
        listed = {"apiVersion": "v1", "kind": "List", "items": objects}
        out = self.cluster.kubectl("get", "-f", "-", "-o", "json", stdin=json.dumps(listed)).stdout
        found: Object = json.loads(out)
        return found["items"] if found["kind"] == "List" else [found]

    def namespace(self, name: str, labels: dict[str, str] | None = None) -> None:
        """A namespace that somebody else made."""
        self.projects.add(name)
        self.cluster.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}}
        )

    def wait_until_ready(self, project: str) -> None:
        self.cluster.kubectl("wait", f"projects.kargo.akuity.io/{project}", "--for=condition=Ready", "--timeout=60s")

    def remove(self) -> None:
        """Take away what these tests made: in docs/removing.md's order, all at once, and wait until it is gone."""
        for release in sorted(self.releases):
            self.cluster.helm("uninstall", release, "--ignore-not-found")
        if self.projects:
            projects = sorted(self.projects)
            self.cluster.kubectl(
                "delete", "projects.kargo.akuity.io", *projects, "--ignore-not-found", "--timeout=180s"
            )
            self.cluster.kubectl("delete", "namespaces", *projects, "--ignore-not-found", "--timeout=180s")
        self.releases.clear()
        self.projects.clear()
