"""The contract library: it accepts a unit that Kargo runs, and refuses what Kargo refuses, prunes or trips over."""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contract import kargo, schemas, step_data, upstream
from contract.fixtures import Oracle

pytestmark = pytest.mark.slow

Object = dict[str, Any]

# -- A unit written by hand, as Kargo's documentation has it, and as Kargo stores it ---------------------------------


def _stage(name: str, sources: Object) -> Object:
    return {
        "apiVersion": kargo.KARGO,
        "kind": "Stage",
        "metadata": {
            "name": name,
            "namespace": "kargo-nginx",
            "labels": {"kargo.akuity.io/shard": "eu"},
            "annotations": {"kargo.akuity.io/color": "red"},
        },
        "spec": {
            "shard": "eu",
            "vars": [{"name": "image", "value": "registry.example.com/nginx"}],
            "requestedFreight": [{"origin": {"kind": "Warehouse", "name": "nginx"}, "sources": sources}],
            "promotionTemplate": {
                "spec": {
                    "vars": [
                        {"name": "repo", "value": "https://github.com/example/gitops.git"},
                        {"name": "file", "value": "services/nginx/values-${{ ctx.stage }}.yaml"},
                    ],
                    "steps": [
                        {
                            "uses": "git-clone",
                            "as": "clone",
                            "config": {
                                "repoURL": "${{ vars.repo }}",
                                "blobless": True,
                                "author": {"name": "Kargo", "email": "kargo@example.com"},
                                "checkout": [{"branch": "main", "path": "./src", "sparse": ["services/nginx"]}],
                            },
                        },
                        {
                            "uses": "yaml-update",
                            "as": "update",
                            "config": {
                                "path": "./src/${{ vars.file }}",
                                "updates": [
                                    {"key": "image.tag", "value": "${{ quote(imageFrom(vars.image).Tag) }}"},
                                ],
                            },
                        },
                        {
                            "uses": "git-commit",
                            "as": "commit",
                            "config": {"path": "./src", "message": "${{ outputs.update.commitMessage }}"},
                        },
                        {
                            "uses": "git-push",
                            "as": "push",
                            "retry": {"timeout": "10m0s", "errorThreshold": 3},
                            "config": {"path": "./src", "maxAttempts": 20},
                        },
                        {
                            "uses": "argocd-update",
                            "if": "${{ success() && status('commit') != 'Skipped' }}",
                            "config": {
                                "apps": [
                                    {
                                        "name": "nginx-${{ ctx.stage }}",
                                        "namespace": "argocd",
                                        "sources": [
                                            {
                                                "repoURL": "${{ vars.repo }}",
                                                "desiredRevision": "${{ outputs.push.commit }}",
                                            },
                                        ],
                                    },
                                ],
                            },
                        },
                    ],
                },
            },
        },
    }


def _unit() -> list[Object]:
    namespaced = {"name": "kargo-nginx", "namespace": "kargo-nginx"}
    stages = [
        _stage("dev", {"direct": True}),
        _stage("staging", {"stages": ["dev"]}),
        _stage("prod", {"stages": ["staging"], "requiredSoakTime": "1h0m0s", "availabilityStrategy": "OneOf"}),
    ]
    stages[2]["spec"]["verification"] = {
        "analysisTemplates": [{"name": "smoke", "kind": "AnalysisTemplate"}],
        "args": [{"name": "image", "value": "${{ vars.image }}:${{ ctx.stage }}"}],
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "kargo-nginx", "labels": {"kargo.akuity.io/project": "true"}},
        },
        {"apiVersion": kargo.KARGO, "kind": "Project", "metadata": {"name": "kargo-nginx"}},
        {
            "apiVersion": kargo.KARGO,
            "kind": "ProjectConfig",
            "metadata": namespaced,
            "spec": {
                "promotionPolicies": [
                    {"stageSelector": {"name": "dev"}, "autoPromotionEnabled": True},
                    {
                        "stageSelector": {"name": "staging"},
                        "autoPromotionEnabled": True,
                        "autoRollback": {"onPromotion": ["Failed", "Errored"]},
                    },
                ],
                "webhookReceivers": [{"name": "registry", "dockerhub": {"secretRef": {"name": "hook"}}}],
            },
        },
        {
            "apiVersion": kargo.KARGO,
            "kind": "Warehouse",
            "metadata": {
                "name": "nginx",
                "namespace": "kargo-nginx",
                "labels": {"kargo.akuity.io/shard": "eu"},
            },
            "spec": {
                "shard": "eu",
                "interval": "5m0s",
                "freightCreationPolicy": "Automatic",
                "subscriptions": [
                    {
                        "image": {
                            "repoURL": "registry.example.com/nginx",
                            "imageSelectionStrategy": "SemVer",
                            "constraint": "^1.0.0",
                            "strictSemvers": True,
                            "discoveryLimit": 10,
                        },
                    },
                ],
            },
        },
        *stages,
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {
                "name": "team",
                "namespace": "kargo-nginx",
                "annotations": {"rbac.kargo.akuity.io/claims": '{"groups":["team-nginx"]}'},
            },
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "dev-promoter", "namespace": "kargo-nginx"},
            "rules": [
                {
                    "apiGroups": ["kargo.akuity.io"],
                    "resources": ["stages"],
                    "resourceNames": ["dev"],
                    "verbs": ["promote"],
                },
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "team", "namespace": "kargo-nginx"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "dev-promoter"},
            "subjects": [
                {"kind": "ServiceAccount", "name": "team", "namespace": "kargo-nginx"},
                {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "team-nginx"},
            ],
        },
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "kargo", "namespace": "kargo-nginx"},
            "spec": {"hard": {"count/promotions.kargo.akuity.io": "500"}},
        },
    ]


