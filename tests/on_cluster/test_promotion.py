"""Generated units under Kargo itself: images are pushed, stages follow, and `doctor` says what goes wrong.

Needs a cluster with Kargo, a registry and a Git repository: `make test-cluster KUBECONFIG=… REGISTRY=… GIT_REPO_URL=…`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .control_plane import Client
from .promoting import Platform, wait_for
from .registry import Registry

pytestmark = pytest.mark.cluster


def overlays(service: str) -> dict[str, str]:
    """A kustomization, and one for each stage that uses it."""
    folder = f"services/{service}"
    return {
        f"{folder}/base/kustomization.yaml": "resources: [pod.yaml]\n",
        f"{folder}/base/pod.yaml": """apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: web, image: web}]}
""",
        **{
            f"{folder}/overlays/{stage}/kustomization.yaml": f"namePrefix: {stage}-\nresources: [../../base]\n"
            for stage in ("dev", "prod")
        },
    }


# The services, and what is particular to them.
SERVICES = {
    "promote-default": "",
    "promote-two": "stages: {staging: null, prod: {upstream: [dev]}}\n",
    "promote-dates": "image: {imageSelectionStrategy: Lexical, allowTagsRegexes: ['^20[0-9]{6}$']}\n",
    "promote-digest": "image: {imageSelectionStrategy: Digest, constraint: latest}\npromotion: {digestKey: image.digest}\n",
    "promote-regions": "stages: {prod: null, prod-us: {upstream: [staging]}, prod-eu: {upstream: [staging]}}\n",
    "promote-gate": """
stages:
  dev:
    vars: {released: "${{ imageFrom(vars.imageRepoURL).Tag }}"}
    promotion: {message: "<service> is at ${{ vars.released }} in <stage>\\n\\nTicket: OPS-1"}
  staging: null
  prod: {upstream: [dev], controlFlow: true}
  prod-us: {upstream: [prod], autoPromotionEnabled: true}
  prod-eu: {upstream: [prod]}
""",
    # Both Warehouses of dev have the image: each promotion writes the tag of its own Freight.
    "promote-builds": """
warehouses:
  builds: {image: {imageSelectionStrategy: NewestBuild, allowTagsRegexes: ['^main-']}}
stages:
  dev: {requestedFreight: {main: {}, builds: {}}}
  staging: {requestedFreight: {main: {}}}
  prod: null
""",
    # Configuration in Git beside the image, and prod on a branch of its own.
    "promote-config": """
warehouses:
  config: {name: "<service>-git", git: {includePaths: [services/<service>/config]}}
stages:
  dev: {requestedFreight: {main: {}, config: {}}}
  staging: null
  prod: {upstream: [dev], git: {branch: BRANCH-<stage>}}
promotion:
  updates: {config: {yaml: {keys: {config.revision: commitID}}}}
""",
    # A chart instead of an image.
    "promote-addon": """
image: null
warehouse: {subscriptions: [{chart: {repoURL: "oci://REGISTRY/charts/addon", semverConstraint: ^1.0.0}}]}
stages: {staging: null, prod: {upstream: [dev]}}
promotion:
  updates: {chart: {yaml: {keys: {chart.version: chartVersion}}}}
""",
    # A dependency of a chart per stage.
    "promote-umbrella": """
image: null
warehouse: {subscriptions: [{chart: {repoURL: "oci://REGISTRY/charts/addon", semverConstraint: ^1.0.0}}]}
stages: {staging: null, prod: {upstream: [dev]}}
promotion:
  updates: {addon: {helmDependency: {path: "services/<service>/chart-<stage>"}}}
""",
    # Manifests of a chart, on a branch that two services share; dev renders the commit of its Freight, as does prod.
    "promote-rendered": """
image: {imageSelectionStrategy: Lexical, allowTagsRegexes: ['^20[0-9]{6}$']}
warehouses:
  config: {name: "<service>-git", git: {branch: BRANCH, includePaths: [charts/workload]}}
stages:
  dev: {requestedFreight: {main: {}, config: {}}}
  staging: null
  prod: {upstream: [dev]}
