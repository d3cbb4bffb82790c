"""The package in a repository that knows nothing of this one: from the wheel to units that Argo CD's controllers have synced."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from test_wheel import done, installed  # noqa: F401

from .argocd import ArgoCD
from .control_plane import Client
from .repository import GIT, GitServer
from .test_gitops import argocd, stages  # noqa: F401

pytestmark = pytest.mark.cluster

SERVICES = ("billing", "web")


@pytest.fixture
def foreign(installed: Path, tmp_path: Path) -> Iterator[tuple[Path, Callable[..., str]]]:  # noqa: F811
    """A clone of a repository with services in apps/, and the installed program in it."""
    server = GitServer(tmp_path / "served")
    tree = tmp_path / "tree"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", tmp_path / "served/platform.git"], check=True)
    subprocess.run(["git", "clone", "-q", f"{server.url}/platform.git", tree], check=True, capture_output=True)
    for service in SERVICES:
        for stage in ("dev", "staging", "prod"):
            file = tree / "apps" / service / f"values-{stage}.yaml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"image:\n  repository: registry.example.com/acme/{service}\n  tag: 1.0.0\n")

    def run(program: str, *arguments: str) -> str:
        path = installed / "bin" / program if program == "kargo-fleet" else program
        return done([path, *arguments], cwd=tree, env=os.environ | GIT).stdout

    yield tree, run
    server.close()


def test_from_the_wheel_to_synced_units(
    foreign: tuple[Path, Callable[..., str]],
    argocd: ArgoCD,  # noqa: F811
    cluster: Client,
    tmp_path: Path,
) -> None:
    tree, run = foreign
    run("git", "checkout", "-q", "-B", "main")
    run("kargo-fleet", "init")
    run("kargo-fleet", "generate")
    run("git", "add", "--all")
    run("git", "commit", "-q", "-m", "A fleet")
    run("kargo-fleet", "check")
    run("git", "push", "-q", str(tmp_path / "served/platform.git"), "main")
    argocd.configure(tree)
    argocd.wait_until_synced([f"kargo-{service}" for service in SERVICES])
    for service in SERVICES:
        assert sorted(stages(cluster, service)) == ["dev", "prod", "staging"]
