"""kargo-fleet chart vendor: a copy of the chart that is updated until somebody edits it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import FLEET, Run, Tree
from helm import CHART
from kargo_fleet import __version__
from kargo_fleet.files.writing import FileWriter
from kargo_fleet.fleet import chart
from kargo_fleet.fleet.vendored import RECORD, read_record

FOLDER = "charts/kargo-service"
Newer = Callable[[str, dict[str, str | None]], None]


@pytest.fixture
def newer(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Newer:
    """`newer("9.0.0", {path: text})` is the tool of another version, whose chart has these files; None removes one."""

    def build(version: str, files: dict[str, str | None]) -> None:
        folder = tmp_path_factory.mktemp("packaged") / "chart"
        subprocess.run(["cp", "-r", CHART, folder], check=True)
        metadata = (folder / "Chart.yaml").read_text().replace(f"version: {__version__}", f"version: {version}")
        for path, text in {"Chart.yaml": metadata, **files}.items():
            (folder / path).unlink() if text is None else (folder / path).write_text(text)
        for module in (
            "kargo_fleet.onboard.vendoring",
            "kargo_fleet.generate.argocd_inputs",
            "kargo_fleet.fleet.chart",
        ):
            monkeypatch.setattr(f"{module}.packaged", folder.resolve)

    return build


def copied(root: Path, folder: str = FOLDER) -> dict[str, bytes]:
    return {
        path.relative_to(root / folder).as_posix(): path.read_bytes()
        for path in sorted((root / folder).rglob("*"))
        if path.is_file()
    }


def said(run: Run, *options: str) -> tuple[int, list[tuple[str, str, str]]]:
    result = run("chart", "vendor", *options, "--output", "json")
    found: list[dict[str, Any]] = json.loads(result.stdout)["findings"]
    return result.status, [(item["file"], item["code"], item["message"]) for item in found]


def test_a_copy_is_made_once(tree: Tree, run: Run) -> None:
    root = tree({"charts": None})
    result = run("chart", "vendor")
    files = copied(root)
    assert result.status == 0
    assert result.stdout.count("created  charts/kargo-service/") == len(files)
    assert {file for file in files if "/" not in file} == {
        ".helmignore", RECORD, "Chart.yaml", "README.md", "values.schema.json", "values.yaml",
    }  # fmt: skip
    assert all(files[path] == (CHART / path).read_bytes() for path in files if path != RECORD)
    assert {path.name for path in (CHART / "templates").iterdir()} == {
        path.rpartition("/")[2] for path in files if "/" in path
    }
    times = {path: path.stat().st_mtime_ns for path in (root / FOLDER).rglob("*")}
    assert run("chart", "vendor") == (0, "", f"{FOLDER}: version {__version__}, up to date\n")
    assert {path: path.stat().st_mtime_ns for path in (root / FOLDER).rglob("*")} == times
    assert run("generate").status == run("check").status == 0


def test_the_record_can_be_checked_with_sha256sum(tree: Tree, run: Run) -> None:
    root = tree({"charts": None})
    run("chart", "vendor")
    record = read_record(root / FOLDER)
    assert record is not None
    assert record.version == __version__
    files = copied(root)
    del files[RECORD]
    assert record.sums == {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    done = subprocess.run(["sha256sum", "--check", "--quiet", RECORD], cwd=root / FOLDER, check=False)
    assert done.returncode == 0


def test_a_dry_run_writes_nothing(tree: Tree, run: Run) -> None:
    root = tree({"charts": None})
    result = run("chart", "vendor", "--dry-run")
    assert "dry run: would create charts/kargo-service/Chart.yaml" in result.stdout
    assert result.stderr.startswith("dry run: ")
    assert not (root / "charts").exists()


def test_an_untouched_copy_is_updated(tree: Tree, run: Run, newer: Newer) -> None:
    root = tree({"charts": None})
    run("chart", "vendor")
    run("generate")
    newer("9.0.0", {"templates/new.yaml": "# new\n", "templates/NOTES.txt": None, "README.md": "# Another\n"})
    assert "KFW602" in run("check").stdout
    result = run("chart", "vendor")
    assert (result.status, result.stdout.splitlines()) == (
        0,
        [
            "updated  charts/kargo-service/Chart.yaml",
            "updated  charts/kargo-service/README.md",
            "created  charts/kargo-service/templates/new.yaml",
            "updated  charts/kargo-service/.vendored",
            "removed  charts/kargo-service/templates/NOTES.txt",
        ],
    )
    files = copied(root)
    assert "templates/NOTES.txt" not in files
    assert files["templates/new.yaml"] == b"# new\n"
    assert run("chart", "vendor").stderr == f"{FOLDER}: version 9.0.0, up to date\n"
    assert "KFW602" not in run("check").stdout


def test_line_ends_of_git_are_no_edit(tree: Tree, run: Run, newer: Newer) -> None:
    root = tree({"charts": None})
    run("chart", "vendor")
    for path, content in copied(root).items():
        (root / FOLDER / path).write_bytes(content.replace(b"\n", b"\r\n"))
    newer("9.0.0", {})
    assert said(run) == (0, [])


def test_an_edited_copy_is_kept_as_a_whole(tree: Tree, run: Run, newer: Newer) -> None:
    root = tree({"charts": None})
    run("chart", "vendor")
    (root / FOLDER / "templates/stages.yaml").write_text("# ours\n")
    (root / FOLDER / "templates/more.yaml").write_text("# more\n")
    before = copied(root)
    stages, more = f"{FOLDER}/templates/stages.yaml", f"{FOLDER}/templates/more.yaml"
    edits = [(more, "KFW501", "was added by hand and is kept"), (stages, "KFW501", "was edited by hand and is kept")]
    assert said(run) == (0, edits)
    newer("9.0.0", {})
    end = "; the chart was not updated to 9.0.0"
    assert said(run) == (1, [(file, "KF502", message + end) for file, _, message in edits])
    assert copied(root) == before
    assert said(run, "--force") == (0, [(more, "KFW503", "does not belong to the chart and is kept")])
    assert copied(root)["templates/stages.yaml"] == (CHART / "templates/stages.yaml").read_bytes()


def test_a_deleted_file_is_restored(tree: Tree, run: Run) -> None:
    root = tree({"charts": None})
    run("chart", "vendor")
    (root / FOLDER / "templates/NOTES.txt").unlink()
    assert run("chart", "vendor").stdout == f"created  {FOLDER}/templates/NOTES.txt\n"


def test_an_older_tool_does_not_go_back(tree: Tree, run: Run, newer: Newer) -> None:
    root = tree({"charts": None})
    newer("9.0.0", {})
    run("chart", "vendor")
    newer("9.0.0-rc.1", {})
    before = copied(root)
    status, ((_, code, message),) = said(run)
    assert (status, code) == (0, "KFW602")
    assert "of kargo-fleet 9.0.0, and this is kargo-fleet 9.0.0-rc.1" in message
    assert copied(root) == before
    assert said(run, "--force") == (0, [])


@pytest.mark.parametrize("name", ["Chart.yaml", "templates/own.yaml"])
def test_a_chart_of_somebody_else_is_kept(tree: Tree, run: Run, name: str) -> None:
    root = tree({"charts": None, f"{FOLDER}/{name}": "apiVersion: v2\nname: kargo-service\nversion: 1.0.0\n"})
    assert said(run) == (1, [(FOLDER, "KF502", "was not copied by kargo-fleet and is kept")])
    assert len(copied(root)) == 1
    assert said(run, "--force")[0] == 0
    assert RECORD in copied(root)


def test_the_folder_is_that_of_fleet_yaml(tree: Tree, run: Run) -> None:
    root = tree({"charts": None, "fleet.yaml": f"{FLEET}chart: {{path: deploy/unit}}\n"})
    assert "kargo-fleet chart vendor" in run("generate").stdout
    assert run("chart", "vendor").status == 0
    assert (root / "deploy/unit/Chart.yaml").exists()
    assert run("generate").status == 0


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            "{oci: oci://r.example.com/kargo-service, version: 1.0.0}",
            "takes the chart from chart.oci, so no copy is needed",
        ),
        ("{git: https://git.example.com/c.git, path: unit}", "takes the chart from chart.git"),
        ("{path: ../elsewhere}", "is not a path from the root of the repository"),
        ("{path: /tmp}", "is not a path from the root of the repository"),
    ],
)
def test_nothing_is_copied_to_elsewhere(tree: Tree, run: Run, section: str, message: str) -> None:
    tree({"charts": None, "fleet.yaml": f"{FLEET}chart: {section}\n"})
    result = run("chart", "vendor")
    assert result.status == 2
    assert message in result.stderr


def test_a_copy_beside_a_registry(tree: Tree, run: Run) -> None:
    """Its defaults and its schema are used."""
    chart_section = f"{{oci: oci://r.example.com/kargo-service, version: {__version__}, path: charts/copy}}"
    root = tree({"charts": None, "fleet.yaml": f"{FLEET}chart: {chart_section}\n"})
    assert run("chart", "vendor").status == 0
    assert run("generate").status == 0
    assert (root / "charts/copy/values.yaml").exists()


def test_the_chart_of_the_tool_itself_is_left_alone(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a repository made from this one, the folder is where the tool has its chart from."""
    subprocess.run(["mkdir", "-p", tmp_path / "charts"], check=True)
    subprocess.run(["cp", "-r", CHART, tmp_path / FOLDER], check=True)
    monkeypatch.setattr("kargo_fleet.onboard.vendoring.packaged", (tmp_path / FOLDER).resolve)
    (tmp_path / "fleet.yaml").write_text(FLEET)
    before = copied(tmp_path)
    for options in ([], ["--force"]):
        result = run("chart", "vendor", *options)
        assert (result.status, result.stdout) == (0, "")
        assert "is the chart that this kargo-fleet comes with; nothing to do" in result.stderr
    assert copied(tmp_path) == before


