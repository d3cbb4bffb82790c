"""`kargo-fleet capacity`: it counts what Helm renders, its output keeps its shape, and its advice works."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

import helm
import samples
from bench import fleet as bench
from conftest import FLEET, Files, Run, Tree, service
from kargo_fleet.capacity import stored_objects
from kargo_fleet.files.reading import RepositoryReader
from kargo_fleet.fleet.chart import read_chart
from kargo_fleet.fleet.load import load_sound
from kargo_fleet.fleet.merge import merge
from kargo_fleet.text import yaml_writer
from kargo_fleet.unit.build import Inputs, build

ROOT = Path(__file__).parents[2]
CHART = read_chart(ROOT, None)
SAMPLES = [*samples.VALUES, *sorted((helm.CHART / "ci").glob("*.yaml"))]


def estimated(run: Run, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run `kargo-fleet capacity … --output json`; return its status and what it printed."""
    result = run("capacity", *arguments, "--output", "json")
    assert result.stdout, result.stderr
    return result.status, json.loads(result.stdout)


# -- Objects ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.name)
def test_objects_are_counted_as_helm_renders_them(file: Path) -> None:
    found = list(stored_objects.documents(CHART, {"nginx": file.read_text()}))
    rendered = helm.render("nginx", helm.CHART, file)
    assert Counter(document.kind for document in found) == Counter(document["kind"] for document in rendered)
    sizes = [len(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()) for document in rendered]
    assert sorted(document.size for document in found) == sorted(sizes)


@pytest.mark.slow
def test_one_of_each_shape_stands_for_the_others(tmp_path: Path) -> None:
    names = [made.name for made in bench.write(tmp_path, 24)]
    _, fleet, _ = load_sound(tmp_path)
    units = [build(Inputs(fleet, CHART), name, RepositoryReader(tmp_path)) for name in names]
    assert not any(one.broken for one in units)
    groups = stored_objects.representatives(units, CHART)
    assert len(groups) < 10
    assert sorted(index for indices in groups.values() for index in indices) == list(range(24))
    every = {
        document.service: found
        for one in units
        for found in [list(stored_objects.documents(CHART, {one.service: yaml_writer.document(one.overlay)}))]
        for document in found
    }
    for indices in groups.values():
        first, *others = (every[units[index].service] for index in indices)
        for other in others:
            assert Counter(document.kind for document in other) == Counter(document.kind for document in first)
            size = sum(document.size for document in first)
            assert sum(document.size for document in other) == pytest.approx(size, rel=0.04)


