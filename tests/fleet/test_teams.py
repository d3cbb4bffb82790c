"""Services below folders of teams: `services: services/<team>/<service>`, and patterns of images."""

from __future__ import annotations

import pytest

from conftest import FLEET, Run, Tree, service
from kargo_fleet.fleet.folder_pattern import FolderPattern

PATTERN = "services: services/<team>/<service>\n"
TEAMS = {
    **dict.fromkeys(service("nginx")),
    "fleet.yaml": FLEET + PATTERN,
    **service("payments/api"),
    **service("payments/ledger"),
    **service("search/query"),
}


@pytest.mark.parametrize(
    ("services", "path", "found"),
    [
        ("services", "api", "api"),
        ("services", "api/values-dev.yaml", "api"),
        ("services", ".", "."),
        ("services/<team>/<service>", "payments/api/kargo.yaml", "payments/api"),
        ("services/<team>/<service>", "payments", "payments/*"),
        ("teams/<team>/apps/<service>", "payments/apps/api", "payments/api"),
        ("teams/<team>/apps/<service>", "payments/docs/api", ""),
    ],
)
def test_the_service_of_a_path(services: str, path: str, found: str) -> None:
    assert FolderPattern.of(services).find(path) == found


@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        ("api", 1),
        ("payments/api", 1),
        ("payments/*", 2),
        ("services/payments", 2),
        ("services/payments/", 2),
        ("services/search/query/", 1),
        ("services/search/query/values-dev.yaml", 1),
        ("*e*", 2),
    ],
)
def test_names_on_the_command_line(tree: Tree, run: Run, chosen: str, count: int) -> None:
    tree(TEAMS)
    result = run("generate", chosen)
    assert (result.status, result.stdout.count("created")) == (0, count)


@pytest.mark.parametrize("chosen", ["search/api", "payments", "search/a*", "services/search/api"])
def test_names_that_no_service_has(tree: Tree, run: Run, chosen: str) -> None:
    tree(TEAMS)
    result = run("check", chosen)
    assert result.status == 2
    assert "no service" in result.stderr


def test_a_service_that_moves_is_generated_anew_and_a_name_that_is_taken_keeps_its_file(tree: Tree, run: Run) -> None:
    root = tree(TEAMS | {"fleet.yaml": FLEET + PATTERN + "values: {project: {description: of <team>}}\n"})
    assert run("generate").status == 0
    (root / "services/payments/api").rename(root / "services/search/api")
    run("generate")
    before = (root / "values/api.yaml").read_text()
    assert "description: of search" in before
    (root / "services/payments/api").mkdir()
    result = run("generate")
    assert (result.status, result.stdout.count("KF206")) == (1, 1)
    assert (root / "values/api.yaml").read_text() == before


def test_a_team_in_a_value_of_a_service_and_in_one_that_is_escaped(tree: Tree, run: Run) -> None:
    own = "project: {description: '<team>, \\<team>'}\nrbac: {bindings: {a: {role: viewer, groups: ['<team>']}}}\n"
    root = tree(TEAMS | {"services/payments/api/kargo.yaml": own})
    assert run("generate").status == 0
    text = (root / "values/api.yaml").read_text()
    assert "payments, <team>" in text
    assert "groups: [payments]" in text


def test_a_team_where_there_are_none(tree: Tree, run: Run) -> None:
    tree({"fleet.yaml": FLEET.replace("registry.example.com", "registry.example.com/<team>")})
    result = run("check")
    assert "fleet.yaml:1:19: error KF309: image.registry: <team> is not replaced here" in result.stdout
    assert "set `services` of fleet.yaml to services/<team>/<service>" in result.stdout


@pytest.mark.parametrize(
    "services", ["<team>/<service>", "services/<team>", "a/<service>/b", "a/<team>/<team>/<service>"]
)
def test_patterns_that_are_none(tree: Tree, run: Run, services: str) -> None:
    tree({"fleet.yaml": FLEET + f"services: {services}\n"})
    result = run("check")
    assert result.status == 1
    assert "fleet.yaml:3:11: error KF103: services:" in result.stdout


def test_an_image_pattern_on_the_command_line(tree: Tree, run: Run) -> None:
    root = tree({})
    assert run("generate", "--image-repository", "ghcr.io/example/acme-<service>-app").status == 0
    assert "repoURL: ghcr.io/example/acme-nginx-app" in (root / "values/nginx.yaml").read_text()
    for wrong in ("ghcr.io/<svc>", "ghcr.io/<team>/<service>"):
        assert run("generate", "--image-repository", wrong).status == 2


def test_the_secret_of_a_pattern(tree: Tree, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    tree({"fleet.yaml": FLEET.replace("registry.example.com", "ghcr.io/example/acme-<service>-app")})
    monkeypatch.setenv("KARGO_FLEET_PASSWORD", "x")
    assert "example/acme-[a-z0-9-]+-app$" in run("credentials", "image", "--username", "u").stdout


def test_rendering_with_helm(tree: Tree, run: Run) -> None:
    tree(TEAMS)
    run("generate")
    assert "name: kargo-query" in run("render", "search/query").stdout
