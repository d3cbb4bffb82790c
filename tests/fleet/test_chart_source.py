"""`chart` of fleet.yaml: what may stand there, what goes together, and where an older key went."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conftest import FLEET, Run, Tree
from kargo_fleet.findings import Place
from kargo_fleet.fleet.chart_source import Origin, chart_source, moved


def said(tree: Tree, run: Run, chart: str) -> list[tuple[str, str, str, str]]:
    tree({"fleet.yaml": f"{FLEET}chart: {{{chart}}}\n"})
    found = json.loads(run("check", "nginx", "--output", "json").stdout)["findings"]
    return [
        (str(Place(item["file"], item["line"], item["column"])), item["code"], item["message"], item["fix"])
        for item in found
        if item["file"] == "fleet.yaml"
    ]


@pytest.mark.parametrize(
    ("chart", "code", "message", "fix"),
    [
        (
            "oci: oci://r.example.com/kargo-service",
            "KF104",
            "chart.version: is required with chart.oci",
            "set chart.version",
        ),
        (
            "helm: https://charts.example.com",
            "KF104",
            "chart.version: is required with chart.helm",
            "set chart.version",
        ),
        ("version: 1.2.3", "KF103", "chart.version has no effect without chart.oci or chart.helm", "set chart.oci"),
        (
            "oci: oci://r.example.com/c, helm: https://charts.example.com, version: 1.2.3",
            "KF103",
            "chart.oci and chart.helm are mutually exclusive",
            "remove all but one of oci, helm",
        ),
        (
            "oci: oci://r.example.com/c, version: 1.2.3, revision: v1",
            "KF103",
            "chart.revision has no effect",
            "remove it",
        ),
        ("revision: v1", "KF103", "chart.revision requires chart.git", "remove it"),
        ("oci: oci://r.example.com/c:1.2.3", "KF103", "chart.oci: ", "its version is chart.version"),
        ("oci: r.example.com/c, version: 1.2.3", "KF103", "chart.oci: ", "such as oci://registry.example.com"),
        ("oci: oci://r.example.com, version: 1.2.3", "KF103", "chart.oci: ", "such as oci://"),
        ("oci: oci://r.example.com/Org/c, version: 1.2.3", "KF103", "chart.oci: ", "such as oci://"),
        ("helm: oci://r.example.com/c, version: 1.2.3", "KF103", "chart.helm: ", "chart.oci"),
        ("helm: https://me:secret@charts.example.com, version: 1.2.3", "KF103", "chart.helm: ", "the URL"),
        ("oci: oci://r.example.com/c, version: ^1.2.3", "KF103", "chart.version: ", "the exact version"),
        ("oci: oci://r.example.com/c, version: 1.2", "KF102", "chart.version: 1.2 is a number", "the exact version"),
    ],
)
def test_a_wrong_section_is_told(tree: Tree, run: Run, chart: str, code: str, message: str, fix: str) -> None:
    ((place, found, text, help_),) = [one for one in said(tree, run, chart) if one[1] != "KF106"]
    assert place.startswith("fleet.yaml:3:")
    assert found == code
    assert message in text
    assert fix in help_


@pytest.mark.parametrize(
    ("chart", "origin", "repo_url", "name"),
    [
        ({}, Origin.REPOSITORY, "", ""),
        ({"path": "charts/own"}, Origin.REPOSITORY, "", ""),
        (
            {"oci": "oci://localhost:5000/kargo-service", "version": "1.2.3"},
            Origin.OCI,
            "localhost:5000",
            "kargo-service",
        ),
        (
            {"helm": "https://charts.example.com", "version": "1.2.3"},
            Origin.HELM,
            "https://charts.example.com",
            "kargo-service",
        ),
        ({"git": "https://git.example.com/c.git"}, Origin.GIT, "https://git.example.com/c.git", ""),
    ],
)
def test_an_origin_has_the_fields_of_an_argo_cd_source(
    chart: dict[str, str], origin: Origin, repo_url: str, name: str
) -> None:
    source = chart_source({"chart": chart})
    assert (source.origin, source.repo_url, source.chart) == (origin, repo_url, name)


@pytest.mark.parametrize(
    ("source", "section"),
    [
        (
            {"repoURL": "registry.example/charts", "chart": "kargo-service", "targetRevision": "1.2.3"},
            "chart: {oci: oci://registry.example/charts/kargo-service, version: 1.2.3}",
        ),
        (
            {"repoURL": "https://charts.example", "chart": "kargo-service", "targetRevision": "1.2.3"},
            "chart: {helm: https://charts.example, version: 1.2.3}",
        ),
        (
            {"repoURL": "https://git.example/c.git", "path": "unit", "targetRevision": "v1"},
            "chart: {path: unit, git: https://git.example/c.git, revision: v1}",
        ),
        ({"targetRevision": "v1"}, "chart: {path: charts/kargo-service}"),
        ({"path": "charts/own"}, "chart: {path: charts/own}"),
        (None, "chart: {path: charts/kargo-service}"),
    ],
)
def test_the_older_key_is_an_error_that_says_what_to_write(tree: Tree, run: Run, source: Any, section: str) -> None:
    assert section in moved(source)
    tree({"fleet.yaml": f"{FLEET}argocd: {{units: {{source: {json.dumps(source)}}}}}\n"})
    (found,) = json.loads(run("check", "--output", "json").stdout)["findings"]
    assert (found["code"], found["message"]) == ("KF101", "argocd.units.source: unknown key")
    assert section in found["fix"]
