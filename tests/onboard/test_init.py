"""kargo-fleet init: what it sees in a repository, what it writes there, and what it leaves alone."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import STAGES, Run
from kargo_fleet import __version__
from kargo_fleet.fleet.chart import packaged, read_chart
from kargo_fleet.fleet.names import FLEET_FILES, GENERATED_FOLDERS
from kargo_fleet.onboard.candidates import rank
from kargo_fleet.onboard.starter import stage_values

IDENTITY = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
ORIGIN = "git@github.com:acme/platform.git"
DEFAULTS = read_chart(packaged(), ".").defaults["stages"]

Repository = Callable[..., Path]


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=root, env=os.environ | IDENTITY, check=True, capture_output=True)


def values(service: str, *, repository: str = "ghcr.io/acme") -> str:
    return f"image:\n  repository: {repository}/{service}\n  tag: 1.0.0\n"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """`repository({path: text}, origin=…)` is a Git repository with the services api and nginx, and these files."""

    def build(files: dict[str, str] | None = None, *, origin: str = ORIGIN, folder: str = "services") -> Path:
        git(tmp_path, "init", "-q", "-b", "main")
        if origin:
            git(tmp_path, "remote", "add", "origin", origin)
        found = {
            f"{folder}/{service}/values-{stage}.yaml": values(service)
            for service in ("api", "nginx")
            for stage in STAGES
            if folder
        }
        for path, text in {**found, **(files or {})}.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        return tmp_path

    return build


def fleet(root: Path) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((root / "fleet.yaml").read_text())
    return data


def files(root: Path) -> set[str]:
    listed = subprocess.run(["git", "ls-files", "-co"], cwd=root, text=True, capture_output=True, check=True).stdout
    return set(listed.splitlines())


def test_a_repository_becomes_a_fleet(repository: Repository, run: Run) -> None:
    root = repository()
    before = files(root)
    result = run("init")
    assert result.status == 0
    assert fleet(root) == {
        "image": {"registry": "ghcr.io/acme"},
        "git": {"repoURL": "https://github.com/acme/platform.git", "branch": "main"},
        "chart": {"path": "charts/kargo-service"},
    }
    assert {path for path in files(root) - before if not path.startswith("charts/")} == {
        ".github/workflows/kargo-fleet.yaml",
        ".pre-commit-config.yaml",
        "fleet.yaml",
        "schemas/fleet.schema.json",
        "schemas/kargo.schema.json",
    }
    assert (root / "charts/kargo-service/Chart.yaml").exists()
    assert "created  charts/kargo-service\n" in result.stdout
    assert "from the remote origin (git@github.com:acme/platform.git)" in result.stderr
    assert run("generate").status == 0
    assert run("check") == (0, "", "2 services: 0 errors, 0 warnings\n")
    assert run("schema").stderr == "the schemas are up to date\n"
    assert run("chart", "vendor").stderr.endswith("up to date\n")


def test_hook_and_workflow_run_for_whatever_check_reads(repository: Repository, run: Run) -> None:
    root = repository()
    run("init")
    [hook] = yaml.safe_load((root / ".pre-commit-config.yaml").read_text())["repos"][-1]["hooks"]
    workflow = yaml.load((root / ".github/workflows/kargo-fleet.yaml").read_text(), yaml.BaseLoader)["on"]
    for path in (*FLEET_FILES, *(f"{folder}/a.yaml" for folder in GENERATED_FOLDERS)):
        assert re.search(hook["files"], path), path
        for event in ("pull_request", "push"):
            assert any(fnmatch.fnmatchcase(path, one) for one in workflow[event]["paths"]), (event, path)


def test_a_second_run_is_refused(repository: Repository, run: Run) -> None:
    root = repository()
    run("init")
    before = {path: (root / path).read_bytes() for path in files(root)}
    result = run("init")
    assert (result.status, result.stdout) == (2, "")
    assert "fleet.yaml exists" in result.stderr
    assert {path: (root / path).read_bytes() for path in files(root)} == before


def test_a_dry_run_writes_nothing(repository: Repository, run: Run) -> None:
    root = repository()
    before = files(root)
    result = run("init", "--dry-run")
    assert "dry run: would create fleet.yaml\n" in result.stdout
    assert "\ndry run: nothing was written\nnote: " in result.stderr
    assert files(root) == before


@pytest.mark.parametrize("folder", ["apps", "deploy/services", "platform/eu/workloads"])
def test_the_folder_of_the_services_is_found(repository: Repository, run: Run, folder: str) -> None:
    root = repository({"charts/app/values-dev.yaml": "", "_old/x/values-dev.yaml": ""}, folder=folder)
    result = run("init")
    assert fleet(root)["services"] == folder
    assert f"{folder}/: 2 services (api, nginx)" in result.stderr
    assert "charts/ (1)" in result.stderr
    assert run("generate").status == run("check").status == 0


def test_most_services_win_and_then_the_usual_name(repository: Repository, run: Run) -> None:
    root = repository(
        {f"{folder}/{name}/values-dev.yaml": "" for folder in ("alpha", "services") for name in ("a", "b")}, folder=""
    )
    run("init")
    assert "services" not in fleet(root)  # its default


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({}, "none of 1 file is <service>/values-<stage>.yaml in some folder\n"),
        (
            {"services/web/dev/values.yaml": "", "web/prod.yaml": ""},
            "files that resemble one: services/web/dev/values.yaml",
        ),
        ({"services/web/values-dev.yml": ""}, "files that resemble one: services/web/values-dev.yml"),
    ],
)
def test_without_services_the_layout_is_explained(
    repository: Repository, run: Run, extra: dict[str, str], message: str
) -> None:
    root = repository({"README.md": "", **extra}, folder="")
    result = run("init")
    assert result.status == 2
    assert message in result.stderr
    assert "such as services/nginx/values-dev.yaml" in result.stderr
    assert not (root / "fleet.yaml").exists()


def test_only_a_git_repository_has_a_fleet(tmp_path: Path, run: Run) -> None:
    result = run("init")
    assert (result.status, "is not in a Git repository" in result.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_only_its_root_has_a_fleet(repository: Repository, run: Run, tmp_path: Path) -> None:
    repository()
    result = run(
        "-C", str(tmp_path / "services"), "init", "--chart", "oci", "--oci-url", "oci://a.example/kargo-service"
    )
    again = "Run `kargo-fleet init --chart oci --oci-url oci://a.example/kargo-service`."
    assert (result.status, again in result.stderr) == (2, True), result.stderr


def test_a_root_with_a_space_can_be_pasted(tmp_path: Path, run: Run) -> None:
    (tmp_path / "my platform/apps").mkdir(parents=True)
    git(tmp_path / "my platform", "init", "-q")
    result = run("-C", f"{tmp_path}/my platform/apps", "init", "--dry-run")
    assert f"Run `kargo-fleet -C '{tmp_path}/my platform' init --dry-run`." in result.stderr


# --- The remote ---


@pytest.mark.parametrize(
    ("origin", "is_guess"),
    [
        ("ssh://git@git.example.com:2222/acme/platform.git", True),
        ("ssh://git@git.example.com/acme/platform.git", False),
        ("git@git.example.com:acme/platform.git", False),
    ],
)
def test_an_https_url_from_ssh_on_a_port_is_a_guess(
    repository: Repository, run: Run, origin: str, is_guess: bool
) -> None:
    repository(origin=origin)
    guess = (
        "note: git.repoURL https://git.example.com/acme/platform.git is a guess: the remote is SSH on a port of its own"
    )
    assert (guess in run("init").stderr) == is_guess


def test_a_password_in_a_remote_is_not_shown(repository: Repository, run: Run) -> None:
    root = repository(origin="https://me:s3cr3t-token@github.com/acme/platform.git")
    result = run("init")
    written = "".join((root / path).read_text() for path in files(root))
    assert "s3cr3t" not in result.stdout + result.stderr + written


@pytest.mark.parametrize(
    ("origin", "why"), [("", "there is no remote origin"), ("/srv/p.git", "/srv/p.git has no https:// form")]
)
def test_without_a_usable_remote_the_url_is_to_be_filled_in(
    repository: Repository, run: Run, origin: str, why: str
) -> None:
    root = repository(origin=origin)
    result = run("init")
    assert f"fill in git.repoURL: {why}" in result.stderr.replace("the remote ", "")
    assert "# FILL IN: the URL of this repository.\n" in (root / "fleet.yaml").read_text()
    assert "git.repoURL: is required" in run("check").stdout


def test_the_branch_is_that_of_the_remote(repository: Repository, run: Run) -> None:
    root = repository()
    git(root, "checkout", "-q", "-b", "topic")
    git(root, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")
    run("init")
    assert fleet(root)["git"]["branch"] == "trunk"


def test_before_the_first_commit_it_is_the_present_one(repository: Repository, run: Run) -> None:
    root = repository()
    git(root, "checkout", "-q", "-b", "live")
    run("init")
    assert fleet(root)["git"]["branch"] == "live"


@pytest.mark.parametrize(
    ("remote", "local", "branch"),
    [
        (["main", "topic"], ["topic"], "main"),
        (["master"], ["main"], "master"),
        ([], ["main"], "main"),
        (["trunk"], ["topic"], "trunk"),
        (["main", "master"], [], ""),
        (["develop", "live"], [], ""),
    ],
)
def test_a_feature_branch_is_not_the_default(
    repository: Repository, run: Run, remote: list[str], local: list[str], branch: str
) -> None:
    """Without what a clone knows, refs/remotes/origin/HEAD, the present branch says nothing."""
    root = repository()
    git(root, "checkout", "-q", "-b", "feature" if remote or branch != "main" else "main")
    git(root, "commit", "-q", "--allow-empty", "-m", "a")
    for name in remote:
        git(root, "update-ref", f"refs/remotes/origin/{name}", "HEAD")
    for name in local:
        git(root, "branch", "-f", name) if name != "main" or remote else None
    result = run("init")
    assert fleet(root)["git"].get("branch", "") == branch
    assert ("fill in git.branch: Git does not know the default branch" in result.stderr) == (not branch)
    assert ("# FILL IN branch" in (root / "fleet.yaml").read_text()) == (not branch)


@pytest.mark.parametrize(
    "origin", ["git@git.example.com:2222/a.git", "https://git.example.com/a b.git", "ssh://git@h:port/a"]
)
def test_a_remote_that_check_would_refuse_is_to_be_filled_in(repository: Repository, run: Run, origin: str) -> None:
    root = repository(origin=origin)
    assert "fill in git.repoURL: the remote " in run("init").stderr
    assert "# FILL IN: the URL of this repository.\n" in (root / "fleet.yaml").read_text()


# --- The registry and the tag ---


@pytest.mark.parametrize("registry", ["${REG}", "oci://r.example.com", "'{{ .Values.x }}'", "<env>.example.com", "a b"])
def test_a_registry_that_check_would_refuse_is_to_be_filled_in(repository: Repository, run: Run, registry: str) -> None:
    text = f"image: {{registry: {json.dumps(registry)}, repository: web, tag: 1.0.0}}\n"
    root = repository({f"services/web/values-{stage}.yaml": text for stage in STAGES}, folder="")
    result = run("init")
    assert f"fill in image.registry: not a registry: {registry}\n" in result.stderr
    assert "# FILL IN: images are <registry>/<service>.\n" in (root / "fleet.yaml").read_text()


def test_without_images_the_registry_is_to_be_filled_in(repository: Repository, run: Run) -> None:
    text = {
        f"services/{name}/values-{stage}.yaml": "image:\n  tag: 1.0.0\n"
        for name in ("api", "nginx")
        for stage in STAGES
    }
    root = repository(text)
    result = run("init")
    assert "fill in image.registry: no values file" in result.stderr
    assert "# FILL IN: images are <registry>/<service>.\n" in (root / "fleet.yaml").read_text()
    result = run("check")
    assert (result.status, "image.repoURL: is required" in result.stdout) == (1, True)


@pytest.mark.parametrize(
    ("text", "registry"),
    [
        ("image: {repository: localhost:5000/nginx, tag: 1.0.0}\n", "localhost:5000"),
        ("image: {registry: ghcr.io, repository: acme/nginx, tag: 1.0.0}\n", "ghcr.io/acme"),
        ("app: {image: {repository: r.example.com/nginx, tag: 1.0.0}}\n", "r.example.com"),
    ],
)
def test_the_registry_stands_before_the_name_of_the_service(
    repository: Repository, run: Run, text: str, registry: str
) -> None:
    root = repository({f"apps/nginx/values-{stage}.yaml": text for stage in STAGES}, folder="")
    run("init")
    assert fleet(root)["image"]["registry"] == registry


def test_most_services_decide_and_the_others_are_told(repository: Repository, run: Run) -> None:
    root = repository({"services/web/values-dev.yaml": values("web", repository="other.example.com")})
    result = run("init")
    assert fleet(root)["image"]["registry"] == "ghcr.io/acme"
    assert "other registries, for groups or for a service's kargo.yaml: other.example.com (1)" in result.stderr
    assert "1 service with other stages: web" in result.stderr


def test_a_tag_elsewhere_is_what_promotions_set(repository: Repository, run: Run) -> None:
    text = "app:\n  image:\n    tag: 1.0.0\n    repository: ghcr.io/acme/nginx\n"
    root = repository({f"apps/nginx/values-{stage}.yaml": text for stage in STAGES}, folder="")
    run("init")
    assert fleet(root)["values"] == {"promotion": {"tagKey": "app.image.tag"}}
    assert run("generate").status == 0


# --- Stages ---


def test_stages_have_a_sensible_order() -> None:
    names = [
        "dev",
        "develop",
        "test",
        "qa",
        "int",
        "stage",
        "uat",
        "preprod",
        "pre-prod",
        "prod",
        "production",
        "prod-eu",
        "live",
        "demo",
    ]
    assert [rank(name) for name in names] == [0, 0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4]


@pytest.mark.parametrize(
    ("stages", "found"),
    [
        (["dev", "staging", "prod"], {}),
        (["dev", "prod"], {"staging": None, "prod": {"upstream": ["dev"]}}),
        (
            ["dev", "qa", "prod"],
            {"staging": None, "qa": {"autoPromotionEnabled": True, "upstream": ["dev"]}, "prod": {"upstream": ["qa"]}},
        ),
        (["prod"], {"dev": None, "staging": None, "prod": {"upstream": None}}),
        (
            ["dev", "staging", "prod-eu", "prod-us"],
            {"prod": None, "prod-eu": {"upstream": ["staging"]}, "prod-us": {"upstream": ["staging"]}},
        ),
        (["staging", "prod"], {"dev": None, "staging": {"upstream": None}}),
    ],
)
def test_only_other_stages_than_the_charts_are_written(stages: list[str], found: dict[str, Any]) -> None:
    assert stage_values(stages, DEFAULTS) == found


@pytest.mark.parametrize(
    "stages",
    [["dev", "test", "prod"], ["prod"], ["uat", "live"], ["dev", "demo", "prod-eu", "prod-us"], ["one", "two"]],
)
def test_what_is_written_is_a_pipeline(repository: Repository, run: Run, stages: list[str]) -> None:
    repository({f"services/web/values-{stage}.yaml": values("web") for stage in stages}, folder="")
    assert run("init").status == 0
    result = run("generate")
    assert (result.status, "error" in result.stdout) == (0, False), result.stdout
    assert run("check").status == 0


# --- Folders of teams and of stages ---


def at(*folders: str, file: str = "values-{stage}.yaml") -> dict[str, str]:
    """Return the values files of the services in these folders; `{stage}` in a folder or in `file` is each stage."""
    paths = [(f"{folder}/{file}", folder.rpartition("/")[2]) for folder in folders]
    return {path.replace("{stage}", stage): values(name) for path, name in paths for stage in STAGES}


@pytest.mark.parametrize(
    ("found", "pattern"),
    [
        (at("services/pay/api", "services/pay/ledger", "services/search/query"), "services/<team>/<service>"),
        (at("teams/pay/apps/api", "teams/search/apps/query"), "teams/<team>/apps/<service>"),
        (at("deploy/gitops/pay/api", "deploy/gitops/search/query"), "deploy/gitops/<team>/<service>"),
        # One team alone is a folder of services, and the charts of a platform are no team's.
        (at("services/pay/api", "services/pay/ledger"), "services/pay"),
        (at("platform/services/api", "platform/services/web", "platform/charts/app"), "platform/services"),
        # Two clusters with the same services are no teams.
        (at("apps/eu/api", "apps/eu/web", "apps/us/api", "apps/us/web"), "apps/eu"),
    ],
)
def test_folders_of_teams(repository: Repository, run: Run, found: dict[str, str], pattern: str) -> None:
    root = repository(found, folder="")
    result = run("init")
    assert fleet(root)["services"] == pattern, result.stderr
    assert f"{pattern}{'' if '<' in pattern else '/'}: " in result.stderr
    assert run("generate").status == run("check").status == 0


def test_a_registry_of_each_team(repository: Repository, run: Run) -> None:
    found = {
        f"services/{team}/{name}/values-{stage}.yaml": values(name, repository=f"ghcr.io/acme/{team}")
        for team, name in (("pay", "api"), ("search", "query"))
        for stage in STAGES
    }
    root = repository(found, folder="")
    run("init")
    assert fleet(root)["image"]["registry"] == "ghcr.io/acme/<team>"
    assert "services/*/*/kargo.yaml" in (root / ".github/workflows/kargo-fleet.yaml").read_text()


def test_two_teams_with_a_service_of_the_same_name_are_told(repository: Repository, run: Run) -> None:
    repository(at("services/pay/api", "services/pay/ledger", "services/search/api", "services/search/query"), folder="")
    assert "note: several teams have a service of this name, which must be unique: api" in run("init").stderr
    assert "KF206" in run("generate").stdout


@pytest.mark.parametrize(
    ("found", "pattern", "path"),
    [
        (at("envs/{stage}/api", "envs/{stage}/web", file="values.yaml"), "envs/<stage>/<service>", None),
        (at("deploy/{stage}/apps/api", file="values.yaml"), "deploy/<stage>/apps/<service>", None),
        (at("envs/{stage}/api"), "envs/<stage>/<service>", "envs/<stage>/<service>/values-<stage>.yaml"),
    ],
)
def test_folders_of_stages(
    repository: Repository, run: Run, found: dict[str, str], pattern: str, path: str | None
) -> None:
    root = repository({**found, "envs/base/api/values.yaml": "", "README.md": ""}, folder="")
    result = run("init")
    written = fleet(root)
    assert (written["services"], written["serviceFile"]) == (pattern, "kargo/<service>.yaml"), result.stderr
    assert written.get("values") == (path and {"promotion": {"path": path}})
    assert written["image"]["registry"] == "ghcr.io/acme"
    assert f"stages: dev, staging, prod, from the folders {pattern.rpartition('/')[0]}\n" in result.stderr
    workflow = (root / ".github/workflows/kargo-fleet.yaml").read_text()
    assert workflow.count("kargo/*.yaml") == 2
    assert "|kargo/|" in (root / ".pre-commit-config.yaml").read_text()
    assert run("generate").status == run("check").status == 0


def test_a_folder_that_is_called_like_a_stage(repository: Repository, run: Run) -> None:
    extra = {f"services/test-{name}/chart/values.yaml": "" for name in ("one", "two", "three")}
    root = repository({**extra, "services/test/chart/values.yaml": ""})
    run("init")
    assert "services" not in fleet(root)
    assert run("generate").status == 1  # KF401: these folders are taken for services, and are none


def test_stages_of_any_name_in_a_folder_of_environments(repository: Repository, run: Run) -> None:
    found = {f"envs/{stage}/web/values.yaml": values("web") for stage in ("alpha", "omega")}
    root = repository(found, folder="")
    run("init")
    assert list(fleet(root)["values"]["stages"]) == ["dev", "staging", "prod", "alpha", "omega"]
    assert run("generate").status == run("check").status == 0


def test_a_folder_kargo_that_is_something_else(repository: Repository, run: Run) -> None:
    root = repository({**at("envs/{stage}/api", file="values.yaml"), "kargo/project.yaml": ""}, folder="")
    run("init")
    assert "serviceFile" not in fleet(root)


def test_stages_in_the_root_are_to_be_moved(repository: Repository, run: Run) -> None:
    repository(at("{stage}/api", file="values.yaml"), folder="")
    result = run("init")
    assert result.status == 2
    assert "Move the folders of the stages into one: `mkdir envs && git mv dev prod staging envs/`" in result.stderr


# --- Folders that the tool writes ---


@pytest.mark.parametrize("folder", ["values", "argocd", "schemas", "values/eu"])
def test_services_where_the_tool_writes_are_refused(repository: Repository, run: Run, folder: str) -> None:
    root = repository(folder=folder)
    result = run("init")
    assert result.status == 2
    assert f"the services are in {folder}, where kargo-fleet writes its own files" in result.stderr
    assert f"`git mv {folder} services`" in result.stderr
    assert not (root / "fleet.yaml").exists()
    (root / "fleet.yaml").write_text(f"services: {folder}\n")
    assert "values, argocd, policy and schemas are for what kargo-fleet writes" in run("check").stdout


def test_other_services_are_taken_instead(repository: Repository, run: Run) -> None:
    extra = {f"values/{name}/values-dev.yaml": "" for name in ("a", "b", "c")}
    root = repository(extra, folder="apps")
    assert run("init").status == 0
    assert fleet(root)["services"] == "apps"


@pytest.mark.parametrize(
    ("folder", "path"),
    [
        ("charts", "helm/kargo-service"),
        ("charts/kargo-service", "helm/kargo-service"),
        ("helm", "charts/kargo-service"),
    ],
)
def test_the_chart_is_no_service(repository: Repository, run: Run, folder: str, path: str) -> None:
    root = repository(folder=folder)
    result = run("init")
    assert fleet(root)["chart"] == {"path": path}
    assert (f"chart.path: {path}, because charts/kargo-service would be in" in result.stderr) == ("helm/" in path)
    assert path.partition("/")[0] in (root / ".pre-commit-config.yaml").read_text()
    assert f"{path}/**" in (root / ".github/workflows/kargo-fleet.yaml").read_text()
    assert run("generate").status == run("check").status == 0


# --- The chart ---


@pytest.mark.parametrize("url", ["oci://r.example.com/org", "oci://r.example.com/org/"])
def test_what_helm_push_takes_is_not_the_chart(repository: Repository, run: Run, url: str) -> None:
    repository()
    result = run("init", "--chart", "oci", "--oci-url", url)
    assert result.status == 0
    assert "note: chart.oci oci://r.example.com/org does not end in kargo-service: after `helm push " in result.stderr
    assert "the chart is oci://r.example.com/org/kargo-service; " in result.stderr


def test_the_chart_from_a_registry(repository: Repository, run: Run) -> None:
    root = repository()
    url = "oci://registry.example.com/org/kargo-service"
    assert run("init", "--chart", "oci", "--oci-url", url).status == 0
    assert fleet(root)["chart"] == {"oci": url, "version": __version__}
    assert not (root / "charts").exists()
    assert run("generate").status == 0
    assert f"not checked: the chart {url}:{__version__}" in run("check").stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--chart", "oci"], "--chart oci requires --oci-url"),
        (["--chart", "vendor", "--oci-url", "oci://r.example.com/c"], "mutually exclusive"),
        (["--oci-url", "https://r.example.com/c"], "is not a chart in an OCI registry"),
        (["--oci-url", "oci://r.example.com/c:1.0.0"], "Leave out the version"),
    ],
)
def test_a_registry_must_be_named(repository: Repository, run: Run, options: list[str], message: str) -> None:
    root = repository()
    result = run("init", *options)
    assert (result.status, message in result.stderr) == (2, True), result.stderr
    assert not (root / "fleet.yaml").exists()


# --- Files that are there ---


def test_what_is_there_is_kept(repository: Repository, run: Run) -> None:
    own = {
        "schemas/fleet.schema.json": "{}\n",
        ".github/workflows/kargo-fleet.yaml": "name: ours\n",
        "charts/kargo-service/Chart.yaml": "name: ours\n",
        ".pre-commit-config.yaml": "repos: [\n",
    }
    root = repository(own)
    result = run("init")
    assert {path: (root / path).read_text() for path in own} == own
    assert all(f"kept     {path}\n" in result.stdout for path in own if not path.startswith("charts"))
    assert "kept charts/kargo-service: was not copied by kargo-fleet and is kept" in result.stderr


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("", ""),
        ("# ours\n", "# ours\n"),
        ("# ours\nrepos:\n- repo: local   # us\n  hooks:\n  - id: x\n", "# ours\nrepos:\n- repo: local   # us\n"),
        ("fail_fast: true\nrepos: []\n", "fail_fast: true\n"),
        ("repos: [] # none yet\r\nfail_fast: true", "repos: # none yet\r\n"),
        # A comment is no hook.
        (
            "repos:\n  - repo: local\n    hooks:\n      - id: x\n  # id: kargo-fleet\n\n# end\n",
            "repos:\n  - repo: local\n",
        ),
        (
            "---\r\nrepos:\r\n- repo: local\r\n  hooks: [{id: x}]\r\n...\r\n",
            "---\r\nrepos:\r\n- repo: local\r\n  hooks: [{id: x}]\r\n- repo: local\r\n",
        ),
        ("%YAML 1.2\n---\ndefault_stages: [commit]\n...\n", "%YAML 1.2\n---\ndefault_stages: [commit]\nrepos:\n"),
        (
            "repos:\n- repo: local\n  hooks:\n  - id: x\n    entry: |\n      a\n\nexclude: b\n",
            "repos:\n- repo: local\n  hooks:\n  - id: x\n    entry: |\n      a\n",
        ),
    ],
)
def test_the_hook_is_appended(repository: Repository, run: Run, text: str, beginning: str) -> None:
    root = repository()
    path = root / ".pre-commit-config.yaml"
    path.write_bytes(text.encode())
    assert run("init").status == 0
    written = path.read_bytes().decode()
    assert written.startswith(beginning)
    if "\r\n" in text:
        assert "\n" not in written.replace("\r\n", "")
    kept = iter(written.splitlines())
    assert all(line in kept for line in text.replace("repos: []", "repos:").splitlines())
    hooks = [hook["id"] for repo in yaml.safe_load(written.replace("1.2", "1.1"))["repos"] for hook in repo["hooks"]]
    assert hooks[-1] == "kargo-fleet"
    (root / "fleet.yaml").unlink()
    assert "has the hook already" in run("init").stderr
    assert path.read_bytes().decode() == written


@pytest.mark.parametrize(
    "text", ["repos: [{repo: local, hooks: []}]\n", "{repos: []}\n", "- a\n", "repos: a\n", "repos: [\n"]
)
def test_a_hook_that_cannot_be_appended_is_told(repository: Repository, run: Run, text: str) -> None:
    root = repository({".pre-commit-config.yaml": text})
    result = run("init")
    assert "kept .pre-commit-config.yaml: cannot be read; add a local hook" in result.stderr
    assert (root / ".pre-commit-config.yaml").read_text() == text


def test_links_are_kept(repository: Repository, run: Run) -> None:
    root = repository({"shared/hooks.yaml": "repos: []\n"})
    (root / ".pre-commit-config.yaml").symlink_to("shared/hooks.yaml")
    (root / "schemas").mkdir()
    (root / "schemas/fleet.schema.json").symlink_to("nowhere")
    result = run("init")
    assert "kept .pre-commit-config.yaml: is a symbolic link; add a local hook" in result.stderr
    assert "kept schemas/fleet.schema.json: is a symbolic link to a file that does not exist" in result.stderr
    assert (root / ".pre-commit-config.yaml").is_symlink()
    assert (root / "shared/hooks.yaml").read_text() == "repos: []\n"


def test_a_link_in_place_of_fleet_yaml(repository: Repository, run: Run) -> None:
    root = repository()
    (root / "fleet.yaml").symlink_to("nowhere")
    result = run("init")
    assert (result.status, (root / "fleet.yaml").is_symlink()) == (2, True)
    assert "fleet.yaml is a symbolic link to nowhere, which does not exist" in result.stderr


# --- CI ---

INSTALL = f'pip install --index-url "${{KARGO_FLEET_INDEX:?is not set}}" kargo-fleet=={__version__}'


def test_the_workflow_of_github(repository: Repository, run: Run) -> None:
    """A promotion pushes values files of stages, and does not start it."""
    root = repository()
    run("init")
    workflow = yaml.safe_load((root / ".github/workflows/kargo-fleet.yaml").read_text())
    steps = workflow["jobs"]["check"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == [INSTALL, "kargo-fleet check"]
    assert steps[-2]["env"] == {"KARGO_FLEET_INDEX": "${{ vars.KARGO_FLEET_INDEX }}"}
    assert workflow["permissions"] == {"contents": "read"}
    assert steps[0]["with"] == {"persist-credentials": False}
    on = workflow[True]  # YAML 1.1
    assert "services/**" in on["pull_request"]["paths"]
    assert not any(path in ("services/**", "services/*/**") for path in on["push"]["paths"])
    assert on["push"]["branches"] == ["main"]


def test_the_job_of_gitlab_is_a_file_to_include(repository: Repository, run: Run) -> None:
    root = repository(origin="git@gitlab.example.com:acme/platform.git")
    result = run("init")
    job = yaml.safe_load((root / ".gitlab/kargo-fleet.yml").read_text())["kargo-fleet"]
    assert job["script"] == [INSTALL, "kargo-fleet check"]
    assert "in .gitlab-ci.yml, add: include: [{local: .gitlab/kargo-fleet.yml}]" in result.stderr
    assert not (root / ".github").exists()


def test_elsewhere_the_command_is_told(repository: Repository, run: Run) -> None:
    root = repository(origin="https://git.example.com/platform.git")
    result = run("init")
    assert f"in CI, run: {INSTALL} && kargo-fleet check" in result.stderr
    assert "in CI, set KARGO_FLEET_INDEX to the address of your package index" in result.stderr
    assert not (root / ".github").exists()


@pytest.mark.parametrize("environment", [{}, {"KARGO_FLEET_INDEX": ""}])
def test_without_an_index_ci_installs_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    """Whoever takes the name on the public index would run code in everybody's CI."""
    pip = tmp_path / "pip"
    pip.write_text("#!/bin/sh\necho pip ran\n")
    pip.chmod(0o755)
    others = {name: value for name, value in os.environ.items() if name != "KARGO_FLEET_INDEX"}
    search = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for shell in ("sh", "bash"):
        command = [shell, "-e", "-c", INSTALL]
        done = subprocess.run(command, env=others | search | environment, capture_output=True, text=True, check=False)
        assert (done.returncode != 0, done.stdout) == (True, "")
        assert "KARGO_FLEET_INDEX: is not set" in done.stderr


def test_the_report_for_programs(repository: Repository, run: Run) -> None:
    repository()
    changes = json.loads(run("init", "--output", "json").stdout)["changes"]
    assert {"action": "created", "path": "fleet.yaml"} in changes
