"""Helm on this machine, without a cluster: as many processes at once as there are processors."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

from kargo_fleet.clients.process import ClientError
from kargo_fleet.errors import FleetError
from kargo_fleet.files.workers import processors

# What Helm says around the message that a chart's author or Helm's own libraries wrote.
_NOISE = re.compile(r"^Error: |^execution error at \([^)]*\): |\n\nUse --debug flag to render out invalid YAML\s*$")
# A batch lives for a second: collecting garbage a quarter as often as Go does by itself saves a fifth of its time.
_MEMORY = {"GOGC": "400", "GOMEMLIMIT": "180MiB"}


class Helm:
    """Runs helm, in no more than `processors()` processes at a time whatever the number of threads."""

    def __init__(self) -> None:
        """Raises FleetError when there is no helm."""
        if shutil.which("helm") is None:
            raise FleetError("helm is not on PATH\nInstall Helm 4, or run `make render`, which builds it.")
        self._free = threading.Semaphore(processors())
        self._stopped = False
        self._environment = _MEMORY | dict(os.environ)

    def run(self, *arguments: str, folder: Path) -> bytes:
        """Run helm in `folder` and return what it printed. Raises ClientError with Helm's message."""
        with self._free:
            if self._stopped:
                raise ClientError("stopped")
            result = subprocess.run(
                ["helm", *arguments],
                cwd=folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        if result.returncode:
            said = result.stderr.decode(errors="replace").strip()
            raise ClientError(clean(said) or f"helm ended with status {result.returncode}")
        return result.stdout

    def stop(self) -> None:
        """Start no further process."""
        self._stopped = True


def clean(message: str) -> str:
    """Return what Helm said without the words around it."""
    before = ""
    while before != message:
        before, message = message, _NOISE.sub("", message)
    return message.strip()
