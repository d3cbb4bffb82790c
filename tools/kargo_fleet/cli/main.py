"""The command line: kargo-fleet COMMAND …"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from kargo_fleet.cli.arguments import USAGE, parser
from kargo_fleet.errors import FleetError

_INTERRUPTED, _BROKEN_PIPE = 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    `argv` holds the arguments without the program's name; the default is those of the process.
    """
    arguments, unknown = parser().parse_known_args(argv)
    if unknown:
        arguments.parser.refuse(unknown[0])
    run: Callable[[argparse.Namespace, Path], int] = arguments.run
    try:
        root = Path(arguments.directory)
        if not root.is_dir():
            raise FleetError(f"{root} is not a folder")
        return run(arguments, root)
    except FleetError as error:
        print(f"kargo-fleet: {error}", file=sys.stderr)
        return USAGE
    except BrokenPipeError:
        raise  # the reader has closed the pipe; entry_point handles that
    except OSError as error:
        print(f"kargo-fleet: {_described(error)}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("kargo-fleet: interrupted; every file is either unchanged or complete", file=sys.stderr)
        return _INTERRUPTED


def entry_point() -> NoReturn:
    """Run as a program."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the parent process
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may contain any bytes
    try:
        try:
            status = main()
        finally:
            print(end="", flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter reports it again
        status = _BROKEN_PIPE
    sys.exit(status)


def _described(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
