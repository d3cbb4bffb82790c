"""The chart in an OCI registry: under Argo CD's own controllers, with Helm, and for `check --online`."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from kargo_fleet import __version__

from .argocd import NAMESPACE, ArgoCD
from .binaries import binary
from .control_plane import Client
from .processes import Group, free_port
from .repository import GitServer, Platform
from .test_gitops import appear, argocd, stages, uids  # noqa: F401
from .units import CHART

pytestmark = pytest.mark.cluster

UNIT = "kargo-nginx"
NEWER = "9.9.9"


class Registry:
    """A registry without TLS on loopback, as `registry.example.com` is one with TLS."""

    def __init__(self, cluster: Client, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self.address = f"127.0.0.1:{free_port()}"
        self.processes = Group(folder, tied=True)
        self.processes.start("registry", [binary("registry"), self.address])

    def push(self, chart: Path) -> None:
        """Package the chart in a folder and push it to the registry, as `org/kargo-service`."""
        self.cluster.helm("package", chart, "--destination", self.folder)
        package = max(self.folder.glob("*.tgz"), key=lambda file: file.stat().st_mtime_ns)
        self.cluster.helm("push", package, f"oci://{self.address}/org", "--plain-http")

    @property
    def url(self) -> str:
        return f"oci://{self.address}/org/kargo-service"


@pytest.fixture(scope="module")
def registry(cluster: Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    registry = Registry(cluster, tmp_path_factory.mktemp("registry"))
    registry.push(CHART)
    yield registry
    registry.processes.stop()


@pytest.fixture(scope="module")
def platform(argocd: ArgoCD, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:  # noqa: F811
    """A repository with the chart in it, installed and synced."""
    folder = tmp_path_factory.mktemp("git")
    server = GitServer(folder / "served")
    platform = Platform(folder, server, ("nginx",))
    argocd.configure(platform.tree)
    argocd.wait_until_synced([UNIT])
    yield platform
    server.close()


def take_from(platform: Platform, chart: dict[str, str]) -> None:
    """Set `chart` in fleet.yaml, generate and push."""
    text = (platform.tree / "fleet.yaml").read_text()
    kept = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("chart:"))
    platform.write("fleet.yaml", f"{kept}chart: {json.dumps(chart)}\n")
    platform.generate()
    platform.push("Take the chart from elsewhere")


def project_uid(cluster: Client) -> str:
    uid: str = cluster.get("projects.kargo.akuity.io", UNIT)["metadata"]["uid"]
    return uid


def findings(platform: Platform, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(platform.fleet("check", *arguments, "--output", "json").stdout)["findings"]
    return [item for item in found if item["severity"] == "error"]


def test_a_unit_moves_from_the_repository_to_the_registry(
    argocd: ArgoCD,  # noqa: F811
    platform: Platform,
    registry: Registry,
    cluster: Client,
) -> None:
    """The Application, the Project and its history stay the same objects, and the chart need not be in the repository."""
    before, project = uids(argocd), project_uid(cluster)
    shutil.rmtree(platform.tree / "charts")
    take_from(platform, {"oci": registry.url, "version": __version__})
    assert findings(platform, "--online") == []
    metadata = {"namespace": NAMESPACE, "labels": {"argocd.argoproj.io/secret-type": "repository"}}
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata | {"name": "kargo-service-chart"},
            "stringData": {
                "type": "helm",
                "enableOCI": "true",
                "insecureOCIForceHttp": "true",
                "url": f"{registry.address}/org",
            },
        }
    )
    argocd.configure(platform.tree)
    argocd.wait_for(lambda: "sources" in argocd.application(UNIT)["spec"], "the set to change the Application")
    argocd.refresh(UNIT, hard=True)
    argocd.wait_until_synced([UNIT])
    assert argocd.messages(UNIT).count("rror") == 0, argocd.messages(UNIT)
    revisions = argocd.application(UNIT)["status"]["sync"]["revisions"]
    assert revisions[0] == __version__
    assert uids(argocd) == before
    assert project_uid(cluster) == project
    assert stages(cluster, "nginx") == ["dev", "prod", "staging"]


def test_a_change_of_the_values_file_renders_the_unit_again(
    argocd: ArgoCD,  # noqa: F811
    platform: Platform,
    cluster: Client,
) -> None:
    platform.write("services/nginx/kargo.yaml", "warehouse: {interval: 25m}\n")
    platform.generate()
    platform.push("Change the interval")
    argocd.refresh(UNIT)
    argocd.wait_for(
        lambda: cluster.get("warehouses.kargo.akuity.io", "nginx", "-n", UNIT)["spec"]["interval"] == "25m0s",
        "the change",
    )


def test_a_new_service_appears(argocd: ArgoCD, platform: Platform, cluster: Client) -> None:  # noqa: F811
    platform.add_service("fresh-oci")
    appear(argocd, "fresh-oci")
    assert stages(cluster, "fresh-oci") == ["dev", "prod", "staging"]


def test_a_newer_version_of_the_chart(
    argocd: ArgoCD,  # noqa: F811
    platform: Platform,
    registry: Registry,
    cluster: Client,
    tmp_path: Path,
) -> None:
    """A copy of the new version stands for it in the repository, as long as the tool is of another version."""
    copy = tmp_path / "kargo-service"
    shutil.copytree(CHART, copy, ignore=shutil.ignore_patterns("ci", "tests"))
    (copy / "Chart.yaml").write_text(
        (copy / "Chart.yaml").read_text().replace(f"version: {__version__}", f"version: {NEWER}")
    )
    registry.push(copy)
    shutil.copytree(copy, platform.tree / "charts" / "copy")
    project = project_uid(cluster)
    take_from(platform, {"oci": registry.url, "version": NEWER, "path": "charts/copy"})
    assert findings(platform, "--online") == []
    argocd.configure(platform.tree)
    argocd.wait_for(
        lambda: argocd.application(UNIT)["status"]["sync"].get("revisions", [""])[0] == NEWER, "the new version"
    )
    argocd.wait_until_synced([UNIT])
    assert project_uid(cluster) == project


def test_a_helm_repository_and_another_git_repository(
    argocd: ArgoCD,  # noqa: F811
    platform: Platform,
    registry: Registry,
    cluster: Client,
    tmp_path: Path,
) -> None:
    """Argo CD reads the chart from each, and the unit stays the same one."""
    project = project_uid(cluster)
    shutil.copy(registry.folder / f"kargo-service-{__version__}.tgz", tmp_path)
    cluster.helm("repo", "index", tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        take_from(platform, {"helm": f"http://127.0.0.1:{server.server_port}", "version": __version__})
        assert findings(platform, "--online") == []
        argocd.configure(platform.tree)
        argocd.wait_for(lambda: first_source(argocd)["repoURL"].startswith("http://"), "the Helm repository")
        argocd.refresh(UNIT, hard=True)
        argocd.wait_until_synced([UNIT])
        assert argocd.application(UNIT)["status"]["sync"]["revisions"][0] == __version__
    finally:
        server.shutdown()
        server.server_close()
    charts = platform.tree.parent / "served" / "charts.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", charts], check=True)
    shutil.copytree(CHART, platform.tree / "unit", ignore=shutil.ignore_patterns("ci", "tests"))
    platform.git("add", "unit")
    platform.git("commit", "-q", "-m", "The chart")
    platform.git("push", "-q", str(charts), "HEAD:refs/tags/v1")
    platform.git("reset", "-q", "--hard", "HEAD~1")
    url = platform.url.replace("platform.git", "charts.git")
    take_from(platform, {"git": url, "path": "unit", "revision": "v1"})
    assert findings(platform, "--online") == []
    argocd.configure(platform.tree)
    argocd.wait_for(lambda: first_source(argocd).get("path") == "unit", "the folder of Git")
    argocd.refresh(UNIT, hard=True)
    argocd.wait_until_synced([UNIT])
    assert project_uid(cluster) == project


def first_source(argocd: ArgoCD) -> dict[str, Any]:  # noqa: F811
    source: dict[str, Any] = argocd.application(UNIT)["spec"]["sources"][0]
    return source


@pytest.mark.parametrize(
    ("chart", "code", "message"),
    [
        ({"version": "9.9.8"}, "KF106", "chart.version is 9.9.8"),
        ({"oci": "/org/kargo-serviec"}, "KF602", "Argo CD will not find the chart"),
        ({"oci": "nowhere"}, "KF603", "could not be checked"),
    ],
)
@pytest.mark.usefixtures("argocd")
def test_a_chart_that_is_not_there(
    platform: Platform, registry: Registry, chart: dict[str, str], code: str, message: str
) -> None:
    with platform.passing():
        oci = chart.get("oci", "/org/kargo-service")
        url = (
            f"oci://127.0.0.1:{free_port()}/org/kargo-service" if oci == "nowhere" else f"oci://{registry.address}{oci}"
        )
        section = {"oci": url, "version": chart.get("version", __version__)}
        text = (platform.tree / "fleet.yaml").read_text()
        kept = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("chart:"))
        platform.write("fleet.yaml", f"{kept}chart: {json.dumps(section)}\n")
        found = [item for item in findings(platform, "--online") if item["code"] != "KF501"]
        assert [item["code"] for item in found] == [code], found
        assert message in found[0]["message"]
