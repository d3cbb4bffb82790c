"""The package, installed beside somebody's repository: the wheel in an environment of its own, from `init` to ApplicationSets."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from helm import ROOT
from kargo_fleet.fleet.vendored import RECORD

KargoFleet = Callable[..., subprocess.CompletedProcess[str]]


def done(command: list[Any], **options: Any) -> subprocess.CompletedProcess[str]:
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has the wheel of this checkout, and the libraries of the present one."""
    folder = tmp_path_factory.mktemp("wheel")
    offline = ["--quiet", "--no-index", "--no-deps"]
    done([sys.executable, "-m", "pip", "wheel", *offline, "--no-build-isolation", "--wheel-dir", folder, ROOT])
    (wheel,) = folder.glob("kargo_fleet-*.whl")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    python = folder / "venv" / "bin" / "python"
    done([sys.executable, "-m", "pip", "--python", python, "install", *offline, wheel])
    (libraries,) = (folder / "venv").glob("lib/python*/site-packages")
    # A folder that a .pth file adds has its packages looked for, and its own .pth files ignored: not this checkout.
    (libraries / "libraries.pth").write_text(sysconfig.get_paths()["purelib"])
    return folder / "venv"


@pytest.fixture
def foreign(installed: Path, tmp_path: Path) -> KargoFleet:
    """`foreign("check")` runs the installed program in a repository that has services, and nothing of this one."""
    for service in ("api", "nginx"):
        for stage in ("dev", "staging", "prod"):
            file = tmp_path / "apps" / service / f"values-{stage}.yaml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"image:\n  repository: ghcr.io/acme/{service}\n  tag: 1.0.0\n")
    done(["git", "init", "-q", "-b", "main", tmp_path])
    done(["git", "-C", tmp_path, "remote", "add", "origin", "git@github.com:acme/platform.git"])

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return done([installed / "bin" / "kargo-fleet", *arguments], cwd=tmp_path)

    return run


@pytest.mark.slow
def test_from_the_wheel_to_a_fleet(foreign: KargoFleet, installed: Path, tmp_path: Path) -> None:
    python = installed / "bin" / "python"
    code = "import kargo_fleet; print(kargo_fleet.__file__)"
    assert str(installed) in done([python, "-c", code], cwd=tmp_path).stdout
    foreign("init")
    foreign("generate")
    assert foreign("check").stderr == "2 services: 0 errors, 0 warnings\n"
    assert foreign("schema").stderr == "the schemas are up to date\n"
    assert foreign("chart", "vendor").stderr.endswith("up to date\n")


@pytest.mark.slow
def test_all_of_the_packaged_chart_is_vendored(foreign: KargoFleet, installed: Path, tmp_path: Path) -> None:
    foreign("init")
    (packaged,) = installed.glob("lib/python*/site-packages/kargo_fleet/chart")

    def files(folder: Path) -> set[str]:
        return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

    assert files(tmp_path / "charts/kargo-service") == files(packaged) | {RECORD}
    assert not any(path.startswith(("ci/", "tests/")) for path in files(packaged))


@pytest.mark.argocd
def test_argo_cd_finds_what_the_sets_point_to(foreign: KargoFleet, appset: Callable[..., Any], tmp_path: Path) -> None:
    foreign("init")
    foreign("generate")
    (found,) = appset("render", "-repo", tmp_path, tmp_path / "argocd/units.yaml")[0]
    sources = [application["spec"]["source"] for application in found["applications"]]
    assert len(sources) == 2
    for source in sources:
        assert yaml.safe_load((tmp_path / source["path"] / "Chart.yaml").read_text())["name"] == "kargo-service"
        assert all((tmp_path / file.lstrip("/")).is_file() for file in source["helm"]["valueFiles"])
