"""A watchdog: work on one item that never ends shall end the run, with the item's name."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from kargo_fleet.errors import FleetError

#: Seconds of processor time, so that neither a loaded machine nor a slow disk counts.
LIMIT = 60.0


@contextmanager
def watched(service: str, seconds: float = LIMIT) -> Iterator[None]:
    """Raise FleetError when what is done for a service takes too long. No service is skipped: its result would depend on the machine.

    Only the main thread of a process can be watched; in others nothing happens.
    """

    def bark(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise FleetError(
            f"{service}: checking this service takes more than {seconds:g} seconds of processor time; nothing was written\n"
            "Simplify its files, and report them as a bug of kargo-fleet."
        )

    try:
        before = signal.signal(signal.SIGPROF, bark)
    except ValueError:
        yield
        return
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
