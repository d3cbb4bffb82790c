"""kargo-fleet adopt: edits of generated files move to kargo.yaml, and nothing else changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conftest import add_chart
from kargo_fleet.cli.main import main
from kargo_fleet.files.writing import FileWriter
from kargo_fleet.text import yaml_reader

FLEET = """\
image: {registry: registry.example.com}
git: {repoURL: https://github.com/example/gitops.git}
values:
  warehouse: {interval: 10m}
"""
OWN = """\
# Our service.
image:
  constraint: '^2.0.0'  # the new API
stages:
  # a person decides
  prod: {requiredSoakTime: 1h}
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    add_chart(tmp_path)
    (tmp_path / "fleet.yaml").write_text(FLEET)
    folder = tmp_path / "services" / "nginx"
    folder.mkdir(parents=True)
    for stage in ("dev", "staging", "prod", "qa"):
        (folder / f"values-{stage}.yaml").write_text("image:\n  tag: 1.0.0\n")
    (folder / "kargo.yaml").write_text(OWN)
    assert main(["-C", str(tmp_path), "generate"]) == 0
    return tmp_path


def edit(fleet: Path, old: str, new: str) -> dict[str, object]:
    path = fleet / "values" / "nginx.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return yaml_reader.parse(path.read_text())


@pytest.mark.parametrize(
    ("old", "new", "own"),
    [
        ("constraint: ^2.0.0", "constraint: ^3.0.0", OWN.replace("^2.0.0", "^3.0.0")),
        ("  constraint: ^2.0.0\n", "", OWN.replace("image:\n  constraint: '^2.0.0'  # the new API\n", "")),
        (
            "constraint: ^2.0.0",
            "constraint: ^2.0.0\n  discoveryLimit: 5",
            OWN.replace("the new API", "the new API\n  discoveryLimit: 5"),
        ),
        ("stages:\n", "stages:\n  staging: null\n", None),
        ("stages:\n", "stages:\n  qa: {upstream: [dev]}\n", OWN + "  qa:\n    upstream: [dev]\n"),
        ('interval: "10m"', 'interval: "15m"', OWN + "warehouse:\n  interval: 15m\n"),
        ('warehouse:\n  interval: "10m"\n', "", OWN + "warehouse:\n  interval: 5m\n"),
        ('    requiredSoakTime: "1h"\n', "    color: '#ff8800'\n", None),
    ],
)
def test_the_edit_moves(fleet: Path, old: str, new: str, own: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    edited = edit(fleet, old, new)
    if "staging: null" in new:
        edited = edit(fleet, "  prod:\n", "  prod:\n    upstream: [dev]\n")
    assert main(["-C", str(fleet), "adopt", "nginx"]) == 0, capsys.readouterr().out
    text = (fleet / "services" / "nginx" / "kargo.yaml").read_text()
    assert own is None or text == own
    assert "# Our service.\n" in text
    assert "# a person decides\n" in text
    assert yaml_reader.parse((fleet / "values" / "nginx.yaml").read_text()) == edited
    assert main(["-C", str(fleet), "check"]) == 0


def test_a_service_without_kargo_yaml_gets_one(fleet: Path) -> None:
    (fleet / "services" / "nginx" / "kargo.yaml").unlink()
    main(["-C", str(fleet), "generate"])
    edit(fleet, "image:\n", "image:\n  constraint: ^4.0.0\n")
    assert main(["-C", str(fleet), "adopt", "nginx"]) == 0
    assert (fleet / "services" / "nginx" / "kargo.yaml").read_text() == "image:\n  constraint: ^4.0.0\n"


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("constraint: latest", "values/nginx.yaml: error KF302: image.constraint"),
        ("constrain: ^3.0.0", "values/nginx.yaml:7:3: error KF101: image.constrain: unknown key"),
        ("constraint: [", "values/nginx.yaml:"),
    ],
)
def test_an_edit_that_cannot_work_is_refused(
    fleet: Path, new: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = fleet / "values" / "nginx.yaml"
    path.write_text(path.read_text().replace("constraint: ^2.0.0", new))
    before = path.read_text()
    capsys.readouterr()
    assert main(["-C", str(fleet), "adopt", "nginx"]) == 1
    assert said in capsys.readouterr().out
    assert path.read_text() == before
    assert (fleet / "services" / "nginx" / "kargo.yaml").read_text() == OWN


def test_nothing_to_adopt(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-C", str(fleet), "adopt", "nginx"]) == 2
    assert "nothing to adopt: values/nginx.yaml was not edited" in capsys.readouterr().err


def test_the_name_of_the_service_is_not_adopted(fleet: Path) -> None:
    edit(fleet, "name: nginx", "name: other")
    assert main(["-C", str(fleet), "adopt", "nginx"]) == 0
    assert (fleet / "services" / "nginx" / "kargo.yaml").read_text() == OWN
    assert "name: nginx\n" in (fleet / "values" / "nginx.yaml").read_text()


@pytest.mark.parametrize("written", [0, 1])
def test_an_interrupted_run_leaves_whole_files_and_can_be_repeated(
    fleet: Path, written: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C before a write, or between the two: what stands there is valid, and the same command completes the move."""
    edit(fleet, 'interval: "10m"', 'interval: "1h"')
    files = [fleet / "services/nginx/kargo.yaml", fleet / "values/nginx.yaml"]
    before = [file.read_text() for file in files]
    write, done = FileWriter.write, []

    def until_ctrl_c(self: FileWriter, path: str, text: str, **options: Any) -> None:
        if len(done) == written:
            raise KeyboardInterrupt
        write(self, path, text, **options)
        done.append(path)

    with monkeypatch.context() as patch:
        patch.setattr(FileWriter, "write", until_ctrl_c)
        assert main(["-C", str(fleet), "adopt", "nginx"]) == 130
    assert "every file is either unchanged or complete" in capsys.readouterr().err
    assert [file.read_text() == text for file, text in zip(files, before, strict=True)] == [not written, True]
    assert main(["-C", str(fleet), "generate"]) == 0, "the half that is done is valid"
    assert files[1].read_text() == before[1], "the edit is kept"

    assert main(["-C", str(fleet), "adopt", "nginx"]) == 0
    assert "interval: 1h" in files[0].read_text()
    assert main(["-C", str(fleet), "check"]) == 0


@pytest.mark.parametrize("text", ["stages: {dev: {branch: null}}\n", "commonLabels: {}\n", "# a remark\n"])
def test_an_edit_that_means_nothing_makes_no_file(fleet: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (fleet / "services/nginx/kargo.yaml").unlink()
    assert main(["-C", str(fleet), "generate"]) == 0
    path = fleet / "values/nginx.yaml"
    before = path.read_text()
    path.write_text(before + text)
    capsys.readouterr()
    assert main(["-C", str(fleet), "adopt", "nginx"]) == 0
    (changed,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("created", "updated"))]
    assert changed == "updated  values/nginx.yaml"
    assert not (fleet / "services/nginx/kargo.yaml").exists()
    assert path.read_text() == before
