"""A progress bar on a terminal, for work that takes a while; nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

_WORTH_IT = 1000  # items of work on this machine; below that it is done before a bar could be read

T = TypeVar("T")


def track(items: Iterable[T], what: str) -> Iterator[T]:
    """Yield the items, with a bar on stderr when that is a terminal and there are many."""
    known = list(items)
    yield from bar(known, len(known), what) if len(known) >= _WORTH_IT else known


def bar(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Yield the items as they come, `total` in all, with a bar on stderr when that is a terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(items, total=total)
