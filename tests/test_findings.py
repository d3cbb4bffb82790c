"""Every code: the least that brings it about, where it points, what it says. docs/findings.md explains them all."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from conftest import FLEET, TRUSTING, Files, Run, Tree, link, service
from kargo_fleet.doctor.codes import DOCTOR_CODES
from kargo_fleet.findings import CODES, Finding, Place, Severity, has_errors

ROOT = Path(__file__).parents[1]
LONG = "a" * 54
VALUES = ("values-dev", "values-staging", "values-prod")


def kargo(text: str | bytes) -> dict[str, str | bytes | None]:
    """The fleet whose one mistake is in the kargo.yaml of nginx."""
    return {"services/nginx/kargo.yaml": text}


def fleet(text: str) -> dict[str, str | bytes | None]:
    """The fleet whose one mistake is at the end of fleet.yaml, which starts at line 3."""
    return {"fleet.yaml": FLEET + text}


def workloads(**settings: Any) -> dict[str, str | bytes | None]:
    found = {"enabled": True, "ignoreMissingValueFiles": True, **settings}
    if "kustomize" in settings.get("source", {}):
        del found["ignoreMissingValueFiles"]
    return fleet(f"argocd: {json.dumps({'workloads': found})}\n")


def ignore_chart(root: Path) -> None:
    subprocess.run(["git", "init", "-q", root], check=True)
    (root / ".gitignore").write_text("# Helm's\ncharts/\n")


def vendor_an_older(root: Path) -> None:
    (root / "charts/kargo-service/.vendored").write_text("# kargo-service 0.0.1\n")


APP = {"charts/app/Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\n"}


NO_NGINX: dict[str, str | bytes | None] = dict.fromkeys(service("nginx"))


def teams(*names: str) -> dict[str, str | bytes | None]:
    """A fleet of teams, each with a service nginx."""
    services = {path: text for name in names for path, text in service(f"{name}/nginx").items()}
    return {"fleet.yaml": FLEET + "services: services/<team>/<service>\n", **NO_NGINX, **services}


def edit(root: Path) -> None:
    with (root / "values/nginx.yaml").open("a") as file:
        file.write("shard: a\n")


def edit_and_link(root: Path) -> None:
    """Edit a values file of a service whose kargo.yaml is a link."""
    edit(root)
    (root / "shared").mkdir()
    (root / "services/nginx/kargo.yaml").rename(root / "shared/kargo.yaml")
    (root / "services/nginx/kargo.yaml").symlink_to("../../shared/kargo.yaml")


def leave(*names: str) -> Callable[[Path], None]:
    """Take services away, which leaves their values files."""

    def remove(root: Path) -> None:
        for name in names:
            (root / f"services/{name}").rename(root / f"services/_{name}")

    return remove


@dataclass
class Case:
    """`files` make the finding `code` at `place`, and no other. `message` and `fix` are parts of what it says.

    With `after`, the fleet is generated first, and then `after` spoils it.
    """

    code: str
    files: Files
    place: str
    message: str
    fix: str
    arguments: Sequence[str] = ("generate",)
    after: Callable[[Path], None] | None = None
    service: str = field(default="nginx", kw_only=True)


def assume(**assumptions: float) -> list[str]:
    """Options of `capacity`."""
    return [word for key, value in assumptions.items() for word in ("--set", f"{key}={value}")]


def quota(promotions: int) -> dict[str, str | bytes | None]:
    hard = f"hard: {{count/promotions.kargo.akuity.io: {promotions}}}"
    return kargo(f"resourceQuota: {{enabled: true, {hard}}}\n")


CASES = [
    # Files
    Case("KF001", kargo("# ok\n# Zürich".encode("latin-1")), "services/nginx/kargo.yaml:2:4", "not UTF-8", "as UTF-8"),
    Case("KF001", {"services/nginx/kargo.yaml/x": ""}, "services/nginx/kargo.yaml", "Is a directory", "is a file"),
    Case("KF001", {"values/nginx.yaml/x": ""}, "values/nginx.yaml", "Is a directory", "remove it"),
    Case("KF001", kargo("#" * (1 << 20) + "\n"), "services/nginx/kargo.yaml", "larger than 1 MiB", "make it smaller"),
    Case(
        "KF002",
        kargo("image:\n\tconstraint: ^1.0.0\n"),
        "services/nginx/kargo.yaml:2:1",
        "a tab indents this line",
        "spaces",
    ),
    Case("KF002", fleet("image: [\n"), "fleet.yaml:4:1", "not valid YAML", "correct the YAML", service=""),
    Case(
        "KF003",
        kargo("image: {}\nshard: a\nimage: {}\n"),
        "services/nginx/kargo.yaml:3:1",
        'duplicate key "image"',
        "remove the duplicate",
    ),
    Case(
        "KF004",
        kargo("image: " + "[" * 25_000),
        "services/nginx/kargo.yaml:1:107",
        "deeper than 100 levels",
        "flatten it",
    ),
    Case("KF004", kargo("- a\n"), "services/nginx/kargo.yaml:1:1", "the document is not a mapping", "`key: value`"),
    Case(
        "KF009",
        {},
        "services/nginx/kargo.yaml",
        "is a symbolic link that leads out of the repository, so it is not read",
        "replace the link with a file",
        ("generate",),
        lambda root: (root / "services/nginx/kargo.yaml").symlink_to("/etc/passwd"),
    ),
    Case(
        "KF009",
        {},
        "values",
        "is a symbolic link, through which nothing is read, written or removed",
        "`rm values && mkdir values`",
        ("check",),
        lambda root: link(root / "values", "_values"),
        service="",
    ),
    # Shape
    Case(
        "KF101",
        kargo("image:\n  constrant: ^1.0.0\n"),
        "services/nginx/kargo.yaml:2:3",
        "image.constrant: unknown key",
        "did you mean constraint?",
    ),
    Case(
        "KF103",
        kargo("stages:\n  Prod: {}\n"),
        "services/nginx/kargo.yaml:2:3",
        '"Prod" is not a valid key',
        "a DNS label",
    ),
    Case(
        "KF102",
        kargo("stages:\n  prod: {upstream: staging}\n"),
        "services/nginx/kargo.yaml:2:20",
        'stages.prod.upstream: "staging" is a string, not a list',
        "[staging]",
    ),
    Case(
        "KF103",
        kargo("image:\n  discoveryLimit: 500\n"),
        "services/nginx/kargo.yaml:2:19",
        "image.discoveryLimit: 500 is not allowed",
        "from 1 to 100",
    ),
    Case(
        "KF104",
        {"fleet.yaml": "git: {repoURL: https://git.example.com/platform.git}\n"},
        "fleet.yaml",
        "image.repoURL: is required",
        "set image.registry in fleet.yaml, or pass --image-repository",
        service="",
    ),
    Case(
        "KF104",
        {"fleet.yaml": "image: {registry: registry.example.com}\n"},
        "fleet.yaml",
        "git.repoURL: is required",
        "set git.repoURL in fleet.yaml, or pass --git-repo-url",
        service="",
    ),
    Case(
        "KF105",
        fleet("chart: {path: charts/other}\n"),
        "fleet.yaml:3:15",
        "there is no chart in charts/other",
        "kargo-fleet chart vendor",
        service="",
    ),
    Case(
        "KF106",
        fleet("chart: {oci: oci://registry.example.com/kargo-service, version: 9.9.9}\n"),
        "fleet.yaml:3:65",
        "chart.version is 9.9.9, but the chart in charts/kargo-service, which values are computed with, is",
        "set chart.version to",
        service="",
    ),
    Case(
        "KF106",
        {**fleet("chart: {oci: oci://registry.example.com/kargo-service, version: 9.9.9}\n"), "charts": None},
        "fleet.yaml:3:65",
        "chart.version is 9.9.9, but the chart of kargo-fleet is",
        "install kargo-fleet 9.9.9, or set chart.path",
        service="",
    ),
    # Names
    Case(
        "KF201",
        service("Billing_API"),
        "services/Billing_API",
        "only a-z, 0-9 and -",
        "to billing-api",
        service="Billing_API",
    ),
    Case(
        "KF202",
        service("shared-resources"),
        "services/shared-resources",
        "Kargo itself uses the namespace kargo-shared-resources",
        "rename the folder",
        service="shared-resources",
    ),
    Case("KF203", NO_NGINX, "services", "the folder does not exist", "create services/<service>/", service=""),
    Case(
        "KF204",
        kargo("service: {name: other}\n"),
        "services/nginx/kargo.yaml:1:17",
        "must be nginx, the name of the folder",
        "remove it",
    ),
    Case(
        "KF205",
        fleet("groups:\n  web: {services: [nginx], values: {shard: 1}}\n"),
        "fleet.yaml:4:3",
        "groups.web: is invalid; its services were skipped",
        "correct",
        service="",
    ),
    Case(
        "KF206",
        teams("web", "shop"),
        "services/shop/nginx",
        "services/shop/nginx and services/web/nginx are services of the same name",
        "rename all of these folders but one",
    ),
    Case(
        "KF207",
        {**NO_NGINX, **service("web/nginx"), **service("web/apache")},
        "services/web",
        "no values-dev.yaml, but apache, nginx in it",
        "set `services: services/<team>/<service>` in fleet.yaml",
        service="web",
    ),
    Case(
        "KF207",
        teams("web") | service("api"),
        "services/api",
        "this folder has values files, but is not a service",
        "move it to services/<team>/api",
        service="",
    ),
    Case(
        "KF208",
        kargo("extraObjects:\n  a:\n    apiVersion: v1\n    kind: ConfigMap\n"),
        "services/nginx/kargo.yaml:4:11",
        'extraObjects.a.kind: "ConfigMap" is not in extraObjects.allowedKinds of fleet.yaml',
        'add {group: "", kind: ConfigMap} to extraObjects.allowedKinds',
    ),
    Case(
        "KF208",
        kargo("extraObjects:\n  a: {apiVersion: v1, kind: Secret}\n"),
        "services/nginx/kargo.yaml:2:29",
        '"Secret" is not allowed; it would keep secrets in Git',
        "remove the object",
    ),
    Case(
        "KF208",
        fleet('extraObjects: {allowedKinds: [{group: "", kind: ConfigMap}, {group: kargo.akuity.io, kind: Stage}]}\n'),
        "fleet.yaml:3:92",
        'extraObjects.allowedKinds[1].kind: "Stage" is not allowed; use stages',
        "remove it",
        service="",
    ),
    Case(
        "KF209",
        {
            **fleet('extraObjects: {allowedKinds: [{group: "", kind: ConfigMap}]}\n'),
            **kargo("extraObjects:\n  a: {apiVersion: v1, kind: ConfigMap, metadata: {namespace: kargo-web}}\n"),
        },
        "services/nginx/kargo.yaml:2:62",
        '"kargo-web" is not allowed; the chart sets kargo-nginx',
        "remove it",
    ),
    Case(
        "KF210",
        {},
        "services/web",
        "is a symbolic link to services/nginx: Argo CD does not see this service",
        "`rm services/web && cp -R services/nginx services/web`",
        ("generate",),
        lambda root: (root / "services/web").symlink_to("nginx"),
        service="web",
    ),
    # Meaning
    Case(
        "KF301",
        kargo("stages:\n  prod: {upstream: [stagin]}\n"),
        "services/nginx/kargo.yaml:2:21",
        'stages.prod.upstream[0]: "stagin" is not a stage of this service; it has dev, prod and staging',
        "did you mean staging?",
    ),
    Case(
        "KF301",
        kargo("shard: a\nstages:\n  staging: null\n"),
        "services/nginx/kargo.yaml:3:12",
        '"staging" is not a stage of this service; it has dev and prod',
        "set stages.prod.upstream too",
    ),
    Case(
        "KF302",
        kargo("image: {constraint: latest}\n"),
        "services/nginx/kargo.yaml:1:21",
        '"latest" is not a semver constraint such as ^1.0.0',
        "or set imageSelectionStrategy: Digest",
    ),
    Case(
        "KF302",
        kargo("image:\n  constraint: " + " || ".join(["1.x"] * 33) + "\n"),
        "services/nginx/kargo.yaml:2:15",
        "image.constraint: has 33 alternatives (||); Kargo 1.11.4 and newer accept at most 32",
        "write a range instead, such as >=1.2.0 <3.0.0",
    ),
    Case(
        "KF303",
        kargo("image: {allowTagsRegexes: ['^v', '(?=1)']}\n"),
        "services/nginx/kargo.yaml:1:34",
        "no lookarounds",
        "correct it, such as",
    ),
    Case(
        "KF304",
        kargo("warehouse: {subscriptions: [{image: {repoURL: registry.example.com/nginx}}]}\n"),
        "services/nginx/kargo.yaml:1:47",
        "already subscribes",
        "remove this subscription",
    ),
    Case(
        "KF304",
        kargo("image: {repoURL: nginx}\nwarehouse: {subscriptions: [{image: {repoURL: docker.io/library/nginx}}]}\n"),
        "services/nginx/kargo.yaml:2:47",
        '"docker.io/library/nginx" is the service\'s own image',
        "",
    ),
    Case(
        "KF304",
        kargo(
            'kargo: {version: "1.12"}\n'
            "warehouse:\n"
            "  subscriptions:\n"
            "    - git: {repoURL: https://github.com/example/a.git}\n"
            "    - git: {repoURL: https://github.com/Example/a}\n"
        ),
        "services/nginx/kargo.yaml:5:22",
        "is subscribed to twice, which Kargo 1.12 refuses",
        "remove one of the two",
    ),
    Case(
        "KF104",
        {"fleet.yaml": FLEET, **kargo("git:\n  repoURL: null\n")},
        "services/nginx/kargo.yaml:2:12",
        "git.repoURL: is required",
        "this removes the git.repoURL that another layer sets: remove it, or set a URL",
    ),
    Case(
        "KF104",
        fleet("groups:\n  a: {services: [nginx], values: {git: null}}\n"),
        "fleet.yaml:4:35",
        "git.repoURL: is required",
        "this removes the git.repoURL that another layer sets",
        service="",
    ),
    Case(
        "KF105",
        fleet("chart: {path: ../elsewhere}\n"),
        "fleet.yaml:3:15",
        "there is no chart in ../elsewhere",
        "correct the path; ../elsewhere is not a path from the root of the repository, such as charts/kargo-service",
        service="",
    ),
    Case(
        "KF105",
        fleet("chart: {path: services/chart}\n"),
        "fleet.yaml:3:15",
        "there is no chart in services/chart",
        "correct the path; services/chart is in services, the folder of the services; choose another folder",
        service="",
    ),
    Case(
        "KF105",
        {**fleet("chart: {path: own}\n"), "own/README.md": ""},
        "fleet.yaml:3:15",
        "there is no chart in own",
        "correct the path, or set another one and run `kargo-fleet chart vendor` to copy the chart there",
        service="",
    ),
    Case(
        "KF305",
        kargo("stages: {prod: {promotion: {path: services/nginx/values-dev.yaml}}}\n"),
        "services/nginx/kargo.yaml:1:35",
        "stages.prod.promotion.path: stage dev also writes services/nginx/values-dev.yaml on branch main",
        "put <stage> into promotion.path",
    ),
    Case(
        "KF306",
        kargo("promotion: {steps: {before: [{uses: git-clonee}]}}\n"),
        "services/nginx/kargo.yaml:1:37",
        '"git-clonee" is not a promotion step of Kargo',
        "did you mean git-clone?",
    ),
    Case(
        "KF306",
        kargo("promotion: {pullRequest: {enabled: true}}\n"),
        "services/nginx/kargo.yaml:1:13",
        'cannot be inferred from "https://git.example.com/platform.git"',
        "promotion.pullRequest.provider: gitlab",
    ),
    Case(
        "KF306",
        {
            "fleet.yaml": FLEET.replace("https://git.example.com/", "git@git.example.com:"),
            **kargo("promotion: {pullRequest: {enabled: true}}\n"),
        },
        "services/nginx/kargo.yaml:1:36",
        "requires git.repoURL with https://",
        "set git.repoURL: https://git.example.com/platform.git",
    ),
    Case(
        "KF306",
        kargo(
            "promotion:\n  pullRequest: {enabled: true, provider: gitlab, merge: true,\n    title: 'Draft: <service>'}\n"
        ),
        "services/nginx/kargo.yaml:3:12",
        'starts with "Draft:", with which gitlab marks a draft; Kargo does not merge drafts',
        "write another title, or set merge: false",
    ),
    Case(
        "KF307",
        kargo("rbac: {bindings: {team: {role: promoter, groups: [a], stages: [devv]}}}\n"),
        "services/nginx/kargo.yaml:1:64",
        '"devv" is not a stage of this service',
        "did you mean dev?",
    ),
    Case(
        "KF308",
        {"fleet.yaml": f"{FLEET}shards: [east, west]\n", **kargo("shard: eats\n")},
        "services/nginx/kargo.yaml:1:8",
        'shard: "eats" is not in shards of fleet.yaml',
        "did you mean east?",
    ),
    Case(
        "KF309",
        kargo("promotion: {path: 'services/<svc>/values-<stage>.yaml'}\n"),
        "services/nginx/kargo.yaml:1:19",
        "promotion.path: <svc> is not replaced here; <service> and <stage> are",
        "did you mean <service>?",
    ),
    Case(
        "KF309",
        fleet("values: {shard: 'shard-<stage>'}\n"),
        "fleet.yaml:3:17",
        "values.shard: <stage> is not replaced here; <service> is",
        "remove it, or write the value itself",
        service="",
    ),
    Case(
        "KF309",
        workloads(source={"path": "charts/app"}, destination={"namespace": "<svc>-<stage>"}),
        "fleet.yaml:3:137",
        "argocd.workloads.destination.namespace: <svc> is not replaced here; <service> and <stage> are",
        "did you mean <service>?",
        service="",
    ),
    Case(
        "KF310",
        kargo("stages:\n  stagin: null\n"),
        "services/nginx/kargo.yaml:2:3",
        "stages.stagin: null removes nothing; no weaker layer has this key",
        "did you mean staging?",
    ),
    Case(
        "KF310",
        fleet("groups: {web: {services: [nginx], values: {rbac: {bindings: {teem: null}}}}}\n"),
        "fleet.yaml:3:62",
        "groups.web.values.rbac.bindings.teem: null removes nothing",
        "remove it",
        service="",
    ),
    Case(
        "KF313",
        kargo("stages: {prod: {vars: {sidecar: '${{ imageFrom(\"registry.example.com/sidecar\").Tag }}'}}}\n"),
        "services/nginx/kargo.yaml:1:33",
        'no Warehouse of stage prod has the image "registry.example.com/sidecar", which imageFrom looks up',
        "or subscribe to it: warehouse: {subscriptions: [{image: {repoURL: registry.example.com/sidecar}}]}",
    ),
    Case(
        "KF316",
        kargo("promotion: {pullRequest: {enabled: true, provider: bitbucket}}\n"),
        "services/nginx/kargo.yaml:1:52",
        "Kargo supports Bitbucket Cloud (bitbucket.org) only, not git.example.com; set pullRequest.enabled: false",
        "",
    ),
    Case(
        "KF317",
        kargo("stages: {prod: {labels: {kargo.akuity.io/shard: a}}}\n"),
        "services/nginx/kargo.yaml:1:49",
        "is set by Kargo, which removes it where no shard is set; use shard: a",
        "",
    ),
    # The files that promotions write
    Case(
        "KF401",
        {"services/nginx/values-prod.yaml": None},
        "services/nginx/values-prod.yaml",
        "the values file of stage prod is missing",
        "add it with image.tag, or remove the stage with `stages: {prod: null}`",
    ),
    Case(
        "KF401",
        {"services/nginx/values-prod.yaml": None, "services/nginx/values-prod.yml": ""},
        "services/nginx/values-prod.yaml",
        "the values file of stage prod is missing",
        "rename values-prod.yml",
    ),
    Case(
        "KF402",
        {"services/nginx/values-prod.yaml": "image:\n  repository: x\n"},
        "services/nginx/values-prod.yaml:1:1",
        "key image.tag is missing",
        "add `tag: <version>` under image:",
    ),
    Case(
        "KFW406",
        {"services/nginx/values-qa.yaml": "image:\n  tag: 1.0.0\n", "services/nginx/values-base.yaml": ""},
        "services/nginx/values-qa.yaml",
        "the service has no stage qa, so nothing uses this file",
        "add the stage, such as `stages: {qa: {upstream: [dev]}}` in kargo.yaml",
    ),
    Case(
        "KF403",
        {"services/nginx/values-prod.yaml": "image:\n  tag: registry.example.com/nginx:1.0.0\n"},
        "services/nginx/values-prod.yaml:2:8",
        "image.tag holds a whole image (registry.example.com/nginx:1.0.0); promotions would write the tag alone there",
        "keys: {image.tag: image}",
    ),
    # Generated files
    Case(
        "KF501",
        {},
        "values/nginx.yaml",
        "is missing",
        "run `kargo-fleet generate`",
        ("check",),
        lambda root: (root / "values/nginx.yaml").unlink(),
    ),
    Case(
        "KF501",
        {},
        "values/nginx.yaml",
        "is out of date",
        "run `kargo-fleet generate`",
        ("check",),
        lambda root: (root / "services/nginx/kargo.yaml").write_text("shard: a\n") and None,
    ),
    Case("KF502", {}, "values/nginx.yaml", "was edited by hand", "kargo-fleet adopt nginx", ("check",), edit),
    Case(
        "KF503",
        service("api"),
        "values/api.yaml",
        "service api no longer exists",
        "--prune",
        ("check",),
        leave("api"),
        service="api",
    ),
    Case(
        "KF505",
        kargo("image: {constraint: ^1.0.0}\n"),
        "services/nginx/kargo.yaml",
        "is a symbolic link to shared/kargo.yaml, so the edits of values/nginx.yaml are not moved to it",
        "`rm services/nginx/kargo.yaml && cp shared/kargo.yaml services/nginx/kargo.yaml`",
        ("adopt", "nginx"),
        edit_and_link,
    ),
    # Argo CD
    Case(
        "KF601",
        workloads(),
        "fleet.yaml:3:10",
        "argocd.workloads.source has no path or chart",
        "argocd.workloads.source.path",
        service="",
    ),
    Case(
        "KF601",
        workloads(source={"path": "charts/app"})
        | APP
        | service("kube", kargo="stages: {staging: null, prod: null}\n")
        | dict.fromkeys(("services/kube/values-staging.yaml", "services/kube/values-prod.yaml")),
        "services/kube",
        "control plane",
        "rename",
        service="kube",
    ),
    Case(
        "KF602",
        {"charts": None},
        "fleet.yaml",
        "there is no charts/kargo-service/Chart.yaml in this repository",
        "kargo-fleet chart vendor",
        service="",
    ),
    Case(
        "KF602",
        {},
        "charts/kargo-service/Chart.yaml",
        "Git ignores it (.gitignore:2: charts/)",
        "git add --force charts/kargo-service",
        ("check",),
        ignore_chart,
        service="",
    ),
    Case(
        "KF602",
        workloads(source={"path": "charts/app"}),
        "fleet.yaml:3:93",
        "there is no charts/app/Chart.yaml in this repository",
        "argocd.workloads.source.path",
        service="",
    ),
    Case(
        "KF602",
        workloads(source={"path": "charts/app"}, ignoreMissingValueFiles=False)
        | APP
        | service("api", **{"base-values": ""}),
        "fleet.yaml:3:10",
        "there is no services/<service>/base-values.yaml for 1 of 2 services: nginx",
        "argocd.workloads.ignoreMissingValueFiles: true",
        service="",
    ),
    # Legal, but surely not meant
    Case(
        "KFW101",
        fleet("groups:\n  web: {services: ['n*', ngnix]}\n"),
        "fleet.yaml:4:26",
        '"ngnix" matches no service',
        "did you mean nginx?",
        service="",
    ),
    Case(
        "KFW102",
        {"fleet.yaml": FLEET.replace("registry.example.com", "your-registry.io")},
        "fleet.yaml:1:19",
        "image.registry (your-registry.io) is still an example of the template",
        "write your own in fleet.yaml:1:19",
        service="",
    ),
    Case(
        "KFW201",
        {"services/nginx/kargo.yml": "shard: a\n"},
        "services/nginx/kargo.yml",
        "this file is ignored",
        "rename it to kargo.yaml",
    ),
    Case("KFW202", service(LONG), f"services/{LONG}", "54 characters long", "shorter release name", service=LONG),
    Case(
        "KFW203",
        workloads(source={"path": "services/<service>/deploy", "kustomize": {}})
        | {"services/nginx/deploy/kustomization.yaml": "resources:\n  - ../../../bases/web\n"},
        "fleet.yaml:3:60",
        "kustomizations of the workloads use bases/web",
        'manifest-generate-paths: ".;/services/<service>;/bases/web"',
        service="",
    ),
    Case(
        "KF311",
        kargo(
            "promotion:\n  steps:\n    after:\n      - uses: http\n        config: {urll: https://example.com, url: x}\n"
        ),
        "services/nginx/kargo.yaml:5:18",
        "stages.dev.promotion.steps.after[0].config.urll: unknown key",
        "did you mean url?",
    ),
    Case(
        "KF311",
        kargo("promotion:\n  steps:\n    after:\n      - uses: http\n        config: {method: POST}\n"),
        "services/nginx/kargo.yaml:5:9",
        "stages.dev.promotion.steps.after[0].config: url is required",
        "add url",
    ),
    Case(
        "KF312",
        kargo("promotion:\n  steps:\n    after:\n      - {uses: tar, config: {inPath: a, outPath: b}}\n"),
        "services/nginx/kargo.yaml:4:16",
        '"tar" is a step of Kargo 1.12; kargo.version is 1.11',
        'set kargo.version to "1.12"',
    ),
    Case(
        "KF351",
        kargo("promotion: {path: 'clusters/<stage>.yaml'}\n")
        | {f"clusters/{stage}.yaml": "image:\n  tag: 1.0.0\n" for stage in ("dev", "staging", "prod")},
        "services/nginx/kargo.yaml:1:19",
        "promotion.path: promotions to dev write clusters/dev.yaml; rule own-files: promotions of a service write",
        "allowed: files in services/nginx; for anything else, ask the owner of fleet.yaml: policy.rules.own-files.relaxedFor",
    ),
    Case(
        "KF352",
        fleet("policy: {exceptions: [{rule: gates, services: [api], owner: ops, reason: x, until: '2026-01-31'}]}\n"),
        "fleet.yaml:3:84",
        "the exception from rule gates for api (owner ops) ended on 2026-01-31",
        "correct the values and remove the exception, or agree on a later day with ops",
        service="",
        arguments=("check",),
        after=lambda _: None,
    ),
    Case(
        "KF353",
        fleet("policy: {rules: {own-file: {severity: warning}}}\n"),
        "fleet.yaml:3:18",
        "policy.rules.own-file: is no shipped rule, and has no keys",
        "did you mean own-files?",
        service="",
    ),
    Case(
        "KFW351",
        fleet(
            "policy: {rules: {soak: {severity: warning, keys: [stages.prod.requiredSoakTime], minimumDuration: 1h}}}\n"
        ),
        "services/nginx",
        "stages.prod.requiredSoakTime: no value is no duration; rule soak",
        "allowed: at least 1h",
    ),
    Case(
        "KFW208",
        {"fleet.yaml": TRUSTING}
        | kargo(
            "promotionTasks: {release: {steps: [{uses: http, config: {url: https://example.com}}]}}\n"
            "promotion: {task: {name: relaese}}\n"
        ),
        "services/nginx/kargo.yaml:2:26",
        '"relaese" is not in promotionTasks',
        "did you mean release?",
    ),
    Case(
        "KFW209",
        {"fleet.yaml": TRUSTING}
        | kargo(
            "promotionTasks:\n"
            "  notify:\n"
            "    vars: {url: 'https://example.com/${{ vars.channel }}', channel: ''}\n"
            "    steps: [{uses: http, config: {url: '${{ vars.url }}'}}]\n"
        ),
        "services/nginx/kargo.yaml:3:17",
        "promotionTasks.notify.vars.url: uses vars.channel; whoever runs the task sets that",
        "use ${{ vars.channel }} in the config or in the vars of the task's steps",
    ),
    Case(
        "KFW301",
        kargo("image: {constraint: ^0.0.0}\n") | service("nginx", **dict.fromkeys(VALUES, "image:\n  tag: 0.0.0\n")),
        "services/nginx/kargo.yaml:1:21",
        "matches only version 0.0.0",
        ">=0.0.0",
    ),
    Case(
        "KFW302",
        {"fleet.yaml": TRUSTING} | kargo("stages: {prod: {autoPromotionEnabled: true}}\n"),
        "services/nginx/kargo.yaml:1:39",
        "without approval",
        "remove autoPromotionEnabled",
    ),
    Case(
        "KFW303",
        {"fleet.yaml": TRUSTING} | kargo("git: {repoURL: 'git@git.example.com:platform.git'}\n"),
        "services/nginx/kargo.yaml:1:16",
        "no longer supports from v1.13",
        "write https://git.example.com/platform.git",
    ),
    Case(
        "KFW303",
        {
            "fleet.yaml": "image: {registry: registry.example.com}\ngit:\n  repoURL: git@git.example.com:platform.git\n"
            "values: {git: {author: {name: a, email: a@example.com, signingKey: ''}}}\n",
            **service("other"),
        },
        "fleet.yaml:3:12",
        "no longer supports from v1.13",
        "write https://git.example.com/platform.git",
        service="",
    ),
    Case(
        "KFW304",
        {"fleet.yaml": TRUSTING} | kargo("git: {repoURL: http://git.example.com/platform.git}\n"),
        "services/nginx/kargo.yaml:1:16",
        "unencrypted",
        "https://",
    ),
    Case(
        "KFW305",
        kargo("warehouse: {interval: 1m}\n"),
        "services/nginx/kargo.yaml:1:23",
        "default minimum",
        "5m or more",
    ),
    Case(
        "KFW306",
        kargo("stages: {dev: {requiredSoakTime: 1h}}\n"),
        "services/nginx/kargo.yaml:1:34",
        "no effect without an upstream stage",
        "or set upstream",
    ),
    Case(
        "KFW307",
        {"fleet.yaml": TRUSTING}
        | kargo("stages: {prod: {promotion: {path: services/api/nginx.yaml}}}\n")
        | service("api", nginx="image:\n  tag: 1.0.0\n"),
        "services/nginx/kargo.yaml:1:35",
        "promotions to prod write into the folder of another service",
        "correct promotion.path",
    ),
    Case(
        "KFW321",
        kargo(
            "stages:\n  staging: null\n  prod: null\n  dev:\n    promotion: {path: services/nginx/values-prod.yaml}\n"
        )
        | dict.fromkeys(("services/nginx/values-staging.yaml", "services/nginx/values-dev.yaml")),
        "services/nginx/kargo.yaml:5:23",
        "promotions to dev write the file of stage prod, which is no stage of this service",
        "put <stage> into promotion.path, or name the stage prod",
    ),
    Case(
        "KFW308",
        kargo("image:\n  constraint: >1\n"),
        "services/nginx/kargo.yaml:2:15",
        "is empty, so every version matches",
        'write "*"',
    ),
    Case(
        "KFW309",
        kargo("promotion: {message: '<service>: <tag>'}\n"),
        "services/nginx/kargo.yaml:1:22",
        "promotion.message: <tag> is not replaced here; <service>, <stage> and <version> are",
        "did you mean <version>?",
    ),
    Case(
        "KFW309",
        fleet("values: {commonAnnotations: {a: '<service>x</service>'}}\n"),
        "fleet.yaml:3:33",
        "values.commonAnnotations.a: <service> is replaced, although it looks like a tag of XML or HTML",
        r"write \<service> to keep it",
        service="",
    ),
    Case(
        "KFW310",
        kargo("stages: {prod: {requiredSoakTime: null}}\n"),
        "services/nginx/kargo.yaml:1:17",
        "stages.prod.requiredSoakTime: null removes nothing",
        "remove it",
    ),
    Case(
        "KFW311",
        kargo(
            "warehouse:\n"
            "  subscriptions:\n"
            "    - chart: {repoURL: oci://registry.example.com/charts/a}\n"
            "    - chart: {repoURL: oci://registry.example.com/charts/a, semverConstraint: ^1.0.0}\n"
        ),
        "services/nginx/kargo.yaml:4:24",
        "is subscribed to twice, which Kargo refuses from 1.12 on",
        "remove one of the two",
    ),
    Case(
        "KFW303",
        kargo("warehouse: {subscriptions: [{git: {repoURL: 'git@github.com:example/a.git'}}]}\n"),
        "services/nginx/kargo.yaml:1:45",
        "is an SSH URL, which Kargo no longer supports from v1.13",
        "https://",
    ),
    Case(
        "KFW312",
        kargo(
            "promotion:\n"
            "  steps:\n"
            "    after:\n"
            "      - uses: git-commit\n"
            "        config: {path: ./src, message: x, author: {name: a, email: a@example.com}}\n"
        ),
        "services/nginx/kargo.yaml:5:43",
        "config.author: is deprecated",
        "git-clone",
    ),
    Case(
        "KFW316",
        kargo("warehouse: {subscriptions: [{git: {repoURL: 'https://git.example.com/platform.git'}}]}\n"),
        "services/nginx/kargo.yaml:1:30",
        "sees the commits of the promotions themselves (services/nginx/values-dev.yaml, ",
        "set excludePaths: [services/nginx/values-dev.yaml, services/nginx/values-prod.yaml, ",
    ),
    Case(
        "KFW317",
        {"fleet.yaml": TRUSTING}
        | kargo("promotion: {steps: {beforeCommit: [{uses: delete, config: {path: ./src/clusters/b/x.yaml}}]}}\n"),
        "services/nginx/kargo.yaml:1:66",
        "./src/clusters/b is not checked out; the clone has services/nginx only",
        "set git.sparse: [clusters/b]",
    ),
    Case(
        "KFW318",
        kargo("git: {author: {name: kargo, email: kargo@example.com}}\n"),
        "services/nginx/kargo.yaml:1:7",
        "so that commits are not signed",
        "set git.author.signingKey",
    ),
    Case(
        "KFW320",
        kargo(
            "warehouses: {w: {git: {includePaths: [services/web/**]}}}\nstages: {dev: {requestedFreight: {main: {}, w: {}}}}\n"
        ),
        "services/nginx/kargo.yaml:1:39",
        '"services/web/**" is the name of a folder or a file; a pattern starts with glob:',
        'write "glob:services/web/**"',
    ),
    Case(
        "KFW322",
        {
            **fleet("values: {stages: {prod: {requestedFreight: {main: {direct: true}}}}}\n"),
            **kargo("stages: {prod: {requestedFreight: {main: {upstream: [staging]}}}}\n"),
        },
        "services/nginx/kargo.yaml:1:43",
        "takes Freight directly and from staging; direct comes from fleet.yaml:3:60, and maps merge",
        "set direct: false beside it for staging alone, or direct: true for both",
    ),
    Case(
        "KFW319",
        kargo("stages: {prod: {requiredSoakTime: 1h, availabilityStrategy: All}}\n"),
        "services/nginx/kargo.yaml:1:35",
        "soaked in staging alone; dev counts, too, so that prod is never promoted automatically",
        "remove availabilityStrategy",
    ),
    Case(
        "KFW402",
        {
            f"services/nginx/values-{stage}.yaml": "image:\n  tag: main-3f9c2ab\n"
            for stage in ("dev", "staging", "prod")
        },
        "services/nginx/values-dev.yaml:2:8",
        "the Warehouse would never take main-3f9c2ab, the present tag of dev, staging and prod: it is not",
        "allowTagsRegexes: ['^main-']",
    ),
    Case(
        "KFW401",
        {"services/nginx/values-dev.yaml": "image:\n  tag: 1.0.0  # from the build\n"},
        "services/nginx/values-dev.yaml:2:15",
        "removes the comment after image.tag",
        "a line of its own",
    ),
    Case(
        "KFW501",
        {},
        "values/nginx.yaml",
        "was edited by hand and is kept",
        "kargo-fleet adopt nginx",
        ("generate",),
        edit,
    ),
    Case(
        "KFW502",
        service("api"),
        "values/api.yaml",
        "service api no longer exists",
        "run `kargo-fleet generate --prune` to remove it",
        ("generate",),
        leave("api"),
        service="api",
    ),
    Case("KFW503", {"values/notes.txt": ""}, "values/notes.txt", "is ignored", "for generated files", service=""),
    Case(
        "KFW504",
        {
            "fleet.yaml": FLEET + "services: envs/<stage>/<service>\n",
            **{f"envs/{stage}/nginx/values.yaml": "image:\n  tag: 1.0.0\n" for stage in ("dev", "staging", "prod")},
        },
        "argocd/units.yaml",
        "does not list nginx, so that Argo CD does not install it",
        "run `kargo-fleet generate` without names",
        ("generate", "nginx"),
    ),
    Case(
        "KFW601",
        fleet("argocd: {units: {maxApplications: 1}}\n") | service("api"),
        "argocd",
        "hand their Applications over",
        "kubectl -n argocd delete applicationset",
        ("generate",),
        lambda root: (root / "fleet.yaml").write_text(FLEET) and None,
        service="",
    ),
    Case(
        "KFW602",
        {},
        "charts/kargo-service/Chart.yaml",
        "this copy of the chart is of kargo-fleet 0.0.1",
        "kargo-fleet chart vendor",
        ("check",),
        vendor_an_older,
        service="",
    ),
    # Capacity
    *(
        Case(code, files, "fleet.yaml", message, fix, ("capacity", "--services", number, *sets), service="")
        for code, number, files, message, fix, sets in [
            ("KF901", "150", {}, "22 of 20 requests/s (108 %)", "set image.cacheByTag: true", assume()),
            ("KFW901", "120", {}, "17 of 20 requests/s (86 %)", "set image.cacheByTag: true", assume()),
            (
                "KF902",
                "1000",
                {},
                "Warehouse reconciler, the default controller: 14 of 4 workers (358 %)",
                "set image.cacheByTag: true",
                assume(rateLimit=1000),
            ),
            ("KFW902", "250", {}, "3.6 of 4 workers (90 %)", "set image.cacheByTag: true", assume(rateLimit=1000)),
            (
                "KF903",
                "10",
                {},
                "Git branch, git.example.com/platform@main: 750 of 360 promotions/h (208 %)",
                "set stages.dev.branch: env/dev, stages.prod.branch: env/prod",
                assume(releasesPerServicePerDay=200, secondsPerPush=10, secondsPerPromotion=0.01),
            ),
            (
                "KFW903",
                "10",
                {},
                "750 of 900 promotions/h (83 %)",
                "stages.staging.branch: env/staging",
                assume(releasesPerServicePerDay=200, secondsPerPush=4, secondsPerPromotion=0.01),
            ),
            ("KF904", "10", {}, "etcd, database:", "--quota-backend-bytes=2147483648", assume(quotaBackendBytes=1000)),
            ("KF905", "1", {}, "700 of 600 s (117 %)", "requeueAfterSeconds: 1020", assume(secondsPerApplication=700)),
            ("KFW905", "1", {}, "500 of 600 s (83 %)", "requeueAfterSeconds: 720", assume(secondsPerApplication=500)),
            ("KF906", "1", quota(50), "Promotions of a service: 60 of 50 objects", "raise resourceQuota.hard", ()),
            (
                "KFW906",
                "1",
                quota(70),
                "Promotions of a service: 60 of 70 objects (86 %)",
                "raise resourceQuota.hard",
                (),
            ),
        ]
    ),
]
#: These need a cluster: tests/on_cluster/test_deploy.py brings them about.
IN_A_CLUSTER = {"KF801", "KF802"}
#: tests/render/test_render.py brings these about, with Helm.
RENDERED = {"KF803", "KF804", "KFW801"}
#: tests/generate/test_online.py brings it about, with programs that answer as registries do.
ONLINE = {"KF603"}
#: Beside another finding that is its cause, or follows from it.
ACCOMPANIED = {"KF205": "KF102", "KF504": "KF203"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}-{case.place}")
def test_a_finding_names_place_message_and_fix(tree: Tree, run: Run, case: Case) -> None:
    root = tree(case.files)
    if case.after:
        assert run("generate").status == 0
        case.after(root)
    found = _findings(run, *case.arguments)
    assert [item["code"] for item in found if item["code"] != ACCOMPANIED.get(case.code)] == [case.code]
    item = next(item for item in found if item["code"] == case.code)
    assert str(Place(item["file"], item["line"], item["column"])) == case.place
    assert case.message in item["message"]
    assert case.fix in item["fix"]
    assert item["service"] == case.service
    assert item["severity"] == ("warning" if case.code.startswith("KFW") else "error")


def test_pruning_is_refused(tree: Tree, run: Run) -> None:
    root = tree(service("api") | service("web"))
    run("generate")
    leave("api", "web")(root)
    (refusal,) = [item for item in _findings(run, "generate", "--prune") if item["code"] == "KF504"]
    assert refusal["file"] == "values"
    assert "2 of 3 services would be removed; at most 1 is allowed" in refusal["message"]
    assert "prune.maxShare" in refusal["fix"]


def _findings(run: Run, *arguments: str) -> list[dict[str, Any]]:
    result = run(*arguments, "--output", "json")
    found: list[dict[str, Any]] = json.loads(result.stdout)["findings"]
    assert result.status == any(item["severity"] == "error" for item in found)
    return found


def test_a_full_disk(tree: Tree, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    tree({})
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        found = _findings(run, "generate", "--no-cache")
    assert {item["code"] for item in found} == {"KF010"}
    assert found[-1]["file"] == "values/nginx.yaml"
    assert found[-1]["fix"] == "free some space on the disk, then run the command again"


def test_etcd_is_nearly_full(tree: Tree, run: Run) -> None:
    tree({})
    size = json.loads(run("capacity", "--output", "json").stdout)["capacity"]["etcd"]["databaseBytes"]
    (warning,) = _findings(run, "capacity", "--set", f"quotaBackendBytes={size * 5 // 4}")
    assert warning["code"] == "KFW904"
    assert "(80 %)" in warning["message"]


def test_a_fleet_below_the_root_of_its_repository(tree: Tree, run: Run) -> None:
    root = tree({})
    below = root / "gitops"
    below.mkdir()
    for name in ("fleet.yaml", "services", "charts"):
        (root / name).rename(below / name)
    (root / ".git").mkdir()
    (warning,) = _findings(run, "-C", str(below), "generate")
    assert (warning["code"], warning["file"]) == ("KFW603", "fleet.yaml")
    assert "this fleet is in gitops/ of its Git repository" in warning["message"]
    (below / ".git").write_text("gitdir: elsewhere\n")  # a working tree of its own
    assert _findings(run, "-C", str(below), "check") == []


@pytest.mark.parametrize(
    ("code", "text", "listed", "more"),
    [
        ("KF006", "".join(f"a{number}: 1\n" for number in range(2000)), 100, "1,900 further errors of nginx are"),
        (
            "KFW006",
            f"project: {{annotations: {{{', '.join(f'a{number}: <svc>' for number in range(101))}}}}}\n",
            100,
            "1 further warning of nginx is",
        ),
    ],
)
def test_more_findings_than_anybody_reads(tree: Tree, run: Run, code: str, text: str, listed: int, more: str) -> None:
    """Each place was looked up by parsing the file again: 2,000 unknown keys took 14 seconds."""
    tree({**kargo(text), **service("api")})
    first, *others = sorted(_findings(run, "generate"), key=lambda found: str(found["code"]) != code)
    assert (first["code"], first["file"], first["message"]) == (code, "services/nginx/kargo.yaml", f"{more} not listed")
    assert (len(others), {found["service"] for found in others}) == (listed, {"nginx"})


def test_every_code_is_tested() -> None:
    assert {case.code for case in CASES} | {
        "KF006",
        "KF010",
        "KF504",
        "KFW006",
        "KFW352",
        "KFW603",
        "KFW904",
    } | IN_A_CLUSTER | RENDERED | ONLINE == set(CODES)
    in_a_cluster = (ROOT / "tests/on_cluster/test_deploy.py").read_text()
    assert all(code in in_a_cluster for code in IN_A_CLUSTER)
    rendered = (ROOT / "tests/render/test_render.py").read_text()
    assert all(code in rendered for code in RENDERED)


def test_doctor_has_codes_of_its_own() -> None:
    assert not CODES.keys() & DOCTOR_CODES.keys()


def test_every_code_is_explained() -> None:
    text = (ROOT / "docs/findings.md").read_text()
    headings = dict(re.findall(r"^### (KFW?\d{3}): (.*)$", text, re.MULTILINE))
    assert headings == CODES
    for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        assert "**Fix.**" in section, section.splitlines()[0]


def test_findings_sort_by_file_line_and_column() -> None:
    places = [Place("b"), Place("a", 10, 1), Place("a", 2, 10), Place("a"), Place("a", 2, 1)]
    findings = sorted(Finding(place, "KF101", "") for place in places)
    assert [str(finding.place) for finding in findings] == ["a", "a:2:1", "a:2:10", "a:10:1", "b"]


def test_warnings_alone_are_no_errors() -> None:
    warning, error = Finding(Place("a"), "KFW101", ""), Finding(Place("a"), "KF101", "")
    assert (warning.severity, error.severity) == (Severity.WARNING, Severity.ERROR)
    assert not has_errors([warning])
    assert has_errors([warning, error])
