"""CPU-bound work on many items, by all processors."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

_ENOUGH = 500  # items; below that starting processes takes longer than it saves
_CHUNK = 100

T = TypeVar("T")
R = TypeVar("R")

#: The function that a worker process runs. It is inherited, not sent, so it can be any function.
_work: Callable[[object], object]


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered(work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """Return the results of `work` on each item, in order; many items are shared out to one process per processor.

    The processes are started immediately, before the first result is requested. The results of `work` must be picklable; its
    side effects are lost.
    """
    count = min(processors(), 8)
    # Outside Linux, processes cannot simply inherit memory.
    if len(items) < _ENOUGH or count < 2 or sys.platform != "linux":
        return map(work, items)
    gc.freeze()  # or collecting garbage in a worker copies all memory that it has inherited
    pool = multiprocessing.get_context("fork").Pool(count, _start, (work,))
    return _results(pool, items)


def _results(pool: multiprocessing.pool.Pool, items: Iterable[T]) -> Iterator[R]:
    with pool:  # ends the processes, also after an exception
        yield from pool.imap(_do, items, _CHUNK)


def _start(work: Callable[[object], object]) -> None:
    global _work  # noqa: PLW0603
    _work = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers


def _do(item: object) -> object:
    return _work(item)
