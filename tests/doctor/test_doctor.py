"""kargo-fleet doctor: each problem alone, without the findings that follow from it, and how the cluster is read."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from doctor_world import (
    NOW,
    URL,
    World,
    WorldKube,
    ago,
    application,
    application_set,
    condition,
    controller,
    fantasies,
    healthy,
    kargo,
    lease,
    obj,
    promotion,
    secret,
    step,
)

import helm
from conftest import TRUSTING, Files, Result, Run, Tree, service
from contract import upstream
from kargo_fleet.clients.kube import Kube
from kargo_fleet.clients.process import ClientError
from kargo_fleet.cluster import collect
from kargo_fleet.cluster.resources import EXTRA_KINDS, UNIT_KINDS
from kargo_fleet.cluster.snapshot import GitCredential
from kargo_fleet.commands import doctor as command
from kargo_fleet.commands.generate import generate
from kargo_fleet.doctor import drift, git_credentials, stages, warehouses
from kargo_fleet.doctor.codes import DOCTOR_CODES
from kargo_fleet.errors import FleetError
from kargo_fleet.fleet.freight import Warehouse
from kargo_fleet.fleet.object_kinds import CHART_KINDS
from kargo_fleet.terminal.reporters import Format, Reporter

ROOT = Path(__file__).parents[2]
DEV, STAGING, PROD = (f"kargo-nginx/Stage/{stage}" for stage in ("dev", "staging", "prod"))
WAREHOUSE = "kargo-nginx/Warehouse/nginx"
EMPTY: dict[str, Any] = {"freightHistory": None, "lastPromotion": None, "health": None}
NO_FREIGHT = (
    condition("Ready", "False", "NoFreight", "Stage has no current Freight"),
    condition("Healthy", "Unknown", "NoFreight", "Stage has no current Freight"),
    condition("Verified", "Unknown", "NoFreight", "Stage has no current Freight to verify"),
)

Doctor = Callable[..., Result]


@cache
def rendered(name: str, values: str) -> str:
    """Return what Helm renders from a values file, once for each text."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(values)
        file.flush()
        return helm.template(name, helm.CHART, Path(file.name)).stdout


Build = Callable[..., World]


@pytest.fixture
def world(tree: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Build:
    """`world(files, …)` builds a fleet and a cluster in which all of it is deployed and healthy."""

    def build(files: Files | None = None, *, deployed: Iterable[str] | None = None) -> World:
        root = tree(files or {})
        assert generate(root, []) == 0
        capsys.readouterr()
        made = World()
        made.add(*kargo())
        for file in sorted((root / "values").glob("*.yaml")):
            manifest = rendered(file.stem, file.read_text())
            made.manifests[file.stem] = manifest
            if deployed is None or file.stem in deployed:
                made.add(*healthy(manifest))
        made.unknown |= {"applications", "applicationsets"}
        monkeypatch.setattr(command, "Kube", lambda context: WorldKube(context, made))
        monkeypatch.setattr(command, "_now", lambda: NOW)
        monkeypatch.setattr(drift, "render", made.render)
        return made

    return build


@pytest.fixture
def doctor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """`doctor("nginx", compare=True)` runs the command on the fleet of `tree`."""

    def call(*services: str, **options: Any) -> Result:
        capsys.readouterr()
        status = command.doctor(tmp_path, services, **options)
        captured = capsys.readouterr()
        return Result(status, captured.out, captured.err)

    return call


def findings(result: Result) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(result.stdout)["findings"]
    assert result.status == any(item["severity"] == "error" for item in found)
    return found


# -- Every code ----------------------------------------------------------------------------------------------------


@dataclass
class Case:
    """`spoil` causes exactly one finding, `code` at `place`, whose message and fix contain `message` and `fix`."""

    code: str
    spoil: Callable[[World], object]
    place: str
    message: str
    fix: str
    service: str = field(default="nginx", kw_only=True)
    files: Files = field(default_factory=dict, kw_only=True)
    services: tuple[str, ...] = field(default=(), kw_only=True)
    label: str = field(default="", kw_only=True)


def each(*spoilers: Callable[[World], object]) -> Callable[[World], None]:
    """Spoil in several ways, one after the other."""

    def spoil(world: World) -> None:
        for one in spoilers:
            one(world)

    return spoil


def with_argo_cd(world: World) -> World:
    world.unknown -= {"applications", "applicationsets"}
    world.add(application_set(), application("kargo-nginx"))
    return world


def with_workloads(world: World) -> World:
    for stage in ("dev", "staging", "prod"):
        with_argo_cd(world).add(application(f"nginx-{stage}", f"kargo-nginx:{stage}"))
    return world


def runs(world: World, place: str, *, phase: str = "Running", hours: float = 3, **spec: Any) -> None:
    """Let a promotion of a Stage run, and add its Promotion."""
    stage = place.rpartition("/")[2]
    name = promotion(stage)["name"]
    since = ago(hours=hours)
    world.set(place, condition("Promoting", "True", "ActivePromotion", since=since), currentPromotion={"name": name})
    steps = world.get(place)["spec"]["promotionTemplate"]["spec"]["steps"]
    status = {"phase": phase, "startedAt": since, **spec}
    metadata = {"creationTimestamp": since}
    world.add(
        obj("Promotion", name, "kargo-nginx", metadata=metadata, spec={"stage": stage, "steps": steps}, status=status)
    )


def waits_for_pull_request(world: World) -> None:
    metadata = [step("open-pr", "Succeeded"), step("wait-for-pr", "Running")]
    state = {"open-pr": {"pr": {"id": 7, "url": f"{URL}/pulls/7"}}}
    runs(world, DEV, currentStep=5, stepExecutionMetadata=metadata, state=state)


def failed(world: World, place: str, phase: str, *steps: dict[str, Any], message: str = "") -> None:
    stage = place.rpartition("/")[2]
    last = promotion(stage, phase, steps)
    last["status"]["message"] = message
    ready = condition("Ready", "False", f"LastPromotion{phase}", message)
    world.set(place, ready, condition("Healthy", "Unknown", f"LastPromotion{phase}"), lastPromotion=last)


def empty(world: World, *places: str) -> None:
    for place in places:
        world.set(place, *NO_FREIGHT, **EMPTY)


def no_images(world: World) -> None:
    message = 'No references discovered for image repository "registry.example.com/nginx"'
    world.set(
        WAREHOUSE,
        condition("Healthy", "False", "NoImageReferencesDiscovered", message),
        condition("Ready", "False", "MissingImageReferences", message),
    )


SECOND_WAREHOUSE = {
    "services/nginx/kargo.yaml": "warehouses: {builds: {name: all-builds, image: {imageSelectionStrategy: NewestBuild}}}\n"
    "stages: {dev: {requestedFreight: {main: {}, builds: {}}}}\n"
}


def broken_discovery(message: str) -> Callable[[World], None]:
    def spoil(world: World) -> None:
        world.set(
            WAREHOUSE,
            condition("Healthy", "False", "DiscoveryFailed", f"Unable to discover artifacts: {message}"),
            condition("Ready", "False", "DiscoveryFailure", f"Artifact discovery failed: {message}"),
        )

    return spoil


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (
            'Get "https://registry.example.com/v2/": dial tcp 10.0.0.1:443: i/o timeout',
            "registry.example.com: the registry",
        ),
        ("GET https://registry.example.com/v2/nginx: UNAUTHORIZED", "registry.example.com: check the credentials"),
        ('Get "https://registry.example.com/v2/": something new', ""),
        ("dial tcp: no such host", ""),
    ],
)
def test_warehouses_with_one_cause_are_one_finding(message: str, cause: str) -> None:
    warehouse = Warehouse("main", ("warehouse",), {}, "nginx", ())
    found = warehouses._cause(message, warehouses._answer(message, "kargo-shared-resources", warehouse))
    assert found.startswith(cause) if cause else not found


