"""Commands in messages can be pasted where the person stands: by make, by name, by a path."""

from __future__ import annotations

import re
import subprocess

import pytest

from helm import ROOT
from kargo_fleet.cli.arguments import parser
from kargo_fleet.terminal.invocation import TARGETS, Invocation, invocation

BY_MAKE = Invocation(by_make=True)


@pytest.mark.parametrize(
    ("text", "by_make"),
    [
        ("run `kargo-fleet generate web --force`", "run `make values SERVICE=web FORCE=1`"),
        ("run `kargo-fleet generate --prune --force` to", "run `make values PRUNE=1 FORCE=1` to"),
        ("`kargo-fleet check web api`", "`make check SERVICE='web api'`"),
        ("`kargo-fleet adopt web`", "`.venv/bin/kargo-fleet adopt web`"),
        ("`kargo-fleet render --crds x`", "`.venv/bin/kargo-fleet render --crds x`"),
        ("`kargo-fleet deploy --context eu-1 web`", "`make deploy SERVICE=web CONTEXT=eu-1`"),
        ("not a terminal: pass --yes to confirm", "not a terminal: pass YES=1 to confirm"),
        ("set image.registry, or pass --image-repository", "set image.registry, or pass IMAGE_REPOSITORY="),
        ("write --image-repository=ghcr.io/example", "write IMAGE_REPOSITORY=ghcr.io/example"),
        ('--image-repository: "a b" is not allowed', 'IMAGE_REPOSITORY: "a b" is not allowed'),
        ("pass --yes: it confirms", "pass YES=1: it confirms"),
        ("`helm install --force` is another program's", "`helm install --force` is another program's"),
        ("`kargo promote --project kargo-web`", "`kargo promote --project kargo-web`"),
    ],
)
def test_a_message_where_make_was_used(text: str, by_make: str) -> None:
    assert BY_MAKE.pasteable(text) == by_make
    assert Invocation().pasteable(text) == text


def test_a_message_where_a_path_and_a_folder_were_typed() -> None:
    typed = Invocation(".venv/bin/kargo-fleet", "../my platform")
    assert typed.pasteable("run `kargo-fleet check`") == "run `.venv/bin/kargo-fleet -C '../my platform' check`"


def test_how_this_process_was_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(ROOT / ".venv/bin"))
    for path, program in {
        str(ROOT / ".venv/bin/kargo-fleet"): "kargo-fleet",  # what a shell makes of a program on PATH
        "/opt/kargo-fleet": "/opt/kargo-fleet",
        "./kargo-fleet": "./kargo-fleet",
        "/usr/lib/kargo_fleet/__main__.py": "python -m kargo_fleet",
        "/usr/bin/pytest": "kargo-fleet",
    }.items():
        monkeypatch.setattr("sys.argv", [path])
        monkeypatch.setattr("sys.executable", "/usr/bin/python")
        assert invocation().program == program
    monkeypatch.setenv("KARGO_FLEET_RUN_BY", "make")
    assert invocation().by_make


@pytest.mark.parametrize("command", TARGETS)
def test_the_makefile_has_these_targets_and_variables(command: str) -> None:
    """`make -n` with every variable prints the command with every option."""
    target, options = TARGETS[command]
    given = [
        variable + ("3h" if variable == "INTERVAL=" else "3") * variable.endswith("=") for variable in options.values()
    ]
    line = ["make", "-n", "-f", str(ROOT / "Makefile"), target, *given, "SERVICE=web"][
        : None if command != "schema" else -1
    ]
    if command == "capacity":
        line.remove("SERVICE=web")
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    printed = re.sub(r"\\\n", " ", done.stdout)
    (found,) = re.findall(r"kargo-fleet (.*?)(?:\|\||$)", printed, re.MULTILINE)
    arguments = parser().parse_args([word.strip("'") for word in found.split()])
    assert found.split()[0] == command
    assert set(options) <= set(found.split())
    assert arguments.parser.prog == f"kargo-fleet {command}"
