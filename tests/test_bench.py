"""The benchmarks: the fleets they make, what they compute, what they say, and that all contestants give the same objects.

How long anything takes is never asserted.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import fleet, lanes, layouts, measure, programs, report
from bench.lanes import GENERATE, OURS, RENDERING, SCAN, Contestant, Referee, Results, Settings, Site
from bench.layouts import BenchError
from bench.measure import COLD, WARM, Run
from bench.peers import PEERS, Peer, World
from conftest import COMMAND

ROOT = Path(__file__).parents[1]


def files(root: Path) -> dict[str, bytes]:
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}


# The generator.


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    fleet.write(tmp_path / "a", 30, seed=7)
    fleet.write(tmp_path / "b", 30, seed=7)
    fleet.write(tmp_path / "c", 30, seed=8)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert files(tmp_path / "a") != files(tmp_path / "c")


def test_a_smaller_fleet_is_the_beginning_of_a_larger_one(tmp_path: Path) -> None:
    fleet.write(tmp_path / "small", 10)
    fleet.write(tmp_path / "large", 40)
    assert files(tmp_path / "small").items() <= files(tmp_path / "large").items()


# What runs come to.


def runs(lane: str, contestant: str, size: int, walls: list[float], mode: str = WARM, memory: int = 10**8) -> list[Run]:
    return [
        Run(lane, contestant, size, mode, number, wall, wall / 2, memory + number)
        for number, wall in enumerate(walls, 1)
    ]


def test_summary() -> None:
    found = measure.summary(runs(SCAN, GENERATE, 100, [3.0, 1.0, 2.5]))
    assert found == measure.Summary(runs=3, least=1.0, median=2.5, most=3.0, cpu=1.25, memory=10**8 + 3)
    assert measure.summary([]) is None


@pytest.mark.parametrize(
    ("times", "expected", "extrapolated"),
    [
        ({100: 2.0}, 200, 200),  # nothing is known of its growth
        ({10: 1.0, 100: 1.9}, 100.9, 100.9),  # 0.9 s to start, and 10 ms for each service
        ({100: 1.0, 1000: 10.0}, 100, 100),
        ({100: 1.0, 1000: 100.0}, 10_000, 1_090),  # grows with the square
        ({100: 1.0, 1000: 0.9}, 0.9, 0.9),  # nothing but noise
    ],
)
def test_what_was_not_measured(times: dict[int, float], expected: float, extrapolated: float) -> None:
    assert measure.expected(times, 10_000) == pytest.approx(expected)
    assert measure.extrapolated(times, 10_000) == pytest.approx(extrapolated)


@pytest.mark.parametrize(
    ("given", "shown"), [("90m", "1h30m0s"), ("15m", "15m0s"), ("24h", "24h0m0s"), ("71m13s", "1h11m13s"), ("9s", "9s")]
)
def test_durations_are_written_as_go_does(given: str, shown: str) -> None:
    assert layouts.go_duration(given) == shown


# Measuring.


def test_a_command_is_measured(tmp_path: Path) -> None:
    script = "import subprocess, sys; x = b'x' * 60_000_000; subprocess.run([sys.executable, '-c', 'print(1)'])"
    log = tmp_path / "log"
    used = measure.command([sys.executable, "-c", script], tmp_path, os.environ, 60, log)
    assert (used.status, log.read_text()) == (0, "1\n")
    assert used.wall > 0
    assert used.cpu > 0
    assert used.memory > 60_000_000


def test_a_command_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    used = measure.command(["sh", "-c", "sleep 60; true"], tmp_path, os.environ, 0.2, tmp_path / "log")
    assert used.status == lanes.TIMED_OUT


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="could not be started"):
        measure.command([str(tmp_path / "nothing")], tmp_path, os.environ, 10, tmp_path / "log")


def test_what_is_expected_to_take_too_long_is_not_begun(tmp_path: Path) -> None:
    slow = Contestant(RENDERING, "helm", ["false"], tmp_path, lambda _mode: None)
    results = Results(runs(RENDERING, "helm", 100, [5.0]))
    settings = Settings((100, 10_000), 1, 60, 10)
    assert not lanes._begins(slow, 10_000, settings, results, lambda _text: None)
    assert "expected to take 500 s" in results.left_out["helm"][10_000]
    assert lanes._begins(slow, 200, settings, results, lambda _text: None)


def test_what_fails_is_no_result(tmp_path: Path) -> None:
    site, results = Site(tmp_path / "site", 5), Results()
    failing = Contestant(SCAN, GENERATE, ["sh", "-c", "echo why; exit 3"], tmp_path, lambda _mode: None)
    with pytest.raises(BenchError, match=r"status 3:\nwhy"):
        lanes._measure(failing, site, 1, Settings((5,), 1, 60, 5, cold=False), results, lambda _text: None)
    assert results.runs == []


# The page.


def made_up(*more: list[Run], sizes: tuple[int, ...] = (1_000, 10_000)) -> report.Report:
    results = Results([run for group in more for run in group], commands={"envsubst": "find services | xargs"})
    settings = Settings(sizes, 3, 60, 500)
    return report.Report({"CPU": "one"}, {"kargo-fleet": "0.1.0"}, settings, results)


def complete() -> report.Report:
    return made_up(
        runs(SCAN, "floor", 10_000, [2.0]),
        runs(SCAN, GENERATE, 1_000, [0.4]),
        runs(SCAN, GENERATE, 10_000, [3.0, 3.5, 9.0]),
        runs(SCAN, GENERATE, 10_000, [6.0], COLD, memory=260 * 10**6),
        runs(SCAN, "noop", 10_000, [0.7]),
        runs(RENDERING, OURS, 1_000, [1.0]),
        runs(RENDERING, OURS, 10_000, [12.0]),
        runs(RENDERING, "envsubst", 1_000, [0.5]),
        runs(RENDERING, "envsubst", 10_000, [20.0]),
        runs(RENDERING, "helm", 1_000, [30.0]),
    )


def test_goals() -> None:
    found = {goal.work: (goal.measured, goal.holds) for goal in report.goals(complete())}
    assert found["generate, from scratch"] == ("3.5 s", True)
    assert found["generate, from scratch, over the floor"] == ("1.8 times", True)
    assert found["generate, nothing to do"] == ("0.70 s", False)
    assert found["check"] == ("", None)
    assert found["peak memory of generate and check"] == ("260 MB", False)
    assert found["render, every unit"] == ("12 s", True)
    assert found["growth 1,000 → 10,000, generate"] == ("8.8 times", True)
    assert found["growth 1,000 → 10,000, render"] == ("12 times", False)


def test_goals_that_were_not_measured_are_not_met() -> None:
    small = made_up(runs(SCAN, GENERATE, 20, [0.1]), sizes=(20,))
    assert {goal.holds for goal in report.goals(small)} == {None}


def test_page() -> None:
    page = report.page(complete())
    assert "Rendering 10,000 services, kargo-fleet render is the fastest of 3: 12 s." in page
    assert "helm template loop 25 times" in page
    assert "- envsubst loop: 0.50 s against 1.0 s at 1,000; it copies text" in page
    assert "| helm template loop | 30 s | ≈ 300 s\\* |" in page
    assert "\\* Extrapolated" in page
    assert "3.0 / 3.5 / 9.0 s" in page
    assert "| generate, nothing to do | at most 0.50 s | 0.70 s | **no** |" in page
    assert 'make bench SIZES="1000 10000" ROUNDS=3 LIMIT=60' in page


def test_a_page_where_others_are_ahead() -> None:
    page = report.page(made_up(runs(RENDERING, OURS, 100, [2.0]), runs(RENDERING, "jsonnet", 100, [0.5])))
    assert "Rendering 100 services takes kargo-fleet render 2.0 s. jsonnet -m (0.50 s) is faster." in page
    assert "- jsonnet -m: 0.50 s against 2.0 s at 100; it is one process" in page
    assert "Extrapolated" not in page


def test_a_run_that_was_stopped_is_not_extrapolated() -> None:
    found = complete()
    found.results.stopped["helm"] = {10_000: 240.0}
    page = report.page(found)
    assert "| helm template loop | 30 s | > 240 s |" in page
    assert "helm template loop over 20 times" in page
    assert "\\* Extrapolated" not in page
    assert report.from_json(report.to_json(found)) == found


def test_a_page_without_this_tool() -> None:
    found = made_up(runs(RENDERING, "cue", 100, [2.0]))
    found.results.missing[OURS] = "there is none"
    assert "**kargo-fleet render was not measured: there is none.**" in report.page(found)


def test_what_is_kept_is_what_was_measured() -> None:
    text = report.to_json(complete())
    kept = report.from_json(text)
    assert kept == complete()
    assert report.to_json(kept) == text


def test_the_page_is_that_of_the_measurements_that_are_kept() -> None:
    kept = report.from_json((ROOT / "docs" / "benchmarks.json").read_text())
    assert (ROOT / "docs" / "benchmarks.md").read_text() == report.page(kept), "run: python -m bench report"


def test_the_same_numbers_give_the_same_plot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="only `make bench` installs matplotlib")
    from bench import plot

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        plot.write(complete(), tmp_path / name)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert "helm template loop" in (tmp_path / "a" / "benchmarks-rendering.svg").read_text()


# The contestants.

SIZE = 20


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A generated fleet that has all layouts, and what the chart makes of them."""
    if why := programs.why_missing("helm", programs.HELM):
        pytest.skip(f"helm: {why}")
    root = tmp_path_factory.mktemp("fleet")
    fleet.write(root / "fleet", SIZE)
    done = subprocess.run(
        [*COMMAND, "-C", str(root / "fleet"), "generate"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (root / "layouts").mkdir()
    found = World(root / "fleet", layouts.units(root / "fleet"), layouts.derive(root / "fleet", root / "layouts"))
    assert sorted(found.layouts) == ["own", "own-restricted", "plain", "plain-restricted"]
    return found


@pytest.fixture(scope="module")
def referee() -> Referee:
    return Referee(SIZE)


@pytest.mark.slow
def test_what_was_learnt_is_what_the_chart_renders(world: World) -> None:
    for unit in world.units[:8]:
        values = unit.parameters
        filled = layouts.fill(world.layouts[unit.layout], lambda parameter, values=values: values[parameter.name])
        rendered = layouts.helm_template(unit.name, world.fleet / "values" / f"{unit.name}.yaml")
        assert layouts.by_identity(filled) == layouts.by_identity(rendered)


@pytest.mark.slow
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.key)
def test_contestants_give_the_same_objects(peer: Peer, world: World, referee: Referee, tmp_path: Path) -> None:
    if why := peer.missing():
        pytest.skip(f"{peer.title}: {why}")
    site = Site(tmp_path / "site", SIZE)
    project, out = tmp_path / "project", tmp_path / "out"
    project.mkdir()
    out.mkdir()
    peer.prepare(project, world)
    used = measure.command(peer.command(world, out), project, site.environment, 300, site.log)
    assert used.status == 0, measure.tail(site.log)
    assert referee.compare(peer, world, out) == SIZE


@pytest.mark.slow
def test_a_contestant_with_other_objects_is_found_out(world: World, referee: Referee, tmp_path: Path) -> None:
    peer = next(peer for peer in PEERS if peer.key == "envsubst")
    for unit in world.units:
        objects = layouts.fill(world.layouts[unit.layout], lambda _parameter: "other")
        (tmp_path / f"{unit.name}.yaml").write_text(layouts.yaml_text(objects, lambda _parameter: ""))
    with pytest.raises(BenchError, match="objects differ from the chart's"):
        referee.compare(peer, world, tmp_path)
    (tmp_path / f"{world.units[0].name}.yaml").unlink()
    with pytest.raises(BenchError, match="no output for 1 services"):
        referee.compare(peer, world, tmp_path)
