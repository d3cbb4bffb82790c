"""The page of a benchmark, computed from its measurements."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from bench import measure
from bench.lanes import (
    CHANGED,
    CHECK,
    FLOOR,
    GENERATE,
    NAMED,
    NO_CACHE,
    NOOP,
    OURS,
    RENDERING,
    SCAN,
    TASKS,
    Results,
    Settings,
)
from bench.measure import COLD, WARM, Run, Summary
from bench.peers import PEERS

#: The size of the goals, and the size from which growth is measured.
LARGE: Final = 10_000
MEDIUM: Final = 1_000
TITLES: Final = {peer.key: peer.title for peer in PEERS}
_BY_KEY: Final = {peer.key: peer for peer in PEERS}

Row = Sequence[str]


class Time(NamedTuple):
    """A time in seconds. `mark` precedes it on the page; it is empty for a measured time."""

    value: float
    mark: str = ""


_EXTRAPOLATED: Final = "≈ "
_STOPPED: Final = "> "


@dataclass(frozen=True)
class Report:
    """A benchmark, as stored in docs/benchmarks.json."""

    machine: dict[str, str]
    versions: dict[str, str]
    settings: Settings
    results: Results

    @property
    def sizes(self) -> list[int]:
        return sorted({run.size for run in self.results.runs})

    def summary(self, lane: str, contestant: str, size: int, mode: str = WARM) -> Summary | None:
        return measure.summary(self.results.of(lane, contestant, size, mode))

    def median(self, lane: str, contestant: str, size: int) -> float | None:
        """Return the median of the warm runs."""
        found = self.summary(lane, contestant, size)
        return found.median if found else None

    def time(self, contestant: str, size: int) -> Time | None:
        """Return a contestant's time for rendering: measured, or the time until it was stopped, or extrapolated.

        None if there are no measurements.
        """
        median = self.median(RENDERING, contestant, size)
        if median is not None:
            return Time(median)
        if stopped := self.results.stopped.get(contestant, {}).get(size):
            return Time(stopped, _STOPPED)
        times = self.results.times(RENDERING, contestant)
        if not times or size < max(times):
            return None
        return Time(measure.extrapolated(times, size), _EXTRAPOLATED)

    @property
    def contestants(self) -> list[str]:
        """The contestants of the rendering lane that were measured, in their usual order."""
        there = {run.contestant for run in self.results.runs if run.lane == RENDERING}
        return [peer.key for peer in PEERS if peer.key in there]


def machine() -> dict[str, str]:
    """Return a description of this machine."""
    cpu = _field(Path("/proc/cpuinfo"), "model name") or platform.processor() or platform.machine()
    kibibytes = int((_field(Path("/proc/meminfo"), "MemTotal") or "0").split()[0])
    return {
        "CPU": f"{cpu}, {os.cpu_count()} cores",
        "Memory": f"{kibibytes / 2**20:.0f} GiB",
        "Kernel": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_version()}, PyYAML {yaml.__version__}",
        "Load before the run": f"{os.getloadavg()[0]:.1f}",
    }


def _field(file: Path, name: str) -> str | None:
    lines = file.read_text().splitlines() if file.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)


def to_json(report: Report) -> str:
    """Write a report as JSON, a line for each run so that a change of it can be read."""
    results = report.results
    head = {
        "machine": report.machine,
        "versions": report.versions,
        "settings": asdict(report.settings),
        "missing": results.missing,
        "left_out": results.left_out,
        "stopped": results.stopped,
        "commands": results.commands,
        "compared": results.compared,
    }
    runs = ",\n".join(f"    {json.dumps(run.to_json())}" for run in results.runs)
    return f'{json.dumps(head, indent=2, ensure_ascii=False)[:-2]},\n  "runs": [\n{runs}\n  ]\n}}\n'


def from_json(text: str) -> Report:
    """Return the report that to_json wrote."""
    data: dict[str, Any] = json.loads(text)
    settings = data["settings"] | {key: tuple(data["settings"][key]) for key in ("sizes", "peers")}

    def by_size(table: dict[str, dict[str, Any]]) -> dict[str, dict[int, Any]]:
        return {key: {int(size): value for size, value in row.items()} for key, row in table.items()}

    results = Results(
        [Run(**run) for run in data["runs"]],
        data["missing"],
        by_size(data["left_out"]),
        by_size(data["stopped"]),
        data["commands"],
        by_size(data["compared"]),
    )
    return Report(data["machine"], data["versions"], Settings(**settings), results)


# Numbers as strings.


def seconds(value: float) -> str:
    """Return a time with its significant digits."""
    if value < 0.995:
        return f"{value:.2f} s"
    if value < 9.95:
        return f"{value:.1f} s"
    return f"{value:,.0f} s"


def megabytes(value: float) -> str:
    return f"{value / 1e6:,.0f} MB"


def times(value: float) -> str:
    return f"{value:.1f} times" if value < 9.95 else f"{value:,.0f} times"


def listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def table(head: Row, rows: Iterable[Row]) -> str:
    """Return a Markdown table; the first column is left-aligned, the others right-aligned."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# The goals.


