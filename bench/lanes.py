"""The contestants in two lanes, and the loop that measures them in turn.

Scan lane: from `services/` to `values/` and `argocd/`, which only this tool does; the floor is the lower bound.
Rendering lane: from ready inputs to all manifests on disk, by this tool and by its peers.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from bench import fleet, layouts, measure, programs
from bench.launch import TIMED_OUT
from bench.layouts import BenchError, Object
from bench.measure import COLD, WARM, Run
from bench.peers import PEERS, Peer, World

SCAN: Final = "scan"
RENDERING: Final = "rendering"

FLOOR: Final = "floor"
GENERATE: Final = "generate"
NOOP: Final = "noop"
CHECK: Final = "check"
CHANGED: Final = "changed"
NAMED: Final = "named"
OURS: Final = "ours"
#: These also run without the tool's cache, for comparison.
NO_CACHE: Final = "-no-cache"

#: Titles of the scan lane's tasks on the page.
TASKS: Final = {
    FLOOR: "the floor",
    GENERATE: "generate, from scratch",
    NOOP: "generate, nothing to do",
    NOOP + NO_CACHE: "generate, nothing to do, --no-cache",
    CHECK: "check",
    CHECK + NO_CACHE: "check, --no-cache",
    CHANGED: "generate, one kargo.yaml changed",
    NAMED: "generate NAME",
}


@dataclass(frozen=True)
class Settings:
    """Settings of a benchmark."""

    sizes: tuple[int, ...]
    rounds: int
    limit: float
    sample: int
    cold: bool = True
    peers: tuple[str, ...] = ()

    @property
    def slow(self) -> float:
        """Runs that take longer than this many seconds run cold only once, to limit the length of a benchmark."""
        return self.limit / 3


@dataclass(frozen=True)
class Contestant:
    """A command to measure, and the preparation of each run."""

    lane: str
    key: str
    command: Sequence[str]
    cwd: Path
    prepare: Callable[[str], None]
    #: Raises BenchError if a run's result is wrong; called after each run, with the number of the round.
    verify: Callable[[int], None] = lambda _round: None


@dataclass
class Results:
    """The measurements, and the reasons for those that are missing."""

    runs: list[Run] = field(default_factory=list)
    #: Contestants that cannot run here, with the reason.
    missing: dict[str, str] = field(default_factory=dict)
    #: Contestants and sizes that were not started or not completed, with the reason.
    left_out: dict[str, dict[int, str]] = field(default_factory=dict)
    #: Seconds after which a run was stopped, by contestant and size.
    stopped: dict[str, dict[int, float]] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)
    #: Number of services whose objects were compared with the chart's, by contestant and size.
    compared: dict[str, dict[int, int]] = field(default_factory=dict)

    def times(self, lane: str, contestant: str) -> dict[int, float]:
        """Return the warm median of a contestant by size."""
        sizes = sorted({run.size for run in self.runs})
        found = {size: measure.summary(self.of(lane, contestant, size, WARM)) for size in sizes}
        return {size: summary.median for size, summary in found.items() if summary}

    def of(self, lane: str, contestant: str, size: int, mode: str) -> list[Run]:
        wanted = (lane, contestant, size, mode)
        return [run for run in self.runs if (run.lane, run.contestant, run.size, run.mode) == wanted]


class Site:
    """The folder of one size: fleets, caches, the peers' projects, their manifests and their output."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self.cache, self.log = folder / "cache", folder / "log"
        folder.mkdir(parents=True)

    @cached_property
    def environment(self) -> dict[str, str]:
        """The environment of a run: no caches, plugins or settings of the user; the measured programs come first on PATH."""
        kept = {key: value for key, value in os.environ.items() if key in ("LANG", "LC_ALL", "TMPDIR", "USER")}
        xdg = {f"XDG_{name}_HOME": str(self.folder / name.lower()) for name in ("CACHE", "CONFIG", "DATA", "STATE")}
        path = os.pathsep.join([str(programs.HOME / "bin"), str(programs.HELM.parent), os.environ["PATH"]])
        return {**kept, **xdg, "HOME": str(self.folder / "home"), "PATH": path, "NO_COLOR": "1"}

    def fleet(self, name: str) -> Path:
        """Return a fleet of this size in a folder of its own; each contestant that writes needs its own."""
        root = self.folder / name
        if not root.exists():
            fleet.write(root, self.size)
        return root

    def generate(self, root: Path) -> None:
        """Generate a fleet, without measuring."""
        used = measure.command(_tool(root, "generate"), root, self.environment, 600, self.log)
        if used.status:
            raise BenchError(f"generate failed: {measure.tail(self.log)}")

    def forget(self) -> None:
        """Remove the tool's cache."""
        shutil.rmtree(self.cache, ignore_errors=True)


def _tool(root: Path, *arguments: str) -> list[str]:
    return [str(programs.KARGO_FLEET), "-C", str(root), *arguments]


