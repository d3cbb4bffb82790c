"""Helm: its version, its environment, and running it without a cluster, at most one process per processor at a time."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from pathlib import Path
from typing import NamedTuple

from kargo_fleet.clients.process import ClientError, ClientTimeoutError
from kargo_fleet.clients.running import StoppedError, completed
from kargo_fleet.errors import FleetError
from kargo_fleet.files.workers import processors

# What Helm adds around the message of a chart's author or of Helm's own libraries.
_NOISE = re.compile(r"^Error: |^execution error at \([^)]*\): |\n\nUse --debug flag to render out invalid YAML\s*$")
# A batch runs for a second: collecting garbage a quarter as often as Go's default saves a fifth of that time.
_MEMORY = {"GOGC": "400", "GOMEMLIMIT": "180MiB"}
#: Seconds for one process. A batch takes one or two: a template that does not end must not keep the run.
_LONGEST = 600


#: Settings that choose another cluster, user, namespace or storage than kubectl uses, or that add to Helm's output.
_OVERRIDES = re.compile(r"HELM_(?:KUBE\w*|NAMESPACE|DRIVER|DEBUG)")


def environment() -> dict[str, str]:
    """Return the environment to run helm in: that of this process without the settings that kubectl does not share.

    With HELM_KUBECONTEXT, Helm would install into another cluster than the one that kubectl reads and that was confirmed;
    with HELM_DRIVER, the releases would not be where kubectl looks for them. Source: Helm's pkg/cli/environment.go.
    """
    return {name: value for name, value in os.environ.items() if not _OVERRIDES.fullmatch(name)}


class Version(NamedTuple):
    """The version of the helm on PATH."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Version:
        """Parse the output of `helm version`. Raises FleetError when it is no version or one that is not supported."""
        found = re.match(r"v?(\d+)\.(\d+)", text.strip())
        version = cls(int(found[1]), int(found[2])) if found else None
        if version is None or version < OLDEST:
            named = f"Helm {text.strip()}" if version else f"the version of helm on PATH, {text.strip()!r},"
            raise FleetError(f"{named} is not supported\nInstall Helm {OLDEST.major}.{OLDEST.minor} or newer.")
        return version

    @property
    def without_waiting(self) -> tuple[str, ...]:
        """The options that make `helm upgrade` end when the objects are created, whatever was set before them.

        Stage and Warehouse are Ready only with Freight: Helm would wait until its timeout, then remove the new unit.
        """
        if self.major == 3:
            return ("--wait=false", "--atomic=false")
        return ("--wait=hookOnly", "--rollback-on-failure=false")


OLDEST = Version(3, 18)


class Helm:
    """Runs helm in at most `processors()` processes at a time, whatever the number of threads."""

    def __init__(self) -> None:
        """Raise FleetError when helm is not on PATH."""
        if shutil.which("helm") is None:
            raise FleetError(
                "helm is not on PATH\nInstall Helm 3.18 or newer, or run `make tools` in a checkout of kargo-fleet, which builds it."
            )
        self._free = threading.Semaphore(processors())
        self._environment = _MEMORY | environment()

    def run(self, *arguments: str, folder: Path, timeout: float = _LONGEST) -> bytes:
        """Run helm in `folder` and return its stdout.

        Raises ClientError with Helm's message, ClientTimeoutError after `timeout` seconds.
        """
        with self._free:
            try:
                result = completed(
                    ["helm", *arguments], folder=folder, environment=self._environment, timeout=timeout, alone=True
                )
            except subprocess.TimeoutExpired:
                raise ClientTimeoutError(f"helm did not answer within {timeout:.0f} s") from None
            except StoppedError:
                raise ClientError("interrupted") from None
        if result.returncode:
            message = result.stderr.decode(errors="replace").strip()
            raise ClientError(clean(message) or f"helm exited with status {result.returncode}")
        return bytes(result.stdout)


def clean(message: str) -> str:
    """Return Helm's message without the text that Helm adds around it."""
    before = ""
    while before != message:
        before, message = message, _NOISE.sub("", message)
    return message.strip()
