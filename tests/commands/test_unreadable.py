"""Files and folders that may not be read or written: a finding each, and everything else is done."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Command, Run, Tree, service, texts
from kargo_fleet.files import reading
from permissions import bind, permissions  # noqa: F401

pytestmark = pytest.mark.usefixtures("permissions")
Close = Callable[[str, int], None]


@pytest.fixture
def close(tree: Tree, run: Run, tmp_path: Path) -> Close:
    """`close("values/a.yaml", 0)` sets permissions in a generated fleet of three services."""
    tree({**service("api", kargo="shard: eu\n"), **service("web")})
    assert run("generate").status == 0
    (tmp_path / "services/web/kargo.yaml").write_text("shard: us\n")
    closed = []

    def chmod(path: str, mode: int) -> None:
        (tmp_path / path).chmod(mode)
        closed.append(path)

    return chmod


@pytest.mark.parametrize(
    ("path", "named"),
    [("services/api/kargo.yaml", "services/api/kargo.yaml"), ("services/api", "services/api/kargo.yaml")],
)
@pytest.mark.parametrize("cache", [[], ["--no-cache"]])
def test_settings_that_cannot_be_read_are_not_dropped(
    close: Close, command: Command, tmp_path: Path, path: str, named: str, cache: list[str]
) -> None:
    before = texts(tmp_path)["values/api.yaml"]
    close(path, 0)
    result = command("generate", *cache, preexec_fn=bind)
    (tmp_path / path).chmod(0o755)
    assert result.returncode == 1
    assert f"{named}: error KF001: cannot be read: Permission denied" in result.stdout
    assert "updated  values/web.yaml" in result.stdout
    assert texts(tmp_path)["values/api.yaml"] == before
    assert "shard: eu" in before.decode()


@pytest.mark.usefixtures("close")
@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ENAMETOOLONG])
def test_only_absence_is_absence(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def failing(path: str, **options: int) -> os.stat_result:
        if str(path).endswith("services/api/kargo.yaml"):
            raise OSError(number, os.strerror(number), path)
        return lstat(path, **options)

    def unreadable(path: str, flags: int, most: int) -> bytes:
        if path.endswith("services/api/kargo.yaml"):
            raise OSError(number, os.strerror(number), path)
        return content(path, flags, most)

    before, lstat, content = texts(tmp_path)["values/api.yaml"], os.lstat, reading._content
    monkeypatch.setattr(os, "lstat", failing)
    monkeypatch.setattr(reading, "_content", unreadable)
    result = run("generate")
    assert (result.status, texts(tmp_path)["values/api.yaml"]) == (1, before)
    assert f"services/api/kargo.yaml: error KF001: cannot be read: {os.strerror(number)}" in result.stdout
    assert "updated  values/web.yaml" in result.stdout


@pytest.mark.parametrize(
    ("path", "mode", "message"),
    [
        ("values/api.yaml", 0, "values/api.yaml: error KF001: cannot be read: Permission denied"),
        ("argocd/units.yaml", 0, "argocd/units.yaml: error KF001: cannot be read: Permission denied"),
        ("argocd/old.yaml", 0, "argocd/old.yaml: error KF001: cannot be read: Permission denied"),
        ("argocd/old", 0, "argocd/old: error KF001: cannot be read: Permission denied"),
        ("values/gone.yaml", 0, "values/gone.yaml: error KF001: cannot be read: Permission denied"),
        ("services/api/values-dev.yaml", 0, "services/api/values-dev.yaml: error KF001: cannot be read: Permission"),
        (
            "charts/kargo-service/.vendored",
            0,
            "charts/kargo-service/.vendored: error KF001: cannot be read: Permission",
        ),
    ],
)
@pytest.mark.parametrize("command_", ["generate", "check"])
def test_one_that_cannot_be_read(
    close: Close, command: Command, tmp_path: Path, path: str, mode: int, message: str, command_: str
) -> None:
    file = tmp_path / path
    if path == "argocd/old":
        file.mkdir()
    elif not file.exists():
        file.write_text((tmp_path / "values/api.yaml").read_text())
    close(path, mode)
    result = command(command_, preexec_fn=bind)
    file.chmod(0o755)
    assert (result.returncode, message in result.stdout) == (1, True), result
    assert ("updated  values/web.yaml" if command_ == "generate" else "values/web.yaml: error KF501") in result.stdout
    assert file.exists()


def test_a_folder_that_may_be_entered_but_not_listed(close: Close, command: Command, tmp_path: Path) -> None:
    (tmp_path / "services/api/values-dev.yaml").unlink()
    close("services/api", 0o311)
    result = command("generate", preexec_fn=bind)
    (tmp_path / "services/api").chmod(0o755)
    assert result.returncode == 1
    assert "services/api/values-dev.yaml: error KF401" in result.stdout
    assert "updated  values/web.yaml" in result.stdout


def test_a_folder_that_may_not_be_written(close: Close, command: Command, tmp_path: Path) -> None:
    close("values", 0o555)
    result = command("generate", preexec_fn=bind)
    (tmp_path / "values").chmod(0o755)
    assert result.returncode == 1
    assert "values/web.yaml: error KF010: could not be written: Permission denied" in result.stdout
    assert "could not be written or removed" in result.stderr


def test_a_chart_that_cannot_be_read_is_not_replaced_by_the_packaged_one(
    close: Close, command: Command, tmp_path: Path
) -> None:
    close("charts/kargo-service", 0)
    result = command("generate", preexec_fn=bind)
    (tmp_path / "charts/kargo-service").chmod(0o755)
    assert (result.returncode, result.stdout) == (2, "")
    assert "Permission denied" in result.stderr


def test_adopt_goes_on_with_the_others(close: Close, command: Command, tmp_path: Path) -> None:
    assert command("generate").returncode == 0
    for name in ("api", "nginx"):
        with (tmp_path / f"values/{name}.yaml").open("a") as file:
            file.write("commonLabels: {a: b}\n")
    close("services/api", 0o555)
    result = command("adopt", "*", preexec_fn=bind)
    (tmp_path / "services/api").chmod(0o755)
    assert result.returncode == 1
    assert "services/api/kargo.yaml: error KF010: could not be written: Permission denied" in result.stdout
    assert "created  services/nginx/kargo.yaml\nupdated  values/nginx.yaml\n" in result.stdout
    assert "commonLabels: {a: b}" in (tmp_path / "values/api.yaml").read_text(), "the edit is nowhere else"


def test_what_cannot_be_deployed_or_rendered_does_not_stop_the_others(
    close: Close, command: Command, tmp_path: Path
) -> None:
    close("values/api.yaml", 0)
    result = command("render", "--output-dir", "manifests", preexec_fn=bind)
    assert (result.returncode, sorted(os.listdir(tmp_path / "manifests"))) == (1, ["nginx.yaml", "web.yaml"])
    (tmp_path / "values/web.yaml").write_text((tmp_path / "values/web.yaml").read_text() + "shard: b\n")
    (tmp_path / "manifests").chmod(0o555)
    result = command("render", "--output-dir", "manifests", preexec_fn=bind)
    (tmp_path / "manifests").chmod(0o755)
    assert result.returncode == 1
    assert "manifests/web.yaml: error KF010: could not be written: Permission denied" in result.stdout
    assert "3 services: 1 rendered, 2 failed, 0 files written" in result.stderr
