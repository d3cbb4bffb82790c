"""The command line: kargo-fleet COMMAND …"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from kargo_fleet.cli.arguments import USAGE, parser, repository
from kargo_fleet.errors import FleetError, WrongFolderError
from kargo_fleet.terminal.output import tell, visible

_INTERRUPTED, _BROKEN_PIPE = 130, 141
#: What else ends a run, such as a CI job that is cancelled: as Ctrl-C does, so that no process and no file is left.
_ENDING = (signal.SIGTERM, signal.SIGHUP)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    `argv` holds the arguments without the program's name; the default is those of the process.
    """
    known = parser()
    if "_ARGCOMPLETE" in os.environ:  # the shell asks how the line may go on
        import argcomplete

        argcomplete.autocomplete(known)
    arguments, unknown = known.parse_known_args(argv)
    if unknown:
        arguments.parser.refuse(unknown[0])
    if "run" not in arguments:
        known.print_help(sys.stderr)
        return USAGE
    run: Callable[[argparse.Namespace, Path], int] = arguments.run
    try:
        return run(arguments, repository(arguments.directory))
    except FleetError as error:
        from kargo_fleet.terminal.invocation import invocation

        text = str(error)
        if isinstance(error, WrongFolderError):
            text += f"\nRun `{_in_folder(error.folder, sys.argv[1:] if argv is None else argv)}`."
        message = invocation(arguments.directory or "").pasteable(text)
        tell(f"kargo-fleet: {message}")
        return USAGE
    except BrokenPipeError:
        raise  # the reader has closed the pipe; entry_point handles that
    except OSError as error:
        tell(f"kargo-fleet: {_described(error)}")
        return USAGE
    except KeyboardInterrupt:
        tell("kargo-fleet: interrupted; every file is either unchanged or complete")
        return _INTERRUPTED


def _in_folder(folder: str, argv: Sequence[str]) -> str:
    """Return the command line with which the same command works on `folder`."""
    left = list(argv)
    while left and left[0].startswith("-C"):
        del left[: 2 if left[0] == "-C" else 1]
    return shlex.join(["kargo-fleet", "-C", folder, *left])


def entry_point() -> NoReturn:
    """Run as a program."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the parent process
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may contain any bytes
    _find_built_tools()
    for number in _ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores one of them
            signal.signal(number, _end)
    status = 0
    try:
        try:
            status = main()
        finally:
            print(end="", flush=True)
            print(end="", flush=True, file=sys.stderr)  # argparse ignores that it could not write
    except BrokenPipeError:
        _discard_output()
        status = _BROKEN_PIPE
    except OSError as error:  # the disk that the output goes to is full
        if status != USAGE:  # main has not reported it already
            with contextlib.suppress(OSError):
                tell(f"kargo-fleet: the output could not be written: {_described(error)}")
        _discard_output()
        status = USAGE
    sys.exit(status)


def _end(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)


def _discard_output() -> None:
    """Let nothing be written any more, or the interpreter tries again, and reports it again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())


def _find_built_tools() -> None:
    """Let this process find the helm that make has built beside the virtual environment that it runs in."""
    tools = Path(sys.prefix).parent / ".tools" / "bin"
    if tools.is_dir():
        os.environ["PATH"] = f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


def _described(error: OSError) -> str:
    """Return an error of the operating system on one line: a file's name may hold line breaks."""
    text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    return visible(text, lines=False)
