"""The command line itself: help, typos, folders, pipes, and lazy imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import kargo_fleet
from conftest import COMMAND, Command, Run, Tree
from kargo_fleet.cli.main import main

COMMANDS = ("generate", "check", "adopt", "deploy", "delete", "credentials", "doctor", "schema")


def test_help_lists_every_command(run: Run) -> None:
    result = run("--help")
    assert (result.status, result.stderr) == (0, "")
    assert all(f"\n    {name}" in result.stdout for name in COMMANDS)
    assert "exit status: 0 success, 1 problems reported, 2 wrong usage" in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_has_a_valid_example(
    run: Run, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(name, "--help")
    assert (result.status, result.stderr) == (0, "")
    _, _, rest = result.stdout.partition("example:\n  kargo-fleet ")
    example = rest.splitlines()[0].partition(" | ")[0].split()
    assert name in example

    def accepted(*_: object, **__: object) -> bool:
        return False

    monkeypatch.setattr(Path, "is_dir", accepted)  # parsed, but not run
    assert main(example) == 2
    assert "is not a folder" in capsys.readouterr().err


def test_help_does_not_import_slow_modules() -> None:
    code = """if True:
        import sys
        from kargo_fleet.cli.main import main
        for arguments in (["--help"], ["generate", "--help"], ["genrate"], ["--version"]):
            try:
                main(arguments)
            except SystemExit:
                pass
        print("LOADED", *sys.modules)
    """
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(result.stdout.partition("LOADED ")[2].split())
    assert "kargo_fleet.cli.main" in loaded
    assert not loaded & {
        "rich",
        "ruamel",
        "ruamel.yaml",
        "re2",
        "yaml",
        "jsonschema_rs",
        "json",
        "kargo_fleet.generate.desired",
    }


def test_a_run_imports_only_the_modules_it_needs(tree: Tree) -> None:
    code = f"""if True:
        import sys
        from kargo_fleet.cli.main import main
        main(["-C", {str(tree({}))!r}, "generate"])
        print("LOADED", *sys.modules)
    """
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(result.stdout.partition("LOADED ")[2].split())
    assert "yaml" in loaded
    assert not loaded & {"rich", "ruamel.yaml", "re2"}


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"kargo-fleet {kargo_fleet.__version__}\n", "")


# --- Typos ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["genrate"], "kargo-fleet: argument COMMAND: unknown value 'genrate'; did you mean generate?"),
        (["frobnicate"], "kargo-fleet: argument COMMAND: unknown value 'frobnicate'; choose from generate, check"),
        ([], "kargo-fleet: the following arguments are required: COMMAND"),
        (["generate", "--dryrun"], "kargo-fleet generate: unknown option --dryrun; did you mean --dry-run?"),
        (["generate", "--frce=1", "nginx"], "kargo-fleet generate: unknown option --frce; did you mean --force?"),
        (["check", "--force"], "kargo-fleet check: unknown option --force\n"),
        (["check", "--ouput", "json"], "kargo-fleet check: unknown option --ouput; did you mean --output?"),
        (["check", "--output", "jsn"], "kargo-fleet check: argument --output: unknown value 'jsn'; did you mean json?"),
        (["check", "--output"], "kargo-fleet check: argument --output: expected one argument"),
        (["check", "-C", "."], "kargo-fleet check: unknown option -C; put it before the command: kargo-fleet -C DIR"),
        (["generate", "--dry"], "kargo-fleet generate: unknown option --dry; did you mean --dry-run?"),
    ],
)
def test_wrong_usage(run: Run, arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert (result.status, result.stdout) == (2, "")
    assert result.stderr.startswith(message)
    assert result.stderr.endswith("--help`.\n")


# --- Folders ---


def test_a_folder_that_does_not_exist(run: Run, tmp_path: Path) -> None:
    assert run("-C", str(tmp_path / "no"), "check") == (2, "", f"kargo-fleet: {tmp_path}/no is not a folder\n")


def test_the_default_folder_is_the_current_one(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree({})
    monkeypatch.chdir(root)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert main(["generate"]) == 0
    assert (root / "values/nginx.yaml").exists()


# --- Pipes ---


@pytest.mark.parametrize(
    "arguments", ["--help", "check", "check --output json", "generate --diff --dry-run", "--version"]
)
def test_a_pipe_that_closes_early_is_not_an_error(tree: Tree, arguments: str) -> None:
    root = tree({"services/nginx/kargo.yaml": "imge: {}\n"})
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    reader, writer = os.pipe()
    os.close(reader)  # before the program starts, which may be done writing before a test gets its turn
    command = [*COMMAND, "-C", str(root), *arguments.split()]
    try:
        process = subprocess.run(
            command, stdout=writer, stderr=subprocess.PIPE, text=True, env=environment, check=False
        )
    finally:
        os.close(writer)
    stderr = process.stderr
    assert "Traceback" not in stderr
    assert "BrokenPipeError" not in stderr
    assert process.returncode == 141  # 128 + SIGPIPE


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_closed_stream_is_not_an_error(tree: Tree, stream: str) -> None:
    close = {"stdout": ">&-", "stderr": "2>&-"}[stream]
    root = tree({})
    line = f"{sys.executable} -m kargo_fleet -C '{root}' generate {close}"
    result = subprocess.run(line, shell=True, capture_output=True, text=True, check=False, timeout=60)
    assert (result.returncode, "Traceback" in result.stderr) == (0, False)


def test_output_that_the_terminal_cannot_show(tree: Tree, command: Command) -> None:
    tree({"services/nginx/kargo.yaml": "ümläut: 1\n"})
    result = command("check", "nginx", env={"PYTHONIOENCODING": "ascii", "PATH": ""})
    assert (result.returncode, result.stderr) == (1, "1 service: 1 error, 0 warnings\n")
    assert "\\xfcml\\xe4ut: unknown key" in result.stdout
