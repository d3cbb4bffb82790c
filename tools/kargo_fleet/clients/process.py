"""Running another program, and its error message when it fails."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from kargo_fleet.clients.running import StoppedError, completed
from kargo_fleet.errors import FleetError


class ClientError(Exception):
    """A client failed. `message` is what it printed, without its prefixes."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class TransientError(ClientError):
    """A failure that is known to be transient."""


class ClientTimeoutError(TransientError):
    """A client did not answer in time."""


def run(
    command: Sequence[str],
    *,
    stdin: str | None = None,
    timeout: float = 600,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    errors: str = "strict",
    alone: bool = False,
) -> str:
    """Run a program, in `folder`, and return its stdout.

    `timeout` is in seconds, `environment` replaces that of this process, `errors` is what happens to bytes that are not UTF-8,
    `alone` ends with it what it starts (running.completed).

    Raises ClientError when it fails or does not answer in time, FleetError when it is not installed.
    """
    if shutil.which(command[0]) is None:
        raise FleetError(f"{command[0]} is not on PATH\nInstall it, or add it to PATH.")
    try:
        result = completed(
            command,
            timeout=timeout,
            alone=alone,
            stdin=stdin,
            folder=folder,
            environment=environment,
            text=True,
            errors=errors,
        )
    except subprocess.TimeoutExpired:
        raise ClientTimeoutError(f"{command[0]} did not answer within {timeout:.0f} s") from None
    except StoppedError:
        raise ClientError("interrupted") from None
    if result.returncode:
        message = result.stderr.strip().removeprefix("Error: ").removeprefix("error: ")
        raise ClientError(message or f"exit status {result.returncode}")
    return str(result.stdout)
