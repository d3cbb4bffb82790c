"""Where services are looked for, and what a person who has no fleet yet is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Run, Tree, service
from kargo_fleet.errors import FleetError
from kargo_fleet.fleet import scan
from kargo_fleet.fleet.load import load


@pytest.mark.parametrize("command", ["check", "generate", "render", "deploy"])
def test_a_repository_without_a_fleet_is_told_of_init(
    command: str, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kargo_fleet.clients.kube.Kube.target", lambda _: None)
    result = run("-C", str(tmp_path), command)
    assert result.status in (1, 2)
    assert "there is no fleet.yaml: run `kargo-fleet " in result.stdout + result.stderr


def test_services_without_a_fleet_are_told_of_init(tree: Tree, run: Run) -> None:
    root = tree({"fleet.yaml": None})
    out = run("check").stdout
    assert "fix: there is no fleet.yaml: run `kargo-fleet init`, or pass --image-repository" in out
    assert "fix: there is no fleet.yaml: run `kargo-fleet init`, or pass --git-repo-url" in out
    (root / "fleet.yaml").write_text("")  # `init` refuses, and what was cached counts no more
    assert "fix: set image.registry in fleet.yaml, or pass --image-repository" in run("check").stdout


def test_the_fleet_above_is_in_the_same_git_repository(tree: Tree, run: Run) -> None:
    root = tree({"a b/README.md": "", "vendor/other/.git/HEAD": "", "vendor/other/docs/README.md": ""})
    assert run("-C", str(root / "a b"), "generate").status == 0
    for folder in ("vendor/other", "vendor/other/docs"):
        result = run("-C", str(root / folder), "check")
        assert (result.status, " init`, which finds the services" in result.stdout) == (1, True)


def test_services_are_separated_with_spaces(tree: Tree) -> None:
    root = tree(service("cart"))
    with pytest.raises(
        FleetError, match=r"no service 'cart,nginx' in services/; separate services with spaces: cart nginx"
    ):
        scan.some(load(root).fleet, ["cart,nginx"])