@pytest.fixture
def unit() -> list[Object]:
    """The unit; a test may change it."""
    return _unit()


def _the(unit: list[Object], kind: str, name: str | None = None) -> Object:
    return next(o for o in unit if o["kind"] == kind and name in {None, o["metadata"]["name"]})


def test_unit_has_no_problems(unit: list[Object]) -> None:
    assert kargo.unit_problems(unit) == []


def test_unit_is_stored_as_it_is(unit: list[Object]) -> None:
    for obj in unit:
        assert kargo.stored(obj) == obj, kargo.title(obj)


@pytest.mark.parametrize("tag", ["1.10", "20260101", "1e5", "true", "v1.2.3", "null"])
def test_promotion_gives_steps_what_their_schemas_want(unit: list[Object], tag: str) -> None:
    configs = kargo.promotion(
        _the(unit, "Stage", "prod"),
        {
            "imageFrom": {"registry.example.com/nginx": {"tag": tag}},
            "success": {"*": True},
            "status": {"*": "Succeeded"},
        },
        outputs={"update": {"commitMessage": "Updated"}, "push": {"commit": "0123abc"}},
    )
    assert configs[1] == {
        "path": "./src/services/nginx/values-prod.yaml",
        "updates": [{"key": "image.tag", "value": tag}],
    }
    assert configs[4]["apps"][0] == {
        "name": "nginx-prod",
        "namespace": "argocd",
        "sources": [{"repoURL": "https://github.com/example/gitops.git", "desiredRevision": "0123abc"}],
    }


def test_promotion_fails_where_kargo_does(unit: list[Object]) -> None:
    stage = _the(unit, "Stage", "dev")
    stage["spec"]["promotionTemplate"]["spec"]["steps"][2]["config"]["message"] = "${{ imageFrom(vars.image).Tag }}"
    results: Object = {"imageFrom": {"*": {"tag": "1.10"}}, "success": {"*": True}, "status": {"*": "Skipped"}}
    with pytest.raises(kargo.PromotionError, match=re.escape("steps[2].config.message: 1.1 is not of type 'string'")):
        kargo.promotion(stage, results, outputs={"update": {}, "push": {}})


# -- What is refused ---------------------------------------------------------------------------------------------------

_REMOVE = object()


def _set(kind: str, path: str, value: Any, name: str | None = None) -> Callable[[list[Object]], None]:
    """A change: `spec.steps.0.config` of the object of that kind and name becomes `value`."""

    def change(unit: list[Object]) -> None:
        target: Any = _the(unit, kind, name)
        *parents, last = [int(p) if p.isdigit() else p for p in path.split(".")]
        for part in parents:
            target = target[part] if isinstance(part, int) else target.setdefault(part, {})
        if value is _REMOVE:
            del target[last]
        elif isinstance(target, list) and last == len(target):
            target.append(value)
        else:
            target[last] = value

    return change


def _steps(path: str, value: Any) -> Callable[[list[Object]], None]:
    return _set("Stage", f"spec.promotionTemplate.spec.steps.{path}", value, "dev")


def _image(key: str, value: Any) -> Callable[[list[Object]], None]:
    return _set("Warehouse", f"spec.subscriptions.0.image.{key}", value)


def _subscription(**value: Object) -> Callable[[list[Object]], None]:
    return _set("Warehouse", "spec.subscriptions.1", value)


def _policy(index: int, value: Object) -> Callable[[list[Object]], None]:
    return _set("ProjectConfig", f"spec.promotionPolicies.{index}", value)