def unhealthy(world: World) -> None:
    health = {"status": "Unhealthy", "issues": ['Argo CD Application "nginx-prod" is Degraded.']}
    world.set(PROD, condition("Healthy", "False", "Unhealthy", "Stage is unhealthy (1 issues)"), health=health)


def not_verified(world: World) -> None:
    message = "analysis run kargo-nginx/dev.1 failed: metric error-rate > 5 %"
    world.set(DEV, condition("Verified", "False", "VerificationFailed", message))


def held(world: World) -> None:
    origin = {"kind": "Warehouse", "name": "nginx"}
    hold = {"freightName": "f0", "origin": origin, "actor": "email:alice@example.com"}
    world.set(DEV, effectiveAutoPromotionHolds={"Warehouse/nginx": hold})


def no_freight_at_all(world: World) -> None:
    empty(world, DEV, STAGING, PROD)
    world.set(WAREHOUSE, lastFreightID=None)


def no_secret(world: World) -> None:
    world.remove("kargo-shared-resources/Secret/platform")
    no_freight_at_all(world)
    world.set(WAREHOUSE, condition("FreightCreated", "True", "NewFreight", since=ago(minutes=1)), lastFreightID="f1")


def leave(world: World) -> None:
    manifest = (
        world.manifests["nginx"].replace("kargo-nginx", "kargo-gone").replace("instance: nginx", "instance: gone")
    )
    world.add(*(one for one in healthy(manifest) if one["kind"] in ("Namespace", "Project")))


def rename(world: World) -> None:
    manifest = world.manifests["nginx"].replace("kargo-nginx", "former-nginx")
    world.add(*(one for one in healthy(manifest) if one["kind"] == "Project"))


def terminate(world: World) -> None:
    namespace = world.get("Namespace/kargo-nginx")
    namespace["metadata"]["deletionTimestamp"] = ago(minutes=5)
    message = (
        "Some content in the namespace has finalizers remaining: kargo.akuity.io/finalizer in 3 resource instances"
    )
    world.set(
        "Namespace/kargo-nginx", condition("NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain", message)
    )


def old_crds(world: World) -> None:
    status = world.get("CustomResourceDefinition/stages.kargo.akuity.io")["spec"]["versions"][0]["schema"]
    status["openAPIV3Schema"]["properties"]["status"]["properties"].pop("effectiveAutoPromotionHolds")


def stopped(world: World) -> None:
    world.add(lease("", ago(minutes=30)))


def remove_policy(world: World) -> None:
    world.get("kargo-nginx/ProjectConfig/kargo-nginx")["spec"]["promotionPolicies"].pop(0)


PROJECT = "Project/kargo-nginx"
UNLABELLED = {"kargo.akuity.io/project"}
UPDATES = {"services/nginx/kargo.yaml": "promotion: {argocdUpdate: {enabled: true}}\n"}
PULL_REQUESTS = {"services/nginx/kargo.yaml": "promotion: {pullRequest: {enabled: true, provider: gitlab}}\n"}
SHARDED = {"services/nginx/kargo.yaml": "shard: eu\n"}

