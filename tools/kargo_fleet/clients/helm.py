"""Helm on this machine, without a cluster: at most as many processes at a time as there are processors."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

from kargo_fleet.clients.process import ClientError, ClientTimeoutError
from kargo_fleet.errors import FleetError
from kargo_fleet.files.workers import processors

# What Helm adds around the message of a chart's author or of Helm's own libraries.
_NOISE = re.compile(r"^Error: |^execution error at \([^)]*\): |\n\nUse --debug flag to render out invalid YAML\s*$")
# A batch runs for a second: collecting garbage a quarter as often as Go's default saves a fifth of that time.
_MEMORY = {"GOGC": "400", "GOMEMLIMIT": "180MiB"}


class Helm:
    """Runs helm in at most `processors()` processes at a time, whatever the number of threads."""

    def __init__(self) -> None:
        """Raise FleetError when helm is not on PATH."""
        if shutil.which("helm") is None:
            raise FleetError(
                "helm is not on PATH\nInstall Helm 3.18 or newer, or run `make tools` in a checkout of kargo-fleet, which builds it."
            )
        self._free = threading.Semaphore(processors())
        self._stopped = False
        self._environment = _MEMORY | dict(os.environ)

    def run(self, *arguments: str, folder: Path, timeout: float | None = None) -> bytes:
        """Run helm in `folder` and return its stdout.

        Raises ClientError with Helm's message, ClientTimeoutError after `timeout` seconds.
        """
        with self._free:
            if self._stopped:
                raise ClientError("stopped")
            try:
                result = subprocess.run(
                    ["helm", *arguments],
                    cwd=folder,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    check=False,
                    timeout=timeout,
                )
            except subprocess.TimeoutExpired:
                raise ClientTimeoutError(f"helm did not answer within {timeout:.0f} s") from None
        if result.returncode:
            message = result.stderr.decode(errors="replace").strip()
            raise ClientError(clean(message) or f"helm exited with status {result.returncode}")
        return result.stdout

    def stop(self) -> None:
        """Start no more processes."""
        self._stopped = True


def clean(message: str) -> str:
    """Return Helm's message without the text that Helm adds around it."""
    before = ""
    while before != message:
        before, message = message, _NOISE.sub("", message)
    return message.strip()
