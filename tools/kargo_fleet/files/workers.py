"""CPU-bound work on many items, by all processors.

The standard pools wait for ever when a worker is killed, or leave it behind after Ctrl-C while it starts. Here each worker has
a pipe of its own, which ends when the worker does, and a place in shared memory that tells the item it works on.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import mmap
import multiprocessing
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import Any, TypeVar

from kargo_fleet.errors import FleetError

_ENOUGH = 500  # items; below that starting processes takes longer than it saves
_CHUNK = 100
_AHEAD = 2  # chunks that a worker has: it begins the next one while the result of the last is fetched
_NOTHING = -1  # in the place of a worker that works on no item
_PR_SET_PDEATHSIG = 1  # linux/prctl.h

T = TypeVar("T")
R = TypeVar("R")


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered(work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """Return the results of `work` on each item, in order; many items are shared out to one process per processor.

    The processes are started immediately, before the first result is requested. The results of `work` must be picklable; its
    side effects are lost. The iterator raises FleetError, which names the item, when a worker is killed. No worker outlives
    the iterator or this process.
    """
    count = min(processors(), 8)
    # Outside Linux, processes cannot simply inherit memory.
    if len(items) < _ENOUGH or count < 2 or sys.platform != "linux":
        return map(work, items)
    gc.freeze()  # or collecting garbage in a worker copies all memory that it has inherited
    pool = _Pool(work, items)
    with _without_interruption():  # Ctrl-C meanwhile comes when every process is known, and is ended
        try:
            pool.start(count)
        except BaseException:
            pool.stop()
            raise
    return pool.results()


@contextlib.contextmanager
def _without_interruption() -> Iterator[None]:
    """Hold back the signals that end this process."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


_ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


@dataclass
class _Worker:
    """A process, the parent's end of its pipe, its place in the shared memory, and the chunks that it has."""

    process: ForkProcess
    pipe: Connection
    place: int
    chunks: list[int] = field(default_factory=list)


class _Pool:
    """Workers that inherit the items and the function: only positions and results go through the pipes."""

    def __init__(self, work: Callable[[Any], Any], items: Sequence[Any]) -> None:
        self.work, self.items = work, items
        self.workers: list[_Worker] = []
        self.rest = iter(range(0, len(items), _CHUNK))
        self.done: dict[int, list[Any]] = {}

    def start(self, count: int) -> None:
        self.now = memoryview(mmap.mmap(-1, 8 * count)).cast("q")
        context = multiprocessing.get_context("fork")
        for place in range(count):
            self.now[place] = _NOTHING
            ours, its = context.Pipe()
            process = context.Process(target=self._serve, args=(its, place, os.getpid()), daemon=True)
            process.start()
            its.close()  # so that the end of the process is the end of the pipe
            self.workers.append(_Worker(process, ours, place))
        for worker in self.workers:
            for _ in range(_AHEAD):
                self._give(worker)

    def results(self) -> Iterator[Any]:
        """Yield the results in order."""
        try:
            for chunk in range(0, len(self.items), _CHUNK):
                while chunk not in self.done:
                    self._receive()
                yield from self.done.pop(chunk)
        finally:
            self.stop()

    def stop(self) -> None:
        """End the processes. They hold nothing that could be lost."""
        for worker in self.workers:
            worker.process.kill()
            worker.pipe.close()
        for worker in self.workers:
            worker.process.join()
        self.workers = []

    def _give(self, worker: _Worker) -> None:
        """Give a worker one more chunk, if any is left."""
        if (chunk := next(self.rest, None)) is not None:
            worker.chunks.append(chunk)
            with contextlib.suppress(OSError):  # a worker that has ended is noticed when its result is awaited
                worker.pipe.send(chunk)

    def _receive(self) -> None:
        ready = wait([worker.pipe for worker in self.workers if worker.chunks])
        for worker in [worker for worker in self.workers if worker.pipe in ready]:
            try:
                results, error, trace = worker.pipe.recv()
            except (EOFError, OSError):
                raise self._ended(worker) from None
            if error is not None:
                error.add_note(f"in a worker process:\n{trace}")
                raise error
            self.done[worker.chunks.pop(0)] = results
            self._give(worker)

    def _ended(self, worker: _Worker) -> FleetError:
        """Return the error for a worker that ended by itself: killed, or crashed in a library."""
        worker.process.join(1)
        code, index = worker.process.exitcode, self.now[worker.place]
        how = f"was killed by {_signal_name(-code)}" if code is not None and code < 0 else f"ended with status {code}"
        what = f"while it worked on {self.items[index]}" if index != _NOTHING else "before its first item"
        fix = f"run `kargo-fleet check {self.items[index]}` to see whether it is at fault" if index != _NOTHING else ""
        memory = "The usual reason is that memory was used up. " if code == -signal.SIGKILL else ""
        then = f"{memory}Run the command again{f'; if it ends like this again, {fix}' if fix else ''}."
        return FleetError(f"a worker process {how} {what}\n{then}")

    def _serve(self, pipe: Connection, place: int, parent: int) -> None:
        """Work on the chunks that come through the pipe, until it ends."""
        _end_with(parent)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # nobody waits any more
            while True:
                chunk = pipe.recv()
                pipe.send(self._worked_on(chunk, place))

    def _worked_on(self, chunk: int, place: int) -> tuple[list[Any], BaseException | None, str]:
        results = []
        try:
            for index in range(chunk, min(chunk + _CHUNK, len(self.items))):
                self.now[place] = index
                results.append(self.work(self.items[index]))
            self.now[place] = _NOTHING
        except Exception as error:  # noqa: BLE001  # goes to the parent, which raises it
            return [], _picklable(error), traceback.format_exc()
        return results, None, ""


def _picklable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001  # whatever its class does
        return RuntimeError(repr(error))
    return error


def _end_with(parent: int) -> None:
    """Let the kernel end this process with its parent, however that ends."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        os._exit(1)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