CASES = [
    Case(
        "KF701",
        lambda world: world.unknown.update({"projects", "stages", "warehouses", "projectconfigs", "promotions"}),
        "cluster/CustomResourceDefinition",
        "it has no projects, warehouses, stages",
        "install Kargo v1.11",
        service="",
    ),
    Case(
        "KF702",
        old_crds,
        "cluster/CustomResourceDefinition/stages.kargo.akuity.io",
        "older than Kargo v1.11",
        "upgrade Kargo",
        service="",
    ),
    Case(
        "KF702",
        lambda world: world.unknown.add("projectconfigs"),
        "cluster/CustomResourceDefinition",
        "it has no projectconfigs",
        "upgrade Kargo",
        service="",
        label="no ProjectConfig",
    ),
    Case(
        "KF702",
        lambda world: world.add(*controller(version="v1.9.3")),
        "kargo/Deployment/kargo-controller",
        "ghcr.io/akuity/kargo:v1.9.3",
        "upgrade Kargo",
        service="",
        label="image",
    ),
    Case(
        "KF703",
        lambda _: None,
        "cluster/controller/eu",
        "no controller was started for shard eu; affected: nginx",
        "controller.shardName=eu",
        files=SHARDED,
    ),
    Case("KF703", stopped, "cluster/controller", "has stopped: its Lease has expired", "kubectl logs", label="stopped"),
    Case(
        "KF711",
        lambda world: world.remove("Namespace/kargo-nginx", PROJECT, DEV, STAGING, PROD, WAREHOUSE),
        "kargo-nginx",
        "neither a namespace nor a Project",
        "`kargo-fleet deploy nginx`",
    ),
    Case(
        "KF712",
        lambda world: world.get("Namespace/kargo-nginx")["metadata"]["labels"].pop("kargo.akuity.io/project"),
        "kargo-nginx/Namespace",
        "lacks the label",
        "`kubectl label namespace kargo-nginx kargo.akuity.io/project=true`",
    ),
    Case(
        "KF713",
        terminate,
        "kargo-nginx/Namespace",
        "kargo.akuity.io/finalizer in 3",
        "`kubectl get namespace kargo-nginx`",
    ),
    Case(
        "KF713",
        lambda world: world.get(PROJECT)["metadata"].update(deletionTimestamp=ago(minutes=5)),
        "kargo-nginx/Project",
        "the Project is being deleted",
        "kubectl get projects.kargo.akuity.io kargo-nginx",
        label="project",
    ),
    Case(
        "KF714",
        lambda world: world.remove(PROJECT),
        "kargo-nginx/Project",
        "but the Project does not",
        "deploy nginx --force",
    ),
    Case(
        "KF715",
        lambda world: world.set(
            PROJECT, condition("Ready", "False", "EnsuringNamespaceFailed", "Failed to ensure it.")
        ),
        "kargo-nginx/Project",
        "not ready: Failed to ensure it",
        "kubectl describe projects.kargo.akuity.io kargo-nginx",
    ),
    Case(
        "KF715",
        lambda world: world.set(
            "kargo-nginx/ProjectConfig/kargo-nginx",
            condition("Ready", "False", "SyncWebhookReceiversFailed", 'secret "hook" not found'),
        ),
        "kargo-nginx/ProjectConfig",
        'secret "hook" not found',
        "kubectl describe projectconfig",
        label="config",
    ),
    Case(
        "KF716",
        lambda world: world.remove("kargo-nginx/ProjectConfig/kargo-nginx"),
        "kargo-nginx/ProjectConfig",
        "ProjectConfig is not in the cluster",
        "kargo-fleet deploy nginx --force",
    ),
    Case(
        "KF716",
        lambda world: world.remove(DEV, PROD),
        "kargo-nginx",
        "Stage/dev, Stage/prod are not",
        "deploy",
        label="stages",
    ),
    Case(
        "KF721",
        broken_discovery("GET https://registry.example.com/v2/: UNAUTHORIZED: authentication required"),
        WAREHOUSE,
        "UNAUTHORIZED",
        "kubectl get secrets -n kargo-shared-resources",
    ),
    Case("KF721", broken_discovery("NAME_UNKNOWN: nginx"), WAREHOUSE, "NAME_UNKNOWN", "image.repoURL", label="name"),
    *(
        Case(
            "KF721",
            lambda world, message=message: world.set(
                "kargo-nginx/Warehouse/all-builds", condition("Healthy", "False", "DiscoveryFailed", message)
            ),
            "kargo-nginx/Warehouse/all-builds",
            message,
            fix,
            files=SECOND_WAREHOUSE,
            label=f"further-{fix}",
        )
        for message, fix in (
            ("NAME_UNKNOWN: nginx", "correct `warehouses.builds.image.repoURL`"),
            ("x509: unknown authority", "set `warehouses.builds.image.insecureSkipTLSVerify: true`"),
            ("429 rate limit", "a longer `warehouses.builds.interval`"),
        )
    ),
    Case("KF721", broken_discovery("x509: unknown authority"), WAREHOUSE, "x509", "certificate", label="certificate"),
    Case("KF721", broken_discovery("dial tcp: no such host"), WAREHOUSE, "no such host", "network", label="network"),
    Case(
        "KF721",
        broken_discovery("something new"),
        WAREHOUSE,
        "something new",
        "kubectl describe warehouse",
        label="else",
    ),
    Case("KF722", no_images, WAREHOUSE, "No references discovered", "now SemVer ^1.0.0"),
    Case(
        "KF723",
        lambda world: world.set(
            WAREHOUSE, condition("Healthy", "False", "CriteriaEvaluationFailed", "unknown name imag")
        ),
        WAREHOUSE,
        "unknown name imag",
        "freightCreationCriteria.expression",
    ),
    Case(
        "KF731",
        lambda world: world.set(PROD, condition("Ready", "False", "ReconcileError", "failed to list Promotions")),
        PROD,
        "failed to list Promotions",
        "kubectl describe stage prod -n kargo-nginx",
    ),
    Case("KF732", unhealthy, PROD, 'unhealthy: Argo CD Application "nginx-prod" is Degraded', "check the Application"),
    Case(
        "KF732",
        lambda world: world.set(PROD, condition("Healthy", "Unknown", "Progressing", since=ago(hours=5))),
        PROD,
        "has been progressing for 5 hours",
        "kubectl describe stage prod",
        label="progressing",
    ),
    Case("KF733", not_verified, DEV, "error-rate > 5 %", "kargo verify stage --project kargo-nginx dev"),
    Case(
        "KF734",
        lambda world: failed(
            world,
            DEV,
            "Errored",
            step("step-1", "Succeeded"),
            step("update", "Errored", "key path not found: image.tag"),
            message="step execution failed",
        ),
        DEV,
        "ended in an error 24 hours ago at step update (yaml-update): key path not found: image.tag",
        "KF402; Kargo does not retry it: run `kargo promote --project kargo-nginx --warehouse nginx --stage dev`",
    ),
    Case(
        "KF734",
        lambda world: failed(world, PROD, "Failed", message="no steps"),
        PROD,
        "failed 24 hours ago: no steps",
        "promote",
        label="without a step",
    ),
    Case(
        "KF735",
        lambda world: runs(
            world, DEV, currentStep=3, stepExecutionMetadata=[step("push", "Running", "attempt 7 of 10 failed")]
        ),
        DEV,
        "running for 3 hours at step push (git-push): attempt 7 of 10 failed",
        "--abort",
    ),
    Case(
        "KF735",
        lambda world: runs(world, DEV, phase="Pending"),
        DEV,
        "no controller has started it",
        "log",
        label="pending",
    ),
    Case(
        "KF736",
        each(lambda world: empty(world, STAGING), lambda world: world.set(STAGING, autoPromotionEnabled=None)),
        STAGING,
        "although dev has verified some and auto-promotion is on in the values; in the cluster it is off",
        "kubectl get projectconfig",
    ),
    Case(
        "KF736",
        lambda world: empty(world, DEV, STAGING, PROD),
        DEV,
        "Warehouse nginx has created some",
        "",
        label="direct",
    ),
    Case("KF741", no_secret, "kargo-nginx/Secret", f"no Secret has Git credentials for {URL}", "cred-type=git"),
    Case(
        "KF751",
        lambda world: with_argo_cd(world).remove("argocd/Application/kargo-nginx"),
        "argocd/Application/kargo-nginx",
        "there is no Application kargo-nginx",
        "application-set-refresh=true",
    ),
    Case(
        "KF752",
        lambda world: with_argo_cd(world).add(
            application(
                "kargo-nginx", operationState={"phase": "Failed", "message": "one or more objects failed to apply"}
            )
        ),
        "argocd/Application/kargo-nginx",
        "the last sync failed: one or more objects",
        "kubectl describe application kargo-nginx -n argocd",
    ),
    Case(
        "KF752",
        lambda world: with_argo_cd(world).add(
            application(
                "kargo-nginx", conditions=[{"type": "ComparisonError", "message": "values/nginx.yaml: no such file"}]
            )
        ),
        "argocd/Application/kargo-nginx",
        "no such file",
        "describe",
        label="comparison",
    ),
    Case(
        "KF753",
        lambda world: with_argo_cd(world).add(application_set(condition("ErrorOccurred", "True", "Error", "no auth"))),
        "argocd/ApplicationSet/kargo-units",
        "reports an error: no auth",
        "kubectl describe applicationset kargo-units -n argocd",
        service="",
    ),
    Case(
        "KF754",
        lambda world: with_workloads(world).remove("argocd/Application/nginx-prod"),
        "argocd/Application/nginx-prod",
        "there is no Application nginx-prod in argocd",
        "promotion.argocdUpdate",
        files=UPDATES,
    ),
    Case(
        "KF755",
        lambda world: with_workloads(world).add(application("nginx-prod", "kargo-nginx:staging")),
        "argocd/Application/nginx-prod",
        "authorized-stage is kargo-nginx:staging",
        "--overwrite kargo.akuity.io/authorized-stage=kargo-nginx:prod",
        files=UPDATES,
    ),
    Case(
        "KF761",
        remove_policy,
        "kargo-nginx",
        "ProjectConfig/kargo-nginx spec.promotionPolicies",
        "kargo-fleet deploy nginx --force",
        services=("nginx",),
    ),
    Case(
        "KFW701",
        each(no_secret, lambda world: world.forbidden.add(("secrets", "*"))),
        "cluster",
        "may not read secrets; not checked: Git credentials",
        "kubectl auth can-i list secrets",
        service="",
    ),
    Case("KFW721", no_freight_at_all, WAREHOUSE, "has created no Freight yet", "kubectl describe warehouse"),
    Case(
        "KFW721",
        each(
            no_freight_at_all,
            lambda world: world.set(
                WAREHOUSE, condition("FreightCreationCriteriaSatisfied", "False", "CriteriaNotSatisfied")
            ),
        ),
        WAREHOUSE,
        "freightCreationCriteria.expression is not satisfied",
        "correct the expression",
        label="criteria",
    ),
    Case(
        "KFW731",
        lambda world: failed(world, PROD, "Aborted"),
        PROD,
        "was aborted",
        "`kargo promote --project kargo-nginx --warehouse nginx --stage prod`",
    ),
    Case(
        "KFW732",
        waits_for_pull_request,
        DEV,
        "waiting for its pull request for 3 hours",
        f"merge {URL}/pulls/7",
        files=PULL_REQUESTS,
    ),
    Case(
        "KFW733", held, DEV, "f0, not the newest Freight, was promoted by email:alice@example.com", "promote the newest"
    ),
    Case("KFW761", leave, "kargo-gone", "there is no services/gone", "kargo-fleet delete gone", service="gone"),
    Case(
        "KFW761",
        rename,
        "former-nginx",
        "belongs to nginx, whose Project is kargo-nginx now",
        "kubectl delete projects.kargo.akuity.io former-nginx",
        label="renamed",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}-{case.label}")
def test_a_problem_is_reported_alone(world: Build, doctor: Doctor, case: Case) -> None:
    spoilt = world(case.files)
    case.spoil(spoilt)
    assert fantasies(spoilt.objects.values()) == []
    (item,) = findings(doctor(*case.services, reporter=Reporter(Format.JSON)))
    assert item["code"] == case.code
    assert (item["file"], item["line"]) == (case.place, 0)
    assert case.message in item["message"]
    assert case.fix in item["fix"]
    assert item["service"] == case.service
    assert not item["message"].endswith(".")


def test_a_missing_values_file_is_found(world: Build, doctor: Doctor, tmp_path: Path) -> None:
    world()
    (tmp_path / "values/nginx.yaml").unlink()
    (item,) = findings(doctor(reporter=Reporter(Format.JSON)))
    assert (item["code"], item["file"], item["service"]) == ("KF717", "values/nginx.yaml", "nginx")
    (tmp_path / "values/nginx.yaml").write_text("image: 1\n")
    (item,) = findings(doctor(reporter=Reporter(Format.JSON)))
    assert (item["code"], "does not match the chart's schema" in item["message"]) == ("KF717", True)


def test_every_code_is_tested_and_explained() -> None:
    assert {case.code for case in CASES} | {"KF717"} == set(DOCTOR_CODES)
    text = (ROOT / "docs/doctor.md").read_text()
    assert dict(re.findall(r"^### (KFW?\d{3}): (.*)$", text, re.MULTILINE)) == DOCTOR_CODES
    for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        assert "**Fix.**" in section, section.splitlines()[0]


# -- Nothing is wrong ----------------------------------------------------------------------------------------------


def test_a_healthy_fleet_prints_one_line(world: Build, doctor: Doctor) -> None:
    with_argo_cd(world(service("api"))).add(application("kargo-api"))
    assert doctor() == Result(0, "", "2 services: healthy\n")
    assert doctor("nginx") == Result(0, "", "1 service: healthy\n")
    assert doctor(compare=True) == Result(0, "", "2 services: healthy\n")


def test_a_unit_that_was_just_deployed_is_let_alone(world: Build, doctor: Doctor) -> None:
    made = world()
    made.remove("kargo-shared-resources/Secret/platform")
    made.add(secret("nginx", "kargo-nginx", URL))
    for one in made.objects.values():
        if one["metadata"].get("namespace", one["metadata"]["name"]) == "kargo-nginx":
            one["metadata"]["creationTimestamp"] = ago(minutes=2)
            one.pop("status", None)
    made.set(PROJECT, condition("Ready", "False", "Syncing", "Ensuring project namespace and permissions"))
    assert doctor().stderr == "1 service: healthy\n"


def test_a_promotion_that_runs_is_let_alone(world: Build, doctor: Doctor) -> None:
    made = world()
    failed(made, DEV, "Failed", message="earlier")
    runs(made, DEV, hours=0.2)
    made.set(DEV, condition("Healthy", "Unknown", "ActivePromotion", since=ago(hours=9)))
    assert doctor().stderr == "1 service: healthy\n"
    assert not any("promotions" in asked for asked in made.asked)


def test_stages_that_wait_for_a_person_or_a_soak_are_let_alone(world: Build, doctor: Doctor) -> None:
    made = world({"services/nginx/kargo.yaml": "stages: {staging: {requiredSoakTime: 48h}}\n"})
    empty(made, STAGING, PROD)
    assert doctor().stderr == "1 service: healthy\n"


def test_discovery_in_progress_is_let_alone(world: Build, doctor: Doctor) -> None:
    world().set(
        WAREHOUSE,
        condition("Healthy", "Unknown", "Pending", since=ago(seconds=3)),
        condition("Ready", "False", "DiscoveryInProgress", since=ago(seconds=3)),
    )
    assert doctor().stderr == "1 service: healthy\n"


def test_the_command_line(world: Build, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made = world()
    assert run("doctor") == Result(0, "", "1 service: healthy\n")
    made.remove(PROJECT)
    result = run("doctor", "nginx", "--context", "eu-1", "--output", "json")
    assert result.status == 1
    assert [item["code"] for item in json.loads(result.stdout)["findings"]] == ["KF714"]
    monkeypatch.setattr(command, "Kube", Kube)
    monkeypatch.setenv("KUBECONFIG", os.devnull)
    assert run("doctor", "--drift")[:2] == (2, "")


# -- One cause, one finding ----------------------------------------------------------------------------------------


def codes(result: Result) -> list[str]:
    return [item["code"] for item in findings(result)]


def test_what_follows_from_the_namespace_is_not_reported(world: Build, doctor: Doctor) -> None:
    made = world()
    terminate(made)
    made.remove(PROJECT, DEV, WAREHOUSE)
    unhealthy(made)
    assert codes(doctor(reporter=Reporter(Format.JSON))) == ["KF713"]


def test_failed_promotions_follow_from_missing_credentials(world: Build, doctor: Doctor) -> None:
    made = world()
    no_secret(made)
    failed(made, DEV, "Errored", step("step-1", "Errored", "fatal: Authentication failed"), message="failed")
    assert codes(doctor(reporter=Reporter(Format.JSON))) == ["KF741"]


def test_an_application_set_that_fails_is_the_cause_of_missing_applications(world: Build, doctor: Doctor) -> None:
    made = with_argo_cd(world(service("api"), deployed=["nginx"]))
    made.add(application_set(condition("ErrorOccurred", "True", "Error", "no auth")))
    assert codes(doctor(reporter=Reporter(Format.JSON))) == ["KF753"]


def test_a_service_without_application_is_reported_once(world: Build, doctor: Doctor) -> None:
    with_argo_cd(world(service("api"), deployed=["nginx"]))
    (item,) = findings(doctor(reporter=Reporter(Format.JSON)))
    assert (item["code"], item["service"]) == ("KF751", "api")


def test_many_services_that_are_not_deployed_are_one_finding(world: Build, doctor: Doctor) -> None:
    fleet: dict[str, str | bytes | None] = {}
    for number in range(12):
        fleet |= service(f"s{number:02}")
    world(fleet, deployed=["nginx"])
    (item,) = findings(doctor(reporter=Reporter(Format.JSON)))
    assert (item["code"], item["file"]) == ("KF711", "cluster")
    assert item["message"] == "12 of 13 services are not deployed: s00, s01, s02, s03, s04 and 7 more"


def test_units_share_one_finding_about_their_repository_and_their_shard(world: Build, doctor: Doctor) -> None:
    made = world(service("api", kargo="shard: eu") | SHARDED)
    made.remove("kargo-shared-resources/Secret/platform")
    for name in ("api", "nginx"):
        empty(made, *(f"kargo-{name}/Stage/{stage}" for stage in ("dev", "staging", "prod")))
    found = findings(doctor(reporter=Reporter(Format.JSON)))
    assert [(item["code"], item["file"], item["service"]) for item in found] == [
        ("KF703", "cluster/controller/eu", ""),
        ("KF741", "cluster/Secret", ""),
    ]
    made.add(*controller("eu"))
    assert codes(doctor(reporter=Reporter(Format.JSON))) == ["KF741", "KF736", "KF736"]


def test_a_cluster_without_any_controller_is_one_finding(world: Build, doctor: Doctor) -> None:
    made = world(service("api"))
    for key, one in list(made.objects.items()):
        one.pop("status", None)
        if key[0] in ("Lease", "Deployment", "ConfigMap"):
            del made.objects[key]
    (item,) = findings(doctor(reporter=Reporter(Format.JSON)))
    assert item["code"] == "KF703"
    assert item["message"].startswith(
        "no controller of units without a shard has reconciled these units; affected: api, nginx"
    )


def test_drift_explains_what_argo_cd_calls_out_of_sync(world: Build, doctor: Doctor) -> None:
    made = with_argo_cd(world())
    made.add(application("kargo-nginx", sync={"status": "OutOfSync"}))
    assert codes(doctor(reporter=Reporter(Format.JSON))) == ["KF752"]
    remove_policy(made)
    assert codes(doctor(reporter=Reporter(Format.JSON), compare=True)) == ["KF761"]


def test_the_cluster_comes_first_then_service_by_service(world: Build, doctor: Doctor) -> None:
    made = world(service("api"))
    old_crds(made)
    unhealthy(made)
    no_images(made)
    made.remove("kargo-api/ProjectConfig/kargo-api")
    assert codes(doctor(reporter=Reporter(Format.JSON))) == ["KF702", "KF716", "KF722", "KF732"]


# -- Drift ---------------------------------------------------------------------------------------------------------


def test_drift_names_fields_and_objects(world: Build, doctor: Doctor) -> None:
    made = world({"services/nginx/kargo.yaml": "rbac: {bindings: {team: {role: viewer, groups: [nginx]}}}\n"})
    made.get(WAREHOUSE)["spec"]["subscriptions"][0]["image"]["constraint"] = "^2.0.0"
    made.get(DEV)["spec"]["verification"] = {"args": [{"name": "by", "value": "hand"}]}
    made.remove("kargo-nginx/RoleBinding/kargo-service-team")
    made.add(
        obj("Stage", "qa", "kargo-nginx", metadata={"labels": {"app.kubernetes.io/part-of": "kargo-fleet"}}, spec={})
    )
    made.get(PROJECT)["metadata"]["annotations"].pop("kargo.akuity.io/keep-namespace")
    assert doctor().status == 0, "comparing takes time, and is done only when it is asked for"
    (item,) = findings(doctor("nginx", reporter=Reporter(Format.JSON)))
    for part in (
        "Warehouse/nginx spec.subscriptions[0].image.constraint",
        "Stage/dev spec.verification was added",
        "RoleBinding/kargo-service-team is missing",
        "Stage/qa is not in the values",
        "Project/kargo-nginx metadata.annotations[kargo.akuity.io/keep-namespace]",
    ):
        assert part in item["message"]


def test_what_deploying_again_does_not_remove_is_removed_by_hand(world: Build, doctor: Doctor) -> None:
    """Helm and Argo CD apply: they leave fields that others set, and objects that they never made."""
    made = world()
    made.get(DEV)["spec"]["verification"] = {"args": [{"name": "by", "value": "hand"}]}
    labels = {"app.kubernetes.io/part-of": "kargo-fleet"}
    made.add(obj("Stage", "qa", "kargo-nginx", metadata={"labels": labels}, spec={}))
    (item,) = findings(doctor("nginx", reporter=Reporter(Format.JSON)))
    assert "`kubectl edit stage dev -n kargo-nginx`" in item["fix"]
    assert "`kubectl delete stage qa -n kargo-nginx`" in item["fix"]
    assert "deploy" not in item["fix"]


def test_drift_of_templates_and_tasks_but_not_of_extra_objects(world: Build, doctor: Doctor) -> None:
    made = world(
        {
            "fleet.yaml": TRUSTING + 'extraObjects: {allowedKinds: [{group: "", kind: ConfigMap}]}\n',
            "services/nginx/kargo.yaml": """\
analysisTemplates: {smoke-test: {metrics: [{name: health, provider: {web: {url: "https://example.com"}}}]}}
promotionTasks: {notify: {steps: [{uses: http, config: {url: "https://example.com"}}]}}
extraObjects: {dashboard: {apiVersion: v1, kind: ConfigMap, data: {a: b}}}
""",
        }
    )
    assert doctor("nginx").status == 0
    made.get("kargo-nginx/AnalysisTemplate/smoke-test")["spec"]["metrics"][0]["name"] = "other"
    made.remove("kargo-nginx/PromotionTask/notify")
    (item,) = findings(doctor("nginx", reporter=Reporter(Format.JSON)))
    assert "AnalysisTemplate/smoke-test spec.metrics[0].name" in item["message"]
    assert "PromotionTask/notify is missing" in item["message"]


def test_what_others_add_is_no_drift(world: Build, doctor: Doctor) -> None:
    made = world()
    for one in made.objects.values():
        one["metadata"].setdefault("annotations", {})["argocd.argoproj.io/tracking-id"] = "x"
        one["metadata"].setdefault("labels", {})["team"] = "x"
    assert doctor("nginx").status == 0


# -- Reading -------------------------------------------------------------------------------------------------------


def test_a_fleet_is_read_in_few_calls(world: Build, doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "_PAGE", 7)
    fleet: dict[str, str | bytes | None] = {}
    for number in range(5):
        fleet |= service(f"s{number}")
    made = with_argo_cd(world(fleet))
    made.add(*(application(f"kargo-s{number}") for number in range(5)))
    assert doctor() == Result(0, "", "6 services: healthy\n")
    assert not any("kargo-s1" in asked for asked in made.asked)
    assert len([asked for asked in made.asked if "/stages?" in asked]) == 3, "18 stages are three pages of 7"
    assert len(made.asked) == 2 + 2 + 1 + 1 + 1 + 1 + 3 + 1 + 1 + 1 + 1


def test_named_services_need_rights_in_their_namespaces_only(world: Build, doctor: Doctor) -> None:
    made = world(service("api"))
    made.forbidden |= {(kinds, "") for kinds in ("namespaces", "projects", "stages", "warehouses", "projectconfigs")}
    made.forbidden |= {("customresourcedefinitions", ""), ("deployments", ""), ("configmaps", ""), ("leases", "kargo")}
    made.forbidden |= {("secrets", "*")}
    result = doctor("nginx")
    assert result.status == 0
    assert (
        "cluster: warning KFW701: this user may not read namespaces, projects; not checked: namespaces, Projects"
        in result.stdout
    )
    assert not any("kargo-api" in asked for asked in made.asked)
    no_images(made)
    assert codes(doctor("nginx", reporter=Reporter(Format.JSON))) == ["KFW701", "KF722"]


def test_a_user_without_rights_gets_a_warning(world: Build, doctor: Doctor) -> None:
    made = world()
    made.forbidden |= {(kinds, "*") for kinds in ("namespaces", "projects", "stages", "warehouses", "projectconfigs")}
    assert codes(doctor(reporter=Reporter(Format.JSON))) == ["KFW701"]


def test_shared_credentials_are_enough_to_see(world: Build, doctor: Doctor) -> None:
    made = world()
    empty(made, DEV, STAGING, PROD)
    made.set(WAREHOUSE, condition("FreightCreated", "True", "NewFreight", since=ago(minutes=1)))
    made.forbidden.add(("secrets", ""))
    assert doctor().stderr == "1 service: healthy\n"
    made.remove("kargo-shared-resources/Secret/platform")
    assert codes(doctor(reporter=Reporter(Format.JSON))) == ["KFW701"]


def test_nothing_of_a_secret_but_its_url_is_read(world: Build, doctor: Doctor) -> None:
    made = world()
    no_secret(made)
    made.add(secret("other", "kargo-nginx", "https://git.example.com/other.git"))
    result = doctor()
    assert "hidden" not in result.stdout
    assert any("jsonpath" in asked for asked in made.asked)


REFUSED = "The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?"
DISCOVERY = 'E0301 12:00:00 memcache.go:265] "Unhandled Error" err="couldn\'t get current server API group list"'


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (f"{DISCOVERY}\n{REFUSED}", f"the cluster does not answer: {REFUSED}"),
        ("You must be logged in to the server (Unauthorized)", "the cluster does not answer: You must be logged in"),
    ],
)
def test_a_cluster_that_does_not_answer(
    world: Build, doctor: Doctor, monkeypatch: pytest.MonkeyPatch, message: str, said: str
) -> None:
    def refuse(*_: object) -> str:
        raise ClientError(message)

    world()
    monkeypatch.setattr(World, "kubectl", refuse)
    with pytest.raises(FleetError) as error:
        doctor()
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_a_name_that_is_nowhere(world: Build, doctor: Doctor) -> None:
    leave(world())
    with pytest.raises(FleetError, match=r"no service 'ngnix' in services/, nor in the cluster; did you mean nginx\?"):
        doctor("ngnix")
    assert codes(doctor("gone", reporter=Reporter(Format.JSON))) == ["KFW761"]


