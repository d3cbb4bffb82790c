"""Access to the cluster through kubectl and helm, so that every kind of authentication works."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from kargo_fleet.clients.helm import Version, environment
from kargo_fleet.clients.process import ClientError, run
from kargo_fleet.errors import FleetError
from kargo_fleet.text.words import did_you_mean, enumerate_words

#: What kubectl prints when it has no context to use: none is chosen, or there is none with this name. Without any kubeconfig
#: it asks the port that clusters had ten years ago.
_NO_CONTEXT = re.compile(
    r'current-context must exist|cannot locate context|context "[^"]*" does not exist|no configuration|localhost:8080'
)
_WITHOUT = "To see the manifests without a cluster, run `kargo-fleet render`."


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
            raise self.unreachable(error) from None
        context = view["contexts"][0]
        return ClusterTarget(
            context["name"], view["clusters"][0]["cluster"]["server"], context["context"].get("namespace", "default")
        )

    def unreachable(self, error: ClientError) -> FleetError:
        """Return the error to raise when kubectl cannot ask the cluster: which contexts there are, or what it printed."""
        if not _NO_CONTEXT.search(error.message):
            lines = [line for line in error.message.splitlines() if line.strip() and not re.match(r"E\d{4} ", line)]
            return FleetError(f"the cluster does not answer: {(lines or [error.message])[-1].strip()}")
        try:
            known = run(["kubectl", "config", "get-contexts", "--output", "name"], timeout=60).split()
        except ClientError:
            known = []
        if not known:
            missing = f"there is no context {self.context!r}" if self.context else "there is no cluster"
            return FleetError(
                f"{missing}: the kubeconfig of kubectl has no context\nSet KUBECONFIG, or log in to a cluster. {_WITHOUT}"
            )
        if self.context:
            hint = did_you_mean(self.context, known, f"there is {enumerate_words(known)}")
            return FleetError(f"there is no context {self.context!r} in the kubeconfig of kubectl; {hint}\n{_WITHOUT}")
        return FleetError(f"kubectl has no current context\nPass --context with one of: {', '.join(known)}. {_WITHOUT}")

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Turn a failure of kubectl in this block, which nothing handles, into a FleetError."""
        try:
            yield
        except ClientError as error:
            raise self.unreachable(error) from None

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Run kubectl and return its stdout; `stdin` is its standard input. Raises ClientError, or FleetError without kubectl."""
        context = ["--context", self.context] if self.context else []
        return run(["kubectl", *context, *arguments], stdin=stdin, timeout=timeout)

    def helm(self, *arguments: str, stdin: str | None = None, timeout: float = 600) -> str:
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