REFUSED: dict[str, tuple[Callable[[list[Object]], None], str]] = {
    # Unknown fields, at every level and of every kind: an API server prunes them without a word.
    "unknown kind": (_set("Project", "kind", "Projekt"), "nothing is known of"),
    "unknown version": (_set("Stage", "apiVersion", "kargo.akuity.io/v1"), "nothing is known of"),
    "unknown top-level field": (_set("Project", "spec", {}), "'spec' was unexpected"),
    "status": (_set("Stage", "status", {}), "'status' was unexpected"),
    "unknown metadata": (_set("Stage", "metadata.label", {}), "metadata: Additional properties"),
    "unknown spec field": (_set("Warehouse", "spec.intervall", "5m"), "'intervall' was unexpected"),
    "unknown sources field": (
        _set("Stage", "spec.requestedFreight.0.sources.soakTime", "1h"),
        "spec.requestedFreight[0].sources: Additional properties",
    ),
    "unknown policy field": (_set("ProjectConfig", "spec.promotionPolicies.0.auto", True), "'auto' was unexpected"),
    "unknown subject field": (_set("RoleBinding", "subjects.1.group", "x"), "subjects[1]: Additional properties"),
    "unknown quota field": (_set("ResourceQuota", "spec.limits", {}), "spec: Additional properties"),
    "unknown namespace field": (_set("Namespace", "spec", {"keep": True}), "spec: Additional properties"),
    "unknown account field": (_set("ServiceAccount", "claims", {}), "'claims' was unexpected"),
    "unknown rule field": (_set("Role", "rules.0.verb", "get"), "rules[0]: Additional properties"),
    # Types, choices, patterns, what is required.
    "label that is no string": (
        _set("Namespace", "metadata.labels", {"kargo.akuity.io/project": True}),
        "True is not of type 'string'",
    ),
    "label value": (_set("Stage", "metadata.labels.team", "a b"), "'a b' does not match"),
    "name": (_set("Stage", "metadata.name", "Dev", "dev"), "'Dev' does not match"),
    "no namespace": (_set("Stage", "metadata.namespace", _REMOVE), "metadata.namespace: is missing"),
    "namespace of a Project": (_set("Project", "metadata.namespace", "kargo-nginx"), "Project has none"),
    "long project": (_set("Project", "metadata.name", "a" * 64), "is no name for a namespace"),
    "origin kind": (_set("Stage", "spec.requestedFreight.0.origin.kind", "Image"), "'Image' is not one of"),
    "no freight": (_set("Stage", "spec.requestedFreight", []), "spec.requestedFreight: []"),
    "soak time": (_set("Stage", "spec.requestedFreight.0.sources.requiredSoakTime", "1d"), "'1d' does not match"),
    "interval": (_set("Warehouse", "spec.interval", "5 minutes"), "'5 minutes' does not match"),
    "freight policy": (_set("Warehouse", "spec.freightCreationPolicy", "Auto"), "'Auto' is not one of"),
    "variable name": (_set("Stage", "spec.vars.0.name", "image-url"), "'image-url' does not match"),
    "number in vars": (_set("Stage", "spec.vars.0.value", 1), "1 is not of type 'string'"),
    "no roleRef": (_set("RoleBinding", "roleRef", _REMOVE), "'roleRef' is a required property"),
    "quantity": (_set("ResourceQuota", "spec.hard.pods", "many"), "'many' does not match"),
    # Subscriptions, which the CRD leaves open.
    "semverConstraint of an image": (_image("semverConstraint", "^1.0.0"), "'semverConstraint' was unexpected"),
    "constraint": (_image("constraint", "^1.0.0.0"), "subscriptions[0].image.constraint"),
    "latest": (_image("constraint", "latest"), "'latest'"),
    "strategy": (_image("imageSelectionStrategy", "Newest"), "'Newest' is not one of"),
    "digest without constraint": (
        _set(
            "Warehouse",
            "spec.subscriptions.0.image",
            {"repoURL": "nginx", "imageSelectionStrategy": "Digest", "strictSemvers": True, "discoveryLimit": 1},
        ),
        "must be set when imageSelectionStrategy is Digest",
    ),
    "tag in repoURL": (_image("repoURL", "registry.example.com/nginx:1.0"), "does not match"),
    "scheme in repoURL": (_image("repoURL", "https://registry.example.com/nginx"), "does not match"),
    "umlaut in repoURL": (_image("repoURL", "registry.example.com/größe"), "does not match"),
    "discoveryLimit": (_image("discoveryLimit", 101), "101 is greater than the maximum"),
    "allowTags": (_image("allowTags", "^v"), "use allowTagsRegexes"),
    "regular expression": (_image("allowTagsRegexes", ["^(?!v)"]), "invalid or unsupported Perl syntax"),
    "platform": (_image("platform", "amd64"), "'amd64' does not match"),
    "two keys": (_set("Warehouse", "spec.subscriptions.0.git", {"repoURL": "https://x/y"}), "exactly one key"),
    "unknown subscription": (_subscription(oci={"repoURL": "x"}), "no such subscription"),
    "same image twice": (_subscription(image={"repoURL": "registry.example.com/nginx"}), "already subscribed to"),
    "branch": (_subscription(git={"repoURL": "https://example.com/a", "branch": "-x"}), "'-x' does not match"),
    "chart without name": (_subscription(chart={"repoURL": "https://example.com/charts"}), "must be non-empty"),
    "chart with name": (_subscription(chart={"repoURL": "oci://example.com/c", "name": "c"}), "must be empty"),
    # Steps.
    "unknown step": (_steps("0.uses", "git-clonee"), "'git-clonee' is no built-in step"),
    "config typo": (_steps("0.config.repoUrl", "x"), "'repoUrl' was unexpected"),
    "nested config typo": (_steps("0.config.checkout.0.sparce", ["x"]), "config.checkout[0]: Additional properties"),
    "config missing": (_steps("3.config", _REMOVE), "steps[3].config: None is not of type 'object'"),
    "config key missing": (_steps("1.config.updates.0.key", _REMOVE), "'key' is a required property"),
    "config type": (_steps("3.config.maxAttempts", "20"), "'20' is not of type 'integer'"),
    "config minimum": (_steps("3.config.maxAttempts", 0), "0 is less than the minimum"),
    "config choice": (_steps("3.config.provider", "gitub"), "'gitub' is not one of"),
    "config empty": (_steps("2.config.message", ""), "should be non-empty"),
    "config format": (_steps("0.config.author.email", "kargo"), "'kargo' is not a 'email'"),
    "config as a whole an expression": (_steps("3.config", "${{ vars.x }}"), "is not of type 'object'"),
    "exclusive keys": (_steps("0.config.checkout.0.tag", "v1"), "fits none of 4 alternatives"),
    "exclusive keys with expressions": (
        _steps("3.config", {"path": "./src", "targetBranch": "${{ vars.repo }}", "tag": "${{ vars.repo }}"}),
        "fits none of 4 alternatives",
    ),
    "shared schema": (
        _steps("4.config.apps.0", {"selector": {"matchLabel": {"a": "b"}}}),
        "config.apps[0].selector: Additional properties",
    ),
    "unknown step field": (_steps("0.with", {}), "steps[0]: Additional properties"),
    "task and uses": (_steps("0.task", {"name": "x"}), "must have exactly one of uses or task set"),
    "neither task nor uses": (_steps("3.uses", _REMOVE), "must have exactly one of uses or task set"),
    "task with retry": (_steps("4", {"task": {"name": "x"}, "retry": {"timeout": "1h0m0s"}}), "cannot set retry"),
    "task with config": (_steps("4", {"task": {"name": "x"}, "config": {"a": 1}}), "steps[4].config: a step ref"),
    "task with if": (_steps("4", {"task": {"name": "x"}, "if": "${{ success() }}"}), "steps[4].if: a step ref"),
    "reserved alias": (_steps("3.as", "step-1"), "'step-1' is reserved"),
    "same alias": (_steps("2.as", "update"), "duplicates that of steps[1]"),
    "alias with separator": (_steps("0.as", "a::b"), "must not contain '::'"),
    "timeout": (_steps("3.retry.timeout", "10 m"), "unknown unit"),
    # Expressions.
    "syntax": (_steps("2.config.message", "${{ vars. }}"), "steps[2].config.message: expression: "),
    "unclosed": (_steps("2.config.message", "${{ vars.image }"), "unclosed expression"),
    "empty expression": (_steps("2.config.message", "${{ }}"), "an expression is empty"),
    "undefined variable": (_steps("2.config.message", "${{ vars.tag }}"), "vars.tag is not defined here"),
    "unknown name": (_steps("2.config.message", "${{ stage }}"), "there is no 'stage' here"),
    "unknown context": (_steps("2.config.message", "${{ ctx.targetFreight.id }}"), "no ctx.targetFreight.id here"),
    "unknown function": (_steps("2.config.message", "${{ image('x') }}"), "there is no function image() here"),
    "unknown field": (_steps("1.config.updates.0.value", "${{ imageFrom(vars.image).tag }}"), "has no field tag"),
    "arguments": (_steps("1.config.path", "${{ imageFrom('a', 'nginx').Tag }}"), "too many arguments"),
    "later output": (_steps("1.config.path", "./src/${{ outputs.commit.commit }}"), "step 'commit' runs later"),
    "own output": (_steps("2.config.message", "${{ outputs['commit'].commit }}"), "step 'commit' runs later"),
    "unknown output": (_steps("2.config.message", "${{ outputs.upate.commitMessage }}"), "'upate' does not exist"),
    "unknown output field": (_steps("2.config.message", "${{ outputs.update.message }}"), "has no output 'message'"),
    "unknown status": (_steps("4.if", "${{ status('psuh') == 'Succeeded' }}"), "step 'psuh' does not exist"),
    "condition that is text": (_steps("4.if", "success()"), "is no expression"),
    "later variable": (
        _set("Stage", "spec.promotionTemplate.spec.vars.0.value", "${{ vars.file }}"),
        "vars.file is not defined here",
    ),
    "same variable": (_set("Stage", "spec.vars.1", {"name": "image", "value": "x"}), "'image' is defined twice"),
    "output in a variable": (_set("Stage", "spec.vars.0.value", "${{ outputs.a.b }}"), "there is no 'outputs' here"),
    "status in a variable": (_set("Stage", "spec.vars.0.value", "${{ status('a') }}"), "no function status() here"),
    "promotion context in verification": (
        _set("Stage", "spec.verification.args.0.value", "${{ ctx.promotion }}", "prod"),
        "there is no ctx.promotion here",
    ),
    "promotion variable in verification": (
        _set("Stage", "spec.verification.args.0.value", "${{ vars.file }}", "prod"),
        "vars.file is not defined here",
    ),
    # Webhooks, and what never happens.
    "policy without stage": (_policy(0, {"autoPromotionEnabled": True}), "exactly one of stage or stageSelector"),
    "policy twice": (_policy(2, {"stageSelector": {"name": "dev"}}), "'dev' is already defined"),
    "policy pattern": (_policy(2, {"stageSelector": {"name": "like:dev"}}), "invalid pattern identifier 'like'"),
    "policy regex": (_policy(2, {"stageSelector": {"name": "regex:("}}), "missing closing )"),
    "deprecated policy": (_policy(2, {"stage": "prod"}), "use stageSelector.name"),
    "rollback": (
        _set("ProjectConfig", "spec.promotionPolicies.1.autoRollback.onPromotion", ["Failed", "Aborted"]),
        "onPromotion[1] must be Failed or Errored",
    ),
    "receiver of two types": (
        _set("ProjectConfig", "spec.webhookReceivers.0.quay", {"secretRef": {"name": "x"}}),
        "is of 2 types (dockerhub, quay)",
    ),
    "config's name": (_set("ProjectConfig", "metadata.name", "nginx"), "must match project name 'kargo-nginx'"),
    "no source": (_set("Stage", "spec.requestedFreight.0.sources", {}), "no freight ever comes"),
    "match upstream": (
        _set(
            "Stage",
            "spec.requestedFreight.0.sources",
            {"stages": ["dev", "staging"], "autoPromotionOptions": {"selectionPolicy": "MatchUpstream"}},
            "prod",
        ),
        "MatchUpstream needs one upstream Stage",
    ),
    "own upstream": (_set("Stage", "spec.requestedFreight.0.sources.stages", ["dev"], "dev"), "its own upstream"),
    "same origin twice": (
        _set(
            "Stage",
            "spec.requestedFreight.1",
            {"origin": {"kind": "Warehouse", "name": "nginx"}, "sources": {"direct": True}},
        ),
        "requested 2 times",
    ),
    # Between the objects.
    "unknown warehouse": (_set("Warehouse", "metadata.name", "other"), "there is no Warehouse 'nginx'"),
    "unknown upstream": (
        _set("Stage", "spec.requestedFreight.0.sources.stages", ["stagging"], "prod"),
        "there is no Stage 'stagging'",
    ),
    "policy of no stage": (_policy(2, {"stageSelector": {"name": "prd"}}), "there is no Stage 'prd'"),
    "other namespace": (_set("Stage", "metadata.namespace", "kargo-x"), "is not the Project's"),
    "namespace without label": (_set("Namespace", "metadata.labels", {}), "Kargo does not adopt it"),
    "account without namespace": (_set("RoleBinding", "subjects.0.namespace", _REMOVE), "a ServiceAccount needs one"),
    "same object twice": (lambda unit: unit.append(copy.deepcopy(_the(unit, "Stage"))), "is there 2 times"),
    "no project": (lambda unit: unit.remove(_the(unit, "Project")), "there are 0 Projects"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(unit: list[Object], name: str) -> None:
    change, expected = REFUSED[name]
    change(unit)
    found = kargo.unit_problems(unit)
    assert any(expected in problem for problem in found), found


ACCEPTED: dict[str, Callable[[list[Object]], None]] = {
    "expression for a number": _steps("3.config.maxAttempts", "${{ 10 + 10 }}"),
    "expression for a switch": _steps("0.config.blobless", "${{ ctx.stage == 'dev' }}"),
    "expression for a choice": _steps("3.config.provider", "${{ 'github' }}"),
    "expression for an address": _steps("0.config.author.email", "${{ ctx.stage }}@example.com"),
    "expression for an object": _steps("0.config.author", '${% {"name": "Kargo", "email": "kargo@example.com"} %}'),
    "expression for a branch": _steps("3.config.targetBranch", "stage/${{ ctx.stage }}"),
    "expression for a generated branch": _steps("3.config.generateTargetBranch", "${{ true }}"),
    "built-in functions": _steps("2.config.message", "${{ let t = imageFrom(vars.image).Tag; upper(trim(t)) }}"),
    "optional output": _steps("2.config.message", "${{ outputs?.clone?.commits['./src'] ?? 'none' }}"),
    "task": _steps("4", {"task": {"name": "x", "kind": "ClusterPromotionTask"}, "vars": [{"name": "a", "value": "b"}]}),
    "pattern in a policy": _policy(2, {"stageSelector": {"name": "glob:prod-*"}}),
    "number as a quantity": _set("ResourceQuota", "spec.hard.pods", 4),
    "digest": _set("Warehouse", "spec.subscriptions.0.image.imageSelectionStrategy", "Lexical"),
    "port, IP and localhost": _subscription(image={"repoURL": "127.0.0.1:5000/a/b-c.d_e"}),
    "git subscription": _subscription(git={"repoURL": "https://example.com/a.git", "semverConstraint": "~1.2 || >=2"}),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(unit: list[Object], name: str) -> None:
    ACCEPTED[name](unit)
    assert kargo.unit_problems(unit) == []


def test_step_without_alias_has_the_one_that_kargo_gives(unit: list[Object]) -> None:
    steps = _the(unit, "Stage", "dev")["spec"]["promotionTemplate"]["spec"]["steps"]
    del steps[1]["as"]
    steps[2]["config"]["message"] = "${{ outputs['step-2'].commitMessage }}"
    assert kargo.unit_problems(unit) == []


# -- What is stored ----------------------------------------------------------------------------------------------------

# What is written, and what is stored instead.
DRIFTS: dict[str, tuple[str, str | None, str, Any, str, Any]] = {
    "interval": ("Warehouse", None, "spec.interval", "5m", "spec.interval", "5m0s"),
    "fraction": ("Warehouse", None, "spec.interval", "1.5h", "spec.interval", "1h30m0s"),
    "no interval": ("Warehouse", None, "spec.interval", _REMOVE, "spec.interval", "5m0s"),
    "no freight policy": (
        *("Warehouse", None, "spec.freightCreationPolicy", _REMOVE),
        *("spec.freightCreationPolicy", "Automatic"),
    ),
    "soak time": (
        *("Stage", "prod", "spec.requestedFreight.0.sources.requiredSoakTime", "1h"),
        *("spec.requestedFreight.0.sources.requiredSoakTime", "1h0m0s"),
    ),
    "timeout": (
        *("Stage", "dev", "spec.promotionTemplate.spec.steps.3.retry.timeout", "600s"),
        *("spec.promotionTemplate.spec.steps.3.retry.timeout", "10m0s"),
    ),
    "shard": ("Stage", "dev", "spec.shard", "us", "metadata.labels", {"kargo.akuity.io/shard": "us"}),
    "label without shard": (
        *("Stage", "dev", "spec.shard", _REMOVE),
        *("metadata", {"name": "dev", "namespace": "kargo-nginx", "annotations": {"kargo.akuity.io/color": "red"}}),
    ),
    "image": (
        *("Warehouse", None, "spec.subscriptions.0.image", {"repoURL": "a"}),
        "spec.subscriptions.0.image",
        {"repoURL": "a", "imageSelectionStrategy": "SemVer", "strictSemvers": True, "discoveryLimit": 20},
    ),
    "git": (
        *("Warehouse", None, "spec.subscriptions.0", {"git": {"repoURL": "a", "since": "2026-01-01T00:00:00+02:00"}}),
        "spec.subscriptions.0.git",
        {
            "repoURL": "a",
            "since": "2025-12-31T22:00:00Z",
            "commitSelectionStrategy": "NewestFromBranch",
            "strictSemvers": True,
            "discoveryLimit": 20,
        },
    ),
    "chart": (
        *("Warehouse", None, "spec.subscriptions.0", {"chart": {"repoURL": "oci://a/b", "discoveryLimit": 0}}),
        *("spec.subscriptions.0.chart", {"repoURL": "oci://a/b", "discoveryLimit": 20}),
    ),
    "empty labels": (
        *("Project", None, "metadata", {"name": "kargo-nginx", "labels": {}, "annotations": {}}),
        *("metadata", {"name": "kargo-nginx"}),
    ),
    "secret's name": (
        *("ProjectConfig", None, "spec.webhookReceivers.0.dockerhub.secretRef", {}),
        *("spec.webhookReceivers.0.dockerhub.secretRef", {"name": ""}),
    ),
    "quota": ("ResourceQuota", None, "spec.hard", {"pods": 2000}, "spec.hard", {"pods": "2k"}),
    "subject": (
        *("RoleBinding", None, "subjects", [{"kind": "User", "name": "x"}]),
        *("subjects", [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "x"}]),
    ),
}


@pytest.mark.parametrize("name", DRIFTS)
def test_drifts(unit: list[Object], name: str) -> None:
    kind, of, path, value, where, expected = DRIFTS[name]
    _set(kind, path, value, of)(unit)
    obj = _the(unit, kind, of)
    before = copy.deepcopy(obj)
    stored = kargo.stored(obj)
    assert obj == before, "stored() must not change what it is given"
    assert stored != obj
    assert kargo.stored(stored) == stored
    found: Any = stored
    for part in where.split("."):
        found = found[int(part) if part.isdigit() else part]
    assert found == expected


@pytest.mark.parametrize(
    "change",
    [
        _image("cacheByTag", False),
        _image("insecureSkipTLSVerify", False),
        _image("strictSemvers", False),
        _image("allowTagsRegexes", []),
        _set("Stage", "spec.requestedFreight.0.sources.direct", False, "prod"),
        _steps("0.continueOnError", False),
        _steps("3.retry.errorThreshold", 0),
        _set("Stage", "spec.vars", []),
        _steps("3.retry.timeout", "0s"),
    ],
)
def test_explicit_zero_values_stay(unit: list[Object], change: Callable[[list[Object]], None]) -> None:
    """controller-runtime v0.22.4 removes what Kargo's Default() removes, not what encoding leaves out."""
    change(unit)
    for obj in unit:
        assert kargo.stored(obj) == obj


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("500", "500"), ("1000", "1k"), ("1500", "1500"), ("2000000", "2M"), ("0", "0"), ("1.5", "1500m")),
        *(
            ("1.5Gi", "1536Mi"),
            ("1024Ki", "1Mi"),
            ("1024", "1024"),
            ("0.5Gi", "512Mi"),
            ("1e3", "1e3"),
            ("-1000", "-1k"),
        ),
    ],
)
def test_canonical_quantity(text: str, expected: str) -> None:
    assert kargo.canonical_quantity(text) == expected


