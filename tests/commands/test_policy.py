"""kargo-fleet policy: counts by rule and group, another policy tried, today's violations recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conftest import FLEET, Run, Tree, service

RULE = "policy: {rules: {often: {owner: ops, keys: [warehouse.interval], maximumDuration: 1h}}}\n"
GROUPS = "groups: {web: {services: [api, nginx]}, pay: {services: [pay]}}\n"
SLOW = "warehouse: {interval: 2h}\n"


@pytest.fixture
def fleet(tree: Tree) -> Path:
    """Three services, two of which break a rule."""
    return tree(
        {
            "fleet.yaml": FLEET + RULE + GROUPS,
            **service("nginx", kargo=SLOW),
            **service("api"),
            **service("pay", kargo=SLOW),
        }
    )


def counted(run: Run, *arguments: str) -> dict[str, Any]:
    """Return what is counted of the rule `often`."""
    (rule,) = [
        one for one in json.loads(run("policy", *arguments, "-o", "json").stdout)["rules"] if one["rule"] == "often"
    ]
    found: dict[str, Any] = rule
    return found


@pytest.mark.usefixtures("fleet")
def test_violations_are_counted_by_rule_and_group(run: Run) -> None:
    assert counted(run) == {
        "rule": "often",
        "severity": "error",
        "owner": "ops",
        "open": 2,
        "recorded": 0,
        "excepted": 0,
        "services": 2,
        "groups": {"pay": 1, "web": 1},
    }
    shown = run("policy")
    assert "often              error     ops       2         2         0         0" in shown.stdout
    assert "often  web           1" in shown.stdout
    assert shown.stderr.startswith("3 services: 2 open violations")


def test_those_of_today_are_recorded_and_only_others_fail(fleet: Path, run: Run) -> None:
    assert run("generate").status == 1
    assert run("policy", "record").stderr == "2 violations recorded\n"
    recorded = (fleet / "policy-recorded.yaml").read_text()
    assert 'nginx:\n    warehouse.interval: "2h"\n  pay:\n' in recorded
    assert run("generate").status == 0
    assert (counted(run)["open"], counted(run)["recorded"]) == (0, 2)
    run("policy", "record")
    assert (fleet / "policy-recorded.yaml").read_text() == recorded
    (fleet / "services/nginx/kargo.yaml").write_text("warehouse: {interval: 3h}\n")  # another violation
    (fleet / "services/api/kargo.yaml").write_text(SLOW)
    found = json.loads(run("generate", "-o", "json").stdout)["findings"]
    assert [(one["code"], one["service"]) for one in found] == [("KF351", "api"), ("KF351", "nginx")]
    for name in ("nginx", "api", "pay"):
        (fleet / f"services/{name}/kargo.yaml").write_text("{}\n")
    assert run("policy", "record").stdout == "removed  policy-recorded.yaml\n"
    assert not (fleet / "policy-recorded.yaml").exists()


def test_the_cache_does_not_hide_that_a_record_is_gone(fleet: Path, run: Run) -> None:
    run("policy", "record")
    assert run("generate").status == 0
    (fleet / "policy-recorded.yaml").unlink()
    assert run("generate").status == 1


@pytest.mark.parametrize("content", ["[]\n", "often: 1\n", "often: {nginx: 2h}\n", "a: [\n"])
def test_a_record_that_cannot_be_used(fleet: Path, run: Run, content: str) -> None:
    (fleet / "policy-recorded.yaml").write_text(content)
    found = json.loads(run("generate", "-o", "json").stdout)["findings"]
    assert [(one["file"], one["fix"]) for one in found] == [
        ("policy-recorded.yaml", "write it again with `kargo-fleet policy record`")
    ]


@pytest.mark.usefixtures("fleet")
def test_another_policy_is_tried(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "stricter.yaml"
    file.write_text("policy: {rules: {often: {keys: [warehouse.interval], maximumDuration: 1m}}}\n")
    assert counted(run, "--file", str(file))["open"] == 3
    assert counted(run)["open"] == 2


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("a: [", "not valid YAML"),
        ("rules: {}\n", "has no policy"),
        ("policy: {rules: {a: {key: [b]}}}\n", "policy.rules.a.key: unknown key; did you mean keys?"),
        ("policy: {rules: {a: {keys: [b]}}}\n", "policy.rules.a: says nothing of its keys"),
    ],
)
def test_another_policy_that_cannot_be_used(run: Run, tmp_path: Path, content: str | None, message: str) -> None:
    file = tmp_path / "stricter.yaml"
    if content:
        file.write_text(content)
    result = run("policy", "--file", str(file))
    assert result.status == 2
    assert message in result.stderr


@pytest.mark.usefixtures("fleet")
def test_recording_is_for_the_policy_in_force(run: Run) -> None:
    assert "record is for the policy of fleet.yaml" in run("policy", "record", "--file", "x.yaml").stderr


def test_services_with_other_mistakes_are_left_out(fleet: Path, run: Run) -> None:
    (fleet / "services/api/kargo.yaml").write_text("image: {constraint: x.y.z}\n")
    assert "1 service with other errors left out" in run("policy").stderr
