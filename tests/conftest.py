"""What several test modules share: a fleet on disk from a dict, and the command line in this process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import properties
from argocd_checkout import appset, checkout  # noqa: F401
from contract.fixtures import oracle  # noqa: F401
from helm import CHART, ROOT
from kargo_fleet.cli.main import main

properties.load()


def _leave_the_users_fleet_alone(event: str, arguments: tuple[Any, ...]) -> None:
    """Fail a test that opens or lists what the owner of the repository changes first: the services and what is generated.

    A relative path may be relative to an open folder, which an audit event does not tell: only absolute ones count.
    """
    if event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], str | os.PathLike):
        path = os.fsdecode(arguments[0])
        if path.startswith(_OF_THE_USER) and path.removeprefix(_ROOT).partition(os.sep)[0] in USERS_FLEET:
            raise AssertionError(f"{path} is a user's: tests have the fleet of tests/samples.py")


#: What the owner of the repository changes first. The tests have a fleet of their own, in samples.py.
USERS_FLEET = ("fleet.yaml", "services", "values", "argocd")
_ROOT = f"{Path(__file__).resolve().parents[1]}{os.sep}"
_OF_THE_USER = tuple(_ROOT + name for name in USERS_FLEET)
sys.addaudithook(_leave_the_users_fleet_alone)

FLEET = "image: {registry: registry.example.com}\ngit: {repoURL: https://git.example.com/platform.git}\n"
#: The same for a fleet in which services may do what the shipped rules forbid.
TRUSTING = FLEET + "policy: {baseline: false}\n"
STAGES = ("dev", "staging", "prod")

#: Text files by path. None removes what `tree` would put there by itself.
Files = Mapping[str, str | bytes | None]
Tree = Callable[[Files], Path]


class Result(NamedTuple):
    status: int
    stdout: str
    stderr: str


Run = Callable[..., Result]
Command = Callable[..., subprocess.CompletedProcess[str]]
COMMAND = (sys.executable, "-m", "kargo_fleet")


def service(name: str, **files: str) -> dict[str, str | bytes | None]:
    """Return the files of a sound service; `kargo="…"` is the text of its kargo.yaml."""
    folder = f"services/{name}"
    found: dict[str, str | bytes | None] = {
        f"{folder}/values-{stage}.yaml": "image:\n  tag: 1.0.0\n" for stage in STAGES
    }
    found.update((f"{folder}/{file}.yaml", text) for file, text in files.items())
    return found


def link(path: Path, target: str) -> None:
    """Put a link in the place of a file or folder, which moves out of the way."""
    if path.exists():
        path.rename(path.with_name(f"_{path.name}"))
    path.symlink_to(target)


def add_chart(root: Path) -> None:
    """Put the chart where a repository has it."""
    shutil.copytree(
        CHART, root / CHART.relative_to(ROOT), ignore=shutil.ignore_patterns("ci", "tests"), dirs_exist_ok=True
    )


def texts(root: Path) -> dict[str, bytes]:
    """Return the generated files of a fleet, by path."""
    files = [path for folder in ("values", "argocd") for path in (root / folder).rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(autouse=True, scope="session")
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What runs remember goes into a folder of the tests'; returns that of the tool."""
    home = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home))
        yield home / "kargo-fleet"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """`tree({path: text})` writes a fleet: the service nginx, a short fleet.yaml and the chart, with `files` over it.

    `{"charts": None}` leaves the chart out.
    """

    def build(files: Files) -> Path:
        if "charts" not in files:
            add_chart(tmp_path)
        for path, content in {"fleet.yaml": FLEET, **service("nginx"), **files}.items():
            if content is None:
                continue
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    return build


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("check", …)` runs a command on the fleet of `tree`; outside of GitHub Actions, and off a terminal."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)

    def call(*arguments: str) -> Result:
        capsys.readouterr()
        try:
            status = main(["-C", str(tmp_path), *arguments])
        except SystemExit as exit_:  # argparse
            status = exit_.code if isinstance(exit_.code, int) else 1
        captured = capsys.readouterr()
        here = f"kargo-fleet -C {tmp_path} "  # commands in messages, which can be pasted
        return Result(status, *(text.replace(here, "kargo-fleet ") for text in captured))

    return call


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """`command("check", …)` does the same in a process of its own; keywords are those of subprocess.run."""

    def call(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if key not in ("GITHUB_ACTIONS", "NO_COLOR")}
        options = {"env": environment, "capture_output": True, "text": True, "timeout": 60, **options}
        return subprocess.run([*COMMAND, "-C", str(tmp_path), *arguments], check=False, **options)

    return call