# -- Schemas -----------------------------------------------------------------------------------------------------------


def _objects(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Object]]:
    if isinstance(schema, dict):
        if "properties" in schema and isinstance(schema["properties"], dict):
            yield path, schema
        for key, value in schema.items():
            yield from _objects(value, (*path, key))
    elif isinstance(schema, list):
        for i, value in enumerate(schema):
            yield from _objects(value, (*path, str(i)))


@pytest.mark.parametrize("kind", ["Project", "ProjectConfig", "PromotionTask", "Stage", "Warehouse"])
def test_kargo_schemas_are_closed(kind: str) -> None:
    schema = kargo.schemas_by_kind()[kind]
    for path, found in _objects(schema):
        assert found.get("additionalProperties") is not None, ".".join(path)


def test_every_rule_compiles_and_is_known() -> None:
    """A rule that is new in another version of Kargo is looked at before it counts as understood."""
    found = {(kind, *rule) for (_, kind), k in schemas.kargo_kinds().items() for rule in schemas.rules(k.source)}
    assert {(kind, path) for kind, path, _ in found} == {
        ("ClusterPromotionTask", "spec.steps[]"),
        ("ProjectConfig", "spec.promotionPolicies[]"),
        ("ProjectConfig", "spec.promotionPolicies[].autoRollback.onPromotion"),
        ("ProjectConfig", "spec.promotionPolicies[].autoRollback.onVerification"),
        ("Promotion", "spec"),
        ("Promotion", "spec.steps[]"),
        ("PromotionTask", "spec.steps[]"),
        ("Stage", "spec.promotionTemplate.spec.steps[]"),
    }
    for kind, path, rule in found:
        assert "oldSelf" not in rule, (kind, path)
        schemas.compiled_rule(rule)


