"""Soak times that Kargo v1.11 never honours, by what its pkg/api/warehouse.go compares."""

from __future__ import annotations

from typing import Any

from kargo_fleet.findings import Problem
from kargo_fleet.fleet.pipeline import pipeline_of
from kargo_fleet.unit import soak

REGIONS: dict[str, Any] = {
    "dev": {},
    "us": {"upstream": ["dev"]},
    "eu": {"upstream": ["dev"]},
    "all": {"upstream": ["us", "eu"], "availabilityStrategy": "All", "requiredSoakTime": "1m"},
    "after": {"upstream": ["all"]},
}


def problems(stages: dict[str, Any], **values: Any) -> list[Problem]:
    unit = {"service": {"name": "nginx"}, "image": {"repoURL": "nginx"}, "stages": stages, **values}
    return list(soak.problems(pipeline_of(unit)))


def test_freight_that_soaked_elsewhere_is_never_available() -> None:
    (problem,) = problems(REGIONS)
    assert problem.code == "KFW319"
    assert "in us and eu alone; dev counts, too, so that all is never promoted automatically" in problem.message
    assert "let a verification of us and eu take 1m" in problem.fix


def test_freight_that_soaked_nowhere_else_is() -> None:
    stages = {name: stage for name, stage in REGIONS.items() if name != "dev"}
    stages |= {"us": {}, "eu": {}}
    assert (problems(stages)) == []
    assert (problems(REGIONS | {"all": {**REGIONS["all"], "availabilityStrategy": "OneOf"}})) == []
    assert (problems(REGIONS | {"all": {**REGIONS["all"], "requiredSoakTime": None}})) == []


def test_a_single_upstream_stage() -> None:
    stages = {"dev": {}, "staging": {"upstream": ["dev"]}, "prod": REGIONS["all"] | {"upstream": ["staging"]}}
    (problem,) = problems(stages)
    assert (problem.code, problem.fix) == ("KFW319", "remove availabilityStrategy")


def test_behind_a_gate() -> None:
    gated = {"dev": {}, "gate": {"upstream": ["dev"], "controlFlow": True, "requiredSoakTime": "1h"}}
    gated["prod"] = {"upstream": ["gate"], "requiredSoakTime": "1h"}
    (problem,) = problems(gated)
    assert (problem.code, problem.fix) == ("KFW319", "set requiredSoakTime of gate instead")
    assert "never soaks in a control flow stage (gate)" in problem.message
    assert problems(gated | {"prod": {"upstream": ["gate", "dev"], "requiredSoakTime": "1h"}}) == []
