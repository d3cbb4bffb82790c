"""Which cluster is used, and what a person without one is told. kubectl is played by a script."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conftest import Run, Tree
from kargo_fleet.clients.kube import Kube
from kargo_fleet.clients.process import ClientError
from kargo_fleet.errors import FleetError

# As kubectl 1.36 does without a cluster that it can use. The contexts of its kubeconfig are in a file beside it.
KUBECTL = """#!/bin/sh
case "$*" in
  "config get-contexts"*) cat "$0.contexts" ;;
  "--context eu config view"*) echo 'error: cannot locate context eu' >&2; exit 1 ;;
  "--context eu"*) echo 'error: context "eu" does not exist' >&2; exit 1 ;;
  "config view"*) echo 'error: current-context must exist in order to minify' >&2; exit 1 ;;
  *) echo 'The connection to the server localhost:8080 was refused - did you specify the right host or port?' >&2; exit 1 ;;
esac
"""


@pytest.fixture
def contexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "kubectl").write_text(KUBECTL)
    (folder / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    (folder / "kubectl.contexts").touch()
    return folder / "kubectl.contexts"


@pytest.mark.parametrize(
    ("context", "known", "message"),
    [
        ("", [], "there is no cluster: the kubeconfig of kubectl has no context\nSet KUBECONFIG, or log in"),
        ("eu", [], "there is no context 'eu': the kubeconfig of kubectl has no context"),
        ("", ["eu-1", "us-1"], "kubectl has no current context\nPass --context with one of: eu-1, us-1."),
        ("eu", ["eu-1", "us-1"], "there is no context 'eu' in the kubeconfig of kubectl; did you mean eu-1?"),
        ("eu", ["prod"], "there is no context 'eu' in the kubeconfig of kubectl; there is prod"),
    ],
)
def test_without_a_context(contexts: Path, context: str, known: list[str], message: str) -> None:
    contexts.write_text("\n".join(known))
    with pytest.raises(FleetError) as raised:
        Kube(context).target()
    assert str(raised.value).startswith(message)
    assert str(raised.value).endswith("To see the manifests without a cluster, run `kargo-fleet render`.")


@pytest.mark.parametrize("command", [["deploy"], ["delete", "nginx"], ["doctor"]])
@pytest.mark.parametrize("by_make", [False, True])
def test_every_command_says_so(
    contexts: Path, tree: Tree, run: Run, monkeypatch: pytest.MonkeyPatch, command: list[str], by_make: bool
) -> None:
    if by_make:
        monkeypatch.setenv("KARGO_FLEET_RUN_BY", "make")
    contexts.write_text("eu-1\n")
    tree({})
    run("generate")
    result = run(*command)
    assert result.status == 2
    assert "kubectl has no current context" in result.stderr
    assert ("Pass CONTEXT= with one of: eu-1" if by_make else "Pass --context with one of: eu-1") in result.stderr
    assert ("`make render`" if by_make else "`kargo-fleet render`") in result.stderr
    assert "make deploy" not in result.stderr


def test_a_cluster_that_does_not_answer() -> None:
    error = ClientError("E1126 12:00:00 memcache.go:265] x\nUnable to connect to the server: EOF")
    with (
        pytest.raises(FleetError, match=r"^the cluster does not answer: Unable to connect to the server: EOF$"),
        Kube().answering(),
    ):
        raise error