def test_steps_are_those_of_kargo() -> None:
    runners = upstream.module(upstream.KARGO) / "pkg" / "promotion" / "runner" / "builtin"
    sources = "".join(p.read_text() for p in runners.glob("*.go") if not p.name.endswith("_test.go"))
    assert schemas.steps() == set(re.findall(r'stepKind\w+\s*= "([^"]+)"', sources))


def test_the_data_of_the_tool_is_that_of_kargo() -> None:
    committed = json.loads(step_data.FILE.read_text(encoding="utf-8"))
    assert committed["steps"] == step_data.derived()["steps"], "run `make kargo-schemas`"
    assert upstream.OTHER or committed["source"] == step_data.derived()["source"]


@pytest.mark.parametrize("kind", ["AppProject", "Application", "ApplicationSet"])
def test_argo_cd_kinds_are_known(kind: str) -> None:
    obj = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": "x", "namespace": "argocd"},
        "spec": {},
    }
    obj["spec"] = {"x": 1}
    assert any("'x' was unexpected" in problem for problem in kargo.problems(obj))


def test_application_set() -> None:
    obj = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "units", "namespace": "argocd"},
        "spec": {
            "goTemplate": True,
            "generators": [
                {"git": {"repoURL": "https://x/y", "revision": "main", "directories": [{"path": "services/*"}]}}
            ],
            "template": {
                "metadata": {"name": "kargo-{{ .path.basename }}"},
                "spec": {
                    "project": "kargo",
                    "source": {
                        "repoURL": "https://x/y",
                        "path": "charts/kargo-service",
                        "helm": {"valuesObject": {"a": {"b": 1}}},
                    },
                    "destination": {"server": "https://kubernetes.default.svc"},
                },
            },
        },
    }
    assert kargo.problems(obj) == []
    obj["spec"]["template"]["spec"]["source"]["helm"]["valueFile"] = "x"  # type: ignore[index]
    (problem,) = kargo.problems(obj)
    assert problem.startswith("ApplicationSet/units: spec.template.spec.source.helm: ")
    assert "'valueFile' was unexpected" in problem


