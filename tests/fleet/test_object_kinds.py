"""The kinds of objects that units may have: one list in the tool, one in the chart, one in the AppProject."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from helm import CHART, render
from kargo_fleet.argocd.app_projects import units_project
from kargo_fleet.argocd.settings import argo_fleet
from kargo_fleet.fleet import object_kinds
from kargo_fleet.fleet.object_kinds import CHART_KINDS, FORBIDDEN, GroupKind
from kargo_fleet.text.json_schema import Schema


def test_the_chart_forbids_the_same_kinds() -> None:
    text = (CHART / "templates" / "_beside.tpl").read_text()
    found = re.search(r'define "kargo-service.forbiddenKinds" -}}\n(.*?){{- end', text, re.DOTALL)
    assert found
    reasons: dict[str, str] = yaml.safe_load(found[1])
    assert {kind: reason for reason, kinds in reasons.items() for kind in kinds.split()} == FORBIDDEN


def test_the_chart_has_no_other_kinds() -> None:
    """What extraObjects may have is told apart from what the chart has; without extraObjects, all of it is listed."""
    made: set[GroupKind] = set()
    for file in (CHART / "ci").glob("*-values.yaml"):
        for obj in render("nginx", CHART, file):
            if "extraObjects" not in file.read_text() or obj["kind"] != "ConfigMap":
                made.add(GroupKind(obj["apiVersion"].rpartition("/")[0], obj["kind"]))
    cluster = {GroupKind("", "Namespace"), GroupKind("kargo.akuity.io", "Project")}
    assert made == set(CHART_KINDS) | cluster
    assert {str(kind) for kind in made} <= FORBIDDEN.keys()


def allowing(*kinds: tuple[str, str]) -> dict[str, Any]:
    return {"extraObjects": {"allowedKinds": [{"group": group, "kind": kind} for group, kind in kinds]}}


def test_the_app_project_allows_what_the_platform_allows() -> None:
    fleet = argo_fleet(allowing(("external-secrets.io", "ExternalSecret"), ("", "ConfigMap"), ("", "Secret")))
    listed = units_project(fleet, [])["spec"]["namespaceResourceWhitelist"].value
    kinds = [GroupKind(**entry) for entry in listed]
    assert kinds == [*CHART_KINDS, GroupKind("", "ConfigMap"), GroupKind("external-secrets.io", "ExternalSecret")]


@pytest.mark.parametrize("data", [{}, {"extraObjects": None}, {"extraObjects": {"allowedKinds": None}}])
def test_nothing_is_allowed_by_default(data: dict[str, Any]) -> None:
    assert object_kinds.allowed_kinds(data) == ()
    assert list(object_kinds.problems(data)) == []


@pytest.mark.parametrize("kind", sorted(FORBIDDEN))
def test_what_no_unit_may_have_cannot_be_allowed(kind: str) -> None:
    name, _, group = kind.partition(".")
    data = allowing((group, name))
    assert object_kinds.allowed_kinds(data) == ()
    (problem,) = object_kinds.problems(data)
    assert problem.message == f'extraObjects.allowedKinds[0].kind: "{name}" is not allowed; {FORBIDDEN[kind]}'


@pytest.mark.parametrize("kind", [("*", "ConfigMap"), ("", "*"), ("apps/v1", "Deployment"), ("", "configmaps")])
def test_kinds_are_named_one_by_one(kind: tuple[str, str]) -> None:
    schema = Schema({"properties": {"extraObjects": object_kinds.EXTRA_OBJECTS_SCHEMA}})
    (problem,) = schema.problems(allowing(kind))
    assert "is not allowed" in problem.message
    assert "without" in problem.fix
