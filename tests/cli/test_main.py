"""The command line itself: help, typos, folders, pipes, and lazy imports."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kargo_fleet
from conftest import COMMAND, Command, Run, Tree, service
from helm import ROOT
from kargo_fleet.cli.arguments import parser
from kargo_fleet.cli.main import main
from kargo_fleet.doctor.codes import DOCTOR_CODES
from kargo_fleet.findings import CODES

COMMANDS = (
    "generate",
    "check",
    "adopt",
    "deploy",
    "delete",
    "credentials",
    "doctor",
    "capacity",
    "schema",
    "explain",
    "completion",
    "help",
)


def test_help_lists_every_command(run: Run) -> None:
    result = run("--help")
    assert (result.status, result.stderr) == (0, "")
    assert all(f"\n    {name}" in result.stdout for name in COMMANDS)
    assert "exit status: 0 success, 1 problems reported, 2 wrong usage" in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_has_a_valid_example(run: Run, name: str) -> None:
    result = run(name, "--help")
    assert (result.status, result.stderr) == (0, "")
    line = result.stdout.partition("example:\n  ")[2].splitlines()[0]
    example = line.partition("kargo-fleet ")[2].partition(" | ")[0].rstrip(')"').split()
    assert name in example
    parser().parse_args(example)


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
    assert not loaded & {"rich", "ruamel.yaml"}


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"kargo-fleet {kargo_fleet.__version__}\n", "")


# --- Typos ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["genrate"], "kargo-fleet: unknown command 'genrate'; did you mean generate?"),
        (["frobnicate"], "kargo-fleet: unknown command 'frobnicate'; choose from generate, check"),
        (["generate", "--dryrun"], "kargo-fleet generate: unknown option --dryrun; did you mean --dry-run?"),
        (["generate", "--frce=1", "nginx"], "kargo-fleet generate: unknown option --frce; did you mean --force?"),
        (["check", "--force"], "kargo-fleet check: unknown option --force\n"),
        (["check", "--ouput", "json"], "kargo-fleet check: unknown option --ouput; did you mean --output?"),
        (
            ["check", "--output", "jsn"],
            "kargo-fleet check: argument -o/--output: unknown value 'jsn'; did you mean json?",
        ),
        (["check", "--output"], "kargo-fleet check: argument -o/--output: expected one argument"),
        (["check", "-C", "."], "kargo-fleet check: unknown option -C; put it before the command: kargo-fleet -C DIR"),
        (["generate", "--dry"], "kargo-fleet generate: unknown option --dry; did you mean --dry-run?"),
        (["credentials", "git", "foo"], "kargo-fleet credentials: unexpected argument 'foo'\n"),
        # A variable of the shell that is not set would choose a default.
        (["render", "--output-dir", ""], "kargo-fleet render: argument --output-dir: must not be empty\n"),
        (["render", "--validate", "--crds="], "kargo-fleet render: argument --crds: must not be empty\n"),
        (["deploy", "--context", ""], "kargo-fleet deploy: argument --context: must not be empty\n"),
        (
            ["generate", "--image-repository", ""],
            "kargo-fleet generate: argument --image-repository: must not be empty",
        ),
        (["check", "nginx", ""], "kargo-fleet check: argument SERVICE: must not be empty\n"),
        (["-C", "", "check"], "kargo-fleet: argument -C: must not be empty\n"),
    ],
)
def test_wrong_usage(run: Run, arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert (result.status, result.stdout) == (2, "")
    assert result.stderr.startswith(message)
    assert result.stderr.endswith("--help`.\n")


def test_without_a_command_the_help_is_printed(run: Run) -> None:
    result = run()
    assert (result.status, result.stdout) == (2, "")
    assert result.stderr == run("--help").stdout


# --- Folders ---


def test_a_folder_that_does_not_exist(run: Run, tmp_path: Path) -> None:
    assert run("-C", str(tmp_path / "no"), "check") == (2, "", f"kargo-fleet: {tmp_path}/no is not a folder\n")


def test_the_default_folder_is_the_current_one(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree({})
    monkeypatch.chdir(root)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert main(["generate"]) == 0
    assert (root / "values/nginx.yaml").exists()


def test_a_subfolder_belongs_to_the_repository_above(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree({"docs/page.md": ""})
    monkeypatch.chdir(root / "services/nginx")
    assert main(["generate"]) == 0
    assert (root / "values/nginx.yaml").exists()
    assert main(["generate", "."]) == 0  # the service of this folder
    monkeypatch.chdir(root / "docs")
    assert main(["render", "--output-dir", "made"]) == 0
    assert (root / "docs/made/nginx.yaml").exists(), "a path is relative to the folder where it is typed"


def test_the_search_ends_at_the_git_repository(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree({"vendor/other/.git/HEAD": "", "vendor/other/README.md": ""})
    monkeypatch.chdir(root / "vendor/other")
    assert main(["check"]) == 1
    assert "KF203" in capsys.readouterr().out


# --- Names of services ---


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (["web/"], ["web"]),
        (["services/web"], ["web"]),
        (["services/web/", "./services/api/values-dev.yaml"], ["api", "web"]),
        (["pay-*"], ["pay-card", "pay-cash"]),
        (["web", "[an]*", "web"], ["api", "nginx", "web"]),
    ],
)
def test_services_by_folder_and_glob(tree: Tree, run: Run, names: list[str], files: list[str]) -> None:
    root = tree({**service("web"), **service("api"), **service("pay-card"), **service("pay-cash")})
    assert run("generate", *names).status == 0
    assert sorted(file.stem for file in (root / "values").iterdir()) == files
    assert run("check", *names).stderr == f"{len(files)} service{'s' * (len(files) > 1)}: 0 errors, 0 warnings\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ngnix/", "there is no service 'ngnix' in services/; did you mean nginx?"),
        ("services/ngnix", "there is no service 'ngnix' in services/; did you mean nginx?"),
        ("x-*", "no service matches 'x-*' in services/"),
        ("../nginx", "there is no service '../nginx' in services/; did you mean nginx?"),
    ],
)
@pytest.mark.parametrize("command", ["generate", "check", "render"])
def test_names_that_are_no_services(tree: Tree, run: Run, command: str, name: str, message: str) -> None:
    tree({})
    assert run(command, name) == (2, "", f"kargo-fleet: {message}\n")


# --- Output ---


def test_quiet_leaves_the_findings(tree: Tree, run: Run) -> None:
    tree({"services/web/kargo.yaml": "imge: {}\n"})
    result = run("generate", "-q")
    assert (result.status, result.stderr) == (1, "")
    assert result.stdout.startswith("services/web/kargo.yaml:1:1: error KF101")
    assert "created" not in result.stdout
    assert run("check", "-q", "-o", "json", "nginx").stdout == '{\n  "findings": [],\n  "changes": []\n}\n'


def test_a_dry_run_is_one_in_json_too(tree: Tree, run: Run) -> None:
    tree({})
    found = json.loads(run("generate", "--dry-run", "-o", "json").stdout)
    assert found["dryRun"] is True
    assert "dryRun" not in json.loads(run("generate", "-o", "json").stdout)


def test_help_is_as_wide_as_the_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in (60, 90, 300):
        monkeypatch.setenv("COLUMNS", str(columns))
        for name in COMMANDS:
            text = run(name, "--help").stdout.partition("example:")[0]
            assert max(map(len, text.splitlines())) <= min(columns, 100)


# --- Help, codes, completion ---


@pytest.mark.parametrize("name", COMMANDS)
def test_help_as_a_command(run: Run, name: str) -> None:
    assert run("help", name) == run(name, "--help")
    page = re.search(r"\ndocumentation: kargo-fleet explain (docs/[a-z-]+\.md)\n$", run("help", name).stdout)
    assert page
    shown = run("explain", page[1])
    assert (shown.status, shown.stdout) == (0, (ROOT / page[1]).read_text())


def test_codes_that_begin_so(run: Run) -> None:
    assert "there is no code KF4; these begin so: KF401, KF402" in run("explain", "KF4").stderr


def test_help_of_a_command_of_two_words(run: Run) -> None:
    assert run("help", "chart", "vendor") == run("help", "chart")
    assert "the command chart has no vndor; did you mean vendor?" in run("help", "chart", "vndor").stderr
    assert "the command check has no nginx; " in run("help", "check", "nginx").stderr


def test_several_codes(run: Run) -> None:
    both = run("explain", "KF401", "kf402")
    assert (both.status, both.stdout) == (0, f"{run('explain', 'KF401').stdout}\n{run('explain', 'KF402').stdout}")
    unknown = run("explain", "KF401", "KF4011")
    assert (unknown.status, unknown.stdout) == (2, "")


def test_help_of_everything(run: Run) -> None:
    assert run("help") == run("--help")
    assert "unknown value 'genrate'; did you mean generate?" in run("help", "genrate").stderr


@pytest.mark.parametrize("code", sorted(CODES | DOCTOR_CODES))
def test_every_code_is_explained(run: Run, code: str) -> None:
    result = run("explain", code.lower())
    assert (result.status, result.stderr) == (0, "")
    assert result.stdout.startswith(f"# {code}: {(CODES | DOCTOR_CODES)[code]}\n")
    assert len(result.stdout.splitlines()) > 2
    assert "\n##" not in result.stdout


def test_codes_can_be_listed(run: Run) -> None:
    listed = run("explain").stdout.splitlines()
    assert {line.split()[0] for line in listed} == CODES.keys() | DOCTOR_CODES.keys()
    unknown = run("explain", "KF4011")
    assert (unknown.status, unknown.stderr) == (2, "kargo-fleet: there is no code KF4011; did you mean KF401?\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_code_for_the_completion_of_a_shell(run: Run, shell: str) -> None:
    result = run("completion", shell)
    assert (result.status, result.stderr) == (0, "")
    assert "kargo-fleet" in result.stdout
    assert "_ARGCOMPLETE" in result.stdout


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("kargo-fleet gen", {"generate "}),
        ("kargo-fleet check n", {"nginx "}),
        ("kargo-fleet generate web --dr", {"--dry-run "}),
        ("kargo-fleet check -o j", {"json "}),
        ("kargo-fleet explain KF40", {"KF401", "KF402"}),
    ],
)
def test_what_a_shell_is_told(tree: Tree, line: str, found: set[str]) -> None:
    """The protocol between argcomplete and the shells: the line in variables, the answer on file descriptor 8."""
    root = tree(service("web"))
    environment = {
        **os.environ,
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "_ARGCOMPLETE_COMP_WORDBREAKS": " ",
        "COMP_TYPE": "9",
    }
    answer = root / "answer"
    script = f'exec 8>"{answer}" 9>/dev/null; exec {" ".join(COMMAND)}'
    subprocess.run(["bash", "-c", script], cwd=root, env=environment, check=True, timeout=60)
    assert found <= set(answer.read_text().split("\n"))


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


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("arguments", ["--help", "check", "explain", "generate --diff --dry-run", "genrate"])
@pytest.mark.parametrize("streams", [("stdout",), ("stderr",), ("stdout", "stderr")])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_an_error_in_one_line(
    tree: Tree, arguments: str, streams: tuple[str, ...], unbuffered: str
) -> None:
    command = [*COMMAND, "-C", str(tree({})), *arguments.split()]
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:
        outputs = {name: full if name in streams else subprocess.PIPE for name in ("stdout", "stderr")}
        result = subprocess.run(command, **outputs, env=environment, text=True, check=False, timeout=60)
    if "stdout" in streams and arguments != "genrate":
        assert result.returncode == 2
    if "stderr" not in streams and arguments != "genrate":
        assert result.stderr.count("No space left on device") == 1
        assert "Traceback" not in result.stderr
    assert result.returncode in (0, 1, 2)


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