promotion:
  render:
    helm: {path: charts/workload, setValues: {revision: commitID}}
    branch: BRANCH-rendered-<stage>
""",
    # Manifests of a kustomization, from the branch of the sources.
    "promote-overlay": """
stages: {staging: null, prod: {upstream: [dev]}}
git: {sparse: [services/<service>/base]}
promotion:
  render:
    kustomize: {path: "services/<service>/overlays/<stage>", name: web}
    branch: BRANCH-rendered-<stage>
""",
    # The whole of a branch, on which somebody has other files. Those of a folder are put there each time.
    "promote-whole": """
stages: {staging: null, prod: null}
git: {sparse: [services/<service>/base, services/<service>/branch]}
promotion:
  steps: {beforeCommit: [{uses: copy, config: {inPath: ./src/services/<service>/branch, outPath: ./out}}]}
  render:
    kustomize: {path: "services/<service>/overlays/<stage>", name: web}
    branch: BRANCH-whole-<stage>
    outPath: .
""",
    # The whole of a branch that is not there yet, and a folder of another one, in the chart's own layout.
    "promote-first": """
stages:
  staging: null
  dev: {promotion: {render: {branch: BRANCH-first-<stage>, outPath: .}}}
  prod: {upstream: [dev], promotion: {render: {helm: {outLayout: helm}, branch: BRANCH-first/<stage>}}}
promotion: {render: {helm: {path: charts/plain}}}
""",
    # A branch that is not there yet, and that these services share.
    **{
        f"promote-shared-{number}": """
stages: {staging: null, prod: null}
promotion: {render: {helm: {path: charts/plain}, branch: BRANCH-shared-<stage>}}
"""
        for number in range(4)
    },
    "promote-nothing": "image: {constraint: ^9.0.0}\n",
    "promote-astray": "",
}
# Other files of the repository, by path.
FILES = {
    "charts/workload/Chart.yaml": "apiVersion: v2\nname: workload\nversion: 0.1.0\n",
    "charts/workload/templates/image.yaml": """apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}", namespace: "{{ .Release.Namespace }}"}
data: {tag: "{{ .Values.image.tag }}", kind: "{{ kindOf .Values.image.tag }}", revision: "{{ .Values.revision }}", color: blue}
""",
    "charts/plain/Chart.yaml": "apiVersion: v2\nname: plain\nversion: 0.1.0\n",
    "charts/plain/templates/map.yaml": """apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}", namespace: "{{ .Release.Namespace }}"}
data: {tag: "{{ .Values.image.tag }}"}
""",
    "charts/workload/templates/old.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: old}\n",
    **overlays("promote-overlay"),
    **overlays("promote-whole"),
    "services/promote-whole/branch/CODEOWNERS": "'*': '@example/platform'\n",
    **{
        f"services/promote-umbrella/chart-{stage}/Chart.yaml": """apiVersion: v2
name: umbrella
version: 0.1.0
dependencies:
  - name: addon
    version: 0.0.0
    repository: oci://REGISTRY/charts
