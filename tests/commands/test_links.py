"""Files that people own may be symbolic links: whatever a command writes, the links stay links, and what they lead to is kept."""

from __future__ import annotations

import argparse
import os
import subprocess
from pathlib import Path

import pytest

from conftest import Run, Tree
from kargo_fleet.cli.arguments import parser

#: The commands that write files of a repository, each with its arguments.
WRITING = {
    "adopt": ["adopt", "nginx"],
    "chart": ["chart", "vendor", "--force"],
    "generate": ["generate", "--force"],
    "init": ["init"],
    "policy": ["policy", "record"],
    "render": ["render", "--output-dir", "manifests"],
    "schema": ["schema"],
}
#: Those that write nowhere, or in the cluster only.
READING = {"capacity", "check", "completion", "credentials", "delete", "deploy", "doctor", "explain", "help"}
OWNED = (".pre-commit-config.yaml", "fleet.yaml", *(f"services/nginx/values-{stage}.yaml" for stage in ("dev", "prod")))


def test_every_command_is_here() -> None:
    (commands,) = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    assert set(commands.choices) == {*WRITING, *READING}


def linked(root: Path, path: str) -> None:
    """Move a file into a folder beside it, and leave a link."""
    file = root / path
    real = file.parent / "_real" / file.name
    real.parent.mkdir(exist_ok=True)
    file.rename(real)
    file.symlink_to(f"_real/{file.name}")


@pytest.mark.parametrize("command", WRITING)
def test_links_stay(tree: Tree, run: Run, command: str) -> None:
    kargo = "services/nginx/kargo.yaml"
    root = tree({kargo: "image: {constraint: ^1.0.0}\n", ".pre-commit-config.yaml": "repos: []\n"})
    subprocess.run(["git", "init", "-q", root], check=True)
    for path in (*OWNED, kargo):
        linked(root, path)
    assert run("generate").status == 0
    if command == "adopt":
        with (root / "values/nginx.yaml").open("a") as file:
            file.write("shard: a\n")
    if command == "init":
        (root / "fleet.yaml").unlink()
    links = {path for path in root.rglob("*") if path.is_symlink()}
    before = {path: path.read_text() for path in links}
    result = run(*WRITING[command])
    assert "Traceback" not in result.stderr
    assert {path for path in links if path.is_symlink()} == links
    assert {path: path.read_text() for path in links} == before


def test_an_edit_that_means_nothing_needs_no_kargo_yaml(tree: Tree, run: Run) -> None:
    kargo = "services/nginx/kargo.yaml"
    root = tree({kargo: "image: {constraint: ^1.0.0}\n"})
    linked(root, kargo)
    run("generate")
    text = (root / "values/nginx.yaml").read_text()
    (root / "values/nginx.yaml").write_text(text + "# mine\n")
    result = run("adopt", "nginx")
    assert (result.status, result.stdout) == (0, "updated  values/nginx.yaml\n")
    assert (root / "values/nginx.yaml").read_text() == text


# --- Links out of the repository ---


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is not the fleet's, with a file that is nobody's business."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "kargo.yaml").write_text("secret: hunter2\n")
    (folder / "nginx.yaml").write_text("secret: hunter2\n")
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("at", ["services/nginx/kargo.yaml", "services/nginx", "services", "kargo", "fleet.yaml"])
@pytest.mark.parametrize("command", ["generate", "check"])
def test_what_is_outside_is_not_read(tree: Tree, run: Run, outside: Path, at: str, command: str) -> None:
    fleet = "image: {registry: registry.example.com}\ngit: {repoURL: https://git.example.com/platform.git}\n"
    own = "serviceFile: kargo/<service>.yaml\n" if at == "kargo" else ""
    root = tree({"fleet.yaml": fleet + own})
    if at == "services":
        (root / "services").rename(outside / "services")
        (outside / "services/nginx/kargo.yaml").write_text("secret: hunter2\n")
    elif (root / at).exists():
        (root / at).rename(root / "before")
    target = {"services": outside / "services", "fleet.yaml": outside / "kargo.yaml"}.get(at, outside)
    (root / at).symlink_to(outside / "kargo.yaml" if at.endswith("nginx/kargo.yaml") else target)
    before = contents(outside)
    result = run(command, "--no-cache")
    assert result.status == 1
    assert "KF009" in result.stdout
    assert "hunter2" not in result.stdout + result.stderr
    assert contents(outside) == before
    assert not (root / "values/nginx.yaml").exists()


