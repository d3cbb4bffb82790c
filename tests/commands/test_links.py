"""Files that people own may be symbolic links: whatever a command writes, the links stay links, and what they lead to is kept."""

from __future__ import annotations

import argparse
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