"""
        for stage in ("dev", "prod")
    },
    **{f"services/promote-umbrella/chart-{stage}/.gitignore": "charts/*.tgz\n" for stage in ("dev", "prod")},
}


@pytest.fixture(scope="module")
def platform(
    real_kargo: Client, registry: Registry, git_repo_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("platform"), real_kargo, registry, git_repo_url)
    # Kargo creates branches for manifests itself if its Git is 2.42 or newer, as in its image; that of a lab may be older.
    with platform.deployed(SERVICES, FILES, ["rendered-dev", "rendered-prod"]):
        platform.git("push", "-q", git_repo_url, f"{platform.branch}:{platform.branch}-prod")
        yield platform


def test_dev_and_staging_follow_by_themselves_and_prod_by_hand(platform: Platform) -> None:
    service = "promote-default"
    platform.push(service, "1.0.1")
    wait_for(lambda: platform.promoted(service, "staging"), "staging")
    assert [platform.image(service, stage)["tag"] for stage in ("dev", "staging", "prod")] == [
        "1.0.1",
        "1.0.1",
        "0.0.0",
    ]
    platform.promote(service, "prod")
    wait_for(lambda: platform.promoted(service, "prod"), "prod")
    assert platform.image(service, "prod")["tag"] == "1.0.1"
    # One commit a stage, with nothing else in it.
    subjects = platform.git("log", "--format=%s", "--", f"services/{service}").splitlines()
    assert subjects == [
        *(f"{service}: promote {stage} to 1.0.1" for stage in ("prod", "staging", "dev")),
        "The platform",
    ]
    assert platform.git("show", "--format=", "--name-only", "-1").split() == [f"services/{service}/values-prod.yaml"]
    trailers = platform.trailers()
    assert trailers["Kargo-Stage"] == f"kargo-{service}/prod"
    assert trailers["Kargo-Promotion"].startswith("prod.")
    assert platform.cluster.find("freights.kargo.akuity.io", trailers["Kargo-Freight"], "-n", f"kargo-{service}")
    # 2.0.0 is outside of ^1.0.0.
    platform.registry.push(service, "2.0.0")
    platform.push(service, "1.1.0")
    wait_for(lambda: platform.image(service, "staging")["tag"] != "1.0.1", "the next version")
    assert platform.image(service, "staging")["tag"] == "1.1.0"


def test_what_has_promoted_is_healthy_and_does_not_differ(platform: Platform) -> None:
    wait_for(lambda: platform.promoted("promote-default", "staging") >= 2, "staging")
    wait_for(lambda: platform.findings("promote-default") == [], "doctor to find nothing", 30)


def test_without_staging(platform: Platform) -> None:
    platform.push("promote-two", "1.0.1")
    wait_for(lambda: platform.promoted("promote-two", "dev"), "dev")
    platform.promote("promote-two", "prod")
    wait_for(lambda: platform.promoted("promote-two", "prod"), "prod")
    assert platform.image("promote-two", "prod")["tag"] == "1.0.1"


def test_tags_that_are_dates(platform: Platform) -> None:
    for tag in ("20261119", "20261120", "latest"):
        platform.registry.push("promote-dates", tag)
    platform.push("promote-dates", "20261118")
    wait_for(lambda: platform.promoted("promote-dates", "staging"), "staging")
    # A string still, and not the number that it looks like.
    assert platform.image("promote-dates", "staging")["tag"] == "20261120"


def test_a_mutable_tag_is_promoted_by_digest(platform: Platform) -> None:
    for content in ("one", "two"):
        digest = platform.push("promote-digest", "latest", content)
        wait_for(lambda digest=digest: platform.image("promote-digest", "staging")["digest"] == digest, content)


def test_two_regions_after_staging(platform: Platform) -> None:
    platform.push("promote-regions", "1.0.1")
    wait_for(lambda: platform.promoted("promote-regions", "staging"), "staging")
    platform.promote("promote-regions", "prod-eu")
    wait_for(lambda: platform.promoted("promote-regions", "prod-eu"), "prod-eu")
    assert [platform.image("promote-regions", stage)["tag"] for stage in ("prod-eu", "prod-us")] == ["1.0.1", "0.0.0"]


def test_a_gate_lets_freight_through_to_two_regions(platform: Platform) -> None:
    """A control flow stage has no promotions; a stage's variable is computed from the chart's."""
    service = "promote-gate"
    platform.push(service, "1.0.1")
    wait_for(lambda: platform.promoted(service, "prod-us"), "prod-us")
    assert [platform.image(service, stage)["tag"] for stage in ("dev", "prod", "prod-us", "prod-eu")] == [
        "1.0.1",
        "0.0.0",
        "1.0.1",
        "0.0.0",
    ]
    assert platform.git("log", "-1", "--format=%s", "--", f"services/{service}/values-dev.yaml") == (
        f"{service} is at 1.0.1 in dev\n"
    )
    assert list(platform.trailers(f"services/{service}/values-dev.yaml").items())[:2] == [
        ("Ticket", "OPS-1"),
        ("Kargo-Stage", f"kargo-{service}/dev"),
    ]
    platform.promote(service, "prod-eu")
    wait_for(lambda: platform.promoted(service, "prod-eu"), "prod-eu")
    wait_for(lambda: platform.findings(service) == [], "doctor to find nothing", 30)


def test_two_warehouses_with_one_image(platform: Platform) -> None:
    service = "promote-builds"
    platform.push(service, "1.0.1")
    wait_for(lambda: platform.promoted(service, "staging"), "staging")
    platform.registry.push(service, "main-3f9c2ab")
    platform.refresh(service, "builds")
    wait_for(lambda: platform.image(service, "dev")["tag"] == "main-3f9c2ab", "the build")
    assert platform.image(service, "staging")["tag"] == "1.0.1"
    platform.push(service, "1.0.2")
    wait_for(lambda: platform.image(service, "staging")["tag"] == "1.0.2", "the next release")
    assert platform.image(service, "dev")["tag"] == "1.0.2"
    assert platform.git("log", "--format=%s", "--", f"services/{service}/values-dev.yaml").splitlines()[:2] == [
        f"{service}: promote dev to {tag}" for tag in ("1.0.2", "main-3f9c2ab")
    ]
    wait_for(lambda: platform.findings(service) == [], "doctor to find nothing", 30)


def test_configuration_from_git_beside_the_image(platform: Platform) -> None:
    service, warehouse = "promote-config", "promote-config-git"
    platform.pull()
    platform.write(f"services/{service}/config/settings.yaml", "a: 1\n")
    platform.git("add", "-A")
    platform.git("commit", "-qm", "Settings")
    revision = platform.git("rev-parse", "HEAD").strip()
    platform.git("push", "-q", platform.repo_url, f"HEAD:{platform.branch}")
    platform.refresh(service, warehouse)
    platform.push(service, "1.0.1")

    def written(stage: str, branch: str = "") -> tuple[str, str]:
        values = platform.values(service, stage, branch)
        return values["image"]["tag"], values["config"]["revision"]

    wait_for(lambda: written("dev") == ("1.0.1", revision), "dev to have both")
    branch = f"{platform.branch}-prod"
    for origin in (service, warehouse):
        platform.promote(service, "prod", origin)
    wait_for(lambda: written("prod", branch) == ("1.0.1", revision), "prod, on its branch")
    assert written("prod") == ("0.0.0", "none")


def test_a_chart_instead_of_an_image(platform: Platform, tmp_path: Path) -> None:
    service = "promote-addon"
    platform.push_chart(tmp_path, "1.2.0")
    platform.refresh(service, service)
    wait_for(lambda: platform.promoted(service, "dev"), "dev")
    assert platform.values(service, "dev")["chart"]["version"] == "1.2.0"
    subject = platform.git("log", "-1", "--format=%s", "FETCH_HEAD", "--", f"services/{service}/values-dev.yaml")
    assert subject == f"{service}: promote dev to 1.2.0\n"
    platform.push_chart(tmp_path, "1.10.0")
    platform.refresh(service, service)
    wait_for(lambda: platform.values(service, "dev")["chart"]["version"] == "1.10.0", "the next version")
    wait_for(lambda: platform.findings(service) == [], "doctor to find nothing", 30)


def test_doctor_sees_that_no_tag_matches(platform: Platform) -> None:
    platform.push("promote-nothing", "1.0.1")

    def codes() -> list[str]:
        return [finding["code"] for finding in platform.findings("promote-nothing")]

    wait_for(lambda: "KF722" in codes(), "doctor to find KF722")


def test_doctor_sees_why_a_promotion_fails(platform: Platform) -> None:
    """The key that promotions write has gone since the service was checked."""
    service = "promote-astray"
    platform.pull()
    platform.write(f"services/{service}/values-dev.yaml", "replicas: 1\n")
    platform.git("commit", "-qam", "Take the tag away")
    platform.git("push", "-q", platform.repo_url, f"HEAD:{platform.branch}")
    platform.push(service, "1.0.1")

    def found() -> list[str]:
        return [finding["message"] for finding in platform.findings(service) if finding["code"] == "KF734"]

    wait_for(found, "doctor to find KF734")
    assert "yaml-update" in found()[0]


def test_a_dependency_of_a_chart(platform: Platform, tmp_path: Path) -> None:
    """The version in Chart.yaml is that of the Freight; the lock follows, and archives that Git ignores are not committed."""
    service = "promote-umbrella"

    def files(stage: str) -> dict[str, Any]:
        platform.pull()
        folder = platform.root / f"services/{service}/chart-{stage}"
        return {file.name: yaml.safe_load(file.read_text()) for file in folder.glob("Chart.*")}

    for version in ("1.30.0", "1.40.0"):
        platform.push_chart(tmp_path, version)
        platform.refresh(service, service)
        wait_for(lambda version=version: files("dev")["Chart.yaml"]["dependencies"][0]["version"] == version, version)
    assert files("dev")["Chart.lock"]["dependencies"][0]["version"] == "1.40.0"
    assert files("prod")["Chart.yaml"]["dependencies"][0]["version"] == "0.0.0"
    platform.promote(service, "prod")
    wait_for(lambda: platform.promoted(service, "prod"), "prod")
    assert files("prod")["Chart.yaml"]["dependencies"][0]["version"] == "1.40.0"
    changed = platform.git("show", "--format=", "--name-only", "-1").split()
    assert changed == [f"services/{service}/chart-prod/{file}" for file in ("Chart.lock", "Chart.yaml")]
    assert platform.trailers()["Kargo-Stage"] == f"kargo-{service}/prod"
    wait_for(lambda: platform.findings(service) == [], "doctor to find nothing", 30)


def test_rendered_manifests_on_a_branch_per_stage(platform: Platform) -> None:
    """A chart and a kustomization share the branches; a promotion of one leaves the other's folder as it is."""
    helm, kustomize = "promote-rendered", "promote-overlay"
    platform.push(helm, "20261120")
    platform.push(kustomize, "1.0.1")
    for service in (helm, kustomize):
        wait_for(lambda service=service: platform.promoted(service, "dev"), f"dev of {service}")
    platform.git("fetch", "-q", platform.repo_url, platform.branch)
    first = platform.git("rev-parse", "FETCH_HEAD").strip()
    rendered = platform.rendered("rendered-dev")
    assert set(rendered) == {
        f"{helm}/configmap-{helm}-dev-{helm}.yaml",
        f"{helm}/configmap-old.yaml",
        f"{kustomize}/pod-dev-web.yaml",
    }
    data = rendered[f"{helm}/configmap-{helm}-dev-{helm}.yaml"]["data"]
    assert (data["tag"], data["kind"], data["color"]) == ("20261120", "string", "blue")
    images = [one["image"] for one in rendered[f"{kustomize}/pod-dev-web.yaml"]["spec"]["containers"]]
    assert images == ["web:1.0.1"]

    # A change of the chart is Freight, too: a file that is not rendered any more goes, in the service's own folder only.
    platform.pull()
    template = platform.root / "charts/workload/templates/image.yaml"
    template.write_text(template.read_text().replace("blue", "green"))
    platform.git("rm", "-q", "charts/workload/templates/old.yaml")
    platform.git("commit", "-qam", "Green")
    platform.git("push", "-q", platform.repo_url, f"HEAD:{platform.branch}")
    revision = platform.git("rev-parse", "HEAD").strip()
    platform.refresh(helm, f"{helm}-git")
    wait_for(lambda: f"{helm}/configmap-old.yaml" not in platform.rendered("rendered-dev"), "the chart's next version")
    rendered = platform.rendered("rendered-dev")
    assert set(rendered) == {f"{helm}/configmap-{helm}-dev-{helm}.yaml", f"{kustomize}/pod-dev-web.yaml"}
    data = rendered[f"{helm}/configmap-{helm}-dev-{helm}.yaml"]["data"]
    assert (data["tag"], data["color"], data["revision"]) == ("20261120", "green", revision)
    assert revision != first

    # The first promotion has no commit to render, and fails; the second has the Freight of both Warehouses.
    for service, warehouse in ((helm, helm), (helm, f"{helm}-git"), (kustomize, kustomize)):
        platform.promote(service, "prod", warehouse)
    for service in (helm, kustomize):
        wait_for(lambda service=service: platform.promoted(service, "prod"), f"prod of {service}")
    assert set(platform.rendered("rendered-prod")) == {
        f"{helm}/configmap-{helm}-prod-{helm}.yaml",
        f"{kustomize}/pod-prod-web.yaml",
    }
    printed = platform.git("log", "-2", "--format=%(trailers:key=Kargo-Stage,valueonly)", "FETCH_HEAD")
    assert set(printed.split()) == {f"kargo-{service}/prod" for service in (helm, kustomize)}
    # Nothing is written to the branch of the sources.
    platform.git("fetch", "-q", platform.repo_url, platform.branch)
    assert helm not in platform.git("log", "--format=%s", "FETCH_HEAD")
    for service in (helm, kustomize):
        wait_for(lambda service=service: platform.findings(service) == [], "doctor to find nothing", 30)


