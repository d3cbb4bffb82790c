"""Measures runs of commands, and summarizes them."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bench.layouts import BenchError

_LAUNCH: Final = Path(__file__).with_name("launch.py")
_DROP: Final = Path("/proc/sys/vm/drop_caches")

COLD: Final = "cold"
WARM: Final = "warm"


@dataclass(frozen=True)
class Run:
    """A run of a contestant: its time (seconds), CPU time (seconds) and memory (bytes)."""

    lane: str
    contestant: str
    size: int
    mode: str
    round: int
    wall: float
    cpu: float
    memory: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"wall": round(self.wall, 4), "cpu": round(self.cpu, 4)}


@dataclass(frozen=True)
class Usage:
    """Exit status, time, CPU time and memory of a command."""

    status: int
    wall: float
    cpu: float
    memory: int


@dataclass(frozen=True)
class Summary:
    """Summary of several runs of a contestant."""

    runs: int
    least: float
    median: float
    most: float
    cpu: float
    memory: int


def command(arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], limit: float, log: Path) -> Usage:
    """Run a command and return its usage. Its output goes to `log`."""
    result = log.with_suffix(".json")
    result.unlink(missing_ok=True)
    with log.open("wb") as output:
        subprocess.run(
            [sys.executable, "-I", "-S", str(_LAUNCH), str(result), str(limit), *arguments],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if not result.exists():
        raise BenchError(f"{arguments[0]} could not be started: {tail(log)}")
    return Usage(**json.loads(result.read_text()))


def tail(log: Path) -> str:
    """Return the end of a command's output."""
    return log.read_text(errors="replace").strip()[-2000:]


def may_drop_caches() -> bool:
    return os.access(_DROP, os.W_OK)


def drop_caches() -> None:
    """Drop the kernel's caches, so that files and folders are read from disk again."""
    os.sync()
    _DROP.write_text("3")


def summary(runs: Sequence[Run]) -> Summary | None:
    """Summarize runs; None without runs."""
    if not runs:
        return None
    walls = [run.wall for run in runs]
    return Summary(
        runs=len(runs),
        least=min(walls),
        median=statistics.median(walls),
        most=max(walls),
        cpu=statistics.median(run.cpu for run in runs),
        memory=max(run.memory for run in runs),
    )


def extrapolated(times: Mapping[int, float], size: int) -> float:
    """Return the time at a size that was not measured, on the line through the two largest measured sizes.

    A line excludes the startup time from the growth, and favours contestants that grow faster than linearly: it is never to
    a contestant's disadvantage.
    """
    *_, before, last = [0, *sorted(times)]
    slope = (times[last] - times.get(before, 0.0)) / (last - before)
    return times[last] + max(0.0, slope) * (size - last)


def expected(times: Mapping[int, float], size: int) -> float:
    """Return the expected time of a run, which decides whether it is started; unlike `extrapolated`, with its growth."""
    *_, before, last = [0, *sorted(times)]
    line = extrapolated(times, size)
    if not before or times[before] <= 0:
        return line
    exponent = math.log(times[last] / times[before]) / math.log(last / before)
    return max(line, times[last] * math.pow(size / last, exponent)) if exponent > 1 else line
