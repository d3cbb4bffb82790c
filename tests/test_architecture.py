"""The shape of the code: imports go one way, and one word means one thing (docs/architecture.md)."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tools" / "kargo_fleet"
MODULES = sorted(PACKAGE.rglob("*.py"))


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the package in `folder`, by the contract in pyproject.toml."""
    command = [
        str(Path(sys.executable).with_name("lint-imports")),
        "--no-cache",
        "--config",
        str(ROOT / "pyproject.toml"),
    ]
    return subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, to break."""
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(PACKAGE, folder / "kargo_fleet", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_imports_go_down(copied: Path) -> None:
    result = _lint(copied)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        (
            "fleet/merge.py",
            "from kargo_fleet.unit import rules",
            "kargo_fleet.fleet is not allowed to import kargo_fleet.unit",
        ),
        (
            "text/words.py",
            "def late() -> None:\n    from kargo_fleet.fleet import names",
            "kargo_fleet.text is not allowed to import kargo_fleet.fleet",
        ),
        (
            "doctor/codes.py",
            "from kargo_fleet.rollout import releases",
            "kargo_fleet.doctor is not allowed to import kargo_fleet.rollout",
        ),
        (
            "render/folder.py",
            "from kargo_fleet.unit import build",
            "kargo_fleet.render is not allowed to import kargo_fleet.unit",
        ),
    ],
)
def test_an_import_that_goes_up_is_refused(copied: Path, module: str, line: str, broken: str) -> None:
    file = copied / "kargo_fleet" / module
    before = file.read_text()
    file.write_text(f"{before}\n\n{line}\n")
    try:
        result = _lint(copied)
    finally:
        file.write_text(before)
    assert result.returncode == 1
    assert broken in " ".join(result.stdout.split())


def test_no_two_modules_have_one_name() -> None:
    """A command's module may be called what the package is called that it runs."""
    commands = {path for path in MODULES if path.parent.name == "commands"}
    names = Counter(path.stem for path in MODULES if path not in commands and not path.stem.startswith("__"))
    names.update(path.stem for path in commands if path.stem in names)
    assert [name for name, count in names.items() if count > 1] == []
    packages = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    assert [name for name in names if name in packages] == []


def test_no_two_classes_have_one_name() -> None:
    names = Counter(
        node.name.lstrip("_")
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []


#: Who reads files of its own: the package's data, the cache, and files/, which reads for all others.
READERS = {
    "argocd/health.py", "capacity/stored_objects.py", "commands/explain.py", "generate/cache.py", "unit/kargo_versions.py",
    "unit/step_config.py", "cli/main.py", "render/batch.py", "files/generated.py", "files/reading.py", "files/scratch.py",
    "files/writing.py",
}  # fmt: skip


def test_files_are_read_in_one_place() -> None:
    """Whatever people own may be a FIFO, a device or without an end: files/reading.py waits for none of these."""
    for path in MODULES:
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        named = {call.attr for call in calls if isinstance(call, ast.Attribute)}
        named |= {call.id for call in calls if isinstance(call, ast.Name)} - {"read_bytes", "read_text"}
        assert path.relative_to(PACKAGE).as_posix() in READERS or not named & {"read_text", "read_bytes", "open"}, path


def test_yaml_is_read_in_one_way_for_each_dialect() -> None:
    """What people write is read by text/yaml_reader.py, manifests by text/yaml_manifests.py, so that a text has one meaning."""
    readers = {"yaml_reader.py", "yaml_manifests.py"}
    for path in MODULES:
        called = {
            node.func.attr
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "yaml"
        }
        # In yaml_editor.py, `yaml` is ruamel.yaml's editor.
        allowed = {"load", "dump", "indent"} if path.name == "yaml_editor.py" else set()
        assert path.name in readers or called <= allowed, path
        assert path.name in readers or "CParser" not in path.read_text(), path