@dataclass(frozen=True)
class Goal:
    """A goal and its measurement, as strings, and whether the goal is met; None if it was not measured."""

    work: str
    goal: str
    measured: str
    holds: bool | None

    @property
    def verdict(self) -> str:
        return {True: "yes", False: "**no**", None: "not measured"}[self.holds]


def _at_most(work: str, most: float, value: float | None, show: Callable[[float], str]) -> Goal:
    shown = "" if value is None else show(value)
    return Goal(work, f"at most {show(most)}", shown, None if value is None else value <= most)


def _ratio(over: float | None, under: float | None) -> float | None:
    return over / under if over is not None and under else None


def goals(report: Report) -> list[Goal]:
    """Return the goals with a report's measurements."""

    def scan(task: str, size: int = LARGE) -> float | None:
        return report.median(SCAN, task, size)

    def memory(lane: str, tasks: Sequence[str]) -> float | None:
        found = [s for task in tasks for mode in (COLD, WARM) if (s := report.summary(lane, task, LARGE, mode))]
        return max((summary.memory for summary in found), default=None)

    generates = (GENERATE, NOOP, NOOP + NO_CACHE, CHECK, CHECK + NO_CACHE, CHANGED, NAMED)
    rendered = {size: report.median(RENDERING, OURS, size) for size in (MEDIUM, LARGE)}
    growth = f"{MEDIUM:,} → {LARGE:,}"
    return [
        _at_most(TASKS[GENERATE], 4, scan(GENERATE), seconds),
        _at_most(f"{TASKS[GENERATE]}, over the floor", 2, _ratio(scan(GENERATE), scan(FLOOR)), times),
        _at_most(TASKS[NOOP], 0.5, scan(NOOP), seconds),
        _at_most(TASKS[CHECK], 0.5, scan(CHECK), seconds),
        _at_most(TASKS[CHANGED], 0.6, scan(CHANGED), seconds),
        *(_at_most(f"{TASKS[NAMED]}, of {n:,} services", 0.2, scan(NAMED, n), seconds) for n in (100, MEDIUM, LARGE)),
        _at_most("render, every unit", 15, rendered[LARGE], seconds),
        _at_most("peak memory of generate and check", 250e6, memory(SCAN, generates), megabytes),
        _at_most("peak memory of render", 600e6, memory(RENDERING, (OURS,)), megabytes),
        _at_most(f"growth {growth}, generate", 11, _ratio(scan(GENERATE), scan(GENERATE, MEDIUM)), times),
        _at_most(f"growth {growth}, render", 11, _ratio(rendered[LARGE], rendered[MEDIUM]), times),
    ]


# The page.

_SCAN: Final = (
    "From `services/` and `fleet.yaml` to `values/` and `argocd/`, which no other tool does. The floor is a plain Python "
    "script that only parses the same input files with PyYAML's C loader and writes as many bytes to the same output files. "
    "Warm, median:"
)


def page(report: Report) -> str:
    """Return the content of docs/benchmarks.md."""
    parts = [
        "# Benchmarks",
        "<!-- Generated by `make bench`, from benchmarks.json. Do not edit; run `python -m bench report` to update it. -->",
        *_conclusion(report),
        "## Goals",
        f"At {LARGE:,} services. Time is the median of the warm runs; memory is the maximum of all runs, including cold runs.",
        table(
            ["Work", "Goal", "Measured", "Met"],
            [[goal.work, goal.goal, goal.measured, goal.verdict] for goal in goals(report)],
        ),
        "## Rendering",
        "From prepared inputs to all manifests on disk. Warm, median:",
        "![Time of rendering over the number of services](benchmarks-rendering.svg)",
        _rendering_table(report),
        *_marks(report),
        *_not_measured(report),
        "## Scan and values",
        _SCAN,
        "![Time of generate and check over the number of services](benchmarks-scan.svg)",
        _scan_table(report),
        "## All numbers",
        *_details(report),
        "## The machine",
        table(["Property", "Value"], report.machine.items()).replace("---:", "---"),
        "## Versions",
        table(["Program", "Version"], report.versions.items()).replace("---:", "---"),
        "## Commands",
        *_commands(report),
        "## Method",
        *_method(report),
    ]
    return "\n\n".join(parts) + "\n"


