"""Environment-first trees: `services: envs/<stage>/<service>`, with a file per service that `serviceFile` names."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from conftest import FLEET, STAGES, Files, Run, Tree, service, texts
from kargo_fleet.commands.delete import again
from kargo_fleet.fleet.folder_pattern import FolderPattern
from kargo_fleet.fleet.load import load

PATTERN = "services: envs/<stage>/<service>\n"
OWN = PATTERN + "serviceFile: kargo/<service>.yaml\n"
FILE = "image:\n  tag: 1.0.0\n"


def envs(*services: str, stages: tuple[str, ...] = STAGES, fleet: str = OWN) -> dict[str, str | bytes | None]:
    """Return the files of a fleet with these services at each stage."""
    files = {f"envs/{stage}/{name}/values.yaml": FILE for stage in stages for name in services}
    return {**dict.fromkeys(service("nginx")), "fleet.yaml": FLEET + fleet, **files}


@pytest.mark.parametrize(
    ("path", "found"),
    [("dev/web", "web"), ("dev/web/values.yaml", "web"), ("dev", ""), (".", "")],
)
def test_the_service_of_a_path(path: str, found: str) -> None:
    assert FolderPattern.of("envs/<stage>/<service>").find(path) == found


def test_a_service_is_what_any_stage_has(tree: Tree, run: Run) -> None:
    none = "groups: {early: {services: [cron], values: {stages: {staging: null, prod: null}}}}\n"
    files = envs("web", fleet=OWN + none) | {"envs/dev/cron/values.yaml": FILE, "kargo/web.yaml": "shard: a\n"}
    root = tree(files)
    assert run("generate").stdout.count("created") == 5
    assert "promotion:\n  path: envs/<stage>/<service>/values.yaml\n" in (root / "values/web.yaml").read_text()
    assert "from fleet.yaml, kargo/web.yaml." in (root / "values/web.yaml").read_text()
    assert "shard: a\n" in (root / "values/web.yaml").read_text()
    (units,) = yaml.safe_load((root / "argocd/units.yaml").read_text())["spec"]["generators"]
    assert units == {"list": {"elements": [{"service": "cron"}, {"service": "web"}]}}
    assert run("check") == (0, "", "2 services: 0 errors, 0 warnings\n")
    manifests = list(yaml.safe_load_all(run("render", "web").stdout))
    (prod,) = (one for one in manifests if one["kind"] == "Stage" and one["metadata"]["name"] == "prod")
    assert {"name": "path", "value": "envs/prod/web/values.yaml"} in prod["spec"]["vars"]


def test_the_promotions_path_may_be_another(tree: Tree, run: Run) -> None:
    path = "values: {promotion: {path: 'envs/<stage>/<service>/app.yaml'}}\n"
    files = {f"envs/{stage}/web/app.yaml": FILE for stage in STAGES}
    tree({**dict.fromkeys(service("nginx")), "fleet.yaml": FLEET + PATTERN + path, **files})
    assert run("generate").status == run("check").status == 0


@pytest.mark.parametrize(("chosen", "status"), [("web", 0), ("envs/dev/web/", 0), ("w*", 0), ("envs/dev", 2)])
def test_names_on_the_command_line(tree: Tree, run: Run, chosen: str, status: int) -> None:
    tree(envs("web", "api"))
    run("generate")
    assert run("check", chosen).status == status


def test_a_missing_file_names_where_the_stage_is_removed(tree: Tree, run: Run) -> None:
    root = tree(envs("web", stages=("dev", "staging")))
    result = run("check")
    assert "envs/prod/web/values.yaml: error KF401: the values file of stage prod is missing" in result.stdout
    assert "remove the stage with `stages: {prod: null}` in kargo/web.yaml" in result.stdout
    (root / "fleet.yaml").write_text(FLEET + PATTERN)
    assert "`stages: {prod: null}` in a group of fleet.yaml" in run("check").stdout


def test_a_folder_of_no_stage(tree: Tree, run: Run) -> None:
    root = tree(envs("web"))
    assert run("generate").status == 0
    (root / "envs/prd/web").mkdir(parents=True)
    (root / "envs/base/web").mkdir(parents=True)
    result = run("check")  # what was cached does not count
    assert "envs/prd/web: warning KFW406: the service has no stage prd" in result.stdout
    assert "fix: did you mean stage prod? Else add the stage" in result.stdout
    assert "envs/base" not in result.stdout
    (root / "envs/prd/web").rmdir()
    assert run("check").stdout == ""


def test_a_service_where_stages_are(tree: Tree, run: Run) -> None:
    tree(envs("web") | {"envs/api/values-dev.yaml": FILE})
    result = run("check")
    assert "envs/api: error KF207: this folder has values files, but is not a service" in result.stdout
    assert "fix: move it to envs/<stage>/api" in result.stdout


def test_a_folder_per_stage_that_is_taken_for_services(tree: Tree, run: Run) -> None:
    tree(envs("web", fleet="services: envs\n"))
    result = run("check")
    assert (
        "envs/dev: error KF207: this folder has no values-dev.yaml, but web in it: a stage is no service"
        in result.stdout
    )
    assert "set `services: envs/<stage>/<service>` in fleet.yaml" in result.stdout


def test_promotions_to_the_folder_of_another_service(tree: Tree, run: Run) -> None:
    tree(envs("web", "api") | {"kargo/web.yaml": "promotion: {path: envs/<stage>/api/values.yaml}\n"})
    assert run("check").stdout.count("KFW307: promotions to") == 3


def test_links(tree: Tree, run: Run) -> None:
    root = tree(envs("web", "api"))
    (root / "envs/prod").rename(root / "envs/_prod")
    (root / "envs/prod").symlink_to("_prod")
    assert run("check").stdout.count("envs/prod: error KF210") == 1
    (root / "envs/prod").unlink()
    (root / "envs/_prod").rename(root / "envs/prod")
    (root / "common").mkdir()
    (root / "envs/dev/web/values.yaml").rename(root / "common/web.yaml")
    (root / "envs/dev/web/values.yaml").symlink_to("../../../common/web.yaml")
    assert "envs/dev/web/values.yaml: error KF402: is a symbolic link to common/web.yaml" in run("check").stdout


# --- The file of a service ---


@pytest.mark.parametrize(
    ("files", "place", "fix"),
    [
        ({"kargo/wbe.yaml": ""}, "kargo/wbe.yaml", "did you mean web?"),
        ({"kargo/web.yml": ""}, "kargo/web.yml", "rename it to web.yaml"),
        ({"kargo/web.yml": "", "kargo/web.yaml": ""}, "kargo/web.yml", "move its content to web.yaml"),
        ({"envs/dev/web/kargo.yaml": ""}, "envs/dev/web/kargo.yaml", "move it to kargo/web.yaml"),
    ],
)
def test_files_that_nothing_reads(tree: Tree, run: Run, files: Files, place: str, fix: str) -> None:
    tree({**envs("web"), **files})
    result = run("generate")
    assert f"{place}: warning KFW201: this file is ignored" in result.stdout
    assert f"fix: {fix}" in result.stdout


def test_a_kargo_yaml_in_a_tree_without_files_of_services(tree: Tree, run: Run) -> None:
    tree({**envs("web", fleet=PATTERN), "envs/dev/web/kargo.yaml": ""})
    assert "fix: set `serviceFile: kargo/<service>.yaml` in fleet.yaml and move it there" in run("generate").stdout


def test_the_file_of_a_service_in_other_layouts(tree: Tree, run: Run) -> None:
    team = "services: services/<team>/<service>\nserviceFile: kargo/<team>/<service>.yaml\n"
    root = tree({**dict.fromkeys(service("nginx")), **service("shop/web"), "fleet.yaml": FLEET + team})
    (root / "kargo/shop").mkdir(parents=True)
    (root / "kargo/shop/web.yaml").write_text("shard: a\n")
    (root / "services/shop/web/kargo.yaml").write_text("shard: b\n")
    result = run("generate")
    assert "services/shop/web/kargo.yaml: warning KFW201: this file is ignored" in result.stdout
    assert "shard: a\n" in (root / "values/web.yaml").read_text()
    (root / "kargo/shop").rename(root / "kargo/search")
    assert (
        "kargo/search/web.yaml: warning KFW201: this file is ignored: web belongs to another team"
        in run("generate").stdout
    )


@pytest.mark.parametrize(
    "path",
    ["values/<service>.yaml", "<service>.yaml", "kargo/web.yaml", "kargo/<service>", "a/<service>/<service>.yaml"],
)
def test_paths_that_are_none(tree: Tree, run: Run, path: str) -> None:
    tree(envs("web", fleet=PATTERN + f"serviceFile: {path}\n"))
    assert "fleet.yaml:4:14: error KF103: serviceFile:" in run("check").stdout


@pytest.mark.parametrize("word", ["stage", "svc"])
def test_placeholders_that_a_path_has_not(tree: Tree, run: Run, word: str) -> None:
    tree(envs("web", fleet=PATTERN + f"serviceFile: kargo/<{word}>/<service>.yaml\n"))
    assert f"error KF309: serviceFile: <{word}> is not replaced here" in run("check").stdout


def test_an_environment_by_another_word(tree: Tree, run: Run) -> None:
    tree(envs("web", fleet="services: envs/<env>/<service>\n"))
    result = run("check")
    assert "error KF309: services: <env> is not replaced here" in result.stdout
    assert "fix: did you mean <stage>?" in result.stdout


# --- Commands ---


def _edit(root: Path) -> None:
    with (root / "values/web.yaml").open("a") as file:
        file.write("shard: a\n")


def test_adopt_writes_the_file_of_the_service(tree: Tree, run: Run) -> None:
    root = tree(envs("web"))
    run("generate")
    _edit(root)
    assert "run `kargo-fleet adopt web` to move the edits to kargo/web.yaml, or" in run("check").stdout
    assert run("adopt", "web").status == 0
    assert (root / "kargo/web.yaml").read_text() == "shard: a\n"
    assert run("check").status == 0


def test_adopt_without_a_file_of_the_service(tree: Tree, run: Run) -> None:
    root = tree(envs("web", fleet=PATTERN))
    run("generate")
    _edit(root)
    assert "fix: move the edits to a group of fleet.yaml, or `kargo-fleet generate web --force`" in run("check").stdout
    result = run("adopt", "web")
    assert result.status == 2
    assert "Set `serviceFile: kargo/<service>.yaml` in fleet.yaml" in result.stderr


def test_a_new_service_is_listed_by_the_next_run_over_all(tree: Tree, run: Run) -> None:
    root = tree(envs("web"))
    run("generate")
    before = texts(root)["argocd/units.yaml"]
    shutil.copytree(root / "envs/dev/web", root / "envs/dev/api")
    (root / "fleet.yaml").write_text(
        FLEET + OWN + "groups: {a: {services: [api], values: {stages: {staging: null, prod: null}}}}\n"
    )
    result = run("generate", "api")
    assert "argocd/units.yaml: warning KFW504: does not list api" in result.stdout
    assert "run `kargo-fleet generate` without names" in result.stdout
    assert texts(root)["argocd/units.yaml"] == before
    assert "updated  argocd/units.yaml" in run("generate").stdout
    assert "KFW504" not in run("generate", "api").stdout


def test_a_service_that_is_gone(tree: Tree, run: Run) -> None:
    root = tree(envs("web", "api"))
    run("generate")
    for stage in STAGES:
        shutil.rmtree(root / f"envs/{stage}/api")
    result = run("generate")
    assert "values/api.yaml: warning KFW502: service api no longer exists" in result.stdout
    assert b"service: api" not in texts(root)["argocd/units.yaml"]
    assert run("generate", "--prune").status == 0
    assert not (root / "values/api.yaml").exists()
    for stage in STAGES:
        shutil.rmtree(root / f"envs/{stage}/web")
    result = run("generate", "--prune")  # nothing is left: nothing is pruned
    assert (root / "values/web.yaml").exists()
    assert "no services: no folder matches envs/<stage>/<service>" in result.stdout


def test_a_broken_service_stays_in_the_list(tree: Tree, run: Run) -> None:
    root = tree(envs("web", "api"))
    run("generate")
    before = texts(root)["argocd/units.yaml"]
    (root / "kargo").mkdir()
    (root / "kargo/api.yaml").write_text("shard: [\n")
    assert run("generate").status == 1
    assert texts(root)["argocd/units.yaml"] == before


def test_a_unit_that_argo_cd_installs_again(tree: Tree, run: Run) -> None:
    """What `delete` says: the set lists the service until it is generated and pushed, whether there are folders or not."""
    root = tree(envs("web", "api"))
    run("generate")
    for stage in STAGES:
        shutil.rmtree(root / f"envs/{stage}/api")
    assert "while it lists it: run `kargo-fleet generate`" in again(load(root).fleet, ["api"])
    run("generate", "--prune")
    assert again(load(root).fleet, ["api"]) == ""
    assert again(load(root).fleet, ["web"]) != ""
