"""`make dist`: sdist, wheel, chart, bill of materials and checksums of the commit that is checked out, into dist/."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from release.archives import normalize
from release.bom import write_bom
from release.errors import ReleaseError
from release.pins import PythonPin, as_line, at_run_time, go_pins, python_pins

SUMS = "SHA256SUMS"
#: What a release is made of. The rest of the repository is tests, and the fleet of its owner.
_PATHS = (
    *(".gitignore", "CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml", "requirements.txt"),
    *("charts", "docs", "tools"),
)


def main() -> int:
    """Build into `dist/` of the current folder, and print the names."""
    try:
        for name in build(Path.cwd(), Path.cwd() / "dist"):
            print(f"dist/{name}")
    except ReleaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def build(root: Path, target: Path) -> list[str]:
    """Build everything from the commit, not from the working tree, and return the names of the files.

    Raises:
        ReleaseError: there are changes that are not committed, or a program failed.
    """
    _require_clean(root)
    epoch = int(_run(["git", "log", "-1", "--format=%ct"], root))
    with tempfile.TemporaryDirectory(prefix="kargo-fleet-") as scratch:
        tree, out = Path(scratch, "tree"), Path(scratch, "out")
        out.mkdir()
        _export(root, tree)
        _build_package(tree, out, epoch)
        chart = _build_chart(tree, out, epoch)
        version = chart.stem.removeprefix("kargo-service-")
        python = at_run_time(python_pins((tree / "requirements.txt").read_text()))
        made = datetime.fromtimestamp(epoch, UTC)
        (out / f"kargo-fleet-{version}.cdx.json").write_text(
            write_bom(version, python, go_pins(tree / "tools" / "cli"), made)
        )
        (out / f"kargo-fleet-{version}.requirements.txt").write_text(_requirements(out, version, python))
        names = sorted(file.name for file in out.iterdir())
        (out / SUMS).write_text("".join(f"{_sha256(out / name)}  {name}\n" for name in names))
        target.mkdir(exist_ok=True)
        for name in [*names, SUMS]:
            shutil.copyfile(out / name, target / name)
    return [*names, SUMS]


def _require_clean(root: Path) -> None:
    changes = _run(["git", "status", "--porcelain", "--", *_PATHS], root).splitlines()
    if changes:
        more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
        raise ReleaseError(
            f"{changes[0][3:]}{more}: not committed, and would be missing; `git stash --include-untracked` or commit first"
        )


def _export(root: Path, tree: Path) -> None:
    """Write the product's files of the commit: links in somebody's services are not its business.

    Modes must not depend on the umask: the filter `data` clears the bits that could differ.
    """
    paths = _run(["git", "ls-tree", "--name-only", "HEAD", "--", *_PATHS], root).splitlines()
    packed = _output(["git", "archive", "--format=tar", "HEAD", "--", *paths], root)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(tree, filter="data")


def _build_package(tree: Path, out: Path, epoch: int) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--directory", str(out), "--target"]
    for kind in ("sdist", "wheel"):
        _run([*build, kind], tree, SOURCE_DATE_EPOCH=str(epoch))


def _build_chart(tree: Path, out: Path, epoch: int) -> Path:
    _run(["helm", "package", "charts/kargo-service", "--destination", str(out)], tree)
    (chart,) = out.glob("kargo-service-*.tgz")
    normalize(chart, epoch)
    return chart


def _requirements(out: Path, version: str, python: Sequence[PythonPin]) -> str:
    """Return what `pip install --require-hashes` installs: the wheel and what it needs, as they were tested."""
    (wheel,) = out.glob("*.whl")
    package = PythonPin("kargo-fleet", version, "", (_sha256(wheel),), (), direct=True)
    return "# pip install --require-hashes --only-binary :all: -r THIS-FILE\n" + "".join(
        map(as_line, [package, *python])
    )


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _run(command: Sequence[str], cwd: Path, **environment: str) -> str:
    return _output(command, cwd, **environment).decode()


def _output(command: Sequence[str], cwd: Path, **environment: str) -> bytes:
    try:
        done = subprocess.run(command, cwd=cwd, env=os.environ | environment, capture_output=True, check=False)
    except OSError as error:
        raise ReleaseError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        raise ReleaseError(f"`{' '.join(command)}` failed:\n{done.stderr.decode(errors='replace').strip()}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
