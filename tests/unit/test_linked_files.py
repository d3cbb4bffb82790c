"""Symbolic links among the files that promotions write: a promotion writes what a link leads to, if it has that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import TRUSTING, Run, Tree, link

UPDATES = """\
promotion:
  updates:
    cluster-b: {yaml: {path: "clusters/b/<service>-<stage>.yaml", keys: {image.tag: tag}}}
    overlay: {kustomize: {path: "overlays/<stage>/<service>"}}
"""


def said(run: Run, *arguments: str) -> list[tuple[str, str, str, str]]:
    """Return place, code, message and fix of the findings of a run."""
    found = json.loads(run("generate", "--output", "json", *arguments).stdout)["findings"]
    return [(one["file"], one["code"], one["message"], one["fix"]) for one in found]


def updates(more: str = "") -> dict[str, str | bytes | None]:
    """Return the files of a service that also writes a file and a kustomization per stage, both outside of its folder."""
    files: dict[str, str | bytes | None] = {"fleet.yaml": TRUSTING, "services/nginx/kargo.yaml": UPDATES + more}
    for stage in ("dev", "staging", "prod"):
        files[f"clusters/b/nginx-{stage}.yaml"] = "image:\n  tag: 1.0.0\n"
        files[f"overlays/{stage}/nginx/kustomization.yaml"] = "resources: []\n"
    return files


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
    (root / "fleet.yaml").write_text(TRUSTING + "values: {git: {sparse: false}}\n")
    assert said(run) == []


def test_two_stages_with_one_file(tree: Tree, run: Run) -> None:
    root = tree({})
    (root / "services/nginx/values-prod.yaml").unlink()
    (root / "services/nginx/values-prod.yaml").symlink_to("values-dev.yaml")
    message = "is a symbolic link to services/nginx/values-dev.yaml, so promotions to prod would write the file of dev"
    assert said(run) == [("services/nginx/values-prod.yaml", "KF305", message, "replace the link with a file")]


def test_files_and_kustomizations_of_updates_are_as_they_should_be(tree: Tree, run: Run) -> None:
    tree(updates())
    assert said(run) == []


@pytest.mark.parametrize(
    ("file", "target", "to"),
    [
        ("clusters/b/nginx-dev.yaml", "../../common/dev.yaml", "common/dev.yaml"),
        ("clusters/b/nginx-dev.yaml", "../a/nginx-dev.yaml", "clusters/a/nginx-dev.yaml"),
        (
            "overlays/dev/nginx/kustomization.yaml",
            "../../base/nginx/kustomization.yaml",
            "overlays/base/nginx/kustomization.yaml",
        ),
        ("overlays/dev/nginx", "../base/nginx", "overlays/base/nginx/kustomization.yaml"),
    ],
)
def test_a_link_of_an_update_to_what_is_not_checked_out(tree: Tree, run: Run, file: str, target: str, to: str) -> None:
    content = "image:\n  tag: 1.0.0\n"
    root = tree(updates() | {to: content})
    link(root / file, target)
    place = "overlays/dev/nginx/kustomization.yaml" if file == "overlays/dev/nginx" else file
    message = f"is a symbolic link to {to}, which promotions to dev do not check out: they would fail"
    assert said(run) == [(place, "KF402", message, "replace the link with a file, or set `git: {sparse: false}`")]
    above = str(Path(to).parent)
    for sparse in ("false", f"[{above}]", f"[{above.partition('/')[0]}]"):
        (root / "services/nginx/kargo.yaml").write_text(f"{UPDATES}git: {{sparse: {sparse}}}\n")
        assert said(run) == []


@pytest.mark.parametrize(
    ("file", "other"),
    [
        ("clusters/b/nginx-prod.yaml", "clusters/b/nginx-dev.yaml"),
        ("clusters/b/nginx-prod.yaml", "services/nginx/values-dev.yaml"),
        ("overlays/prod/nginx/kustomization.yaml", "overlays/dev/nginx/kustomization.yaml"),
    ],
)
def test_two_stages_with_one_file_of_updates(tree: Tree, run: Run, file: str, other: str) -> None:
    root = tree(updates())
    link(root / file, "../" * file.count("/") + other)
    message = f"is a symbolic link to {other}, so promotions to prod would write the file of dev"
    assert said(run) == [(file, "KF305", message, "replace the link with a file")]


def test_a_link_to_what_the_same_stage_writes(tree: Tree, run: Run) -> None:
    root = tree(updates())
    link(root / "clusters/b/nginx-prod.yaml", "../../services/nginx/values-prod.yaml")
    assert said(run) == []


def test_a_link_to_a_file_above_works(tree: Tree, run: Run) -> None:
    """Git's cone mode checks out the files of the folders above, too."""
    root = tree({"services/common.yaml": "image:\n  tag: 1.0.0\n"})
    link(root / "services/nginx/values-dev.yaml", "../common.yaml")
    assert said(run) == []