def test_a_whole_branch_is_the_rendered_manifests(platform: Platform) -> None:
    """Whatever else was on it goes, as does what is not rendered any more; a step can bring a file. The same again is no commit."""
    service, branch = "promote-whole", "whole-dev"
    others = {"README.md": "Ours\n", ".gitignore": "*.yaml\n", ".github/ci.yaml": "{}\n", "pod-old.yaml": "{}\n"}
    platform.branches(branch, files=others)
    platform.push(service, "1.0.1")
    wait_for(lambda: platform.promoted(service, "dev"), "dev")
    assert set(platform.rendered(branch)) == {"CODEOWNERS", "pod-dev-web.yaml"}
    assert platform.git("log", "--format=%s", "FETCH_HEAD").split("\n")[:2] == [
        f"{service}: promote dev to 1.0.1",
        "A branch",
    ]
    head = platform.git("rev-parse", "FETCH_HEAD")

    platform.promote(service, "dev")
    wait_for(lambda: platform.promoted(service, "dev") == 2, "the same again")
    assert platform.steps(service, "dev")["commit"] == "Skipped"
    platform.rendered(branch)
    assert platform.git("rev-parse", "FETCH_HEAD") == head

    # Another object instead of the pod.
    platform.pull()
    base = f"services/{service}/base"
    platform.write(f"{base}/kustomization.yaml", "resources: [map.yaml]\n")
    platform.write(f"{base}/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")
    platform.git("add", "-A")
    platform.git("commit", "-qm", "A map")
    platform.git("push", "-q", platform.repo_url, f"HEAD:{platform.branch}")
    platform.push(service, "1.0.2")
    wait_for(lambda: platform.promoted(service, "dev") == 3, "1.0.2")
    assert set(platform.rendered(branch)) == {"CODEOWNERS", "configmap-dev-web.yaml"}
    wait_for(lambda: platform.findings(service) == [], "doctor to find nothing", 30)


