"""make refuses variables that a target does not know: a mistyped one would change nothing, and say nothing."""

from __future__ import annotations

import os
import re
import shlex
import subprocess

import pytest

from helm import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


def make(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run make without running a recipe, with `variables` in its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")} | variables
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
        (["deploy", "SERVICE=", "YES=1"], "make deploy: SERVICE is empty; leave it out, or give it a value"),
        (["deploy", "SERVICE=  ", "YES=1"], "SERVICE is empty"),
        (["deploy", "CONTEXT="], "CONTEXT is empty"),
        (["doctor", "KUBECONFIG="], "KUBECONFIG is empty"),
        (["delete", "SERVICE=--all", "YES=1"], "SERVICE=--all: a value must not begin with -"),
        (["deploy", "SERVICE=web --force"], "SERVICE=web --force: a value must not begin with -"),
        (["values", "SERVICE=a\nb"], "SERVICE has several lines"),
        (["x'; touch pasted; '", "A=1"], "unknown variable A"),
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


@pytest.mark.parametrize(
    ("target", "name", "value"),
    [
        ("values", "DRY_RUN", "True"),
        ("values", "DRY_RUN", "1"),
        ("values", "FORCE", "1"),
        ("deploy", "SERVICE", "web"),
        ("capacity", "INTERVAL", "1h"),
    ],
)
def test_the_environment_is_not_used_silently(target: str, name: str, value: str) -> None:
    done = make(target, **{name: value})
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        f"make {target}: {name} is set in the environment; pass it to make instead: unset {name}, then" in done.stderr
    )


def test_what_may_stand_in_the_environment() -> None:
    """What the target does not know or what is empty, and what kubectl reads there by itself."""
    done = make("deploy", "SERVICE=web", SERVICES="web", DIFF="True", CONTEXT="", KUBECONFIG="/a", SERVICE="other")
    assert done.returncode == 0, done.stderr
    assert "deploy 'web'" in done.stdout


#: What a shell or make would read something into.
HOSTILE = (
    "nginx #",
    "a;b",
    "`touch pasted`",
    "$(shell touch pasted)",
    "$$(touch pasted)",
    "it's",
    'a"b',
    "a|b&c>d",
    "p*",
)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_is_taken_literally(value: str) -> None:
    """Nothing in a variable ends the command, hides the options behind it, or is run."""
    done = make("values", f"SERVICE={value}", "IMAGE_REPOSITORY=" + value, "DRY_RUN=1")
    assert done.returncode == 0, done.stderr
    call = next(line for line in done.stdout.replace("\\\n", " ").splitlines() if " generate " in line)
    assert shlex.split(call)[5:] == [*value.split(), "--image-repository", value, "--dry-run"]
    assert not (ROOT / "pasted").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["render", "OUTPUT_DIR=my manifests; x"], ["--output-dir", "my manifests; x"]),
        (["deploy", "CONTEXT=it's"], ["--context", "it's"]),
        (["bench", "SIZES=1 2;x"], ["--sizes", "1", "2;x"]),
        (["measure-cluster", "SERVICES=5;x"], ["--services", "5;x"]),
        (
            ["test-cluster", "KUBECONFIG=/it's", "REGISTRY=a;b"],
            ["KARGO_FLEET_TEST_KUBECONFIG=/it's", "KARGO_FLEET_TEST_REGISTRY=a;b"],
        ),
    ],
)
def test_each_option_is_quoted(arguments: list[str], words: list[str]) -> None:
    text = " ".join(shlex.split(make(*arguments).stdout.replace("\\\n", " "), comments=False))
    assert " ".join(words) in text


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
                r"\$\(([A-Z_]+)\)|(?:option|on|each|quoted|value)[, ]([A-Z_]+)",
                recipe.replace("$(ON_CLUSTER)", "$(KUBECONFIG) $(REGISTRY) $(GIT_REPO_URL)"),
            )
        )
        names = {name for pair in used for name in pair if name} - own
        assert names <= known, target
        assert known - names <= {"KUBECONFIG"}, target  # kubectl and helm read that one from the environment