def _offers(command: str, option: str) -> bool:
    return option in programs.printed(str(programs.KARGO_FLEET), command, "--help")


def scan_contestants(site: Site) -> list[Contestant]:
    """Return the tasks of the scan lane, in an order in which each task prepares the next."""
    root, bare = site.fleet("fleet"), site.fleet("floor")
    site.generate(root)
    outputs = [file for name in ("values", "argocd") for file in sorted((root / name).rglob("*")) if file.is_file()]
    sizes = site.folder / "outputs.json"
    sizes.write_text(json.dumps({str(file.relative_to(root)): file.stat().st_size for file in outputs}))
    services = [path.parent.name for path in sorted((root / "services").glob("*/kargo.yaml"))]
    name = services[0]
    own, written = root / "services" / name / "kargo.yaml", root / "values" / f"{name}.yaml"

    def empty(folder: Path) -> None:
        site.forget()
        for output in ("values", "argocd"):
            shutil.rmtree(folder / output, ignore_errors=True)

    def is_complete(folder: Path) -> None:
        there = sum(1 for _ in (folder / "values").glob("*.yaml"))
        if there != site.size:
            raise BenchError(f"{there} values files for {site.size} services in {folder}")

    limits = itertools.cycle(range(21, 100))
    changed = {"to": 0}

    def change(_mode: str) -> None:
        changed["to"] = next(limits)
        own.write_text(re.sub(r"discoveryLimit: \d+", f"discoveryLimit: {changed['to']}", own.read_text()))

    def is_changed(_round: int) -> None:
        if f"discoveryLimit: {changed['to']}\n" not in written.read_text():
            raise BenchError(f"{written} does not contain the change of {own}")

    def is_there(_round: int) -> None:
        if not written.exists():
            raise BenchError(f"{written} was not written")

    def nothing(_mode: str) -> None:
        pass

    floor = [sys.executable, str(Path(__file__).with_name("floor.py")), str(bare), str(sizes)]
    found = [
        Contestant(SCAN, FLOOR, floor, bare, lambda _mode: empty(bare), lambda _round: is_complete(bare)),
        Contestant(
            SCAN, GENERATE, _tool(root, "generate"), root, lambda _mode: empty(root), lambda _round: is_complete(root)
        ),
        # The run before, which is not measured, fills the cache: the run from scratch may be too close to the files' times.
        Contestant(SCAN, NOOP, _tool(root, "generate"), root, lambda _mode: site.generate(root)),
        Contestant(SCAN, CHECK, _tool(root, "check"), root, nothing),
    ]
    for key, command in ((NOOP, "generate"), (CHECK, "check")):
        if _offers(command, "--no-cache"):
            found.append(Contestant(SCAN, key + NO_CACHE, _tool(root, command, "--no-cache"), root, nothing))
    found.append(Contestant(SCAN, CHANGED, _tool(root, "generate"), root, change, is_changed))
    found.append(Contestant(SCAN, NAMED, _tool(root, "generate", name), root, lambda _mode: written.unlink(), is_there))
    return found


