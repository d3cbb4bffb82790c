"""Roles and sync windows of the AppProjects, and other settings of fleet.yaml that Argo CD would refuse: refused here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conftest import FLEET, Run, Tree, service

ROLE = {"name": "viewer", "policies": ["p, proj:kargo:viewer, applications, get, kargo/*, allow"], "groups": ["team-a"]}
WINDOW = {
    "kind": "deny",
    "schedule": "0 22 * * 1-5",
    "duration": "1h30m",
    "applications": ["*"],
    "timeZone": "Europe/Berlin",
}


def refused(tree: Tree, run: Run, **settings: Any) -> list[str]:
    tree({"fleet.yaml": FLEET + _yaml(settings), **service("web")})
    found = json.loads(run("check", "-o", "json").stdout)["findings"]
    return [one["message"] for one in found if one["severity"] == "error" and one["code"] != "KF501"]


def _yaml(settings: dict[str, Any]) -> str:
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items())


def project(**settings: Any) -> dict[str, Any]:
    return {"argocd": {"appProject": settings, "workloads": {"appProject": settings}}}


def test_what_argo_cd_takes(tree: Tree, run: Run) -> None:
    assert refused(tree, run, **project(roles=[ROLE, {"name": "a_b-C"}], syncWindows=[WINDOW])) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (project(roles=[{"policies": []}]), "roles[0]: name is required"),
        (project(roles=[{"name": ""}]), 'roles[0].name: "" is not allowed'),
        (project(roles=[{"name": "a b"}]), 'roles[0].name: "a b" is not allowed'),
        (project(roles=[{"name": "a", "policy": []}]), "roles[0].policy: unknown key"),
        (project(roles=[{"name": "a", "policies": ["g, a, b"]}]), "roles[0].policies[0]: "),
        (project(roles=[{"name": "a", "groups": [" a"]}]), "roles[0].groups[0]: "),
        (project(roles=[{"name": "a", "groups": ["a", "a"]}]), "roles[0].groups: "),
        (project(roles=[{"name": "a", "jwtTokens": [{}]}]), "roles[0].jwtTokens[0]: iat is required"),
        (project(syncWindows=[{"kind": "deny"}]), "syncWindows[0]: schedule is required"),
        (project(syncWindows=[{**WINDOW, "kind": "block"}]), "syncWindows[0].kind: "),
        (project(syncWindows=[{**WINDOW, "schedule": "@daily"}]), "syncWindows[0].schedule: "),
        (project(syncWindows=[{**WINDOW, "duration": "9999999h"}]), "syncWindows[0].duration: "),
        (project(syncWindows=[{**WINDOW, "duration": "2h2h2h2h2h2h2h2h2h2h2h"}]), "syncWindows[0].duration: "),
        ({"argocd": {"units": {"retry": {"backoff": {"duration": "9999999h"}}}}}, "backoff.duration: "),
        ({"chart": {"helm": "http://[0]/y", "version": "1.0.0"}}, "chart.helm: "),
        ({"chart": {"helm": "https://h/%zz", "version": "1.0.0"}}, "chart.helm: "),
        ({"chart": {"oci": "oci://[0]/y", "version": "1.0.0"}}, "chart.oci: "),
        ({"chart": {"git": "http://[0]/y"}}, "chart.git: "),
    ],
)
def test_what_argo_cd_refuses(tree: Tree, run: Run, settings: dict[str, Any], message: str) -> None:
    assert any(message in one for one in refused(tree, run, **settings)), refused(tree, run, **settings)
