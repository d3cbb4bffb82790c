"""`check --online`: is the chart where Argo CD will look, is it the same one, and is an answer missing rather than the chart?

Helm is played by a script; tests/on_cluster/test_registry.py does this with Helm and a registry. Git is Git.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import FLEET, Run, Tree
from helm import CHART
from kargo_fleet import __version__

OCI = f"chart: {{oci: oci://registry.example.com/org/kargo-service, version: {__version__}}}\n"
HELM = f"chart: {{helm: https://charts.example.com, version: {__version__}}}\n"
GIT = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}

Helm = Callable[[str], Path]


@pytest.fixture
def helm(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Helm:
    """`helm("exit 1")` is a Helm that does this; returns the file that it writes its arguments to."""

    def build(script: str) -> Path:
        folder = tmp_path_factory.mktemp("bin")
        log = folder / "arguments"
        (folder / "helm").write_text(f'#!/bin/sh\necho "$@" >> {log}\nfor folder; do :; done\n{script}\n')
        (folder / "helm").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        return log

    return build


def pulled(changes: str = "true") -> str:
    """Return what a Helm does that has pulled the chart; its last argument is the folder."""
    return f'cp -r {CHART} "$folder/kargo-service" && cd "$folder/kargo-service" && {changes}'


def said(run: Run, *arguments: str) -> list[tuple[str, str, str]]:
    found: list[dict[str, Any]] = json.loads(run("check", "--online", *arguments, "--output", "json").stdout)[
        "findings"
    ]
    return [(item["code"], item["message"], item["fix"]) for item in found]


def test_a_chart_that_is_there(tree: Tree, run: Run, helm: Helm) -> None:
    tree({"charts": None, "fleet.yaml": FLEET + OCI})
    run("generate")
    log = helm(pulled())
    result = run("check", "--online")
    assert result == (0, "", "1 service: 0 errors, 0 warnings\n")
    words = log.read_text().split()
    assert words[:4] == ["pull", "oci://registry.example.com/org/kargo-service", "--version", __version__]


def test_a_helm_repository(tree: Tree, run: Run, helm: Helm) -> None:
    tree({"charts": None, "fleet.yaml": FLEET + HELM})
    run("generate")
    log = helm(pulled())
    assert said(run) == []
    assert log.read_text().startswith(f"pull kargo-service --repo https://charts.example.com --version {__version__}")


@pytest.mark.parametrize(
    ("section", "fix"),
    [
        (OCI, f"`helm pull oci://registry.example.com/org/kargo-service --version {__version__} --untar`"),
        (HELM, f"`helm pull kargo-service --repo https://charts.example.com --version {__version__} --untar`"),
    ],
)
def test_another_chart_is_pulled_as_helm_does(tree: Tree, run: Run, helm: Helm, section: str, fix: str) -> None:
    tree({"charts": None, "fleet.yaml": FLEET + section})
    run("generate")
    helm(pulled("printf '# more\\nfullnameOverride: x\\n' >> values.yaml"))
    assert [(code, found) for code, _, found in said(run)] == [("KF106", f"set chart.path to a copy of it: {fix}")]


def test_a_registry_without_tls_is_asked_again(tree: Tree, run: Run, helm: Helm) -> None:
    tree({"charts": None, "fleet.yaml": FLEET + OCI})
    run("generate")
    refusal = 'echo "http: server gave HTTP response to HTTPS client" >&2; exit 1'
    helm(f'case "$*" in *--plain-http*) folder=$7;; *) {refusal};; esac; {pulled()}')
    assert said(run) == []


@pytest.mark.parametrize(
    ("answer", "code", "message", "fix"),
    [
        (
            "registry.example.com/org/kargo-service:1.0.0: not found",
            "KF602",
            "Argo CD will not find the chart",
            "publish",
        ),
        ("unexpected status from HEAD request: 404 Not Found", "KF602", "404", "publish"),
        (
            "401 Unauthorized",
            "KF603",
            "could not be checked: 401 Unauthorized",
            "helm registry login registry.example.com",
        ),
        ("denied: requested access to the resource is denied", "KF603", "could not be checked", "helm registry login"),
        (
            "dial tcp: lookup registry.example.com: no such host",
            "KF603",
            "no such host",
            "check that registry.example.com is right and can be reached from here, then try again",
        ),
        ("dial tcp 10.0.0.1:443: connect: connection refused", "KF603", "refused", "can be reached from here"),
        ("tls: failed to verify certificate: x509: unknown authority", "KF603", "x509", "can be reached from here"),
    ],
)
def test_not_there_is_not_the_same_as_no_answer(
    tree: Tree, run: Run, helm: Helm, answer: str, code: str, message: str, fix: str
) -> None:
    tree({"charts": None, "fleet.yaml": FLEET + OCI})
    run("generate")
    helm(f'echo "Error: {answer}" >&2; exit 1')
    ((found, text, help_),) = said(run)
    assert (found, message in text, fix in help_) == (code, True, True), (text, help_)


def test_a_registry_that_does_not_answer(tree: Tree, run: Run, helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    tree({"charts": None, "fleet.yaml": FLEET + OCI})
    run("generate")
    monkeypatch.setattr("kargo_fleet.generate.online._TIMEOUT", 0.2)
    helm("exec sleep 5")
    ((code, message, _),) = said(run)
    assert code == "KF603"
    assert "helm did not answer within" in message


def test_without_helm_nothing_is_known(tree: Tree, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    tree({"charts": None, "fleet.yaml": FLEET + OCI})
    run("generate")
    monkeypatch.setattr("kargo_fleet.clients.helm.shutil.which", lambda _: None)
    ((code, message, fix),) = said(run)
    assert (code, "helm is not on PATH" in message) == ("KF603", True)
    assert fix.startswith("install Helm 3.18 or newer")
    assert "log in" not in fix


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ("printf '# more\\nfullnameOverride: x\\n' >> values.yaml", "KF106", "has other values than the chart"),
        ("echo 'a: 1' > values.yaml", "KF105", "is not a kargo-service chart: it has other values"),
    ],
)
def test_another_chart_under_the_same_version(
    tree: Tree, run: Run, helm: Helm, changes: str, code: str, message: str
) -> None:
    tree({"charts": None, "fleet.yaml": FLEET + OCI})
    run("generate")
    helm(pulled(changes))
    ((found, text, _),) = said(run)
    assert (found, message in text) == (code, True), text


# --- Another Git repository ---


@pytest.fixture
def remote(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the chart in `unit` at the tag v1, which Git finds under https://git.example.com/charts.git."""
    folder = tmp_path_factory.mktemp("remote")
    subprocess.run(["cp", "-r", CHART, folder / "unit"], check=True)
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "One"], ["tag", "v1"]):
        subprocess.run(["git", *arguments], cwd=folder, env=os.environ | GIT, check=True)
    for name, value in {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{folder}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://git.example.com/charts.git",
    }.items():
        monkeypatch.setenv(name, value)
    return folder