def test_nothing_is_an_orphan_where_nothing_is_a_service(world: Build, doctor: Doctor, tmp_path: Path) -> None:
    world()
    (tmp_path / "services").rename(tmp_path / "moved")
    assert codes(doctor(reporter=Reporter(Format.JSON))) == ["KF203"]


def test_a_broken_fleet_file_is_reported_without_a_cluster(world: Build, doctor: Doctor, tmp_path: Path) -> None:
    made = world()
    (tmp_path / "fleet.yaml").write_text("image: [\n")
    made.asked.clear()
    assert codes(doctor(reporter=Reporter(Format.JSON))) == ["KF002"]
    assert made.asked == []


def test_commands_in_a_fix_use_the_same_context(world: Build, doctor: Doctor) -> None:
    made = world()
    made.remove(PROJECT)
    assert "`kargo-fleet deploy --context eu-1 nginx --force`" in doctor(context="eu-1").stdout
    made.get("Namespace/kargo-nginx")["metadata"]["labels"].pop("kargo.akuity.io/project")
    assert "`kubectl --context 'my own' label namespace kargo-nginx" in doctor(context="my own").stdout


def test_a_command_without_arguments_uses_the_same_context(world: Build, doctor: Doctor) -> None:
    files = {path: content for number in range(11) for path, content in service(f"svc-{number}").items()}
    world(files, deployed=[])
    assert "`kargo-fleet deploy --context eu-1`" in doctor(context="eu-1").stdout


