"""`make dist`: what it builds depends on the commit, and on nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import kargo_fleet
from helm import ROOT
from release.dist import SUMS
from release.pins import python_pins

VERSION = kargo_fleet.__version__
COPIED = ("pyproject.toml", "requirements.txt", "README.md", "LICENSE", "CHANGELOG.md", ".gitignore", ".gitattributes")
FOLDERS = ("charts", "docs", "tools")
NAMES = {
    f"kargo_fleet-{VERSION}.tar.gz",
    f"kargo_fleet-{VERSION}-py3-none-any.whl",
    f"kargo-service-{VERSION}.tgz",
    f"kargo-fleet-{VERSION}.cdx.json",
    f"kargo-fleet-{VERSION}.requirements.txt",
    SUMS,
}


def _commit(folder: Path) -> Path:
    """Write the product without anybody's fleet, as one commit: the same in every folder."""
    folder.mkdir()
    for name in COPIED:
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, folder)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "README.md").touch()
    # What a release is not made of, and cannot stop it.
    (folder / "services").mkdir()
    (folder / "services" / "web").symlink_to("/nowhere")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-C", str(folder)]
    dates = {"GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z"}
    for command in (["init", "-q"], ["add", "--all"], ["commit", "-qm", "a"]):
        subprocess.run([*git, *command], env=os.environ | dates, check=True)
    return folder


def _dist(root: Path, umask: int = 0o022, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "release.dist"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(ROOT / "tools")} | environment,
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )


def _built(root: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (root / "dist").iterdir()}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = _commit(tmp_path_factory.mktemp("first") / "product")
    done = _dist(root)
    assert done.returncode == 0, done.stderr
    assert {line.removeprefix("dist/") for line in done.stdout.splitlines()} == NAMES
    return root


def test_the_same_bytes_twice(first: Path, tmp_path: Path) -> None:
    """In another folder, at another time, by another user: file times, umask, time zone, hash seed and language differ."""
    second = _commit(tmp_path / "another name")
    for file in (second / "charts").rglob("*"):
        os.utime(file, (1_000_000_000, 1_000_000_000))
    done = _dist(second, umask=0o077, TZ="Asia/Tokyo", PYTHONHASHSEED="7", LC_ALL="C", SOURCE_DATE_EPOCH="1")
    assert done.returncode == 0, done.stderr
    one, other = _built(first), _built(second)
    assert [name for name in NAMES if one[name] != other[name]] == []
    assert set(one) == set(other) == NAMES


def test_the_sums_are_those_of_the_files(first: Path) -> None:
    check = subprocess.run(
        [sys.executable, "-c", _CHECK], cwd=first / "dist", capture_output=True, text=True, check=True
    )
    assert set(check.stdout.split()) == NAMES - {SUMS}


_CHECK = """
import hashlib, pathlib
for line in pathlib.Path("SHA256SUMS").read_text().splitlines():
    digest, name = line.split("  ")
    assert hashlib.sha256(pathlib.Path(name).read_bytes()).hexdigest() == digest, name
    print(name)
"""


def test_the_sdist_builds_the_same_wheel(first: Path, tmp_path: Path) -> None:
    wheel = f"kargo_fleet-{VERSION}-py3-none-any.whl"
    with tarfile.open(first / "dist" / f"kargo_fleet-{VERSION}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=tree, env=os.environ | {"SOURCE_DATE_EPOCH": "1767323045"}, check=True)
    assert (tmp_path / wheel).read_bytes() == (first / "dist" / wheel).read_bytes()


def test_the_wheel_and_its_dependencies_are_pinned_by_hash(first: Path) -> None:
    pins = python_pins((first / "dist" / f"kargo-fleet-{VERSION}.requirements.txt").read_text())
    assert [pin.name for pin in pins if pin.name in ("kargo-fleet", "rich", "hatchling")] == ["kargo-fleet", "rich"]
    wheel = (first / "dist" / f"kargo_fleet-{VERSION}-py3-none-any.whl").read_bytes()
    assert pins[0].hashes == (hashlib.sha256(wheel).hexdigest(),)


def test_helm_reads_the_chart(first: Path) -> None:
    chart = first / "dist" / f"kargo-service-{VERSION}.tgz"
    shown = subprocess.run(["helm", "show", "chart", str(chart)], capture_output=True, text=True, check=True)
    assert yaml.safe_load(shown.stdout)["version"] == VERSION
    with tarfile.open(chart) as archive:
        members = archive.getmembers()
    assert {(m.uid, m.gid, m.uname, m.gname, m.mode, m.mtime) for m in members} == {(0, 0, "", "", 0o644, 1767323045)}
    assert not [m.name for m in members if m.name.startswith(("kargo-service/ci/", "kargo-service/tests/"))]


def test_the_bill_of_materials(first: Path) -> None:
    text = (first / "dist" / f"kargo-fleet-{VERSION}.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bom = json.loads(text)
    assert bom["metadata"]["timestamp"] == "2026-01-02T03:04:05+00:00"
    # Not pkg:pypi: the name is free there, and would be somebody else's.
    assert bom["metadata"]["component"]["purl"] == f"pkg:generic/kargo-fleet@{VERSION}"
    components = {component["name"]: component for component in bom["components"]}
    assert components["rich"]["scope"] == "required"
    assert components["helm.sh/helm/v4"]["scope"] == "optional"
    assert "hatchling" not in components
    needs = {item["ref"].rpartition("@")[0]: item.get("dependsOn", []) for item in bom["dependencies"]}
    assert any(ref.startswith("pkg:pypi/markdown-it-py@") for ref in needs["pkg:pypi/rich"])


def test_what_is_not_committed_stops_it(first: Path, tmp_path: Path) -> None:
    root = tmp_path / "product"
    shutil.copytree(first, root, symlinks=True)
    shutil.rmtree(root / "dist")
    (root / "services" / "web").unlink()  # not part of it
    (root / "tools" / "kargo_fleet" / "new.py").touch()
    (root / "pyproject.toml").write_text("")
    done = _dist(root)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: pyproject.toml and 1 more: not committed, and would be missing; `git stash")
    assert not (root / "dist").exists()