def test_the_first_promotion_creates_the_branch(platform: Platform) -> None:
    service = "promote-first"
    platform.push(service, "1.0.1")

    def promoted(stage: str) -> bool:
        platform.need_new_branches(service, stage)
        return platform.promoted(service, stage) > 0

    wait_for(lambda: promoted("dev"), "dev")
    file = f"configmap-{service}-dev-{service}.yaml"
    assert platform.rendered("first-dev")[file]["data"]["tag"] == "1.0.1"
    assert [*platform.rendered("first-dev")] == [file]
    assert platform.git("log", "--format=%s", "FETCH_HEAD").split("\n")[:2] == [
        f"{service}: promote dev to 1.0.1",
        "Initial commit",
    ]
    platform.promote(service, "prod")
    wait_for(lambda: promoted("prod"), "prod")
    assert [*platform.rendered("first/prod")] == [f"{service}/plain/templates/map.yaml"]


def test_first_promotions_that_create_the_same_branch(platform: Platform) -> None:
    """All but one of them find it there when they push theirs, and succeed with the next attempt."""
    services = [f"promote-shared-{number}" for number in range(4)]
    for service in services:
        platform.registry.push(service, "1.0.1")
    for service in services:
        platform.refresh(service, service)
    for service in services:

        def promoted(service: str = service) -> int:
            platform.need_new_branches(service, "dev")
            return platform.promoted(service, "dev")

        wait_for(promoted, f"dev of {service}")
    assert {file.partition("/")[0] for file in platform.rendered("shared-dev")} == set(services)