def test_in_github_a_finding_is_an_annotation(world: Build, doctor: Doctor) -> None:
    no_images(world())
    assert doctor(reporter=Reporter(Format.GITHUB)).stdout.startswith(
        f"::error file={WAREHOUSE},title=KF722::no artifact matches: No references"
    )


# -- Promotions in more detail -------------------------------------------------------------------------------------


def test_promotions_that_wait_behind_another_are_counted(world: Build, doctor: Doctor) -> None:
    made = world()
    runs(made, DEV, currentStep=0)
    for number in range(2):
        name = f"dev.01hzzzzzzzzzzzzzzzzzzzzz0{number}.abc1234"
        made.add(obj("Promotion", name, "kargo-nginx", spec={"stage": "dev"}, status={"phase": "Pending"}))
    (item,) = findings(doctor("nginx", reporter=Reporter(Format.JSON)))
    assert "at step step-1 (git-clone); 2 more wait behind it" in item["message"]


def test_a_promotion_that_no_controller_starts(world: Build, doctor: Doctor) -> None:
    made = world()
    made.add(obj("Promotion", "dev.1", "kargo-nginx", spec={"stage": "dev"}, status={"phase": "Pending"}))
    made.set(DEV, condition("Verified", "Unknown", "VerificationRunning", "Freight is currently being verified"))
    (item,) = findings(doctor("nginx", reporter=Reporter(Format.JSON)))
    assert (item["code"], item["file"]) == ("KF735", DEV)
    assert (
        "promotion dev.1 has been waiting for 2 days, and none is running: Freight is currently being verified"
        in item["message"]
    )