def test_a_link_into_the_git_repository_that_the_fleet_is_in(tree: Tree, run: Run) -> None:
    root = tree({"common/kargo.yaml": "shard: eu\n"})
    fleet = root / "fleet"
    fleet.mkdir()
    for name in ("fleet.yaml", "services", "charts"):
        (root / name).rename(fleet / name)
    (fleet / "services/nginx/kargo.yaml").symlink_to("../../../common/kargo.yaml")
    assert "KF009" in run("-C", str(fleet), "generate").stdout
    (root / ".git").mkdir()
    assert run("-C", str(fleet), "generate").status == 0
    assert "shard: eu" in (fleet / "values/nginx.yaml").read_text()


@pytest.mark.parametrize("folder", ["values", "argocd", "argocd/patches"])
@pytest.mark.parametrize(
    "arguments", [["generate", "--force", "--prune"], ["generate", "--dry-run", "--diff"], ["check"]]
)
def test_nothing_is_done_through_a_folder_that_is_a_link(
    tree: Tree, run: Run, outside: Path, folder: str, arguments: list[str]
) -> None:
    root = tree({})
    assert run("generate").status == 0
    for path in (root / folder).iterdir():
        path.rename(outside / path.name)
        if path.suffix == ".yaml":
            (outside / f"old-{path.name}").write_text((outside / path.name).read_text())
            (outside / path.name).write_text("secret: hunter2\n")
    (root / folder).rmdir()
    (root / folder).symlink_to(outside)
    before = contents(outside)
    result = run(*arguments)
    assert (result.status, contents(outside)) == (1, before)
    assert f"{folder}: error KF009: is a symbolic link" in result.stdout
    assert "hunter2" not in result.stdout


def test_a_generated_file_that_is_a_link_is_neither_shown_nor_followed(tree: Tree, run: Run, outside: Path) -> None:
    root = tree({})
    (root / "values").mkdir()
    (root / "values/nginx.yaml").symlink_to(outside / "nginx.yaml")
    for arguments in (["--dry-run", "--diff", "--force"], ["--force"]):
        result = run("generate", *arguments)
        assert (result.status, "hunter2" in result.stdout) == (1, False)
        assert "values/nginx.yaml: error KF009: is a symbolic link, which is not followed" in result.stdout
    assert contents(outside)["nginx.yaml"] == "secret: hunter2\n"
    result = run("render")
    assert (result.status, "hunter2" in result.stdout) == (1, False)


@pytest.mark.parametrize(
    ("link", "command"),
    [
        ("manifests", ["render", "--output-dir", "manifests"]),
        ("out", ["render", "--output-dir", "out/manifests"]),
        ("schemas", ["schema"]),
        ("charts", ["chart", "vendor", "--force"]),
        ("kargo", ["adopt", "nginx"]),
    ],
)
def test_no_command_writes_outside(tree: Tree, run: Run, outside: Path, link: str, command: list[str]) -> None:
    own = "serviceFile: kargo/<service>.yaml\n"
    fleet = "image: {registry: registry.example.com}\ngit: {repoURL: https://git.example.com/platform.git}\n"
    root = tree({"fleet.yaml": fleet + (own if link == "kargo" else ""), "charts": None})
    assert run("generate").status in (0, 1)
    with (root / "values/nginx.yaml").open("a") as file:
        file.write("commonLabels: {a: b}\n")
    (outside / "nginx.yaml").unlink()
    (root / link).symlink_to(outside)
    before = contents(outside)
    result = run(*command)
    assert (result.status != 0, contents(outside)) == (True, before)
    assert "link" in result.stdout + result.stderr
    assert os.listdir(outside) == list(before)


def test_a_prepared_temporary_file_is_not_opened(tree: Tree, run: Run, outside: Path) -> None:
    """Names as they once were, of all processes that there may be."""
    root = tree({})
    (root / "values").mkdir()
    for number in (os.getpid(), os.getpid() + 1):
        (root / f"values/.nginx.yaml.{number}.tmp").symlink_to(outside / "new")
    assert run("generate").status == 0
    assert not (outside / "new").exists()
