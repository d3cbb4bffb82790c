"""The documentation: its examples are valid, its links lead somewhere, what it tells people to type exists."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
import yaml

import samples
from conftest import Run
from contract import kargo
from helm import CHART, render
from kargo_fleet.cli import main as cli
from kargo_fleet.cli.arguments import parser
from kargo_fleet.commands.schema import contents
from kargo_fleet.doctor.codes import DOCTOR_CODES
from kargo_fleet.findings import CODES
from kargo_fleet.fleet.chart import read_chart
from kargo_fleet.fleet.merge import merge
from kargo_fleet.fleet.pipeline import pipeline_of
from kargo_fleet.text import yaml_reader
from kargo_fleet.unit import promoted_files, rules
from product import TOP, is_ours, may_be_gone

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in TOP if is_ours(name)),
    ROOT / "charts/kargo-service/README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
SCHEMAS = {name.partition(".")[0]: json.loads(text) for name, text in contents(samples.FLEET).items()}
SCHEMAS["values"] = json.loads((ROOT / "charts/kargo-service/values.schema.json").read_text())


class Block(NamedTuple):
    """A fenced block: its language and what else stands behind the opening fence."""

    page: str
    line: int
    language: str
    info: dict[str, str]
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def _blocks() -> Iterator[Block]:
    fence = re.compile(r"^( *)```(\w*)[ \t]*([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in fence.finditer(text):
            indent, language, info, body = found.groups()
            if indent:
                body = re.sub(f"^{indent}", "", body, flags=re.MULTILINE)
            words = dict(word.split("=", 1) for word in info.split() if "=" in word)
            yield Block(
                page.relative_to(ROOT).as_posix(), text.count("\n", 0, found.start()) + 1, language, words, body
            )


BLOCKS = list(_blocks())
# The examples in docs/findings.md are wrong on purpose.
YAML_BLOCKS = [block for block in BLOCKS if block.language == "yaml" and block.page != "docs/findings.md"]


def _code(page: Path) -> Iterator[str]:
    """Yield every line of code of a page: what people type, from fenced blocks and inline spans."""
    name = page.relative_to(ROOT).as_posix()
    for block in BLOCKS:
        if block.page == name and block.language in ("sh", "shell", "bash"):
            yield from block.text.replace("\\\n", " ").splitlines()
        elif block.page == name and block.language == "console":
            yield from (line[2:] for line in block.text.replace("\\\n", " ").splitlines() if line.startswith("$ "))
        elif block.page == name and block.language == "yaml":
            yield from (line.strip().removeprefix("- run: ") for line in block.text.splitlines() if "- run: " in line)
    for span in re.findall(r"`([^`\n]+)`", _prose(page)):
        yield span.strip()


def _prose(page: Path) -> str:
    return re.sub(r"^( *)```.*?^\1```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def _schema(title: str) -> str | None:
    if title.startswith("values/"):
        return "values"
    name = title.rpartition("/")[2].removesuffix(".yaml")
    return name if name in ("fleet", "kargo") and not title.startswith(".github/") else None


pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def test_there_are_examples() -> None:
    titles = [_schema(block.info.get("title", "")) for block in YAML_BLOCKS]
    assert titles.count("kargo") > 5
    assert titles.count("fleet") > 5


@pytest.mark.parametrize("block", YAML_BLOCKS, ids=str)
def test_yaml_examples_are_valid(block: Block) -> None:
    if block.text.startswith(" "):
        return  # a part of an object, as it stands there
    if block.text.startswith(("apiVersion:", "---")):
        assert all({"apiVersion", "kind"} <= set(document) for document in yaml.safe_load_all(block.text))
        return
    data: dict[str, Any] = yaml_reader.parse(block.text)
    usual = "kargo.yaml" if block.page.startswith("charts/") else "fleet.yaml" if "argocd" in data else ""
    title = block.info.get("title", usual)
    assert title, "say which file this is, as in title=kargo.yaml behind the opening fence"
    if re.fullmatch(r"(.*/)?values-\w+\.yaml", title):
        assert promoted_files.problem(block.text, ["image.tag"]) is None
    schema = _schema(title)
    if schema is not None:
        validator = jsonschema.Draft7Validator(SCHEMAS[schema])
        assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(data)] == []
    if schema == "kargo" and block.info.get("example") != "beside":  # which only completes what its fleet.yaml has
        identity = {
            "service": {"name": "nginx"},
            "image": {"repoURL": "example.com/nginx"},
            "git": {"repoURL": "https://github.com/example/gitops.git"},
        }
        values = merge(merge(read_chart(ROOT, None).defaults, identity), data)
        assert [problem.message for problem in rules.problems(pipeline_of(values))] == []


def test_the_example_of_the_layers(tmp_path: Path) -> None:
    example = {block.info["title"]: block.text for block in YAML_BLOCKS if block.info.get("example") == "layers"}
    result = example.pop("values/pay-card.yaml")
    for path, text in example.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for stage in ("dev", "prod"):
        (tmp_path / f"services/pay-card/values-{stage}.yaml").write_text("image:\n  tag: 1.0.0\n")
    assert cli.main(["-C", str(tmp_path), "generate", "pay-card"]) == 0
    written = (tmp_path / "values/pay-card.yaml").read_text()
    assert "".join(line for line in written.splitlines(keepends=True) if not line.startswith("#")) == result


@pytest.mark.slow
def test_the_example_of_objects_beside_the_pipeline(tmp_path: Path) -> None:
    """The blocks of the recipe are one fleet; Kargo takes what Helm renders of it."""
    files: dict[str, str] = {"fleet.yaml": "image: {registry: r.io}\ngit: {repoURL: https://git.example.com/a.git}\n"}
    for block in YAML_BLOCKS:
        if block.info.get("example") == "beside":
            title = block.info["title"]
            files[title] = files.get(title, "") + block.text
    services = [Path(title).parent.name for title in files if title != "fleet.yaml"]
    assert services == ["legacy", "web"]
    for service in services:
        for stage in ("dev", "staging", "prod"):
            files[f"services/{service}/values-{stage}.yaml"] = "image:\n  tag: 1.0.0\n"
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert cli.main(["-C", str(tmp_path), "generate", *services]) == 0
    units = {service: render(service, CHART, tmp_path / f"values/{service}.yaml") for service in services}
    template, task = (
        next(obj["spec"] for obj in units["legacy"] if obj["kind"] == kind)
        for kind in ("AnalysisTemplate", "PromotionTask")
    )
    assert template["args"] == [{"name": "host", "value": "legacy.example.org"}]
    assert task["vars"] == [{"name": "channel"}, {"name": "text", "value": "legacy was released"}]
    (secret,) = (obj for obj in units["web"] if obj["kind"] == "ExternalSecret")
    assert secret["metadata"]["name"] == "smoke-test-token"
    assert secret["spec"]["data"][0]["remoteRef"]["key"] == "smoke-tests/web"
    for service in services:
        known = [obj for obj in units[service] if obj["kind"] != "ExternalSecret"]
        assert kargo.unit_problems(known) == []
        assert [kargo.stored(obj) for obj in known] == known


def _recipe(heading: str) -> str:
    """Return the fleet.yaml of a recipe in docs/configuration.md."""
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return section.split("title=fleet.yaml\n", 1)[1].split("```", 1)[0]


def test_the_recipe_of_folders_per_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "fleet.yaml").write_text(_recipe("One folder per stage"))
    _write_values(tmp_path, *(f"envs/{stage}/web/values.yaml" for stage in ("dev", "staging", "prod")))
    _write_values(tmp_path, "envs/dev/tool-a/values.yaml", "envs/prod/tool-a/values.yaml")
    (tmp_path / "kargo").mkdir()
    (tmp_path / "kargo/web.yaml").write_text("warehouse: {interval: 10m}\n")
    rendered = _rendered(tmp_path, capsys)
    paths = {
        (one["metadata"]["namespace"], one["metadata"]["name"]): variable["value"]
        for one in rendered
        if one["kind"] == "Stage"
        for variable in one["spec"]["vars"]
        if variable["name"] == "path"
    }
    assert paths == {
        **{("kargo-web", stage): f"envs/{stage}/web/values.yaml" for stage in ("dev", "staging", "prod")},
        **{("kargo-tool-a", stage): f"envs/{stage}/tool-a/values.yaml" for stage in ("dev", "prod")},
    }
    assert "10m0s" in [one["spec"]["interval"] for one in rendered if one["kind"] == "Warehouse"]


def test_the_recipe_of_names_of_projects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = _recipe("One folder per stage").split("image:", 1)[1].split("groups:", 1)[0]
    (tmp_path / "fleet.yaml").write_text(f"image:{base}{_recipe('Names of Projects')}")
    _write_values(
        tmp_path,
        *(
            f"services/{name}/values-{stage}.yaml"
            for name in ("web", "billing")
            for stage in ("dev", "staging", "prod")
        ),
    )
    rendered = _rendered(tmp_path, capsys)
    named = {
        kind: [one["metadata"]["name"] for one in rendered if one["kind"] == kind] for kind in ("Project", "Namespace")
    }
    assert named == {"Project": ["billing-promotions", "acme-web"], "Namespace": ["acme-web"]}


def _write_values(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("image:\n  tag: 1.0.0\n")


def _rendered(root: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the manifests of the fleet at `root`, which has no mistakes, as Helm renders them."""
    shutil.copytree(
        ROOT / "charts/kargo-service", root / "charts/kargo-service", ignore=shutil.ignore_patterns("ci", "tests")
    )
    assert cli.main(["-C", str(root), "generate"]) == 0
    assert cli.main(["-C", str(root), "check"]) == 0, capsys.readouterr().out
    capsys.readouterr()
    assert cli.main(["-C", str(root), "render"]) == 0
    return [one for one in yaml.safe_load_all(capsys.readouterr().out) if one]


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ +(.+?) *$", _prose(page), re.MULTILINE)
    anchors: dict[str, int] = {}
    found = set()
    for heading in headings:
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = anchors.get(anchor, 0)
        anchors[anchor] = number + 1
        found.add(f"{anchor}-{number}" if number else anchor)
    return found


