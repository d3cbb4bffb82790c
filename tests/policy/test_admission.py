"""The policy in the cluster: the same table for the tool and for the policies that it generates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

import helm
from conftest import FLEET, Run, Tree, service, texts
from policy import admission_cases
from policy.admission_cases import CASES, SERVICES, Case
from policy.admission_server import Object, policies, refusals, rules_in

ADMISSION = "policy/admission.yaml"
CLUSTER = FLEET + "policy: {cluster: {enabled: true}}\n"


def fleet_of(case: Case, fleet: str = admission_cases.FLEET) -> dict[str, str | bytes | None]:
    """Return the files of the table's fleet, with what a case says in a service's own file."""
    files: dict[str, str | bytes | None] = {"fleet.yaml": fleet}
    for name in SERVICES:
        files.update(service(name, **({"kargo": case.said + "\n"} if name == case.service else {})))
    return files


def objects_of(tree: Tree, run: Run, case: Case) -> list[Object]:
    """Return the objects of a case's unit, as somebody would apply them who does without the tool's policy."""
    trusting = admission_cases.FLEET.partition("policy:")[0] + "policy: {baseline: false}\n"
    root = tree(fleet_of(case, trusting))
    assert run("generate").status == 0
    return list(helm.render(case.service, helm.CHART, root / f"values/{case.service}.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.service} {case.said}"[:70])
def test_both_halves_hold_the_same_table(tree: Tree, run: Run, case: Case) -> None:
    root = tree(fleet_of(case))
    found = json.loads(run("generate", "--output", "json").stdout)["findings"]
    assert {one["code"] for one in found if one["severity"] == "error"} <= {"KF351"}
    said = rules_in(f"rule {one['message'].partition('; rule ')[2]}:" for one in found if one["code"] == "KF351")
    assert said == ({case.tool} - {""})
    text = (root / ADMISSION).read_text()
    refused = [message for one in objects_of(tree, run, case) for message in refusals(text, one)]
    assert rules_in(refused) == ({case.cluster} - {""}), refused


def admission(tree: Tree, run: Run, fleet: str = admission_cases.FLEET) -> str:
    root = tree(fleet_of(CASES[0], fleet))
    run("generate")
    return (root / ADMISSION).read_text()


def test_it_is_generated_when_asked_for(tree: Tree, run: Run) -> None:
    root = tree({"fleet.yaml": FLEET})
    run("generate")
    assert not (root / "policy").exists()
    tree({"fleet.yaml": CLUSTER})
    assert ADMISSION in run("generate").stdout
    before = (root / ADMISSION).read_bytes()
    assert run("generate", "--no-cache").stdout == ""
    assert (root / ADMISSION).read_bytes() == before
    assert run("check").status == 0


def test_check_reports_one_that_is_out_of_date_or_no_longer_wanted(tree: Tree, run: Run) -> None:
    root = tree({"fleet.yaml": CLUSTER})
    run("generate")
    tree({"fleet.yaml": CLUSTER.replace("true}", "true, name: other}")})
    assert "KF501" in run("check").stdout
    tree({"fleet.yaml": FLEET})
    assert f"{ADMISSION}: error KF501" in run("check").stdout
    run("generate", "--prune")
    assert not (root / ADMISSION).exists()


def test_a_file_of_somebody_else_is_kept(tree: Tree, run: Run) -> None:
    root = tree({"fleet.yaml": FLEET, ADMISSION: "kind: Mine\n"})
    run("generate", "--prune")
    assert (root / ADMISSION).read_text() == "kind: Mine\n"


def test_it_warns_first(tree: Tree, run: Run) -> None:
    text = admission(tree, run, CLUSTER)
    bindings = [one for one in yaml.safe_load_all(text) if one["kind"] == "ValidatingAdmissionPolicyBinding"]
    assert [one["spec"]["validationActions"] for one in bindings] == [["Warn", "Audit"]] * 2


def test_rules_that_warn_never_deny(tree: Tree, run: Run) -> None:
    fleet = CLUSTER.replace("true}", "true, actions: [Deny]}, rules: {web-links: {severity: warning}}")
    found = {
        one["metadata"]["name"]: one["spec"]["validationActions"]
        for one in yaml.safe_load_all(admission(tree, run, fleet))
        if one["kind"] == "ValidatingAdmissionPolicyBinding"
    }
    assert found == {
        "kargo-fleet": ["Deny"],
        "kargo-fleet-warnings": ["Warn", "Audit"],
        "kargo-fleet-freight": ["Deny"],
    }


def test_deny_and_warn_exclude_each_other(tree: Tree, run: Run) -> None:
    tree({"fleet.yaml": CLUSTER.replace("true}", "true, actions: [Deny, Warn]}")})
    assert "KF353" in run("generate").stdout


def test_it_says_what_it_does_not_hold(tree: Tree, run: Run) -> None:
    text = admission(tree, run)
    assert "#   own-files: no: " in text
    assert "#   locked: no: objects do not tell which layer sets a key" in text
    assert "#   web-links: yes\n" in text


STAGE = {
    "kind": "Stage",
    "metadata": {"namespace": "kargo-nginx", "name": "prod"},
    "spec": {"requestedFreight": [{"sources": {"direct": True}}]},
}


def test_what_was_there_before_stays_usable(tree: Tree, run: Run) -> None:
    text = admission(tree, run)
    assert refusals(text, STAGE)
    touched = {**STAGE, "metadata": {**STAGE["metadata"], "annotations": {"kargo.akuity.io/refresh": "now"}}}
    assert refusals(text, touched, STAGE) == []
    changed = {**STAGE, "spec": {"requestedFreight": [{"sources": {"direct": True}}], "shard": "a"}}
    assert refusals(text, changed, STAGE)


def test_other_namespaces_are_let_alone(tree: Tree, run: Run) -> None:
    other = {**STAGE, "metadata": {**STAGE["metadata"], "namespace": "elsewhere"}}
    assert refusals(admission(tree, run), other) == []


@pytest.mark.parametrize(("now", "is_over"), [("2999-12-30T23:59:59Z", False), ("2999-12-31T00:00:00Z", True)])
def test_an_exception_ends_by_the_clock_of_the_server(tree: Tree, run: Run, now: str, is_over: bool) -> None:
    metadata = {"namespace": "kargo-dated", "name": "prod"}
    sources = [{"sources": {"stages": ["staging"], "requiredSoakTime": "40m"}}]
    stage = {"kind": "Stage", "metadata": metadata, "spec": {"requestedFreight": sources}}
    text = admission(tree, run)
    assert bool(refusals(text, stage, now=now)) == is_over
    old = {**stage, "spec": {}}
    # The entry of this very request is the server's; a forged one in the past changes nothing.
    forged = [{"time": "2000-01-01T00:00:00Z"}, {"time": now}]
    assert bool(refusals(text, {**stage, "metadata": {**metadata, "managedFields": forged}}, old)) == is_over


def test_kargo_itself_makes_roles_and_nobody_else_does(tree: Tree, run: Run) -> None:
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    role = {"kind": "Role", "metadata": {"namespace": "kargo-nginx", "name": "a"}, "rules": rules}
    text = admission(tree, run)
    assert rules_in(refusals(text, role)) == {"roles"}
    assert refusals(text, role, user="system:serviceaccount:kargo:kargo-management-controller") == []
    assert rules_in(refusals(text, role, user="system:serviceaccount:kargo:kargo-api")) == {"roles"}
    write = [{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["create"]}]
    assert rules_in(refusals(text, {**role, "rules": write})) == {"roles"}


@pytest.mark.parametrize("selector", ["glob:*", "regex:.*", ""])
def test_an_automatic_policy_names_one_stage(tree: Tree, run: Run, selector: str) -> None:
    policy = {"autoPromotionEnabled": True, "stageSelector": {"name": selector} if selector else {"matchLabels": {}}}
    metadata = {"namespace": "kargo-nginx", "name": "kargo-nginx"}
    config = {"kind": "ProjectConfig", "metadata": metadata, "spec": {"promotionPolicies": [policy]}}
    assert "gates" in rules_in(refusals(admission(tree, run), config))


def freight(**status: object) -> Object:
    return {"kind": "Freight", "metadata": {"namespace": "kargo-nginx", "name": "f"}, "status": status}


CONTROLLER = "system:serviceaccount:kargo:kargo-controller"


@pytest.mark.parametrize(
    ("status", "user", "groups", "is_refused"),
    [
        ({"verifiedIn": {"staging": {"longestSoak": "999h"}}}, "pat", ["release-managers"], True),
        ({"verifiedIn": {"staging": {"longestSoak": "999h"}}}, CONTROLLER, [], False),
        ({"approvedFor": {"prod": {}}}, "pat", [], True),
        ({"approvedFor": {"prod": {}}}, "system:serviceaccount:kargo:kargo-api", [], True),
        ({"approvedFor": {"prod": {}}}, "pat", ["release-managers"], False),
        ({"approvedFor": {"dev": {}}}, "pat", [], False),
    ],
)
def test_soak_and_approval_cannot_be_forged(
    tree: Tree, run: Run, status: dict[str, object], user: str, groups: list[str], is_refused: bool
) -> None:
    text = admission(tree, run)
    assert bool(refusals(text, freight(**status), freight(), user=user, groups=groups)) == is_refused


def test_approvals_are_not_held_without_approvers(tree: Tree, run: Run) -> None:
    text = admission(tree, run, CLUSTER)
    assert "# Not held: approvals of Freight" in text
    assert refusals(text, freight(approvedFor={"prod": {}}), freight()) == []


def test_services_by_projects_of_their_own_names(tree: Tree, run: Run) -> None:
    fleet = (
        "values: {project: {name: team-<service>-x}, rbac: {bindings: {a: {role: admin, groups: [of-<service>]}}}}\n"
    )
    text = admission(tree, run, CLUSTER + fleet)
    subjects = [{"kind": "Group", "name": "of-nginx"}]
    binding = {
        "kind": "RoleBinding",
        "metadata": {"namespace": "team-nginx-x", "name": "kargo-service-a"},
        "roleRef": {"kind": "Role", "name": "kargo-admin"},
        "subjects": subjects,
    }
    assert refusals(text, binding) == []
    others = {**binding, "subjects": [{"kind": "Group", "name": "of-api"}]}
    assert rules_in(refusals(text, others)) == {"roles"}
    assert refusals(text, {**others, "metadata": {"namespace": "kargo-nginx", "name": "a"}}) == []


def test_without_the_baseline_own_rules_are_held(tree: Tree, run: Run) -> None:
    rules = "rules: {soak: {keys: [stages.prod.requestedFreight.*.requiredSoakTime], minimumDuration: 1h}}"
    text = admission(tree, run, CLUSTER.replace("policy: {", f"policy: {{baseline: false, {rules}, "))
    assert rules_in(refusals(text, STAGE)) == {"soak"}
    assert len(policies(text)) == 2


def test_the_policy_command_says_what_the_cluster_holds(tree: Tree, run: Run) -> None:
    tree(fleet_of(CASES[0]))
    assert "not in the cluster: own-files: " in run("policy").stdout
    rules = {one["rule"]: one for one in json.loads(run("policy", "-o", "json").stdout)["rules"]}
    assert (rules["own-files"]["cluster"], rules["web-links"]["cluster"]) == ("no", "yes")
    assert rules["own-files"]["notInCluster"]


def test_argocd_folder_has_no_policy(tree: Tree, run: Run, tmp_path: Path) -> None:
    """`kubectl apply -f argocd/` applies all of that folder."""
    tree({"fleet.yaml": CLUSTER})
    run("generate")
    assert not any(b"ValidatingAdmissionPolicy" in text for text in texts(tmp_path).values())
