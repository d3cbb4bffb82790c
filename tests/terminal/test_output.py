"""Nothing from a file, a cluster or another program reaches a terminal or a CI system as it is."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import unicodedata
from pathlib import Path

import pytest

from conftest import FLEET, Command, Result, Run, Tree, service
from helm import ROOT
from kargo_fleet.findings import Finding, Place
from kargo_fleet.terminal import output
from kargo_fleet.terminal.reporters import Change, Format, Report, Reporter

#: One of each kind. A byte that is not UTF-8 becomes a surrogate in the name of a file.
CHARACTERS = {
    "escape": "\x1b[2J",
    "carriage return": "\r",
    "bell": "\x07",
    "backspace": "\x08",
    "delete": "\x7f",
    "c1": "\x9b31m",
    "next line": "\x85",
    "bidi": "\u202e",
    "isolate": "\u2066",
    "arabic letter mark": "\u061c",
    "zero width": "\u200b",
    "byte order mark": "\ufeff",
    "line separator": "\u2028",
    "tag": "\U000e0041",
    "github": "\n::error::forged",
    "github after a space": "\n  ::add-mask::e",
    "github after an odd space": "\n\u3000::error::forged",
    "older github": "##[error]forged",
    "azure": "##vso[task.complete]forged",
}
HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
    r"|[\U000e0000-\U000e007f]"
)
COMMAND = re.compile(r"(?m)^\s*::|##\w*\[")


@pytest.mark.parametrize("kind", CHARACTERS)
def test_hidden_characters_are_visible(kind: str) -> None:
    shown = output.visible(f"a{CHARACTERS[kind]}b")
    assert not HIDDEN.search(shown)
    assert not COMMAND.search(shown)
    assert shown.isascii() or "\u3000" in shown
    assert "\n" not in output.visible(f"a{CHARACTERS[kind]}b", lines=False)


def test_what_people_write_stays_as_it_is() -> None:
    text = "Größe, 日本語, 🚀, naïve: a::b, # [x], {{ a }} \\x1b\n\tnext"
    assert output.visible(text) == text


def test_every_character_that_changes_how_others_are_shown_is_hidden() -> None:
    """Control and format characters, but those that are signs of a script, and the separators of lines."""
    signs = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2}
    for code in range(0x10000):
        category = (
            "Cf" if code == 0x2065 else unicodedata.category(chr(code))
        )  # the one that is not assigned among its kind
        hidden = category in ("Cc", "Cf", "Cs", "Zl", "Zp") and code not in signs and chr(code) not in "\t\n"
        assert (output.visible(chr(code)) != chr(code)) == hidden, hex(code)


def test_json_is_the_same_data() -> None:
    data = {f"k{text}": text for text in CHARACTERS.values()}
    text = output.json_text(data)
    assert json.loads(text) == data
    assert not HIDDEN.search(text)
    assert "\u00e9" in output.json_text("\u00e9")


# All commands ------------------------------------------------------------------------------------------------------------


def hostile(tree: Tree, *, in_fleet: bool) -> Path:
    """A fleet with each of the characters in every name, key and value; `in_fleet`: in fleet.yaml, too, which stops all."""
    files: dict[str, str | bytes | None] = {}
    groups = {}
    for number, text in enumerate(CHARACTERS.values()):
        value = json.dumps(f"a{text}b")
        name = f"svc-{number}"
        files |= service(name)
        files[f"services/{name}/values-dev.yaml"] = f"image:\n  tag: {value}\n"
        files[f"services/{name}/values-prod.yaml"] = f"{value}: {value}\nimage: {value}\n"
        files[f"services/{name}/values-qa{text}.yaml"] = "image: {tag: 1.0.0}\n"
        files[f"services/{name}/kargo.yaml"] = (
            f"{value}: {value}\n"
            f"image: {{constraint: {value}, repoURL: {value}, {value}: {value}}}\n"
            f"description: {value}\n"
            f"service: {{labels: {{{value}: {value}}}, annotations: {{{value}: {value}}}}}\n"
            f"promotion: {{path: {value}, tagKey: {value}, message: {value}}}\n"
            f"rbac: {{bindings: {{{value}: {{role: {value}, claims: {{{value}: [{value}]}}}}}}}}\n"
            f"stages: {{{value}: {{upstream: [{value}], requiredSoakTime: {value}}}, dev: {{{value}: 1}}}}\n"
        )
        files |= service(f"web{text}x", kargo=f"description: {value}\n")
        files |= service(f"ok-{number}", kargo=f"description: {value}\nproject: {{annotations: {{a: {value}}}}}\n")
        files[f"services/raw-{number}/kargo.yaml"] = f"a: [b{text}\n"
        files[f"values/a{text}.yaml"] = "# mine\n"
        files[f"argocd/a{text}.yaml"] = "# mine\n"
        groups[f"g{text}"] = {"services": [f"ok-{number}", f"gone{text}"], "values": {f"k{text}": text}}
    files[b"services/b\xff/values-dev.yaml".decode(errors="surrogateescape")] = "image: {tag: 1.0.0}\n"
    if in_fleet:
        files["fleet.yaml"] = f"{FLEET}groups: {json.dumps(groups)}\n"
    return tree(files)


COMMANDS = (
    ("check",),
    ("generate", "--dry-run", "--diff"),
    ("generate",),
    ("generate", "--prune", "--force", "--diff"),
    ("check", "\x1b[2J\u202e"),
    ("render",),
    ("adopt", "ok-0"),
    ("adopt", "\x1b\u202e"),
    ("deploy",),
    ("delete", "\x1b\u202e"),
    ("doctor",),
    ("capacity",),
    ("credentials", "git"),
    ("schema",),
    ("explain", "\x1b\u202e"),
    ("chart", "vendor", "--dry-run"),
    ("init",),
    ("gen\x1b\u202e",),
    ("check", "--\x1b\u202e"),
)


def assert_nothing_raw(result: Result, form: str) -> None:
    for text in (result.stdout, result.stderr):
        assert not HIDDEN.search(text), HIDDEN.search(text)
        for line in text.splitlines():
            ours = form == "github" and re.match(
                r"::(error|warning) (file=[^,:]*,)?(line=\d+,)?(col=\d+,)?title=KFW?\d+::", line
            )
            assert ours or not COMMAND.match(line), line
    if form == "json" and result.stdout:
        json.loads(result.stdout)


def forms(*arguments: str) -> tuple[str, ...]:
    return ("text",) if arguments[0] in ("credentials", "explain", "gen\x1b\u202e") else ("text", "json", "github")


@pytest.fixture
def on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    capsys.readouterr()  # the streams are its own
    monkeypatch.setenv("NO_COLOR", "1")
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(f"sys.{name}.isatty", lambda: True)


@pytest.mark.parametrize("in_fleet", [False, True])
@pytest.mark.usefixtures("on_a_terminal")
def test_a_hostile_fleet_on_a_terminal(tree: Tree, run: Run, monkeypatch: pytest.MonkeyPatch, in_fleet: bool) -> None:
    hostile(tree, in_fleet=in_fleet)
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    printed = 0
    for arguments in COMMANDS:
        for form in forms(*arguments):
            result = run(*arguments, *(["-o", form] if form != "text" else []))
            assert_nothing_raw(result, form)
            printed += len(result.stdout)
    assert printed > (5_000 if in_fleet else 100_000)  # each mistake was shown


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("text", CHARACTERS.values(), ids=[*CHARACTERS])
def test_a_report_of_what_others_said(capsys: pytest.CaptureFixture[str], form: Format, text: str) -> None:
    """What doctor reads from a cluster, and Helm's and kubectl's messages: the parts of a finding, off a terminal."""
    hostile = f"a{text}b"
    finding = Finding(Place(hostile, 1, 2), "KF803", hostile, f"run `kargo-fleet check '{text}`", hostile)
    Reporter(form).show(
        Report([finding], [Change("updated", hostile), Change("updated", hostile, shard=(hostile, ""))], hostile)
    )
    assert_nothing_raw(Result(0, *capsys.readouterr()), form.value)


def test_a_command_to_github_has_its_characters_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    finding = Finding(Place("a,b:c%\n.yaml", 1, 2), "KF803", "50%, a:b\nnext\r", "do: this")
    Reporter(Format.GITHUB).show(Report([finding], [], ""))
    assert capsys.readouterr().out == (
        "::error file=a%2Cb%3Ac%25%0A.yaml,line=1,col=2,title=KF803::50%25, a:b%0Anext\\r%0Afix: do: this\n"
    )


def test_a_message_of_several_lines_has_one_at_the_margin(capsys: pytest.CaptureFixture[str]) -> None:
    finding = Finding(Place("a\nb.yaml"), "KF803", "first\nfleet.yaml:1:1: error KF001: forged", "do\nthis")
    Reporter().show(Report([finding], [], ""))
    assert capsys.readouterr().out == (
        "a\\nb.yaml: error KF803: first\n    fleet.yaml:1:1: error KF001: forged\n    fix: do\n    this\n"
    )


# A diff is for programs, too -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_github", [False, True])
def test_a_diff_of_a_hostile_file_is_a_patch(
    tree: Tree, command: Command, monkeypatch: pytest.MonkeyPatch, on_github: bool
) -> None:
    """Through a pipe or into a file, git applies it; GitHub takes no line of it for a command."""
    if on_github:
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
    root = tree({"values/nginx.yaml": "\x1b[2J\u202e\n::error::old\n##[error]x\n"})
    environment = {**os.environ, "NO_COLOR": "1"}
    done = command("generate", "--diff", "--dry-run", "--force", env=environment)
    assert "\n-::error::old\n" in done.stdout
    assert "\x1b[2J\u202e" in done.stdout
    if on_github:
        assert re.search(r"(?s)::stop-commands::(\w{32})\n---.*-::error::old\n.*\n::\1::\n", done.stdout)
    assert ("::stop-commands::" in done.stdout) == on_github
    (root / "x.patch").write_text(done.stdout)
    subprocess.run(["git", "apply", "-p0", "x.patch"], cwd=root, check=True)
    assert "checksum: sha256:" in (root / "values/nginx.yaml").read_text()


def test_a_diff_in_a_file_is_not_wrapped_for_github(tree: Tree, command: Command, tmp_path: Path) -> None:
    tree({"values/nginx.yaml": "::error::old\n"})
    with (tmp_path / "x.patch").open("w") as file:
        environment = {**os.environ, "GITHUB_ACTIONS": "true"}
        command("generate", "--diff", "--dry-run", "--force", env=environment, capture_output=False, stdout=file)
    text = (tmp_path / "x.patch").read_text()
    assert "\n-::error::old\n" in text
    assert "::stop-commands::" not in text


def test_a_diff_of_a_hostile_file_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    Reporter().show(Report([], [Change("updated", "a", "--- a\n+++ a\n@@ -1 +1 @@\n-\x1b[2J\r\n+\u202e\n")], ""))
    assert capsys.readouterr().out == "--- a\n+++ a\n@@ -1 +1 @@\n-\\x1b[2J\\r\n+\\u202e\n"


# One place ---------------------------------------------------------------------------------------------------------------


def test_no_other_module_prints() -> None:
    """print(end=…) without a text flushes. Rich has a console in terminal/ only."""
    for path in sorted((ROOT / "tools" / "kargo_fleet").rglob("*.py")):
        if path.name == "output.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            assert called != "print" or not node.args, f"{path}:{node.lineno}"
            assert not re.fullmatch(r"(sys\.)?(stdout|stderr)(\.buffer)?\.write(lines)?", called), (
                f"{path}:{node.lineno}"
            )
            assert called != "Console" or path.parent.name == "terminal", f"{path}:{node.lineno}"
