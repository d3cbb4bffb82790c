"""Programs that run for this one: none is waited for without end, and none outlives an interrupted run."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

#: Seconds for a program to end by itself, once it is interrupted: Helm then records that an upgrade failed.
_PATIENCE = 10
_LOOK = 0.5  # seconds between two looks whether the run is interrupted


class StoppedError(Exception):
    """A program was not started, or was ended, because the run is interrupted."""


class _Running:
    """The programs that run now. While `stopping`, none is started."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.processes: dict[subprocess.Popen[Any], bool] = {}

    def start(self, command: Sequence[str], alone: bool, options: Mapping[str, Any]) -> subprocess.Popen[Any]:
        with self.lock:
            if self.stopping.is_set():
                raise StoppedError
            process = subprocess.Popen(command, process_group=0 if alone else None, **options)
            self.processes[process] = alone
        return process

    def stop(self) -> None:
        """Interrupt all programs, and kill those that do not end."""
        with self.lock:
            self.stopping.set()
            left = dict(self.processes)
        for process, alone in left.items():
            _send(process, signal.SIGINT, alone)
        for process, alone in left.items():
            with suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE)
                continue
            _send(process, signal.SIGKILL, alone)


_running = _Running()


def completed(
    command: Sequence[str],
    *,
    timeout: float,
    alone: bool = False,
    stdin: str | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """Run a program to its end, and return its status and what it printed.

    Args:
        command: The program and its arguments.
        timeout: Seconds until it is killed.
        alone: Whether it is in a process group of its own, so that what it starts ends with it. It must not ask the terminal
            for anything: a program that does so from another group is stopped.
        stdin: Its input. Without, that of this process; none if it is `alone`.
        folder: Where it runs.
        environment: Replaces that of this process.
        options: `text` and `errors` of subprocess.Popen.

    Raises:
        subprocess.TimeoutExpired: When it has not ended in time.
        StoppedError: When the run is interrupted, see `client_threads`.
    """
    nothing = subprocess.DEVNULL if alone else None
    options |= {"stdin": nothing if stdin is None else subprocess.PIPE, "cwd": folder, "env": environment}
    process = _running.start(command, alone, options | {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE})
    try:
        stdout, stderr = _output(process, stdin, timeout)
    except BaseException:  # what it has started may hold the pipes, so nothing more is read from them
        _send(process, signal.SIGKILL, alone)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            with suppress(OSError, AttributeError):
                stream.close()  # type: ignore[union-attr]
        raise
    finally:
        with _running.lock:
            del _running.processes[process]
    if _running.stopping.is_set():
        raise StoppedError
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


@contextmanager
def client_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that run programs. When the block is left early, by Ctrl-C or an error, no further one is started, and those
    that run are interrupted: nothing is waited for but their end.
    """
    with ThreadPoolExecutor(count) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            try:
                _running.stop()
                pool.shutdown(wait=True)
            finally:
                _running.stopping.clear()
            raise


def _output(process: subprocess.Popen[Any], stdin: str | None, timeout: float) -> tuple[Any, Any]:
    """Return what a program prints until it ends; once the run is interrupted, what it has started is not waited for."""
    end = time.monotonic() + timeout
    while True:
        left = end - time.monotonic()
        try:
            return process.communicate(stdin, max(min(left, _LOOK), 0))
        except subprocess.TimeoutExpired:
            if _running.stopping.is_set() and process.poll() is not None:
                raise StoppedError from None
            if left <= _LOOK:
                raise
            stdin = None  # is being sent


def pause(seconds: float) -> None:
    """Wait, but not longer than the run lasts."""
    _running.stopping.wait(seconds)


def _send(process: subprocess.Popen[Any], number: signal.Signals, alone: bool) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if process.returncode is None:
            (os.killpg if alone else os.kill)(process.pid, number)
