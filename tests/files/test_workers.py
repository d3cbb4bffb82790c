"""Worker processes: what they return, and how a run ends when one of them does."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kargo_fleet.errors import FleetError
from kargo_fleet.files import workers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="worker processes are for Linux")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_ENOUGH", 1)
    monkeypatch.setattr(workers, "_CHUNK", 3)
    monkeypatch.setattr(workers, "processors", lambda: 3)


def _children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def test_results_are_in_order() -> None:
    assert list(workers.ordered(lambda number: (number, os.getpid()), range(100)))[7][0] == 7
    assert [number for number, _ in workers.ordered(lambda number: (number, 0), range(100))] == list(range(100))
    assert _children() == []


def test_large_results() -> None:
    assert [len(text) for text in workers.ordered(lambda size: "x" * size, [300_000] * 20)] == [300_000] * 20


def _dying(how: Callable[[], None]) -> Callable[[str], str]:
    def work(name: str) -> str:
        if name == "svc-7":
            how()
        return name

    return work


def _crash() -> None:
    faulthandler.disable()  # pytest's report would look like that of a failure
    ctypes.string_at(0)


NAMES = [f"svc-{number}" for number in range(30)]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "was killed by SIGKILL while it worked on svc-7"),
        (_crash, "was killed by SIGSEGV while it worked on svc-7"),
        (lambda: os._exit(3), "ended with status 3 while it worked on svc-7"),
    ],
    ids=["killed", "crashed", "ended"],
)
def test_a_worker_that_ends_is_an_error_with_the_item(how: Callable[[], None], message: str) -> None:
    with pytest.raises(FleetError, match=message) as caught:
        list(workers.ordered(_dying(how), NAMES))
    assert "kargo-fleet check svc-7" in str(caught.value)
    assert _children() == []


def test_an_exception_that_cannot_be_pickled() -> None:
    class Odd(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__("odd" * (one + two))

    def work(_: str) -> str:
        raise Odd(1, 2)

    with pytest.raises(RuntimeError, match="odd"):
        list(workers.ordered(work, NAMES))


def test_results_that_nobody_wants() -> None:
    results = workers.ordered(str, NAMES)
    assert next(results) == "svc-0"
    results.close()  # type: ignore[attr-defined]
    assert _children() == []


# A run with workers that never end by themselves. argv: what happens when the second of them starts.
ENDLESS = """if True:
    import os, signal, sys, time
    from kargo_fleet.files import workers
    workers._ENOUGH, workers._CHUNK, workers.processors = 1, 1, lambda: 3
    signal.signal(signal.SIGINT, signal.default_int_handler)
    started = []
    start = workers.ForkProcess.start

    def starting(self):
        start(self)
        started.append(self.pid)
        if len(started) == 2 and sys.argv[1] == "while they start":
            os.kill(os.getpid(), signal.SIGINT)
        if len(started) == 3:
            print(*started, flush=True)

    workers.ForkProcess.start = starting
    list(workers.ordered(lambda _: time.sleep(60), range(9)))
"""


def _gone(pids: list[int]) -> bool:
    for _ in range(500):
        states = [Path(f"/proc/{pid}/stat") for pid in pids]
        if not any(file.exists() and file.read_text().rpartition(")")[2].split()[0] != "Z" for file in states):
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("when", ["while they start", "later"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_the_run(when: str, number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", ENDLESS, when], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout
        pids = [int(pid) for pid in run.stdout.readline().split()]
        if when == "later":
            run.send_signal(number)
        run.communicate(timeout=30)
    assert len(pids) == 3
    assert run.returncode == -(signal.SIGINT if when == "while they start" else number)
    assert _gone(pids)
