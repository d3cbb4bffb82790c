"""What Git says of a repository, and what it says when there is none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kargo_fleet.clients.git import asked, git, ignored
from kargo_fleet.clients.process import ClientError, ClientTimeoutError
from kargo_fleet.errors import FleetError


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", "-b", "main", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("# a comment\n*.log\n!kept.log\n/tmp/\n")
    return tmp_path


def test_ignored_files_have_the_rule_and_its_place(repository: Path) -> None:
    found = ignored(repository, ["a.log", "kept.log", "tmp/x", "x", "ü\n.log"])
    assert {path: (rule.pattern, rule.place) for path, rule in found.items()} == {
        "a.log": ("*.log", ".gitignore:2"),
        "tmp/x": ("/tmp/", ".gitignore:4"),
        "ü\n.log": ("*.log", ".gitignore:2"),
    }


def test_a_file_that_is_tracked_is_not_ignored(repository: Path) -> None:
    (repository / "a.log").touch()
    git(repository, "add", "--force", "a.log")
    assert ignored(repository, ["a.log"]) == {}


def test_a_folder_of_a_repository_is_not_one(repository: Path) -> None:
    """A copy of a fleet below an ignored folder of a checkout is as good as anywhere else."""
    (repository / "tmp").mkdir()
    assert ignored(repository / "tmp", ["values/nginx.yaml"]) == {}


def test_outside_of_a_repository_nothing_is_ignored(tmp_path: Path) -> None:
    assert ignored(tmp_path, ["a.log"]) == {}
    assert asked(tmp_path, "rev-parse", "--show-toplevel") == ""


def test_failures_are_told(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClientError, match=r"bad revision|unknown revision"):
        git(repository, "log", "nowhere")
    with pytest.raises(ClientTimeoutError, match="did not answer"):
        git(repository, "-c", "alias.sleep=!sleep 5", "sleep", timeout=0.2)
    monkeypatch.setattr("kargo_fleet.clients.process.shutil.which", lambda _: None)
    with pytest.raises(FleetError, match="git is not on PATH"):
        git(repository, "status")
    assert asked(repository, "status") == ""
