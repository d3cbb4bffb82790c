"""Symbolic links on the way to a service's files: what Argo CD and a sparse checkout do not follow is an error."""

from __future__ import annotations

import json

from conftest import FLEET, Run, Tree, link, service

PATTERN = "services: services/<team>/<service>\n"


def said(run: Run, *arguments: str) -> list[tuple[str, str, str, str]]:
    """Return place, code, message and fix of the findings of a run."""
    found = json.loads(run("generate", "--output", "json", *arguments).stdout)["findings"]
    return [(one["file"], one["code"], one["message"], one["fix"]) for one in found]


def test_the_folder_of_all_services(tree: Tree, run: Run) -> None:
    root = tree(service("web"))
    (root / "services").rename(root / "apps")
    (root / "services").symlink_to("apps")
    message = "is a symbolic link to apps: Argo CD does not see the services in it, and promotions do not check it out"
    fix = "set `services: apps/<service>` in fleet.yaml, or replace the link with a folder: `rm services && cp -R apps services`"
    assert said(run) == [("services", "KF210", message, fix)]
    assert not (root / "values").exists()
    (root / "fleet.yaml").write_text(FLEET + "services: apps/<service>\n")
    assert said(run) == []


def test_the_folder_of_a_team(tree: Tree, run: Run) -> None:
    root = tree({**dict.fromkeys(service("nginx")), "fleet.yaml": FLEET + PATTERN, **service("shop/api")})
    (root / "teams").mkdir()
    (root / "services/shop").rename(root / "teams/shop")
    (root / "services/shop").symlink_to("../teams/shop")
    assert [found[:2] for found in said(run)] == [("services/shop", "KF210")]


def test_a_folder_becomes_a_link_and_a_folder_again(tree: Tree, run: Run) -> None:
    """What was cached does not count any more."""
    root = tree(service("web"))
    assert said(run) == []
    link(root / "services/web", "_web")
    assert [found[:2] for found in said(run)] == [("services/web", "KF210")]
    (root / "services/web").unlink()
    (root / "services/_web").rename(root / "services/web")
    assert said(run) == []


def test_the_command_of_a_fix_is_safe_to_paste(tree: Tree, run: Run) -> None:
    """The target of a link is anything."""
    root = tree(service("web"))
    (root / "services/web").rename(root / "services/_web")
    (root / "services/a $(touch x)").mkdir()
    (root / "services/web").symlink_to("a $(touch x)")
    ((_, _, _, fix), *_) = [found for found in said(run) if found[1] == "KF210"]
    assert fix.endswith("`rm services/web && cp -R 'services/a $(touch x)' services/web`")
