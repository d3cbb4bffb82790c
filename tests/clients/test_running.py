"""Programs that run for this one: bounded, and ended with the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kargo_fleet.clients.helm import Helm
from kargo_fleet.clients.process import ClientError, ClientTimeoutError, run
from kargo_fleet.clients.running import client_threads, completed, pause
from kargo_fleet.errors import FleetError
from kargo_fleet.fleet.chart import packaged, read_chart
from kargo_fleet.render import renderer

# A program that starts another one, writes both numbers into a file, and sleeps. With "deaf" it ignores Ctrl-C.
PARENT = """if True:
    import os, signal, subprocess, sys, time
    if sys.argv[2] == "deaf":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with open(sys.argv[1] + "~", "w") as file:
        print(os.getpid(), child.pid, file=file)
    os.rename(sys.argv[1] + "~", sys.argv[1])
    time.sleep(60)
"""


def _command(file: Path, how: str = "") -> list[str]:
    return [sys.executable, "-c", PARENT, str(file), how]


def _pids(file: Path) -> list[int]:
    for _ in range(1000):
        if file.exists():
            return [int(pid) for pid in file.read_text().split()]
        time.sleep(0.01)
    raise AssertionError("it has not begun")


def _live(pids: list[int]) -> list[int]:
    """Return the processes that go on, after a moment for the kernel to end them."""
    for _ in range(300):
        found = []
        for pid in pids:
            stat = Path(f"/proc/{pid}/stat")
            try:
                found += [pid] if stat.read_text().rpartition(")")[2].split()[0] != "Z" else []
            except OSError:
                continue
        if not found:
            break
        time.sleep(0.01)
    return found


linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@linux
def test_what_does_not_end_is_ended_with_what_it_started(tmp_path: Path) -> None:
    """Also if that holds the pipe to this process."""
    with pytest.raises(subprocess.TimeoutExpired):
        completed(_command(tmp_path / "pids"), timeout=2, alone=True)
    assert _live(_pids(tmp_path / "pids")) == []


def test_a_timeout_is_an_error_with_the_program() -> None:
    with pytest.raises(ClientTimeoutError, match=r"sleep did not answer within 0 s"):
        run(["sleep", "60"], timeout=0.1)


@linux
@pytest.mark.parametrize("how", ["", "deaf"])
@pytest.mark.parametrize("alone", [True, False])
def test_ctrl_c_ends_what_threads_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, alone: bool) -> None:
    monkeypatch.setattr("kargo_fleet.clients.running._PATIENCE", 0.5)
    begin, futures, pids = time.monotonic(), [], list[int]()

    def interrupted() -> None:
        with client_threads(2) as pool:
            for name in "abcdef":
                future = pool.submit(completed, _command(tmp_path / name, how), timeout=60, alone=alone)
                futures.append(future)
            pids.extend([*_pids(tmp_path / "a"), *_pids(tmp_path / "b")])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert time.monotonic() - begin < 30
    assert [future.cancelled() for future in futures[2:]] == [True] * 4
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}
    assert _live(pids if alone else pids[::2]) == []
    for pid in [] if alone else pids[1::2]:
        os.kill(pid, signal.SIGKILL)
    assert completed(["true"], timeout=60).returncode == 0, "the next command is not concerned"


def test_no_thread_begins_or_waits_once_the_run_is_interrupted() -> None:
    found: list[str] = []

    def work() -> None:
        pause(60)
        try:
            run(["true"])
        except ClientError as error:
            found.append(error.message)

    def interrupted() -> None:
        with client_threads(1) as pool:
            pool.submit(work)
            time.sleep(0.1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert found == ["interrupted"]


def test_helm_that_does_not_end_ends_the_run_with_the_units(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """How long a template takes depends on the machine: it must not decide what is rendered."""

    def endless(*_: object, **__: object) -> bytes:
        raise ClientTimeoutError("helm did not answer within 600 s")

    (tmp_path / "helm").write_text("#!/bin/sh\n")
    (tmp_path / "helm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(Helm, "run", endless)
    chart = read_chart(packaged().parents[1], None)
    with pytest.raises(
        FleetError, match=r"helm did not answer within 600 s while it rendered web\nCorrect the templates"
    ):
        list(renderer.render(chart, {"web": "{}"}))