def _conclusion(report: Report) -> Iterator[str]:
    if not report.contestants:
        return
    size = report.sizes[-1]
    known = {key: found for key in report.contestants if (found := report.time(key, size))}
    fastest = min(known, key=lambda key: known[key].value)
    if OURS not in known:
        why = report.results.missing.get(OURS, "it took too long")
        yield f"**{TITLES[OURS]} was not measured: {why}.**"
        yield f"Of the others, {TITLES[fastest]} is the fastest at {size:,} services: {_time(known[fastest])}."
        return
    ours = known[OURS].value
    slower = [
        f"{TITLES[key]} {'over ' if time.mark == _STOPPED else ''}{times(time.value / ours)}"
        for key, time in _by_time(known)
        if time.value > ours
    ]
    if fastest == OURS:
        text = f"Rendering {size:,} services, {TITLES[OURS]} is the fastest of {len(known)}: {_time(known[OURS])}."
    else:
        ahead = [f"{TITLES[key]} ({_time(time)})" for key, time in _by_time(known) if time.value < ours]
        verb = "is" if len(ahead) == 1 else "are"
        text = f"Rendering {size:,} services takes {TITLES[OURS]} {_time(known[OURS])}. {listed(ahead)} {verb} faster."
    yield text + (f" Slower, as a multiple of its time: {listed(slower)}." if slower else "")
    faster = list(_ahead(report))
    if faster:
        yield "Faster tools, and why:"
        yield "\n".join(faster)
    generate = report.median(SCAN, GENERATE, size)
    floor = report.median(SCAN, FLOOR, size)
    if generate and floor:
        yield (
            f"Generating the values of {size:,} services from scratch takes {seconds(generate)}, {times(generate / floor)} the time of "
            f"a Python script that only reads the inputs and writes the outputs."
        )


def _by_time(known: dict[str, Time]) -> list[tuple[str, Time]]:
    return sorted(known.items(), key=lambda item: item[1].value)


def _ahead(report: Report) -> Iterator[str]:
    """Yield a line for each contestant that is faster than kargo-fleet: at which sizes, by how much, and why."""
    for key in report.contestants:
        sizes = []
        for size in report.sizes:
            ours, theirs = report.time(OURS, size), report.time(key, size)
            if key != OURS and ours and theirs and theirs.value < ours.value:
                sizes.append(f"{_time(theirs)} against {_time(ours)} at {size:,}")
        if sizes:
            why = _BY_KEY[key].why_faster
            yield f"- {TITLES[key]}: {listed(sizes)}" + (f"; {why}." if why else ".")


def _time(found: Time | None) -> str:
    if found is None:
        return ""
    star = "\\*" if found.mark == _EXTRAPOLATED else ""
    return f"{found.mark}{seconds(found.value)}{star}"


def _rendering_table(report: Report) -> str:
    rows = [[TITLES[key], *(_time(report.time(key, n)) for n in report.sizes)] for key in report.contestants]
    return table(["", *(f"{size:,}" for size in report.sizes)], rows)


def _scan_table(report: Report) -> str:
    def row(task: str) -> Row:
        medians = [report.median(SCAN, task, size) for size in report.sizes]
        return [TASKS[task], *("" if median is None else seconds(median) for median in medians)]

    measured = [task for task in TASKS if report.results.times(SCAN, task)]
    return table(["", *(f"{size:,}" for size in report.sizes)], map(row, measured))


def _marks(report: Report) -> Iterator[str]:
    """Explain the asterisk, if the page has one."""
    found = [report.time(key, size) for key in report.contestants for size in report.sizes]
    if any(time and time.mark == _EXTRAPOLATED for time in found):
        yield (
            "\\* Extrapolated, not measured: on the line through the two largest measured sizes, which favours tools that grow "
            f"faster than linearly. Runs that were expected to take longer than {report.settings.limit:,.0f} s were not started."
        )


def _not_measured(report: Report) -> Iterator[str]:
    lines = [f"- {TITLES[key]}: {why}." for key, why in report.results.missing.items()]
    lines += [
        f"- {TITLES[key]}, at {size:,} services: {why}."
        for key, reasons in report.results.left_out.items()
        for size, why in reasons.items()
        if key in TITLES
    ]
    if lines:
        yield "Not measured:"
        yield "\n".join(lines)


