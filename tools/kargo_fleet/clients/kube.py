"""The cluster, through the clients that people use: kubectl and helm, so that every kind of authentication works."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from kargo_fleet.errors import FleetError


class Failed(Exception):
    """A client said no. `message` is what it printed, without its prefixes."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Target(NamedTuple):
    """What a command is about to touch: the kubectl context, its cluster's address, and the namespace of releases."""

    context: str
    server: str
    namespace: str


@dataclass(frozen=True)
class Kube:
    """Runs kubectl and helm against one context; the current one when `context` is empty."""

    context: str = ""

    def target(self) -> Target:
        """Return what commands will touch. Raises FleetError when kubectl knows no cluster."""
        try:
            view = json.loads(self.kubectl("config", "view", "--minify", "--output", "json"))
        except Failed as failed:
            raise FleetError(
                f"kubectl knows no cluster: {failed.message}\nChoose one with `kubectl config use-context`."
            ) from None
        context = view["contexts"][0]
        return Target(
            context["name"], view["clusters"][0]["cluster"]["server"], context["context"].get("namespace", "default")
        )

    def kubectl(self, *arguments: str, given: str | None = None, timeout: float | None = 120) -> str:
        """Run kubectl and return what it printed. `given` is its standard input. Raises Failed, or FleetError without kubectl."""
        context = ["--context", self.context] if self.context else []
        return _run(["kubectl", *context, *arguments], given, timeout)

    def helm(self, *arguments: str, given: str | None = None, timeout: float | None = 600) -> str:
        """Run helm and return what it printed; like `kubectl`."""
        context = ["--kube-context", self.context] if self.context else []
        return _run(["helm", *context, *arguments], given, timeout)

    def get(self, resource: str, *arguments: str) -> list[dict[str, Any]]:
        """Return objects of one kind, such as `get("stages.kargo.akuity.io", "--all-namespaces")`.

        [] when there are none, or when the cluster does not know the kind. Raises Failed for everything else.
        """
        try:
            text = self.kubectl("get", resource, "--output", "json", "--ignore-not-found", *arguments)
        except Failed as failed:
            if "the server doesn't have a resource type" in failed.message:
                return []
            raise
        if not text.strip():
            return []
        found = json.loads(text)
        items: list[dict[str, Any]] = found["items"] if found.get("kind", "").endswith("List") else [found]
        return items

    def knows(self, resource: str) -> bool:
        """Say whether the cluster has a kind, named as in `stages.kargo.akuity.io`."""
        return bool(self.get("customresourcedefinitions.apiextensions.k8s.io", resource))


def _run(command: Sequence[str], given: str | None, timeout: float | None) -> str:
    if shutil.which(command[0]) is None:
        raise FleetError(f"{command[0]} is not on PATH\nInstall it, or run this where it is.")
    try:
        result = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise Failed(f"{command[0]} did not answer within {timeout:.0f} s") from None
    if result.returncode:
        raise Failed(
            result.stderr.strip().removeprefix("Error: ").removeprefix("error: ") or f"exit status {result.returncode}"
        )
    return result.stdout
