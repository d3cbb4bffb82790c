"""Symbolic links on the way to a service's files: what Argo CD and a sparse checkout do not follow is an error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import FLEET, Run, Tree, service

PATTERN = "services: services/<team>/<service>\n"


def said(run: Run, *arguments: str) -> list[tuple[str, str, str, str]]:
    """Return place, code, message and fix of the findings of a run."""
    found = json.loads(run("generate", "--output", "json", *arguments).stdout)["findings"]
    return [(one["file"], one["code"], one["message"], one["fix"]) for one in found]


def link(path: Path, target: str) -> None:
    """Put a link in the place of a file or folder, which moves out of the way."""
    if path.exists():
        path.rename(path.with_name(f"_{path.name}"))
    path.symlink_to(target)


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


def test_links_to_files_of_the_service_work(tree: Tree, run: Run) -> None:
    root = tree({"services/nginx/envs/dev.yaml": "image: \n  tag: 1.0.0\n"})
    link(root / "services/nginx/values-dev.yaml", "envs/dev.yaml")
    assert said(run) == []


@pytest.mark.parametrize("nested", [False, True])
def test_a_link_out_of_the_folder(tree: Tree, run: Run, nested: bool) -> None:
    files = (
        {"services/nginx/kargo.yaml": "promotion: {path: 'services/<service>/envs/<stage>.yaml'}\n"} if nested else {}
    )
    names = ("envs/dev.yaml", "envs/staging.yaml", "envs/prod.yaml") if nested else ()
    root = tree({**files, **{f"services/nginx/{name}": "image:\n  tag: 1.0.0\n" for name in names}})
    (root / "common").mkdir()
    if nested:
        (root / "services/nginx/envs").rename(root / "common/envs")
        (root / "services/nginx/envs").symlink_to("../../common/envs")
        places = [f"services/nginx/envs/{stage}.yaml" for stage in ("dev", "prod", "staging")]
    else:
        (root / "services/nginx/values-dev.yaml").rename(root / "common/dev.yaml")
        (root / "services/nginx/values-dev.yaml").symlink_to("../../common/dev.yaml")
        places = ["services/nginx/values-dev.yaml"]
    found = said(run)
    assert [one[:2] for one in found] == [(place, "KF402") for place in places]
    assert "which promotions to dev do not check out: they would fail" in found[0][2]
    assert found[0][3] == "replace the link with a file, or set `git: {sparse: false}`"
    (root / "fleet.yaml").write_text(FLEET + "values: {git: {sparse: false}}\n")
    assert said(run) == []


def test_two_stages_with_one_file(tree: Tree, run: Run) -> None:
    root = tree({})
    (root / "services/nginx/values-prod.yaml").unlink()
    (root / "services/nginx/values-prod.yaml").symlink_to("values-dev.yaml")
    message = "is a symbolic link to services/nginx/values-dev.yaml, so promotions to prod would write the file of dev"
    assert said(run) == [("services/nginx/values-prod.yaml", "KF305", message, "replace the link with a file")]
