"""What `deploy` tells Helm, whatever the user or a wrapper of Helm has set."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from conftest import Run, Tree, service

CONFIG = {
    "contexts": [{"name": "eu-1", "context": {"cluster": "c", "user": "u"}}],
    "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443"}}],
}
KUBECTL = f"""#!/bin/sh
case "$*" in
  *config*) echo '{json.dumps(CONFIG)}' ;;
  *customresourcedefinitions*) echo '{json.dumps({"kind": "CustomResourceDefinition"})}' ;;
  *secrets*) cat "$0.deployed" 2>/dev/null || true ;;
esac
"""
# Records what it is called with, and installs: the next `kubectl get secrets` finds the release with its label.
HELM = """#!/bin/sh
[ "$1" = version ] && { cat "$0.version"; exit; }
for argument; do echo "$argument"; done >"$0.arguments"
env >"$0.environment"
for argument; do case $argument in kargo-fleet.digest=*) echo "nginx ${argument#*=}" >"${0%/*}/kubectl.deployed" ;; esac; done
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a `helm` and a `kubectl` that only record; it comes first on PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, script in (("helm", HELM), ("kubectl", KUBECTL)):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v3.18.6", ["--wait=false", "--atomic=false"]),
        ("v4.3.1", ["--wait=hookOnly", "--rollback-on-failure=false"]),
    ],
)
def test_helm_neither_waits_nor_rolls_back(
    programs: Path, tree: Tree, run: Run, monkeypatch: pytest.MonkeyPatch, version: str, expected: list[str]
) -> None:
    """A new unit gets ready with its first Freight: until then Helm would wait, and then take the unit away."""
    (programs / "helm.version").write_text(version)
    monkeypatch.setenv("HELM_KUBECONTEXT", "us-1")
    monkeypatch.setenv("HELM_DRIVER", "memory")
    tree({})
    assert run("generate").status == 0
    result = run("deploy", "nginx")
    assert (result.status, "1 service: 1 deployed" in result.stderr) == (0, True), result
    arguments = (programs / "helm.arguments").read_text().splitlines()
    assert arguments[:2] == ["upgrade", "--install"]
    assert [argument for argument in arguments if argument in expected] == expected
    assert "HELM_" not in (programs / "helm.environment").read_text()


def test_only_what_is_current_is_deployed(programs: Path, tree: Tree, run: Run) -> None:
    """A change without `generate` is refused for its service, and so is a mistake; the others are deployed."""
    (programs / "helm.version").write_text("v4.3.1")
    root = tree({**service("web"), **service("api"), **service("mine")})
    run("generate")
    (root / "services/web/kargo.yaml").write_text("image: {constraint: ^2.0.0}\n")
    (root / "services/api/kargo.yaml").write_text("image: {constraint: latest}\n")
    with (root / "values/mine.yaml").open("a") as file:
        file.write("shard: a\n")  # an edit by hand is meant
    result = run("deploy", "--dry-run")
    assert result.status == 1
    assert "would deploy 2 services to context eu-1" in result.stderr
    assert "KF801: web was not deployed: its values file is out of date" in result.stdout
    assert "fix: run `kargo-fleet generate web` and review the result, or pass --stale" in result.stdout
    assert "KF801: api was not deployed: it has errors\n    fix: run `kargo-fleet check api`" in result.stdout
    assert run("deploy", "web").status == 1
    (programs / "kubectl.deployed").unlink()
    assert "would deploy 4 services" in run("deploy", "--dry-run", "--stale").stderr


def test_force_needs_helm_4(programs: Path, tree: Tree, run: Run) -> None:
    (programs / "helm.version").write_text("v3.18.6")
    tree({})
    assert run("generate").status == 0
    result = run("deploy", "nginx", "--force")
    assert (result.status, "--force requires Helm 4" in result.stderr) == (2, True), result
    assert not (programs / "helm.arguments").exists()
