"""The policy in the cluster, held by the API server itself: the table of tests/policy/admission_cases.py once more."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Run, Tree
from policy.admission_cases import CASES, SERVICES, Case
from policy.admission_server import rules_in
from policy.test_admission import admission, objects_of
from policy.test_admission_scale import NAMED, admission_of_many
from policy.test_admission_scale import SERVICES as MANY_SERVICES

from .control_plane import Client, Object

pytestmark = pytest.mark.cluster

#: What the policies look at; the rest of a unit is not created.
KINDS = ("ProjectConfig", "Stage", "Warehouse", "PromotionTask", "AnalysisTemplate", "Role", "RoleBinding")
NAMESPACES = [f"kargo-{name}" for name in SERVICES]
ROLE = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"}
EVERYTHING = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
FREIGHT = "freights.kargo.akuity.io"


@pytest.fixture(scope="module")
def held(cluster: Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    made = tmp_path_factory.mktemp("admission")
    yield cluster
    for file in made.parent.glob("**/admission-applied.yaml"):
        cluster.kubectl("delete", "-f", file, "--ignore-not-found")
    cluster.kubectl("delete", "projects.kargo.akuity.io", *NAMESPACES, "--ignore-not-found", "--timeout=180s")
    cluster.kubectl("delete", "namespaces", *NAMESPACES, "--ignore-not-found", "--timeout=180s")


@pytest.fixture
def server(held: Client, tree: Tree, run: Run, tmp_path: Path) -> Client:
    """The cluster, once it holds the policies."""
    cluster = held
    if cluster.find("validatingadmissionpolicy", "kargo-fleet-freight"):
        return cluster
    file = tmp_path / "admission-applied.yaml"
    file.write_text(admission(tree, run))
    labels = {"kargo.akuity.io/project": "true"}
    for name in NAMESPACES:
        metadata = {"name": name, "labels": labels}
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        project = {"apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Project", "metadata": {"name": name}}
        cluster.apply(project)
    cluster.kubectl("apply", "-f", file)
    everything = {**ROLE, "metadata": {"name": "a", "namespace": NAMESPACES[0]}, "rules": EVERYTHING}
    wait_until_refused(cluster, everything)
    return cluster


def wait_until_refused(cluster: Client, *objects: Object) -> None:
    """Wait until the API server, which takes a new policy up after a while, holds it."""
    deadline = time.monotonic() + 60
    while not said(cluster, *objects):
        assert time.monotonic() < deadline, "the policies are not in force"
        time.sleep(0.5)


def said(cluster: Client, *objects: Object) -> str:
    """What the API server says against objects that somebody would apply."""
    create = ("create", "--dry-run=server", "-f", "-")
    found = [cluster.kubectl(*create, stdin=json.dumps(one), check=False) for one in objects]
    for done in found:
        assert done.returncode == 0 or "ValidatingAdmissionPolicy" in done.stderr, done.stderr
    return "\n".join(done.stderr for done in found)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.service} {case.said}"[:70])
def test_the_api_server_holds_the_table(server: Client, tree: Tree, run: Run, case: Case) -> None:
    objects = [dict(one) for one in objects_of(tree, run, case) if one["kind"] in KINDS]
    refused = said(server, *objects)
    assert rules_in([refused]) <= ({case.cluster} - {""}), refused
    assert bool(re.search("denied request", refused)) == bool(case.cluster), refused


def test_no_expression_is_doubtful(server: Client) -> None:
    """What the API server warns of when it checks the types of expressions."""
    for policy in server.get("validatingadmissionpolicies")["items"]:
        assert not policy.get("status", {}).get("typeChecking", {}).get("expressionWarnings"), policy["metadata"][
            "name"
        ]


#: Services of a large fleet, and whether prod may be automatic: relaxed, excepted, with the platform's pull request, without.
MANY = {0: True, 3_500: True, 9_999: True, 9_998: False, 4_000: False}


def test_it_takes_the_policy_of_ten_thousand_services(held: Client, tree: Tree, tmp_path: Path) -> None:
    file = tmp_path / "admission-applied.yaml"
    file.write_text(admission_of_many(tree, NAMED))
    namespaces = [f"{MANY_SERVICES[number]}-rollouts" for number in MANY]  # the other fleet has kargo-*
    labels = {"kargo.akuity.io/project": "true"}
    for name in namespaces:
        held.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    held.kubectl("apply", "--server-side", "-f", file)
    try:
        refusing = namespaces[list(MANY.values()).index(False)]
        wait_until_refused(held, _automatic(refusing))
        for name, is_allowed in zip(namespaces, MANY.values(), strict=True):
            assert ("rule gates" in said(held, _automatic(name))) == (not is_allowed), name
    finally:
        held.kubectl("delete", "-f", file)
        held.kubectl("delete", "namespaces", *namespaces, "--wait=false")


def _automatic(namespace: str) -> Object:
    """Return the ProjectConfig of a service that promotes to prod by itself."""
    policy = {"stageSelector": {"name": "prod"}, "autoPromotionEnabled": True}
    return {
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "ProjectConfig",
        "metadata": {"name": namespace, "namespace": namespace},
        "spec": {"promotionPolicies": [policy]},
    }


def test_soak_and_approval_cannot_be_forged(server: Client) -> None:
    namespace = NAMESPACES[0]
    server.apply(
        {
            "apiVersion": "kargo.akuity.io/v1alpha1",
            "kind": "Freight",
            "metadata": {"name": "f", "namespace": namespace},
            "alias": "some-freight",
            "origin": {"kind": "Warehouse", "name": "nginx"},
            "images": [{"repoURL": "registry.example.com/nginx", "tag": "1.0.0"}],
        }
    )
    soak = '{"status": {"verifiedIn": {"staging": {"longestSoak": "999h"}}}}'
    approval = '{"status": {"approvedFor": {"prod": {"approvedAt": "2026-11-27T00:00:00Z"}}}}'

    def patched(patch: str, *who: str) -> str:
        flags = ["--subresource=status", "--type=merge", "-p", patch, "-n", namespace]
        return server.kubectl("patch", FREIGHT, "f", *flags, *who, check=False).stderr

    masters = "--as-group=system:masters"
    assert "freight:" in patched(soak, "--as=pat", masters)
    assert "freight:" in patched(approval, "--as=pat", masters)
    controller = "--as=system:serviceaccount:kargo:kargo-controller"
    assert patched(soak, controller, masters) == ""
    assert patched(approval, "--as=pat", masters, "--as-group=release-managers") == ""
