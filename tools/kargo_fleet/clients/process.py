"""Running another program, and its error message when it fails."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

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
    timeout: float | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    errors: str = "strict",
) -> str:
    """Run a program, in `folder`, and return its stdout.

    `timeout` is in seconds, `environment` replaces that of this process, `errors` is what happens to bytes that are not UTF-8.

    Raises ClientError when it fails or does not answer in time, FleetError when it is not installed.
    """
    if shutil.which(command[0]) is None:
        raise FleetError(f"{command[0]} is not on PATH\nInstall it, or add it to PATH.")
    try:
        result = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            errors=errors,
            check=False,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise ClientTimeoutError(f"{command[0]} did not answer within {timeout:.0f} s") from None
    if result.returncode:
        message = result.stderr.strip().removeprefix("Error: ").removeprefix("error: ")
        raise ClientError(message or f"exit status {result.returncode}")
    return result.stdout
