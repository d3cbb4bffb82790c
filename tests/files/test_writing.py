"""Files are written whole or not at all, below one folder, and never through a link."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kargo_fleet.files.writing import FileWriter, LinkError, is_temporary

TEMPORARY = f".kargo-fleet-{'0' * 32}.tmp"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder that is written to, beside one that is not."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/a.yaml").write_text("theirs")
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def write(root: Path, path: str, text: str = "new", **options: bool | str) -> None:
    with FileWriter(root) as writer:
        writer.write(path, text, **options)  # type: ignore[arg-type]


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("options", [{}, {"durable": True}, {"staged": "values"}])
def test_folders_are_made(root: Path, options: dict[str, bool | str]) -> None:
    write(root, "a/b/c.yaml", "Zürich\n", **options)
    write(root, "top.yaml", **options)
    assert (root / "a/b/c.yaml").read_bytes() == "Zürich\n".encode()
    assert names(root) == ["a/b/c.yaml", "top.yaml"]


def test_a_root_that_is_missing_is_made(root: Path) -> None:
    write(root / "x/y", "a.yaml")
    assert names(root) == ["x/y/a.yaml"]


@pytest.mark.parametrize("link", ["values", "values/deeper"])
@pytest.mark.parametrize("make", [lambda writer, path: writer.write(path, "mine"), FileWriter.remove])
def test_no_folder_is_followed(root: Path, link: str, make: Callable[[FileWriter, str], None]) -> None:
    (root / link).parent.mkdir(exist_ok=True)
    (root / link).symlink_to(root.parent / "outside")
    with FileWriter(root) as writer, pytest.raises(LinkError) as caught:
        make(writer, "values/deeper/a.yaml" if link == "values/deeper" else "values/a.yaml")
    assert (caught.value.path, caught.value.filename) == (link, str(root / link))
    assert (root.parent / "outside/a.yaml").read_text() == "theirs"
    assert os.listdir(root.parent / "outside") == ["a.yaml"]


def test_links_are_replaced_and_removed_themselves(root: Path) -> None:
    for name in ("one.yaml", "two.yaml"):
        (root / name).symlink_to("../outside/a.yaml")
    write(root, "one.yaml")
    with FileWriter(root) as writer:
        writer.remove("two.yaml")
        writer.remove("three.yaml")
    assert {path.name: path.is_symlink() for path in root.iterdir()} == {"one.yaml": False}
    assert (root.parent / "outside/a.yaml").read_text() == "theirs"


def test_nobody_prepares_the_temporary_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even one who guesses its name: it must not exist."""
    monkeypatch.setattr("secrets.token_hex", lambda _: "0" * 32)
    (root / TEMPORARY).symlink_to("../outside/new")
    with pytest.raises(FileExistsError):
        write(root, "a.yaml")
    assert not (root.parent / "outside/new").exists()


@pytest.mark.parametrize("path", ["../a", "a/../../b", "a//b"])
def test_paths_stay_below_the_root(root: Path, path: str) -> None:
    with pytest.raises(ValueError, match="below"):
        write(root, path)


def test_a_folder_that_is_replaced_meanwhile(root: Path) -> None:
    """As `git switch` does."""
    with FileWriter(root) as writer:
        writer.write("values/a.yaml", "1")
        (root / "values").rename(root / "old")
        (root / "old/a.yaml").unlink()
        (root / "old").rmdir()
        writer.write("values/b.yaml", "2")
    assert names(root) == ["values/b.yaml"]


def test_what_was_left_is_swept_and_nothing_else(root: Path) -> None:
    values = root / "values"
    values.mkdir()
    (values / TEMPORARY).write_text("half")
    kept = [".nginx.yaml.1.tmp", TEMPORARY.upper(), f"{TEMPORARY}.yaml", "x" + TEMPORARY, ".kargo-fleet-12.tmp"]
    for name in kept:
        (values / name).write_text("theirs")
    link, folder, pipe = (TEMPORARY.replace("0", digit) for digit in "123")
    (values / link).symlink_to("../../outside/a.yaml")
    (values / folder).mkdir()
    os.mkfifo(values / pipe)
    with FileWriter(root) as writer:
        writer.sweep(["values", "missing", "values/missing"])
    assert sorted(os.listdir(values)) == sorted([*kept, link, folder, pipe])
    assert all(map(is_temporary, (TEMPORARY, link)))


def test_what_another_run_writes_stays(root: Path) -> None:
    file = root / TEMPORARY
    file.write_text("half")
    with file.open("r+") as held, FileWriter(root) as writer:
        fcntl.flock(held, fcntl.LOCK_EX)
        writer.sweep([""])
        assert file.exists()
        fcntl.flock(held, fcntl.LOCK_UN)
        writer.sweep([""])
    assert not file.exists()


def test_a_sweep_between_creation_and_lock_harms_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock, sweeps = fcntl.flock, ["once"]

    def sweeping(descriptor: int, how: int) -> None:
        if how == fcntl.LOCK_EX and sweeps:
            sweeps.pop()
            with FileWriter(root) as other:
                other.sweep([""])
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", sweeping)
    write(root, "a.yaml")
    assert names(root) == ["a.yaml"]


def test_two_processes_write_and_sweep(root: Path) -> None:
    code = """if True:
        import sys
        from pathlib import Path
        from kargo_fleet.files.writing import FileWriter
        for number in range(300):
            with FileWriter(Path(sys.argv[1])) as writer:
                writer.sweep(["values"])
                writer.write(f"values/{number % 7}.yaml", sys.argv[2] * 1000)
    """
    runs = [subprocess.Popen([sys.executable, "-c", code, root, text]) for text in "abc"]
    assert [run.wait(60) for run in runs] == [0, 0, 0]
    assert names(root) == [f"values/{number}.yaml" for number in range(7)]
    assert all((root / name).read_text() in ("a" * 1000, "b" * 1000, "c" * 1000) for name in names(root))
