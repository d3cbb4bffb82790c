"""The Helm release of a unit."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable

from kargo_fleet.clients.kube import Kube

_CHART = re.compile(r"kargo-service-\d")
#: How many revisions of a release Helm keeps: the present one, and one to roll back to. Each is a Secret of 57 KB in etcd.
HISTORY = 2
_LONGEST = 53  # Helm's own limit for the name of a release


def release_name(service: str) -> str:
    """Return the name of a service's Helm release: the service's, or where that is too long what is unmistakably its."""
    if len(service) <= _LONGEST:
        return service
    return f"{service[: _LONGEST - 9].rstrip('-')}-{hashlib.sha256(service.encode()).hexdigest()[:8]}"


def foreign(kube: Kube, namespace: str, names: Iterable[str]) -> dict[str, str]:
    """Return which of these releases are of another chart, and of which. Nobody may upgrade or uninstall those."""
    if not (wanted := sorted(set(names))):
        return {}
    chosen = f"^({'|'.join(wanted)})$" if len(wanted) < 100 else ""
    listed = kube.helm("list", "--namespace", namespace, "--max", "0", "--filter", chosen, "--output", "json")
    return {
        release["name"]: release["chart"]
        for release in json.loads(listed)
        if release["name"] in wanted and not _CHART.match(release["chart"])
    }