@pytest.mark.slow
def test_the_sample_fleet_is_counted_exactly(capsys: pytest.CaptureFixture[str]) -> None:
    from kargo_fleet.cli.main import main

    assert main(["-C", str(samples.FLEET), "capacity", "--output", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["capacity"]
    counted = {item["kind"]: item["count"] for item in found["objects"] if item["source"] == "chart"}
    rendered: Counter[str] = Counter()
    for file in samples.VALUES:
        rendered.update(document["kind"] for document in helm.render(file.stem, helm.CHART, file))
    assert counted == rendered
    assert (found["services"], found["namespaces"]) == (8, 8)


# -- The command -----------------------------------------------------------------------------------------------------


def test_the_sample_fleet_fits(capsys: pytest.CaptureFixture[str]) -> None:
    from kargo_fleet.cli.main import main

    assert main(["-C", str(samples.FLEET), "capacity", "--output", "text"]) == 0
    out, err = capsys.readouterr()
    assert out.endswith("set: nothing; every limit is used 70 % or less\n")
    assert "breaks first: registry rate limit, registry.example.com" in out
    assert err == "8 services: fits\n"


def test_the_example_in_the_documentation_is_what_it_prints(capsys: pytest.CaptureFixture[str]) -> None:
    from kargo_fleet.cli.main import main

    page = (ROOT / "docs/scaling.md").read_text()
    shown = page.partition("$ kargo-fleet capacity --services 10000\n")[2].partition("```")[0]
    assert main(["-C", str(samples.FLEET), "capacity", "--services", "10000", "--output", "text"]) == 1
    assert capsys.readouterr().out == shown, "put what it prints into docs/scaling.md"


#: The rows of the table in docs/scaling.md, and where the command prints their cells.
ROWS = {
    "Namespaces, Projects": r"in ([\d,]+) namespaces",
    "Objects that the chart installs": r"by the chart +([\d,]+),",
    "Objects that Kargo, Kubernetes and Argo CD create for them": r"by others +([\d,]+),",
    "Promotions and Freight that are kept": r"by releases +([\d,]+),",
    "Database of etcd": r"etcd: database of ([\d.]+ \w+)",
    "Discoveries per second": r"\(default\) +[\d,]+ +([\d.]+)",
    "Requests per second to the registry, of 20": r"registry\.example\.com +\(default\) +[\d,]+ +[\d.]+ +([\d,]+)",
    "Promotions per hour on one branch, of 1,200": r"platform@main +([\d.,]+) +1,200",
    "ApplicationSets": r"Argo CD: (\d+) ApplicationSet",
    "First creation of the fullest": r"first creation ([\d.]+ s)",
    "A look at the fullest, every 600 s": r"then ([\d.]+ s) every 600 s",
}


@pytest.mark.parametrize(("column", "services"), [(1, 100), (2, 1000), (3, 10000)])
def test_the_table_of_fleet_sizes_is_what_it_prints(
    column: int, services: int, capsys: pytest.CaptureFixture[str]
) -> None:
    from kargo_fleet.cli.main import main

    page = (ROOT / "docs/scaling.md").read_text()
    table = page.partition("| The sample fleet, enlarged")[2].partition("\n\n")[0]
    cells = {row.split(" | ")[0][2:]: row.strip(" |").split(" | ")[column] for row in table.splitlines()[2:]}
    main(["-C", str(samples.FLEET), "capacity", "--services", str(services), "--output", "text"])
    printed = capsys.readouterr().out
    found = {name: match[1] for name, pattern in ROWS.items() if (match := re.search(pattern, printed))}
    assert found == {name: cell for name, cell in cells.items() if name != "What to set"}


def _with(files: Files, text: str) -> Files:
    return {**files, "fleet.yaml": FLEET + text}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extra", "arguments"),
    [
        ("values: {warehouse: {interval: 5m}}\n", ()),
        ("values: {image: {cacheByTag: true}, warehouse: {interval: 5m}}\n", ()),
        ("values: {image: {constraint: latest, imageSelectionStrategy: Digest}}\n", ()),
        ("groups: {slow: {services: ['a*'], values: {warehouse: {interval: 30m}}}}\n", ()),
        ("", ("--set", "secondsPerRequest=0.5")),
        ("", ("--releases-per-day", "0.5")),
    ],
    ids=["defaults", "cached", "digest", "group", "slow-registry", "releases"],
)
def test_advice_that_is_followed_works(tree: Tree, run: Run, extra: str, arguments: tuple[str, ...]) -> None:
    root = tree(_with(service("api"), extra))
    size = ("--services", "10000", *arguments)
    status, before = estimated(run, *size)
    assert status == 1
    assert before["capacity"]["breaksFirst"]["resource"] in ("registry rate limit", "Warehouse reconciler")
    advice = before["capacity"]["advice"]
    assert advice["remaining"] == []
    for chosen in filter(None, (advice["fleet.yaml"], advice["alternative"])):
        (root / "fleet.yaml").write_text(yaml.safe_dump(merge(yaml.safe_load(FLEET + extra), chosen)))
        status, after = estimated(run, *size)
        assert (status, after["findings"]) == (0, []), chosen
        assert after["capacity"]["advice"]["needed"] is False


def test_ten_thousand_services_are_asked_for_too_often(tree: Tree, run: Run) -> None:
    tree({})
    status, said = estimated(run, "--services", "10000")
    assert status == 1
    first = said["capacity"]["breaksFirst"]
    assert (first["code"], first["resource"]) == ("KF901", "registry rate limit")
    assert first["load"] == pytest.approx(10000 * 43 / 300, rel=1e-3)
    assert first["fullAtServices"] == 130
    worst = said["findings"][0]
    assert worst["code"] == "KF901"
    assert "registry.example.com from the default controller: 1,433 of 20 requests/s" in worst["message"]
    assert worst["fix"].startswith("set image.cacheByTag: true")


def test_assumptions_stand_in_fleet_yaml(tree: Tree, run: Run) -> None:
    tree(_with({}, "capacity: {rateLimit: 40, secondsPerPush: 1.5, minReconciliationInterval: 10m}\n"))
    _, said = estimated(run, "--set", "rateLimit=60")
    assumed = said["capacity"]["assumptions"]
    assert (assumed["rateLimit"], assumed["secondsPerPush"]) == (60, 1.5)
    assert assumed["minReconciliationInterval"] == 600


def test_what_if_options(tree: Tree, run: Run) -> None:
    tree({})
    _, hourly = estimated(run, "--services", "600", "--interval", "1h")
    assert hourly["capacity"]["controllers"][0]["discoveries"] == pytest.approx(600 / 3600, rel=1e-4)
    _, shared = estimated(run, "--services", "600", "--shards", "3")
    assert [item["services"] for item in shared["capacity"]["controllers"]] == [200, 200, 200]
    _, often = estimated(run, "--releases-per-day", "10")
    assert often["capacity"]["kept"]["promotions"] == 420


def test_helm_or_argocd_keeps_an_object_of_its_own(tree: Tree, run: Run) -> None:
    tree({})
    beside = {}
    for way in ("argocd", "helm"):
        _, said = estimated(run, "--set", f"installedBy={way}")
        beside[way] = {item["kind"] for item in said["capacity"]["objects"] if item["source"] == "beside"}
    assert "Application" in beside["argocd"] - beside["helm"]
    assert "Secret" in beside["helm"] - beside["argocd"]


def test_services_with_errors_are_left_out_and_counted(tree: Tree, run: Run) -> None:
    tree(service("api", kargo="image: {constrant: ^1.0.0}\n"))
    result = run("capacity")
    assert result.status == 1
    assert result.stderr == "1 service: fits; 1 service with errors left out, see `kargo-fleet check`\n"
    assert estimated(run)[1]["leftOut"] == ["api"]


def test_a_fleet_that_is_not_there_yet_has_a_capacity(tree: Tree, run: Run) -> None:
    tree({"fleet.yaml": "", **dict.fromkeys(service("nginx"))})
    assert run("capacity").status == 2
    status, said = estimated(run, "--services", "100")
    assert (status, said["capacity"]["services"]) == (0, 100)
    assert said["capacity"]["registries"][0]["host"] == "registry.example.com"


def test_an_unusable_fleet_yaml_is_an_error(tree: Tree, run: Run) -> None:
    tree(_with({}, "capacity: {rateLimt: 40}\n"))
    result = run("capacity")
    assert result.status == 2
    assert "capacity.rateLimt: unknown key" in result.stderr


def test_annotations_for_github(tree: Tree, run: Run) -> None:
    tree({})
    result = run("capacity", "--services", "5000", "--output", "github")
    assert result.status == 1
    assert result.stdout.startswith("::error file=fleet.yaml,title=KF901::registry rate limit")


def test_it_writes_nothing(tree: Tree, run: Run) -> None:
    root = tree({})
    before = sorted(path.relative_to(root) for path in root.rglob("*"))
    run("capacity", "--services", "1000")
    assert sorted(path.relative_to(root) for path in root.rglob("*")) == before


def test_the_same_fleet_twice_is_the_same_text(tree: Tree, run: Run) -> None:
    tree(service("api", kargo="shard: b\n") | service("web", kargo="shard: a\nwarehouse: {interval: 1h}\n"))
    assert run("capacity", "--services", "777") == run("capacity", "--services", "777")
