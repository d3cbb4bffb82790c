"""The policy in the cluster of a large fleet: what the API server takes in one expression and in one object is limited."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conftest import FLEET, Run, Tree, service
from kargo_fleet.fleet.load import load_sound
from kargo_fleet.generate.admission_file import admission
from kargo_fleet.policy import cel
from kargo_fleet.unit.build import Inputs
from policy import admission_cases, test_admission
from policy.admission_cases import Case
from policy.admission_server import policies, refusals

#: cel-go's default, with which the API server refuses longer ones.
LONGEST_EXPRESSION = 100_000
#: What etcd takes, less what comes with it.
LARGEST_OBJECT = 1_400_000

#: 10,000 services: half of them wait for a pull request before prod, a quarter is relaxed, some are excepted.
SERVICES = [f"{'pay' if number % 2 else 'web'}-service-of-some-team-{number:05d}" for number in range(10_000)]
POLICY = """\
  rules:
    gates: {relaxedFor: [{services: ["*-0[01]???", "*-02???"]}]}
    soak:
      services: ["*-0????"]
      keys: [stages.prod.requestedFreight.*.requiredSoakTime]
      minimumDuration: 1m
  exceptions: [{rule: gates, services: ["*-03???"], owner: a, reason: b, until: "2999-12-31"}]
  cluster: {enabled: true, name: kargo-many, actions: [Deny, Audit]}
"""
GROUPS = """\
groups:
  pay:
    services: [pay-*]
    values: {stages: {prod: {promotion: {pullRequest: {enabled: true, provider: github}}}}}
"""
NAMED = """\
values: {project: {name: "<service>-rollouts"}}
"""


def admission_of_many(tree: Tree, fleet: str = "") -> str:
    """Return the policies of 10,000 services, whose files need not be there."""
    root = tree({"fleet.yaml": f"{FLEET}{fleet}{GROUPS}policy:\n{POLICY}", **service("web")})
    loaded = load_sound(root)
    return admission(Inputs(loaded.fleet, loaded.chart), SERVICES).text()


@pytest.mark.parametrize("fleet", ["", NAMED], ids=["usual names", "other names"])
def test_ten_thousand_services_fit(tree: Tree, fleet: str) -> None:
    for policy in policies(admission_of_many(tree, fleet)):
        assert len(json.dumps(policy)) < LARGEST_OBJECT
        lengths = {path: len(expression) for path, expression in _expressions(policy["spec"])}
        assert max(lengths.values()) < LONGEST_EXPRESSION, lengths


def test_a_table_in_parts_says_the_same(tree: Tree, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = test_admission.admission(tree, run)
    monkeypatch.setattr(cel, "_LONGEST_TABLE", 30)
    parts = test_admission.admission(tree, run)
    assert "variables.group2" in parts
    assert "variables.group2" not in whole
    for name in ("nginx", "pay-a", "relaxed", "dated"):
        for case in (admission_cases.AUTOMATIC, admission_cases.QUICK):
            for one in test_admission.objects_of(tree, run, Case(case, service=name)):
                assert refusals(parts, one) == refusals(whole, one)


def _expressions(spec: Any) -> list[tuple[str, str]]:
    return [
        (f"{key}.{one.get('name') or one.get('message')}", one["expression"])
        for key in ("variables", "matchConditions", "validations")
        for one in spec.get(key) or ()
    ]