@pytest.mark.parametrize(
    ("chart", "found"),
    [
        ("path: unit, revision: v1", ""),
        ("path: unit", ""),
        ("path: units, revision: v1", "has no units/Chart.yaml at v1"),
        ("path: unit, revision: v2", "couldn't find remote ref v2"),
    ],
)
def test_a_chart_in_another_repository(tree: Tree, run: Run, remote: Path, chart: str, found: str) -> None:
    tree({"charts": None, "fleet.yaml": f"{FLEET}chart: {{git: https://git.example.com/charts.git, {chart}}}\n"})
    assert remote.is_dir()
    run("generate")
    codes = [(code, found in message) for code, message, _ in said(run)]
    assert codes == ([("KF602", True)] if found else [])


def test_another_version_in_another_repository(tree: Tree, run: Run, remote: Path) -> None:
    tree({"charts": None, "fleet.yaml": f"{FLEET}chart: {{git: https://git.example.com/charts.git, path: unit}}\n"})
    run("generate")
    text = (remote / "unit/Chart.yaml").read_text().replace(f"version: {__version__}", "version: 9.9.9")
    (remote / "unit/Chart.yaml").write_text(text)
    subprocess.run(["git", "commit", "-qam", "Two"], cwd=remote, env=os.environ | GIT, check=True)
    ((code, message, _),) = said(run)
    assert (code, "has version 9.9.9 of the chart at main" in message) == ("KF106", True)


def test_what_even_online_is_not_looked_at_is_named(tree: Tree, run: Run) -> None:
    settings = {
        "enabled": True,
        "source": {"repoURL": "https://charts.example.com", "chart": "a", "targetRevision": "1"},
    }
    section = json.dumps({"workloads": {**settings, "ignoreMissingValueFiles": True}})
    tree({"fleet.yaml": f"{FLEET}argocd: {section}\n"})
    run("generate")
    assert run("check", "--online").stderr.splitlines()[1:] == ["not checked: the charts of the workloads"]
