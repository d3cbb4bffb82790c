"""A progress bar on a terminal, for work that takes a while; nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

_WORTH_IT = 1000  # items; below that the work is done before a bar could be read


def track(items: Iterable[str], what: str) -> Iterator[str]:
    """Yield the items, with a bar on stderr when that is a terminal and there are many."""
    known = list(items)
    if len(known) < _WORTH_IT or not sys.stderr.isatty():
        yield from known
        return
    from rich.console import Console
    from rich.progress import track as rich_track

    yield from rich_track(known, description=what, console=Console(stderr=True), transient=True)
