"""Scratch folders: gone at the end, and those of killed runs with the next one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from kargo_fleet.files.scratch import scratch_folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def aged(path: Path) -> Path:
    os.utime(path, (0, 0))
    return path


def test_it_is_gone_at_the_end(place: Path) -> None:
    with scratch_folder() as folder:
        (folder / "a").write_text("x")
        assert [*place.iterdir()] == [folder]
    assert [*place.iterdir()] == []


def test_that_of_a_killed_run_goes_with_the_next(place: Path) -> None:
    code = """if True:
        import os
        from kargo_fleet.files.scratch import scratch_folder
        with scratch_folder() as folder:
            (folder / "a").write_text("x")
            os._exit(9)
    """
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(place)}, check=False)
    (left,) = place.iterdir()
    with scratch_folder():
        assert left.exists(), "it may be that of a run that has just begun"
    aged(left)
    with scratch_folder():
        assert not left.exists()


def test_others_stay(place: Path) -> None:
    (place / "elsewhere").mkdir()
    names = [
        ".kargo-fleet-scratch-link____",
        "kargo-fleet-checkout",
        ".kargo-fleet-scratch-mine",
        ".kargo-fleet-scratch-a_file__",
    ]
    (place / names[0]).symlink_to("elsewhere")
    aged(place / "elsewhere")
    for name in names[1:3]:
        (place / name).mkdir()
        aged(place / name)
    aged_file = place / names[3]
    aged_file.write_text("x")
    aged(aged_file)
    with scratch_folder() as used:
        aged(used)
        with scratch_folder():
            assert used.exists()
    assert sorted(os.listdir(place)) == sorted(["elsewhere", *names])
