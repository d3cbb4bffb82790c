"""A folder that cannot be looked at is the mistake of its service; all others are generated."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import FLEET, Run, Tree, service

LONG = "a" * 300


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _too_long(path: Path) -> None:
    path.symlink_to(LONG)


def _below_a_file(path: Path) -> None:
    path.with_name("file").write_text("")
    path.symlink_to("file/x")


def _locked(path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    path.with_name("_locked").mkdir()
    (path.with_name("_locked") / "inner").mkdir()
    path.symlink_to("_locked/inner")
    path.with_name("_locked").chmod(0)


@pytest.mark.parametrize("make", [_loop, _too_long, _locked])
@pytest.mark.parametrize("command", ["generate", "check", "render"])
def test_the_other_services_are_generated(tree: Tree, run: Run, make: Callable[[Path], None], command: str) -> None:
    root = tree(service("api"))
    assert run("generate").status == 0
    make(root / "services/broken")
    (root / "services/api/kargo.yaml").write_text("shard: null\nimage: {constraint: ^7.0.0}\n")
    result = run(command)
    assert result.status == 1, result.stderr
    if command != "render":
        assert "services/broken: error KF001: cannot be read: " in result.stdout
        assert ("^7.0.0" in (root / "values/api.yaml").read_text()) == (command == "generate")


def test_what_was_generated_for_it_stays(tree: Tree, run: Run) -> None:
    root = tree({**service("api"), **service("cart")})
    assert run("generate").status == 0
    kept = {path: path.read_text() for folder in ("values", "argocd") for path in (root / folder).rglob("*.yaml")}
    (root / "services/cart").rename(root / "_cart")
    _loop(root / "services/cart")
    for arguments in (["generate"], ["generate", "--prune"], ["generate", "--no-cache"]):
        run(*arguments)
        assert {path: path.read_text() for path in kept} == kept
    (root / "services/cart").unlink()
    (root / "_cart").rename(root / "services/cart")
    assert run("generate").status == 0  # and no cache says otherwise


def test_a_link_that_leads_nowhere_is_no_service(tree: Tree, run: Run) -> None:
    root = tree({})
    (root / "services/gone").symlink_to("nowhere")
    _below_a_file(root / "services/odd")
    assert run("generate").status == 0


def test_a_folder_of_a_team_that_cannot_be_read(tree: Tree, run: Run) -> None:
    """Which services are in it nobody knows: nothing is removed, and argocd/ stays as it is."""
    services = {path: text for name in ("pay/api", "shop/cart") for path, text in service(name).items()}
    root = tree(
        {"fleet.yaml": FLEET + "services: services/<team>/<service>\n", **dict.fromkeys(service("nginx")), **services}
    )
    assert run("generate").status == 0
    kept = {path: path.read_text() for folder in ("values", "argocd") for path in (root / folder).rglob("*.yaml")}
    (root / "services/shop").rename(root / "_shop")
    _loop(root / "services/shop")
    for arguments in (["generate"], ["generate", "--prune"]):
        result = run(*arguments)
        assert result.status == 1
        assert "services/shop: error KF001: cannot be read: Too many levels of symbolic links" in result.stdout
        assert {path: path.read_text() for path in kept} == kept


def test_a_folder_within_a_service(tree: Tree, run: Run) -> None:
    """Looked for where values files are missing: they may be one level down."""
    root = tree({"services/nginx/values-prod.yaml": None})
    _loop(root / "services/nginx/loop")
    _too_long(root / "services/nginx/long")
    result = run("generate")
    assert (result.status, "KF401" in result.stdout) == (1, True)