def _details(report: Report) -> Iterator[str]:
    yield (
        "Time is the minimum / median / maximum of all rounds, CPU time (user and system) the median, memory the maximum, each of the "
        "whole process tree. Memory below 10 MB cannot be measured."
    )
    head = ["", "Cold", "CPU", "Memory", "Warm", "CPU", "Memory"]
    for size in report.sizes:
        yield f"### {size:,} services"
        rows: list[Row] = []
        for lane, keys in ((SCAN, list(TASKS)), (RENDERING, report.contestants)):
            for key in keys:
                cells = [cell for mode in (COLD, WARM) for cell in _cells(report.summary(lane, key, size, mode))]
                if any(cells):
                    rows.append([TASKS[key] if lane == SCAN else TITLES[key], *cells])
        yield table(head, rows)


def _cells(summary: Summary | None) -> Row:
    if summary is None:
        return ["", "", ""]
    wall = " / ".join(seconds(value).removesuffix(" s") for value in (summary.least, summary.median, summary.most))
    return [f"{wall} s", seconds(summary.cpu), megabytes(summary.memory)]


def _commands(report: Report) -> Iterator[str]:
    settings = report.settings
    sizes = " ".join(str(size) for size in settings.sizes)
    yield f'To reproduce everything: `make bench SIZES="{sizes}" ROUNDS={settings.rounds} LIMIT={settings.limit:g}`.'
    yield "FLEET is the folder of the fleet, OUT the output folder of the manifests."
    for key in report.contestants:
        yield f"### {TITLES[key]}"
        yield _BY_KEY[key].how
        yield f"```text\n{report.results.commands.get(key, '')}\n```"


def _method(report: Report) -> Iterator[str]:
    settings = report.settings
    yield (
        "- The fleets come from a seeded generator, `bench/fleet.py`: three stages with a values file each, a `kargo.yaml` for a "
        "third of the services, groups that give a fifth of them access rules and a quota. A smaller fleet is the beginning of a "
        "larger fleet.\n"
        "- The peers' projects are derived from the chart: each layout of objects is rendered once by helm template with placeholder "
        "values as parameters, and written in the peer's own language with references in their place. So every project matches "
        "the chart.\n"
        "- After the first run of each peer, its output is parsed and compared with helm template's, object by object. A difference "
        f"stops the benchmark. Compared: {_compared(report)}.\n"
        "- Runs are interleaved: a round runs all contestants, so that a disturbance of the machine affects all of them. "
        f"{_rounds(settings.rounds)} per size; runs longer than {settings.slow:.0f} s have a cold run in the first round only.\n"
        f"- {_cold(report)}\n"
        "- Each run is a process group of its own. Time is measured until the command ends; CPU time is that of the process and all "
        "processes it waited for; memory is the larger of the kernel's maximum for a single process and a sample of the whole tree "
        "every 50 ms, with shared memory counted once.\n"
        "- The user's caches, plugins and settings are not used. Writing a peer's project is not part of its time.\n"
        "- All commands can use all cores; loops use xargs. jsonnet, cue and cdk8s are single processes."
    )


def _rounds(number: int) -> str:
    return "One round" if number == 1 else f"{number} rounds"


def _compared(report: Report) -> str:
    largest: dict[int, int] = {}
    for counts in report.results.compared.values():
        for size, count in counts.items():
            largest[size] = max(largest.get(size, 0), count)
    words = [f"all {size:,}" if count == size else f"{count:,} of {size:,}" for size, count in sorted(largest.items())]
    return f"{listed(words)} services" if words else "none"


def _cold(report: Report) -> str:
    if any(run.mode == COLD for run in report.results.runs):
        return (
            "Cold: the kernel's caches of files and folders are dropped before the run, and the tool's cache is removed for generate "
            "from scratch and for render. Warm: a second run, right after; generate from scratch still runs without the tool's cache."
        )
    return "There are no cold runs: dropping the kernel's caches requires root, or `--warm-only` was set."


def versions() -> dict[str, str]:
    """Return the versions of all installed contestants."""
    ours = next(peer for peer in PEERS if peer.key == OURS)
    others = [peer for peer in PEERS if peer.key != OURS and peer.missing() is None]
    return {"kargo-fleet": ours.version(), **{peer.title: peer.version() for peer in others}}
