"""A promotion that writes another stage's file: said, whoever removed that stage, and whatever the file is."""

from __future__ import annotations

import json

import pytest

from conftest import FLEET, Run, Tree, service

ONLY_DEV = "stages:\n  staging: null\n  prod: null\n"
OVERLAYS = "promotion: {tagKey: '', updates: {image: {kustomize: {path: 'overlays/<service>/<stage>'}}}}\n"


def said(run: Run) -> list[str]:
    found = json.loads(run("check", "-o", "json").stdout)["findings"]
    return [one["message"] for one in found if one["code"] == "KFW321"]


@pytest.mark.parametrize(
    ("fleet", "kargo", "message"),
    [
        ("", ONLY_DEV + "promotion: {path: services/web/values-prod.yaml}\n", "dev write the file of stage prod, which is no stage"),
        (
            "values: {stages: {staging: null, prod: null}}\n",
            "stages: {dev: {promotion: {path: services/web/values-prod.yaml}}}\n",
            "dev write the file of stage prod",
        ),
        (
            "",
            "stages: {dev: {promotion: {path: services/web/values-prod.yaml}}, prod: {promotion: {path: services/web/live.yaml}}}\n",
            "dev write the file of stage prod",
        ),
        ("", "stages: {prod: null, live: {upstream: [staging], promotion: {path: services/web/values-prod.yaml}}}\n", "live write"),
        ("", OVERLAYS + ONLY_DEV + "  dev: {promotion: {updates: {image: {kustomize: {path: overlays/web/prod}}}}}\n", "dev write"),
    ],
)  # fmt: skip
def test_said(tree: Tree, run: Run, fleet: str, kargo: str, message: str) -> None:
    tree({"fleet.yaml": FLEET + fleet, **service("web", kargo=kargo)})
    assert [message in found for found in said(run)] == [True], run("check").stdout


@pytest.mark.parametrize(
    "kargo",
    [
        "",
        ONLY_DEV,
        "stages: {dev: {promotion: {path: services/web/values-common.yaml}}}\n",
        "stages: {prod: null, dev: {branch: other, promotion: {path: services/web/values-prod.yaml}}}\n",
        # An error of its own, KF305.
        "stages: {dev: {promotion: {path: services/web/values-prod.yaml}}}\n",
    ],
)
def test_not_said(tree: Tree, run: Run, kargo: str) -> None:
    tree(service("web", kargo=kargo))
    assert said(run) == []
