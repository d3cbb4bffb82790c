"""The examples of the template in fleet.yaml: they generate, with one warning, and nothing is taken to a cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import FLEET, TRUSTING, Run, Tree, service, texts

TEMPLATE = """\
image:
  registry: your-registry.io
git:
  repoURL: https://github.com/YOUR_ORG/gitops-platform.git
"""
MESSAGE = (
    "image.registry (your-registry.io) and git.repoURL (https://github.com/YOUR_ORG/gitops-platform.git) "
    "are still examples of the template"
)
FIX = "write your own in fleet.yaml:2:13 and line 4, then run `kargo-fleet generate`"


@pytest.fixture
def template(tree: Tree) -> Path:
    """A fleet of two services as it is cloned."""
    return tree({"fleet.yaml": TEMPLATE, **service("api")})


def codes(run: Run, *arguments: str) -> list[tuple[str, str]]:
    found = json.loads(run(*arguments, "--output", "json").stdout)["findings"]
    return [(f"{item['file']}:{item['line']}:{item['column']}", item["code"]) for item in found]


def test_the_template_generates_with_one_warning(template: Path, run: Run) -> None:
    result = run("generate")
    assert result.status == 0
    assert f"fleet.yaml:2:13: warning KFW102: {MESSAGE}\n    fix: {FIX}\n" in result.stdout
    assert result.stdout.count("KFW102") == 1
    assert {"values/api.yaml", "values/nginx.yaml", "argocd/units.yaml"} <= texts(template).keys()
    assert run("check").status == 0
    assert codes(run, "check") == codes(run, "check", "api") == [("fleet.yaml:2:13", "KFW102")]


@pytest.mark.usefixtures("template")
def test_the_options_replace_the_examples(run: Run) -> None:
    assert codes(run, "generate", "--image-repository", "registry.example.com") == [("fleet.yaml:4:12", "KFW102")]
    both = ("--image-repository", "registry.example.com", "--git-repo-url", "https://git.example.com/platform.git")
    assert codes(run, "generate", *both) == []


def test_examples_elsewhere(tree: Tree, run: Run) -> None:
    group = "groups: {data: {services: [api], image: {registry: your-registry.io/data}}}\n"
    own = "warehouse: {subscriptions: [{image: {repoURL: your-registry.io/nginx-sidecar}}]}\n"
    tree({"fleet.yaml": TRUSTING + group, **service("api"), **service("nginx", kargo=own)})
    assert codes(run, "generate") == [("fleet.yaml:4:52", "KFW102"), ("services/nginx/kargo.yaml:1:47", "KFW102")]


def test_a_comment_is_no_example(tree: Tree, run: Run) -> None:
    tree({"fleet.yaml": f"{FLEET}# images were your-registry.io/<service>\n"})
    assert codes(run, "generate") == []


@pytest.mark.usefixtures("template")
@pytest.mark.parametrize("arguments", [("deploy",), ("deploy", "--dry-run"), ("deploy", "api", "--yes")])
def test_nothing_is_deployed(run: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    run("generate")
    monkeypatch.setenv("PATH", "/nowhere")  # neither kubectl nor helm is called
    assert run(*arguments) == (2, "", f"kargo-fleet: fleet.yaml:2:13: {MESSAGE}\n{FIX}\n")


@pytest.mark.usefixtures("template")
@pytest.mark.parametrize(
    ("kind", "place", "key"),
    [
        ("image", "fleet.yaml:2:13", "image.registry (your-registry.io)"),
        ("git", "fleet.yaml:4:12", "git.repoURL (https://github.com/YOUR_ORG/gitops-platform.git)"),
    ],
)
def test_there_are_no_credentials_for_an_example(
    run: Run, monkeypatch: pytest.MonkeyPatch, kind: str, place: str, key: str
) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")
    for more in ((), ("--from-env", "TOKEN")):
        status, stdout, stderr = run("credentials", kind, *more)
        assert (status, stdout) == (2, "")
        assert stderr == f"kargo-fleet: {place}: {key} is still an example of the template\nWrite your own there.\n"


def test_credentials_for_what_is_no_longer_an_example(tree: Tree, run: Run) -> None:
    tree({"fleet.yaml": TEMPLATE.replace("your-registry.io", "registry.example.com")})
    assert run("credentials", "image").status == 0
    assert run("credentials", "git").status == 2
