"""What is fetched is pinned by hash and comes from package registries, and workflows may do what they need (docs/supply-chain.md)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from helm import ROOT
from product import is_ours
from release.audit import requirements_files
from release.explained import FILE, read_explained
from release.pins import go_pins, python_pins

SCRIPTS = [ROOT / "Makefile", *sorted((ROOT / "tools" / "bootstrap").glob("*.sh"))]
MODULES = sorted(
    file.parent
    for folder in ("tools", "tests", "bench")
    for file in (ROOT / folder).rglob("go.mod")
    if "\nrequire" in file.read_text()
)


def _commands(text: str) -> Iterator[str]:
    """Yield the lines of a script, continued ones as one, without comments."""
    for line in text.replace("\\\n", " ").splitlines():
        if not line.lstrip().startswith("#"):
            yield " ".join(line.split())


COMMANDS = [(file.name, line) for file in SCRIPTS for line in _commands(file.read_text())]


# --- Pins


def test_every_dependency_group_has_a_requirements_file() -> None:
    groups = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"])
    script = (ROOT / "tools" / "bootstrap" / "requirements.sh").read_text()
    assert set(re.findall(r"--group (\w+)", script)) == groups
    assert set(re.findall(r"^pin (\S+)", script, re.MULTILINE)) == set(requirements_files(ROOT))


@pytest.mark.parametrize("file", requirements_files(ROOT))
def test_python_packages_are_pinned_by_hash(file: str) -> None:
    assert python_pins((ROOT / file).read_text())


@pytest.mark.parametrize("folder", MODULES, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_go_modules_are_pinned_by_hash(folder: Path) -> None:
    assert go_pins(folder)


def test_what_make_audit_accepts_is_explained() -> None:
    read_explained(ROOT / FILE)


# --- What the Makefile and its scripts fetch


def test_only_package_managers_fetch() -> None:
    """No address, no download program: pip, Go and npm use the index, proxy or mirror that the machine is set to."""
    fetching = re.compile(
        r"https?://|git@|\b(?:curl|wget|aria2c|git (?:clone|fetch|pull)|docker|podman|npx|pipx|uvx|gh)\b"
    )
    assert [command for command in COMMANDS if fetching.search(command[1])] == []


def test_pip_installs_by_hash_only() -> None:
    """Wheels only, too: building a source distribution fetches programs without a hash, and runs them."""
    calls = [line for _, line in COMMANDS if re.search(r"\bpip install\b", line) and "install() {" not in line]
    calls += [line for _, line in COMMANDS if re.match(r"install -", line)]
    assert len(calls) >= 4
    wanted = ({"--require-hashes", "--only-binary"}, {"--no-index", "--no-build-isolation"})
    loose = [call for call in calls if not any(options <= set(call.split()) for options in wanted)]
    # Kapitan, which only `make bench` installs, needs a library that has no wheel on some platforms.
    assert [call for call in loose if "kapitan" not in call] == []
    assert all("--require-hashes" in call for call in loose)


def test_go_builds_what_is_pinned() -> None:
    calls = [line for _, line in COMMANDS if re.search(r'go" (?:build|run|install|get|test|tool)\b', line)]
    assert len(calls) >= 3
    assert [call for call in calls if 'go" build -mod=readonly ' not in call] == []


def test_npm_installs_the_lock_file_and_runs_nothing() -> None:
    calls = [line for _, line in COMMANDS if re.search(r"\bnpm [a-z]", line) and "echo" not in line]
    assert [call for call in calls if "npm ci --ignore-scripts" not in call] == []


# --- Workflows


def _workflows() -> Iterator[tuple[str, str]]:
    for name in filter(is_ours, (f".github/workflows/{name}.yaml" for name in ("audit", "ci", "fleet"))):
        yield name, (ROOT / name).read_text()
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for text in re.findall(r"```yaml title=\.github/workflows/\S+\n(.*?)```", page.read_text(), re.DOTALL):
            yield page.relative_to(ROOT).as_posix(), text


WORKFLOWS = list(_workflows())
by_place = pytest.mark.parametrize("text", [text for _, text in WORKFLOWS], ids=[place for place, _ in WORKFLOWS])


@by_place
def test_a_workflow_may_read_and_nothing_else(text: str) -> None:
    workflow: dict[str, Any] = yaml.safe_load(text)
    assert workflow.get("permissions") == {"contents": "read"}
    assert [name for name, job in workflow["jobs"].items() if "permissions" in job] == []
    # It would run a stranger's pull request with the rights of the branch.
    assert "pull_request_target" not in text


@by_place
def test_a_workflow_keeps_no_credentials(text: str) -> None:
    steps = [step for job in yaml.safe_load(text)["jobs"].values() for step in job["steps"]]
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert [step for step in checkouts if step.get("with", {}).get("persist-credentials") is not False] == []


@by_place
def test_a_workflow_puts_nothing_of_the_event_into_a_script(text: str) -> None:
    """`${{ github.event.… }}` in `run` is replaced before the shell reads it: the title of a pull request would be a command."""
    steps = [step for job in yaml.safe_load(text)["jobs"].values() for step in job["steps"]]
    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []


# --- Access


def test_examples_bind_nobody_to_everything() -> None:
    """Neither pages nor scenarios show a binding to cluster-admin or to everybody, or a rule with a wildcard."""
    pages = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]
    blocks = [
        (page.name, block)
        for page in pages
        if page.name != "findings.md" and page.exists()  # wrong on purpose
        for block in re.findall(r"```yaml[^\n]*\n(.*?)```", page.read_text(), re.DOTALL)
    ]
    blocks += [(file.name, file.read_text()) for file in sorted((ROOT / "charts/kargo-service/ci").glob("*.yaml"))]
    wide = re.compile(
        r"""cluster-admin|system:(?:un)?authenticated|system:masters|(?:verbs|resources|apiGroups): *\[["']\*"""
    )
    assert [(name, found[0]) for name, block in blocks if (found := wide.search(block))] == []