def test_promotion_by_hand() -> None:
    obj: Object = {
        "apiVersion": kargo.KARGO,
        "kind": "Promotion",
        "metadata": {"generateName": "prod-", "namespace": "kargo-nginx"},
        "spec": {"stage": "prod", "origin": {"kind": "Warehouse", "name": "nginx"}},
    }
    assert kargo.problems(obj) == []
    obj["spec"]["freight"] = "x"
    assert kargo.problems(obj) == ["Promotion/prod-: spec: exactly one of freight or origin must be set"]


# -- Pins --------------------------------------------------------------------------------------------------------------


def _pins(tmp_path: Path) -> Path:
    for name in ("go.mod", "go.sum"):
        shutil.copy(upstream.PINS / name, tmp_path / name)
    return tmp_path


def test_module_is_the_pinned_one(tmp_path: Path) -> None:
    assert upstream.module(upstream.KARGO, _pins(tmp_path)).name == f"kargo@v{upstream.OTHER or '1.11.2'}"


@pytest.mark.parametrize("of", ["", "/go.mod"])
def test_other_hash_is_refused(tmp_path: Path, of: str) -> None:
    sums = _pins(tmp_path) / "go.sum"
    text = re.sub(rf"({re.escape(upstream.KARGO)} v\S+{of}) h1:\S{{4}}", r"\1 h1:AAAA", sums.read_text())
    assert text != sums.read_text()
    sums.write_text(text)
    with pytest.raises(upstream.UpstreamError, match="checksum mismatch"):
        upstream.module(upstream.KARGO, tmp_path)
    assert sums.read_text() == text


