"""A platform whose units Kargo itself promotes: its repository, its images, and what became of them."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from conftest import COMMAND, add_chart

from .binaries import binary
from .control_plane import Client, Object, tool
from .registry import Registry
from .repository import GIT
from .units import Units

# A workload's values, as people write them.
VALUES = """# of the workload
image:
  tag: 0.0.0
  digest: none
config:
  revision: none
chart:
  version: 0.0.0
"""
STAGES = ("dev", "staging", "prod", "prod-us", "prod-eu")


class Layout(NamedTuple):
    """Where the repository has a service's files, and what its fleet.yaml says beside image and git."""

    values: str = "services/{service}/values-{stage}.yaml"
    kargo: str = "services/{service}/kargo.yaml"
    settings: str = ""
    stages: tuple[str, ...] = STAGES


class Platform:
    """The platform's repository on a branch of this run's own, its images in a folder of that name, and its units on the cluster."""

    def __init__(
        self, root: Path, cluster: Client, registry: Registry, repo_url: str, layout: Layout | None = None
    ) -> None:
        self.root, self.cluster, self.repo_url = root, cluster, repo_url
        self.layout = layout or Layout()
        self.branch = f"kargo-fleet-test-{secrets.token_hex(4)}"
        self.registry = Registry(f"{registry.address}/{self.branch}")
        self.path = os.pathsep.join([str(tool("helm").parent), str(binary("kubectl").parent), os.environ["PATH"]])

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, env=os.environ | GIT, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fleet(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.cluster.run(*COMMAND, "-C", self.root, *arguments, env={"PATH": self.path}, check=check)

    def create(self, services: Mapping[str, str], files: Mapping[str, str]) -> None:
        """Write, generate and push the services; the workload's values are as people write them."""
        fleet = f"image: {{registry: {self.registry.address}}}\n"
        fleet += f"git: {{repoURL: {self.repo_url}, branch: {self.branch}}}\n"
        self.write("fleet.yaml", fleet + self.layout.settings)
        for name, kargo in services.items():
            for stage in self.layout.stages:
                self.write(self.layout.values.format(service=name, stage=stage), VALUES)
            if kargo:
                self.write(self.layout.kargo.format(service=name), self.filled(kargo))
        for path, text in files.items():
            self.write(path, self.filled(text))
        add_chart(self.root)
        self.fleet("generate")
        self.git("init", "-q", "-b", self.branch)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "The platform")
        self.git("push", "-q", self.repo_url, self.branch)

    @contextmanager
    def deployed(
        self, services: Mapping[str, str], files: Mapping[str, str], branches: Sequence[str] = ()
    ) -> Iterator[Platform]:
        """The services in the repository and on the cluster, and empty branches for them; taken away in the end."""
        units = Units(self.cluster)
        for name in services:
            units.expect(name, f"kargo-{name}")
        self.create(services, files)
        try:
            if branches:
                self.branches(*branches)
            self.fleet("deploy", "--yes")
            yield self
        finally:
            units.remove()
            heads = self.git("ls-remote", "--heads", self.repo_url, f"{self.branch}*").splitlines()
            self.git("push", "-q", self.repo_url, "--delete", *(head.split()[1] for head in heads))

    def branches(self, *names: str, files: Mapping[str, str] | None = None) -> None:
        """Push branches without history, with nothing or a few files on them. The run's own name comes first in theirs."""
        self.git("switch", "-q", "--orphan", "new")
        for path, text in (files or {}).items():
            self.write(path, text)
            self.git("add", "-f", path)
        self.git("commit", "-q", "--allow-empty", "-m", "A branch")
        self.git("push", "-q", self.repo_url, *(f"HEAD:refs/heads/{self.branch}-{name}" for name in names))
        self.git("switch", "-q", "-f", self.branch)
        self.git("branch", "-q", "-D", "new")

    def filled(self, text: str) -> str:
        """A text with this run's branch and registry."""
        return text.replace("BRANCH", self.branch).replace("REGISTRY", self.registry.address)

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def pull(self) -> None:
        self.git("fetch", "-q", self.repo_url, self.branch)
        self.git("reset", "-q", "--hard", "FETCH_HEAD")

    def values(self, service: str, stage: str, branch: str = "") -> dict[str, Any]:
        """What a stage's file says, on the branch of all services or on another."""
        self.git("fetch", "-q", self.repo_url, branch or self.branch)
        text = self.git("show", f"FETCH_HEAD:{self.layout.values.format(service=service, stage=stage)}")
        found: dict[str, Any] = yaml.safe_load(text)
        return found

    def image(self, service: str, stage: str) -> dict[str, str]:
        """What a stage's file says of the image, on the branch."""
        self.pull()
        found: dict[str, str] = self.values(service, stage)["image"]
        return found

    def rendered(self, branch: str) -> dict[str, Any]:
        """The manifests on a branch, by path. The run's own name comes first in the branch's."""
        self.git("fetch", "-q", self.repo_url, f"{self.branch}-{branch}")
        files = self.git("ls-tree", "-r", "--name-only", "FETCH_HEAD").splitlines()
        return {file: yaml.safe_load(self.git("show", f"FETCH_HEAD:{file}")) for file in files}

    def trailers(self, file: str = ".") -> dict[str, str]:
        """The trailers of the last commit that changed a file."""
        printed = self.git("log", "-1", "--format=%(trailers:only,unfold)", "--", file)
        return {key: value.strip() for key, _, value in (line.partition(":") for line in printed.split("\n") if line)}

    def push(self, service: str, tag: str, content: str = "") -> str:
        """Push an image, and let the Warehouse look now; its digest is returned."""
        digest = self.registry.push(service, tag, content)
        self.refresh(service, service)
        return digest

    def refresh(self, service: str, warehouse: str) -> None:
        """Let a Warehouse look now."""
        now = f"kargo.akuity.io/refresh={time.time()}"
        where = ("warehouse.kargo.akuity.io", warehouse, "-n", f"kargo-{service}")
        self.cluster.kubectl("annotate", *where, "--overwrite", now)

    def push_chart(self, folder: Path, version: str) -> None:
        """Push a chart named addon."""
        (folder / "addon").mkdir(exist_ok=True)
        (folder / "addon" / "Chart.yaml").write_text(f"apiVersion: v2\nname: addon\nversion: {version}\n")
        helm = str(tool("helm"))
        subprocess.run([helm, "package", "addon"], cwd=folder, check=True, capture_output=True)
        address = f"oci://{self.registry.address}/charts"
        plain = ["--plain-http"] if self.registry.url.startswith("http://") else []
        pushed = [helm, "push", f"addon-{version}.tgz", address, *plain]
        subprocess.run(pushed, cwd=folder, check=True, capture_output=True)

    def stage(self, service: str, name: str) -> Object:
        return self.cluster.get("stages.kargo.akuity.io", name, "-n", f"kargo-{service}")

    def promotions(self, service: str, stage: str) -> list[Object]:
        """The promotions of a stage."""
        found = self.cluster.get("promotions.kargo.akuity.io", "-n", f"kargo-{service}")["items"]
        return [promotion for promotion in found if promotion["spec"]["stage"] == stage]

    def promoted(self, service: str, stage: str) -> int:
        """How many promotions of a stage have succeeded."""
        return sum(_phase(promotion) == "Succeeded" for promotion in self.promotions(service, stage))

    def steps(self, service: str, stage: str) -> dict[str, str]:
        """How the steps of a stage's last promotion went, by their aliases."""
        last = max(self.promotions(service, stage), key=lambda promotion: str(promotion["metadata"]["name"]))
        return {step["alias"]: step["status"] for step in last["status"]["stepExecutionMetadata"]}

    def need_new_branches(self, service: str, stage: str) -> None:
        """Skip the test if the stage's promotion fails since Kargo's Git is too old for what it does to create a branch."""
        for promotion in self.promotions(service, stage):
            if "unknown option `orphan'" in promotion.get("status", {}).get("message", ""):
                pytest.skip(
                    "needs Kargo with Git 2.42 or newer, as its image has it: it creates the branch for manifests"
                )

    def promote(self, service: str, stage: str, warehouse: str = "") -> None:
        """By hand, with the object of the chart's notes; refused until the Freight is verified upstream."""
        metadata = {"generateName": f"{stage}-", "namespace": f"kargo-{service}"}
        spec = {"stage": stage, "origin": {"kind": "Warehouse", "name": warehouse or service}}
        promotion = {"apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Promotion", "metadata": metadata, "spec": spec}
        wait_for(
            lambda: self.cluster.create(promotion, check=False).returncode == 0,
            f"{service} to be promotable to {stage}",
        )

    def findings(self, *services: str) -> list[dict[str, Any]]:
        """What doctor finds, drift included."""
        printed = self.fleet("doctor", *services, "--drift", "--output", "json", check=False).stdout
        found: list[dict[str, Any]] = json.loads(printed)["findings"]
        return found


def _phase(promotion: Object) -> str:
    return str(promotion.get("status", {}).get("phase", ""))


def wait_for(done: Callable[[], object], what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(1)