def test_a_step_that_may_fail_is_not_what_failed(world: Build) -> None:
    made = world()
    failed(
        made,
        DEV,
        "Failed",
        step("push", "Failed", "rejected"),
        {**step("notify", "Failed", "no"), "continueOnError": True},
    )
    found = stages.failed_step(made.get(DEV))
    assert found is not None
    assert (str(found[0]), found[1]) == ("push (git-push)", "rejected")


# -- Which Secret Kargo takes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secret_url", "regex", "url", "fits"),
    [
        (URL, False, URL, True),
        ("https://git.example.com/platform", False, URL, True),
        ("https://GIT.example.com/Platform.git/", False, URL, True),
        ("https://kargo:x@git.example.com/platform.git", False, URL, True),
        ("http://git.example.com/platform.git", False, URL, False),
        ("https://git.example.com", False, URL, False),
        ("https://git.example.com/platform.git?x=1", False, URL, False),
        ("", False, URL, False),
        ("git@git.example.com:platform.git", False, "ssh://git@git.example.com/platform", True),
        (r"^https://git\.example\.com/.+$", True, URL, True),
        (r"^https://git\.example\.com/platform$", True, URL, True),
        (r"example\.org", True, URL, False),
        (r"(?!x)", True, URL, False),
    ],
)
def test_secrets_are_matched_as_kargo_does(secret_url: str, regex: bool, url: str, fits: bool) -> None:
    assert git_credentials.fits(GitCredential("kargo-nginx", "x", secret_url, regex), url) is fits


def test_the_normal_form_of_urls_is_that_of_kargos_own_tests() -> None:
    """pkg/urls/git_test.go of the pinned Kargo lists URLs that are the same, and what they become."""
    text = (upstream.module(upstream.KARGO) / "pkg/urls/git_test.go").read_text()
    cases = re.findall(r'^\s*"([^"\s]+)":\s+"([^"\s]+)",', text, re.MULTILINE)
    assert len(cases) > 20
    assert {given: git_credentials.normalized(given) for given, _ in cases} == dict(cases)


def test_what_the_chart_makes_is_what_is_compared_and_allowed() -> None:
    """One list of kinds for drift, one for the AppProject."""
    assert set(drift._KINDS) == {kind for _, kind in CHART_KINDS} | {"Namespace", "Project"}
    assert {resource.plural for resource, _ in drift._KINDS.values()} == {
        resource.plural for resource in (*UNIT_KINDS, *EXTRA_KINDS)
    }
