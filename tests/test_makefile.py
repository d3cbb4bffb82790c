"""make refuses variables that a target does not know: a mistyped one would change nothing, and say nothing."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from helm import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make without running a recipe."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "-n", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["deploy", "SERVICES=web", "YES=1"], "make deploy: unknown variable SERVICES; it knows CONTEXT, DRY_RUN, "),
        (["values", "SERVCE=web"], "make values: unknown variable SERVCE; it knows DIFF, "),
        (["check", "FORCE=1"], "make check: unknown variable FORCE; it knows SERVICE"),
        (["lint", "FIX=1"], "make lint: unknown variable FIX; it takes none"),
        (["SERVICE=web"], "make help: unknown variable SERVICE"),
        (["values", "DRY_RUN=ture"], "make values: DRY_RUN=ture is neither on (1, true, yes) nor off (0, false, no)"),
        (["deploy", "YES=2"], "YES=2 is neither on"),
    ],
)
def test_a_mistake_stops_make(arguments: list[str], message: str) -> None:
    done = make(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["values", "SERVICE=web api", "FORCE=1", "PRUNE=no", "DRY_RUN=", "GIT_REPO_URL=https://example.com/it's.git"],
        ["check", "SERVICE=pay-*"],
        ["values", "check", "SERVICE=web", "DIFF=true"],
        ["bench", "SIZES=100 1000"],
        ["test-python", "PYTEST_ARGS=-k 'a or b'"],
        ["tools", "PYTHON=python3", "GOPROXY=direct", "HTTPS_PROXY=http://proxy:3128", "-s"],
    ],
)
def test_what_a_target_knows(arguments: list[str]) -> None:
    done = make(*arguments)
    assert done.returncode == 0, done.stderr


def test_switches_are_off_unless_on() -> None:
    assert "--force" in make("values", "FORCE=yes").stdout
    assert "--force" not in make("values", "FORCE=no").stdout


def test_the_brackets_name_the_variables_that_a_recipe_uses() -> None:
    """Every variable in upper case in a recipe stands in the brackets of its target, and the other way round."""
    own = {"ON_ALL_CORES", "ON_CLUSTER", "WITH_TOOLS", "CHART", "BOOT", "FLEET", "CURDIR", "MAKEFILE_LIST", "PATH"}
    for target, brackets, recipe in re.findall(
        r"^([a-z-]+):[^=\n]*?(?:\[(.*)\])?\n((?:\t.*\n|    .*\n)+)", MAKEFILE, re.MULTILINE
    ):
        known = set(re.findall(r"([A-Z_]+)=", re.sub(r'"[^"]*"', "", brackets)))
        used = set(
            re.findall(
                r"\$\(([A-Z_]+)\)|(?:option|on),([A-Z_]+)",
                recipe.replace("$(ON_CLUSTER)", "$(KUBECONFIG) $(REGISTRY) $(GIT_REPO_URL)"),
            )
        )
        names = {name for pair in used for name in pair if name} - own
        assert names <= known, target
        assert known - names <= {"KUBECONFIG"}, target  # kubectl and helm read that one from the environment