@pytest.mark.parametrize("of", ["", "/go.mod"])
def test_missing_hash_is_refused(tmp_path: Path, of: str) -> None:
    sums = _pins(tmp_path) / "go.sum"
    sums.write_text(re.sub(rf"^{re.escape(upstream.KARGO)} v\S+{of} .*\n", "", sums.read_text(), flags=re.MULTILINE))
    with pytest.raises(upstream.UpstreamError, match="has no hash for"):
        upstream.module(upstream.KARGO, tmp_path)


def test_unknown_module_is_refused() -> None:
    with pytest.raises(upstream.UpstreamError, match="does not require"):
        upstream.module("example.com/x")


def test_missing_go_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(upstream.UpstreamError, match="go is not on PATH"):
        upstream.module(upstream.KARGO, _pins(tmp_path))


def test_fetching_changes_no_file() -> None:
    before = {p: p.read_bytes() for p in upstream.PINS.rglob("go.*")}
    upstream.module.cache_clear()
    for path in (upstream.KARGO, upstream.ARGO_CD, upstream.ARGO_ROLLOUTS, upstream.KUBECTL):
        upstream.module(path)
    assert {p: p.read_bytes() for p in upstream.PINS.rglob("go.*")} == before


def test_oracle_is_built_of_what_kargo_is_built_of() -> None:
    def requirements(text: str) -> dict[str, str]:
        return dict(re.findall(r"^\s*(\S+) (v\S+)", text, re.MULTILINE))

    ours = requirements(upstream.ORACLE_MODULE.read_text())
    theirs = requirements((upstream.module(upstream.KARGO) / "go.mod").read_text())
    assert ours[upstream.KARGO] == upstream.pinned(upstream.KARGO)[0]
    for path in ("github.com/Masterminds/semver/v3", "github.com/expr-lang/expr", "go.yaml.in/yaml/v3"):
        assert ours[path] == theirs[path], path


