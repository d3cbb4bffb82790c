"""Processes that a test cluster consists of: started in the background, logged to files, and stopped whatever happens."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

STOP_SECONDS: Final = 4

# PR_SET_PDEATHSIG (1): SIGKILL (9) when the parent ends. Not by Popen's preexec_fn, which threads make unsafe.
_TIED: Final = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.execv(sys.argv[1], sys.argv[1:])"


class ProcessError(RuntimeError):
    """A process of the test cluster ended, or did not become ready."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def started_at(pid: int) -> str:
    """When a process was started, or "" if there is none: with this a pid that was given away again is not mistaken."""
    done = subprocess.run(
        ["ps", "-o", "lstart=,stat=", "-p", str(pid)],
        env=os.environ | {"LC_ALL": "C"},
        text=True,
        capture_output=True,
        check=False,
    )
    text, _, state = done.stdout.strip().rpartition(" ")
    return "" if state.startswith("Z") else text.strip()


class Group:
    """Some processes, in the order in which they were started, and a file that says which they are.

    With `tied`, they end when this process does, even if it is killed (on Linux; elsewhere the next start finds them).
    """

    def __init__(self, folder: Path, *, tied: bool) -> None:
        self.folder = folder
        self.tied = tied
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.state = folder / "processes.json"
        (folder / "logs").mkdir(parents=True, exist_ok=True)

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def start(self, name: str, argv: Sequence[str | Path], env: Mapping[str, str] | None = None) -> None:
        """Start a process in a session of its own: Ctrl-C in the terminal is not for it."""
        tie = [sys.executable, "-I", "-S", "-c", _TIED] if self.tied and sys.platform == "linux" else []
        with self.log(name).open("ab") as log:
            self.running[name] = subprocess.Popen(
                [*tie, *(str(argument) for argument in argv)],
                env={**os.environ, **(env or {})},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._save()

    def stop(self, *names: str) -> None:
        """Stop these processes, or all, the last one first."""
        for name in reversed(list(self.running)):
            if not names or name in names:
                process = self.running.pop(name)
                _stop(process.pid, partial(_ended, process))
                process.wait()
        if self.folder.exists():
            self._save()

    def wait(self, name: str, ready: Callable[[], bool], seconds: float = 90) -> None:
        """Wait until a process is ready; what it logged is in the error if it is not."""
        deadline = time.monotonic() + seconds
        while not ready():
            process = self.running[name]
            if process.poll() is not None:
                raise ProcessError(f"{name} ended with status {process.returncode}:\n{self.tail(name)}")
            if time.monotonic() > deadline:
                raise ProcessError(f"{name} was not ready after {seconds:.0f} s:\n{self.tail(name)}")
            time.sleep(0.1)

    def tail(self, name: str, lines: int = 30) -> str:
        return "\n".join(self.log(name).read_text(errors="replace").splitlines()[-lines:])

    def release(self) -> None:
        """Let the processes go on when this one ends."""
        for process in self.running.values():
            process.returncode = 0  # or Popen warns that it is still running
        self.running.clear()

    def _save(self) -> None:
        pids = {"owner": os.getpid()} | {name: process.pid for name, process in self.running.items()}
        owner, *found = [{"name": name, "pid": pid, "started": started_at(pid)} for name, pid in pids.items()]
        state = {"owner": owner, "processes": found}
        new = self.state.with_suffix(".new")
        new.write_text(json.dumps(state, indent=2))
        new.replace(self.state)


def alive(folder: Path) -> list[str]:
    """The names of the processes of a folder that run."""
    return [process.name for process in _load(folder)[1] if process.runs()]


def abandoned(folder: Path) -> bool:
    """Has the process gone that started those of this folder, and was to stop them?"""
    owner, _ = _load(folder)
    return owner is not None and not owner.runs()


def stop_all(folder: Path) -> list[str]:
    """Stop the processes of a folder, whoever started them; the last one first. Returns their names."""
    _, processes = _load(folder)
    running = [process for process in reversed(processes) if process.runs()]
    for process in running:
        _stop(process.pid, process.ended)
    return [process.name for process in running]


@dataclass(frozen=True)
class Known:
    """A process as a file remembers it."""

    name: str
    pid: int
    started: str

    def runs(self) -> bool:
        return bool(self.started) and started_at(self.pid) == self.started

    def ended(self) -> bool:
        return not self.runs()


def _load(folder: Path) -> tuple[Known | None, list[Known]]:
    """Who started the processes of a folder, and which they are."""
    try:
        state = json.loads((folder / "processes.json").read_text())
    except (OSError, ValueError):
        return None, []
    owner, *processes = [
        Known(known.get("name", "owner"), known["pid"], known["started"])
        for known in (state["owner"], *state["processes"])
    ]
    return owner, processes


def _ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


def _stop(pid: int, gone: Callable[[], bool]) -> None:
    """End a process and everything that it started: asked first, then killed."""
    for sent, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
        if gone():
            break
        try:
            os.killpg(pid, sent)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + seconds
        while not gone() and time.monotonic() < deadline:
            time.sleep(0.05)
