"""A progress bar, shown only on a terminal and only for work that takes a while."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

#: Seconds; work that ends earlier needs no bar.
PATIENCE = 0.5

T = TypeVar("T")


def bar(items: Iterable[T], total: int, what: str, patience: float = 0) -> Iterator[T]:
    """Yield the items, `total` in all, with a bar on stderr when that is a terminal.

    The bar appears with the first item after `patience` seconds.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    left = iter(items)
    done = 0
    started = time.monotonic()
    while time.monotonic() - started < patience:
        try:
            item = next(left)
        except StopIteration:
            return
        yield item
        done += 1
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(left, total=total, completed=done)
