"""The confirmation prompt, before a command changes more than one unit in a cluster."""

from __future__ import annotations

import sys

from kargo_fleet.errors import FleetError
from kargo_fleet.terminal.output import tell


def confirm(count: int, *, yes: bool, always: bool = False) -> None:
    """Return once the user has confirmed, with `yes` or at the prompt. One service needs no confirmation, unless `always`.

    Raises FleetError when the user declines, or when there is no terminal to prompt on.
    """
    if yes or not (count > 1 or (count and always)):
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise FleetError("not a terminal: pass --yes to confirm")
    tell("Continue? [y/N] ", end="")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise FleetError("cancelled; nothing was changed")
