"""Runs that are disturbed at one of their calls that change files: killed, interrupted, or told that the disk is full."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import stat
import sys
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from kargo_fleet.cli.main import main
from kargo_fleet.files.writing import is_temporary

KILLED = 137
#: The calls with which FileWriter changes files, and that which marks a temporary file as in use.
_CALLS = ("open", "write", "replace", "unlink", "mkdir", "fsync", "fchmod")


class Disturbance(Enum):
    KILL = "kill"  # of a write, half is done
    INTERRUPT = "interrupt"
    FULL = "full disk"  # from there on
    FAIL = "fail"  # this call alone


class Disturbed(NamedTuple):
    """How a run ended: its status, how many calls it made, and what it printed."""

    status: int
    calls: int
    stdout: str
    stderr: str

    @property
    def changes(self) -> set[tuple[str, str]]:
        """What the run says it did: ("created", "values/a.yaml")."""
        return set(re.findall(r"^(created|updated|removed) +(\S+)", self.stdout, re.MULTILINE))


def disturbed(root: Path, arguments: Sequence[str], how: Disturbance | None, at: int, scratch: Path) -> Disturbed:
    """Run a command on a copy of this process, and disturb its call number `at`, from 0."""
    files = [scratch / name for name in ("stdout", "stderr", "calls")]
    process = os.fork()
    if not process:
        status = 99
        try:
            with files[0].open("w") as sys.stdout, files[1].open("w") as sys.stderr, files[2].open("wb", 0) as calls:
                _count(calls.fileno(), how, at)
                status = main(["-C", str(root), *arguments])
        except SystemExit as exit_:
            status = exit_.code if isinstance(exit_.code, int) else 98
        finally:
            os._exit(status)
    _, ended = os.waitpid(process, 0)
    stdout, stderr, calls = (path.read_text() for path in files)
    return Disturbed(os.waitstatus_to_exitcode(ended), len(calls), stdout, stderr)


def _count(calls: int, how: Disturbance | None, at: int) -> None:
    """Count the calls that change files, and disturb one."""
    made = 0
    plain_write = os.write

    def counted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any, **options: Any) -> Any:
            nonlocal made
            if not _changes_files(name, arguments):
                return call(*arguments, **options)
            number, made = made, made + 1
            plain_write(calls, b".")
            is_hit = number == at or (how is Disturbance.FULL and number > at and name in ("open", "write", "mkdir"))
            if how is None or not is_hit:
                return call(*arguments, **options)
            if how is Disturbance.INTERRUPT:
                raise KeyboardInterrupt
            if how is Disturbance.KILL:
                if name == "write":
                    call(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                os._exit(KILLED)
            raise OSError(28, "No space left on device")

        return counting

    for name in _CALLS:
        setattr(os, name, counted(name, getattr(os, name)))
    setattr(fcntl, "flock", counted("flock", fcntl.flock))  # noqa: B010
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _changes_files(name: str, arguments: Sequence[Any]) -> bool:
    if name == "open":
        return len(arguments) > 1 and bool(arguments[1] & os.O_CREAT)
    return name != "write" or stat.S_ISREG(os.fstat(arguments[0]).st_mode)  # not what goes to git


def contents(root: Path) -> dict[str, bytes]:
    """Return all files below a folder, by path."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def temporaries(root: Path) -> list[Path]:
    return [path for path in root.rglob(".*") if is_temporary(path.name)]


def changes_between(before: dict[str, bytes], after: dict[str, bytes]) -> set[tuple[str, str]]:
    """Return what happened to files, in the words of a report."""
    created = {("created", path) for path in after.keys() - before.keys()}
    removed = {("removed", path) for path in before.keys() - after.keys()}
    return (
        created | removed | {("updated", path) for path in before.keys() & after.keys() if before[path] != after[path]}
    )


@contextlib.contextmanager
def a_cache_of_its_own(folder: Path) -> Any:
    """Let runs remember in a folder of their own."""
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["XDG_CACHE_HOME"]
        else:
            os.environ["XDG_CACHE_HOME"] = before