# -- The oracle: what Kargo's own code does, and the product relies on -----------------------------------------------


def test_oracle_constraint(oracle: Oracle) -> None:
    questions = [
        {"constraint": "^1.0.0", "versions": ["1.9.0", "2.0.0", "1.1.0-rc.1"]},
        {"constraint": "^0.0.0", "versions": ["0.0.0", "0.0.1"]},
        {"constraint": ">=0.0.0-0", "versions": ["0.0.1-rc.1"]},
        {"constraint": "latest"},
    ]
    *good, bad = oracle("constraint", questions)
    assert [answer["matches"] for answer in good] == [[True, False, False], [True, False], [True]]
    assert "error" in bad


def test_oracle_duration(oracle: Oracle) -> None:
    assert [a.get("value") for a in oracle("duration", ["5m", "24h", "90s", "1d"])] == [
        "5m0s",
        "24h0m0s",
        "1m30s",
        None,
    ]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("${{ vars.tag }}", 1.1),
        ("${{ quote(vars.tag) }}", "1.10"),
        ("v${{ vars.tag }}", "v1.10"),
        ("1.10", "1.10"),
        ("${{ vars.undefined }}", None),
        ("a-${{ vars.undefined }}", "a-null"),
        ("${{ 't' }}", True),
    ],
)
def test_oracle_expression(oracle: Oracle, template: str, expected: Any) -> None:
    (answer,) = oracle("expression", [{"template": template, "env": {"vars": {"tag": "1.10"}}}])
    assert answer == {"value": expected}


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("image:\n  tag: a # why\n", "b", "image:\n  tag: b\n"),
        ("image:\n  tag:   'a'\n", "1.10", 'image:\n  tag:   "1.10"\n'),
        ("image:\n  tag:\n", "b", "image:\n  tag: b\n"),
        ("image: {tag: a, pullPolicy: Always}\n", "b", "image: {tag: b\n"),
        ("image:\r\n  tag: a\r\n", "b", "image:\n  tag: b\n"),
        ("image:\n  tag: a", "b", "image:\n  tag: b\n"),
        ("image:\n  name: x\n", "b", None),
        ("image:\n  tag: [a]\n", "b", None),
        ("x: &a 1\nimage:\n  tag: *a\n", "b", None),
        ("image:\n  tag: |\n    1.0\n", "b", "image:\n  tag: b\n    1.0\n"),
        ("a: 1\n---\nimage:\n  tag: a\n", "b", None),
        ("image:\n  tag: a\n", 20260101, "image:\n  tag: 20260101\n"),
    ],
)
def test_oracle_yaml_update(oracle: Oracle, text: str, value: Any, expected: str | None) -> None:
    (answer,) = oracle("yaml-update", [{"text": text, "updates": [{"key": "image.tag", "value": value}]}])
    assert answer.get("text") == expected
    assert ("error" in answer) == (expected is None)