def _targets(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", _prose(page))


@pages
def test_links_resolve(page: Path) -> None:
    broken = []
    for target in _targets(page):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if may_be_gone(file):
            continue
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in _anchors(file)):
            broken.append(target)
    assert broken == []


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs/README.md"
    listed = {(index.parent / target.partition("#")[0]).resolve() for target in _targets(index)}
    assert {page for page in (ROOT / "docs").glob("*.md") if page != index} - listed == set()


PATCH_HEALTH = r"kubectl\b.* patch configmap argocd-cm\b"
APPLY_SETS = r"kubectl\b.* apply\b.* -f argocd/(?: |$)"


def test_the_health_checks_are_there_before_the_first_sync() -> None:
    """Without them a sync does not wait for a Project, so on every page the patch comes before the ApplicationSets."""
    orders = {}
    for page in PAGES:
        lines = list(_code(page))
        steps = [name for line in lines for name in (PATCH_HEALTH, APPLY_SETS) if re.search(name, line)]
        if PATCH_HEALTH in steps and APPLY_SETS in steps:
            orders[page.relative_to(ROOT).as_posix()] = steps
    assert {"docs/argocd.md", "docs/first-service.md"} <= orders.keys()
    assert [name for name, steps in orders.items() if steps.index(APPLY_SETS) < steps.index(PATCH_HEALTH)] == []


