"""Access to the cluster through kubectl and helm, so that every kind of authentication works."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from kargo_fleet.clients.helm import Version, environment
from kargo_fleet.clients.process import ClientError, run
from kargo_fleet.errors import FleetError


class ClusterTarget(NamedTuple):
    """The target of a command: the kubectl context, its cluster's address, and the namespace of releases."""

    context: str
    server: str
    namespace: str


@dataclass(frozen=True)
class Kube:
    """Runs kubectl and helm against one context; the current context when `context` is empty."""

    context: str = ""

    def target(self) -> ClusterTarget:
        """Return the target of commands. Raises FleetError when kubectl has no context."""
        try:
            view = json.loads(self.kubectl("config", "view", "--minify", "--output", "json"))
        except ClientError as error:
            raise FleetError(
                f"kubectl has no usable context: {error.message}\nChoose one with `kubectl config use-context`."
            ) from None
        context = view["contexts"][0]
        return ClusterTarget(
            context["name"], view["clusters"][0]["cluster"]["server"], context["context"].get("namespace", "default")
        )

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float | None = 120) -> str:
        """Run kubectl and return its stdout; `stdin` is its standard input. Raises ClientError, or FleetError without kubectl."""
        context = ["--context", self.context] if self.context else []
        return run(["kubectl", *context, *arguments], stdin=stdin, timeout=timeout)

    def helm(self, *arguments: str, stdin: str | None = None, timeout: float | None = 600) -> str:
        """Run helm on the cluster that kubectl uses and return its stdout, as `kubectl` does."""
        context = ["--kube-context", self.context] if self.context else []
        return run(["helm", *context, *arguments], stdin=stdin, timeout=timeout, environment=environment())

    def helm_version(self) -> Version:
        """Return Helm's version. Raises FleetError when that is not supported."""
        return Version.parse(self.helm("version", "--template", "{{.Version}}"))

    def get(self, resource: str, *arguments: str) -> list[dict[str, Any]]:
        """Return the objects of one kind, such as `get("stages.kargo.akuity.io", "--all-namespaces")`.

        Return [] when there are none, or when the cluster does not have the kind. Raises ClientError for any other failure.
        """
        try:
            text = self.kubectl("get", resource, "--output", "json", "--ignore-not-found", *arguments)
        except ClientError as error:
            if "the server doesn't have a resource type" in error.message:
                return []
            raise
        if not text.strip():
            return []
        found = json.loads(text)
        items: list[dict[str, Any]] = found["items"] if found.get("kind", "").endswith("List") else [found]
        return items

    def knows(self, resource: str) -> bool:
        """Return whether the cluster has a kind, named as in `stages.kargo.akuity.io`."""
        return bool(self.get("customresourcedefinitions.apiextensions.k8s.io", resource))