def test_a_run_that_was_killed_is_completed(
    tree: Tree, run: Run, newer: Newer, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tree({"charts": None})
    run("chart", "vendor")
    newer("9.0.0", {"templates/NOTES.txt": None, "values.yaml": (CHART / "values.yaml").read_text() + "# more\n"})
    write = FileWriter.write

    def killed(self: FileWriter, path: str, text: str) -> None:
        if path.endswith(f"/{RECORD}"):
            raise KeyboardInterrupt
        write(self, path, text)

    with monkeypatch.context() as patch:
        patch.setattr(FileWriter, "write", killed)
        assert run("chart", "vendor").status == 130
    assert said(run) == (0, [])
    assert "templates/NOTES.txt" not in copied(root)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_first_copy_that_failed_is_completed(
    tree: Tree, run: Run, newer: Newer, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Also by a newer version: the record is there first."""
    root = tree({"charts": None})
    write, left = FileWriter.write, [*range(count)]

    def full(self: FileWriter, path: str, text: str) -> None:
        if not left:
            raise OSError(28, "No space left on device", str(root / path))
        left.pop()
        write(self, path, text)

    with monkeypatch.context() as patch:
        patch.setattr(FileWriter, "write", full)
        result = run("chart", "vendor")
        assert (result.status, result.stdout.count("created"), result.stdout.count("error KF010")) == (1, count, 1)
        assert result.stderr == "stopped before the end\n"
    newer("9.0.0", {"README.md": "# Another\n"})
    assert said(run) == (0, [])
    assert copied(root)["README.md"] == b"# Another\n"
    assert run("check").stdout.count("KFW602") == 0


def test_a_part_of_this_chart_without_a_record_is_completed(tree: Tree, run: Run) -> None:
    root = tree({"charts": None, f"{FOLDER}/Chart.yaml": (CHART / "Chart.yaml").read_bytes()})
    assert said(run) == (0, [])
    assert RECORD in copied(root)


@pytest.mark.parametrize("command", [("chart", "vendor"), ("schema",)])
def test_a_folder_that_is_not_a_fleet_stays_as_it_is(tmp_path: Path, run: Run, command: tuple[str, ...]) -> None:
    result = run(*command)
    assert (result.status, list(tmp_path.iterdir())) == (2, [])
    assert (
        "services: no services: the folder does not exist\nthere is no fleet.yaml: run `kargo-fleet " in result.stderr
    )


@pytest.mark.parametrize(
    "command", [("chart", "vendor"), ("schema",), ("check",), ("capacity",), ("generate", "nginx")]
)
def test_a_subfolder_given_with_c_belongs_to_the_fleet_above(tree: Tree, run: Run, command: tuple[str, ...]) -> None:
    root = tree({"charts": None})
    assert run("chart", "vendor").status == run("generate").status == 0
    assert run("-C", str(root / "services"), *command).status == 0
    assert [path.name for path in (root / "services").iterdir()] == ["nginx"]


def test_helm_reads_the_same_chart_without_the_record() -> None:
    assert f"/{RECORD}\n" in (chart.packaged() / ".helmignore").read_text()