@dataclass
class Referee:
    """Compares the objects of contestants with those of `helm template`, service by service."""

    sample: int
    _rendered: dict[str, Mapping[tuple[str, str, str], Object]] = field(default_factory=dict)

    def names(self, world: World) -> list[str]:
        """Return the services to compare: all, or an evenly spread sample."""
        names = [unit.name for unit in world.units]
        count = min(self.sample, len(names))
        return [names[index * len(names) // count] for index in range(count)]

    def compare(self, peer: Peer, world: World, out: Path) -> int:
        """Compare the objects of the sample and return its number of services."""
        self._complete(peer, world, out)
        names = self.names(world)
        missing = [name for name in names if name not in self._rendered]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            rendered = pool.map(
                lambda name: layouts.helm_template(name, world.fleet / "values" / f"{name}.yaml"), missing
            )
            self._rendered.update(zip(missing, map(layouts.by_identity, rendered), strict=True))
        given = peer.read(out, names)
        for name in names:
            theirs, wanted = layouts.by_identity(given[name]), self._rendered[name]
            if theirs != wanted:
                wrong = [key for key in sorted(theirs.keys() | wanted.keys()) if theirs.get(key) != wanted.get(key)]
                raise BenchError(f"{peer.title}: objects differ from the chart's for {name}: {wrong[0]}")
        return len(names)

    @staticmethod
    def _complete(peer: Peer, world: World, out: Path) -> None:
        absent = [unit.name for unit in world.units if not _written(peer, out, unit.name)]
        if absent:
            raise BenchError(f"{peer.title}: no output for {len(absent)} services, such as {absent[0]}")


def _written(peer: Peer, out: Path, service: str) -> bool:
    files = peer.outputs(out, service)
    return bool(files) and all(file.is_file() and file.stat().st_size > 0 for file in files)


def rendering_contestants(site: Site, peers: Sequence[Peer], referee: Referee, results: Results) -> list[Contestant]:
    """Write the projects of the rendering lane and return its contestants."""
    root = site.fleet("rendered")
    site.generate(root)
    scratch = site.folder / "layouts"
    scratch.mkdir()
    world = World(root, layouts.units(root), layouts.derive(root, scratch))
    return [_rendering(site, peer, world, referee, results) for peer in peers]


def _rendering(site: Site, peer: Peer, world: World, referee: Referee, results: Results) -> Contestant:
    project, out = site.folder / peer.key, site.folder / f"{peer.key}.out"
    project.mkdir()
    peer.prepare(project, world)
    command = peer.command(world, out)
    results.commands[peer.key] = _shown(command, world, out, project)

    def prepare(mode: str) -> None:
        if mode == COLD and peer.key == OURS:
            site.forget()
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()

    def verify(number: int) -> None:
        if number == 1 and site.size not in results.compared.setdefault(peer.key, {}):
            results.compared[peer.key][site.size] = referee.compare(peer, world, out)

    return Contestant(RENDERING, peer.key, command, project, prepare, verify)


def _shown(command: Sequence[str], world: World, out: Path, project: Path) -> str:
    """Return a command in the form to type, with the script that it calls."""
    text = command[2] if command[:2] == ["sh", "-ec"] else shlex.join(command)
    script = project / "render.sh"
    if script.exists():
        text += "\n" + script.read_text().rstrip()
    for path, word in ((out, "OUT"), (world.fleet, "FLEET"), (programs.KARGO_FLEET, "kargo-fleet")):
        text = text.replace(str(path), word)
    text = text.replace(f"{programs.HOME}/bin/", "").replace(f"{programs.HOME}/kapitan/bin/", "")
    return text.replace(f"{programs.ROOT}/", "")


def run(settings: Settings, work: Path, say: Callable[[str], None]) -> Results:
    """Measure everything. Each round runs all contestants, so that a disturbance affects all of them."""
    results = Results()
    peers = []
    for peer in PEERS:
        why = peer.missing()
        if settings.peers and peer.key not in settings.peers:
            why = "it was not selected"
        if why:
            results.missing[peer.key] = why
            say(f"{peer.title}: left out: {why}")
        else:
            peers.append(peer)
    referee = Referee(settings.sample)
    for size in settings.sizes:
        say(f"{size} services: writing fleets and projects")
        site = Site(work / str(size), size)
        contestants = [*scan_contestants(site), *rendering_contestants(site, peers, referee, results)]
        contestants = [each for each in contestants if _begins(each, size, settings, results, say)]
        for number in range(1, settings.rounds + 1):
            for contestant in contestants:
                if size not in results.left_out.get(contestant.key, {}):
                    _measure(contestant, site, number, settings, results, say)
        shutil.rmtree(site.folder)
    return results


def _begins(
    contestant: Contestant, size: int, settings: Settings, results: Results, say: Callable[[str], None]
) -> bool:
    """Return whether to measure a contestant at a size: not if that is expected to take longer than the limit."""
    times = results.times(contestant.lane, contestant.key)
    if not times:
        return True
    seconds = measure.expected(times, size)
    if seconds <= settings.limit:
        return True
    reason = f"one run was expected to take {seconds:.0f} s, more than the limit of {settings.limit:.0f} s"
    results.left_out.setdefault(contestant.key, {})[size] = reason
    say(f"{contestant.key}: not measured at {size}: {reason}")
    return False


def _measure(
    contestant: Contestant, site: Site, number: int, settings: Settings, results: Results, say: Callable[[str], None]
) -> None:
    """Run a contestant cold, if the kernel's caches can be dropped, and then warm."""
    times = results.times(contestant.lane, contestant.key)
    is_cold = settings.cold and measure.may_drop_caches() and not times.get(site.size, 0) > settings.slow
    for mode in (COLD, WARM) if is_cold else (WARM,):
        contestant.prepare(mode)
        if mode == COLD:
            measure.drop_caches()
        most = 4 * settings.limit
        used = measure.command(contestant.command, contestant.cwd, site.environment, most, site.log)
        if used.status == TIMED_OUT:
            reason = f"one run was stopped after {most:.0f} s"
            results.left_out.setdefault(contestant.key, {})[site.size] = reason
            results.stopped.setdefault(contestant.key, {})[site.size] = most
            say(f"{contestant.key}: not measured at {site.size}: {reason}")
            return
        if used.status:
            raise BenchError(f"{contestant.key} failed with status {used.status}:\n{measure.tail(site.log)}")
        contestant.verify(number)
        results.runs.append(
            Run(contestant.lane, contestant.key, site.size, mode, number, used.wall, used.cpu, used.memory)
        )
        megabytes = used.memory / 1e6
        say(f"{site.size} {contestant.lane} {contestant.key} {mode}: {used.wall:.2f} s, {megabytes:.0f} MB")
