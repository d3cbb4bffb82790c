"""Asking before a command touches more than one service's unit in a cluster."""

from __future__ import annotations

import sys

from kargo_fleet.errors import FleetError


def confirm(count: int, *, yes: bool, always: bool = False) -> None:
    """Go on only with consent: `yes`, or a person who types it. One service needs none, unless `always`.

    Raises FleetError when the person says no, or when there is none to ask.
    """
    if yes or not (count > 1 or (count and always)):
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise FleetError("nobody is there to ask: say --yes")
    print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise FleetError("nothing was done")
