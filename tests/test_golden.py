"""Golden folders: what `generate` makes of each tests/cases/<name>, byte for byte. To update them: tests/README.md."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from conftest import Run, add_chart

CASES = Path(__file__).parent / "cases"
WRITTEN = ("values", "argocd", "policy")


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_case(tmp_path: Path, run: Run, case: str) -> None:
    shutil.copytree(CASES / case, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("expected"))
    add_chart(tmp_path)

    first = run("generate")
    found = _files(tmp_path) | {"findings.txt": _findings(first.stdout), "status": f"{first.status}\n".encode()}
    expected = CASES / case / "expected"
    if os.environ.get("GOLDEN"):
        _update(expected, found)
    assert found == _files(expected, *(path.name for path in expected.iterdir()))

    before = _identities(tmp_path)
    second = run("generate")
    assert _identities(tmp_path) == before
    assert _findings(second.stdout) == second.stdout.encode() == found["findings.txt"]

    check = run("check")
    assert check.status == first.status
    assert check.stdout.encode() == found["findings.txt"]
    assert _identities(tmp_path) == before


def _findings(stdout: str) -> bytes:
    """Return what of the output is findings; the lines above are the files that were written."""
    lines = stdout.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(("created ", "updated "))).encode()


def _files(root: Path, *folders: str) -> dict[str, bytes]:
    """Return the contents of the files in some folders, or of files, by path."""
    paths = [path for folder in folders or WRITTEN for path in [root / folder, *(root / folder).rglob("*")]]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths if path.is_file()}


def _identities(root: Path) -> dict[str, tuple[int, int, int]]:
    """Return what changes when a file is written, even with the content that it had."""
    status = {path: path.stat() for path in root.rglob("*")}
    return {str(path): (found.st_ino, found.st_mtime_ns, found.st_size) for path, found in status.items()}


def _update(expected: Path, found: dict[str, bytes]) -> None:
    shutil.rmtree(expected, ignore_errors=True)
    for name, content in found.items():
        (expected / name).parent.mkdir(parents=True, exist_ok=True)
        (expected / name).write_bytes(content)
