"""kargo-fleet credentials: the Secret that it prints, that Kargo uses it, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import re2
import yaml

from conftest import Result, Run, Tree
from contract import kargo

GIT = "git: {repoURL: https://git.example.com/platform.git}\n"
#: Strings that YAML, a shell or `printf` would change.
PASSWORDS = ["abc", "no", "017", "a: b # c", "'\"\\", "$HOME `x` %s", "ümläut", " spaces "]


def manifest(result: Result) -> dict[str, Any]:
    assert result.status == 0, result.stderr
    found: dict[str, Any] = yaml.safe_load(result.stdout)
    return found


def test_the_secret_for_git(tree: Tree, run: Run) -> None:
    tree({})
    result = run("credentials", "git")
    assert manifest(result) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "kargo-fleet-git",
            "namespace": "kargo-shared-resources",
            "labels": {"kargo.akuity.io/cred-type": "git"},
        },
        "stringData": {"repoURL": "https://git.example.com/platform.git", "username": "kargo"},
    }
    assert "the password is missing" in result.stderr


def test_the_secret_for_images(tree: Tree, run: Run) -> None:
    tree({})
    secret = manifest(run("credentials", "image"))
    assert secret["metadata"]["name"] == "kargo-fleet-image"
    assert secret["metadata"]["labels"] == {"kargo.akuity.io/cred-type": "image"}
    expression = r"^registry\.example\.com/.+$"
    assert secret["stringData"] == {"repoURL": expression, "repoURLIsRegex": "true", "username": "kargo"}


def test_the_secret_for_the_registry_of_a_group(tree: Tree, run: Run) -> None:
    groups = "groups: {Team Data: {services: [data-*], image: {registry: eu.example.com}}, web: {services: [web-*]}}\n"
    tree({"fleet.yaml": f"image: {{registry: registry.example.com}}\n{GIT}{groups}"})
    secret = manifest(run("credentials", "image", "--group", "Team Data"))
    assert secret["metadata"]["name"] == "kargo-fleet-image-team-data"
    assert secret["stringData"]["repoURL"] == r"^eu\.example\.com/.+$"
    result = run("credentials", "image", "--group", "web")
    assert (result.status, result.stdout) == (2, "")
    assert "no group 'web' with image.registry in fleet.yaml; groups with a registry: Team Data" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("git", "--group", "nope"), "there is no group 'nope' in fleet.yaml; its groups: data, web"),
        (("git", "--group", "dato"), "there is no group 'dato' in fleet.yaml; did you mean data?"),
        (("image", "--group", "dato"), "there is no group 'dato' in fleet.yaml; did you mean data?"),
        (("git", "--group", "data"), "--group requires image: groups have registries of their own, but no repository"),
    ],
)
def test_a_group_that_is_not_there_or_has_no_effect(
    tree: Tree, run: Run, arguments: tuple[str, ...], message: str
) -> None:
    groups = "groups: {data: {services: [data-*], image: {registry: eu.example.com}}, web: {services: [web-*]}}\n"
    tree({"fleet.yaml": f"image: {{registry: registry.example.com}}\n{GIT}{groups}"})
    assert run("credentials", *arguments) == (2, "", f"kargo-fleet: {message}\n")


@pytest.mark.parametrize("kind", ["git", "image"])
@pytest.mark.parametrize("password", PASSWORDS)
def test_the_password_comes_from_the_environment(
    tree: Tree, run: Run, monkeypatch: pytest.MonkeyPatch, kind: str, password: str
) -> None:
    root = tree({})
    monkeypatch.setenv("TOKEN", password)
    result = run("credentials", kind, "--from-env", "TOKEN")
    secret = manifest(result)
    assert secret["stringData"]["password"] == password
    assert result.stderr == ""
    assert kargo.problems(secret) == []
    written = [path.relative_to(root).parts[0] for path in root.rglob("*") if path.is_file()]
    assert set(written) == {"fleet.yaml", "services"}


def test_names_are_configurable(tree: Tree, run: Run) -> None:
    tree({})
    options = ["--username", "x-access-token", "--name", "repository", "--namespace", "kargo-nginx"]
    secret = manifest(run("credentials", "git", *options))
    metadata = secret["metadata"]
    assert (metadata["name"], metadata["namespace"]) == ("repository", "kargo-nginx")
    assert secret["stringData"]["username"] == "x-access-token"


# --- The expression for images ---


@pytest.mark.parametrize(
    ("registry", "expression", "matches", "others"),
    [
        (
            "registry.example.com",
            r"^registry\.example\.com/.+$",
            ["registry.example.com/nginx", "registry.example.com/team/nginx"],
            ["registryXexample.com/nginx", "evil.example/registry.example.com/nginx", "registry.example.com.evil/x"],
        ),
        (
            "registry.example.com:5000",
            r"^registry\.example\.com:5000/.+$",
            ["registry.example.com:5000/nginx"],
            ["registry.example.com/nginx", "registry.example.com:50001/nginx"],
        ),
        (
            "localhost:5000/apps",
            r"^localhost:5000/apps/.+$",
            ["localhost:5000/apps/nginx"],
            ["localhost:5000/other/nginx", "localhost:5000/appsX/nginx", "localhost:5000/apps/"],
        ),
        (
            "ghcr.io/a_b/c__d",
            r"^ghcr\.io/a_b/c__d/.+$",
            ["ghcr.io/a_b/c__d/nginx"],
            ["ghcr-io/a_b/c__d/nginx", "ghcr.io/a_b/nginx"],
        ),
    ],
)
def test_the_expression_matches_only_the_registry(
    tree: Tree, run: Run, registry: str, expression: str, matches: list[str], others: list[str]
) -> None:
    tree({"fleet.yaml": f"image: {{registry: '{registry}'}}\n{GIT}"})
    found = manifest(run("credentials", "image"))["stringData"]["repoURL"]
    assert found == expression
    compiled = re2.compile(found)  # as Go does
    assert [image for image in matches + others if compiled.search(image)] == matches


# --- Refusals ---


@pytest.mark.parametrize("value", [None, ""])
def test_an_empty_variable_is_refused(tree: Tree, run: Run, monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    tree({})
    monkeypatch.delenv("TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("TOKEN", value)
    result = run("credentials", "git", "--from-env", "TOKEN")
    assert (result.status, result.stdout) == (2, "")
    assert "the environment variable TOKEN is empty" in result.stderr
    assert "read -rs TOKEN; export TOKEN" in result.stderr


def test_the_password_is_not_printed_to_a_terminal(tree: Tree, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    tree({})
    monkeypatch.setenv("TOKEN", "s3cret")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    result = run("credentials", "git", "--from-env", "TOKEN")
    assert (result.status, result.stdout) == (2, "")
    assert "stdout is a terminal: pipe the password" in result.stderr
    assert "s3cret" not in result.stderr
    assert run("credentials", "git").status == 0  # no password, so nothing to hide


@pytest.mark.parametrize(
    ("kind", "fleet", "message"),
    [
        ("image", GIT, "fleet.yaml does not set image.registry"),
        ("git", "image: {registry: registry.example.com}\n", "fleet.yaml does not set git.repoURL"),
    ],
)
def test_a_missing_address_is_refused(tree: Tree, run: Run, kind: str, fleet: str, message: str) -> None:
    tree({"fleet.yaml": fleet})
    result = run("credentials", kind)
    assert (result.status, result.stdout) == (2, "")
    assert message in result.stderr


def test_the_printed_command_can_be_pasted(tree: Tree, run: Run) -> None:
    """Server-side apply is required: client-side apply copies the password into an annotation."""
    tree({})
    typed = "kubectl apply --server-side -f -"
    assert typed in run("credentials", "git").stderr
    assert typed in run("credentials", "--help").stdout
    assert "--filename -" not in run("credentials", "--help").stdout