@pages
def test_make_targets_and_variables_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):.*##", makefile, re.MULTILINE))
    variables = set(re.findall(r"[A-Z_]{2,}", makefile))
    unknown = []
    for line in _code(page):
        for command in re.findall(r"(?:^|[;&|] ?)make((?: +[\w.=/:'-]+)+)", line.split(" #")[0]):
            for word in command.partition("'")[0].split():
                name, is_variable, _ = word.partition("=")
                if name not in (variables if is_variable else targets) and not name.startswith("-"):
                    unknown.append(word)
    assert unknown == []


@pages
def test_kargo_fleet_commands_and_options_exist(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for line in _code(page):
        found = re.match(r"(?:\.venv/bin/)?kargo-fleet +([^#|;&>]+)", line)
        if not found:
            continue
        arguments = [word for word in shlex.split(found[1]) if word not in ("…", "...")]
        status: object = 0
        try:
            parser().parse_args(arguments)
        except SystemExit as end:
            status = end.code
        assert not status, f"{line}: {capsys.readouterr().err}"


def test_every_command_is_in_the_table(run: Run) -> None:
    page = (ROOT / "docs" / "command-line.md").read_text()
    listed = {found[1].split()[0] for found in re.finditer(r"^\| `([a-z ]+)` \|", page, re.MULTILINE)}
    commands = set(re.findall(r"^    ([a-z]+)(?: |$)", run("help").stdout, re.MULTILINE))
    assert len(commands) > 10
    assert commands == listed


@pages
def test_codes_exist(page: Path) -> None:
    assert set(re.findall(r"\bKFW?\d+\b", page.read_text(encoding="utf-8"))) <= CODES.keys() | DOCTOR_CODES.keys()
