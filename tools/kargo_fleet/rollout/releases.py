"""Helm releases in the cluster."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from kargo_fleet.clients.kube import Kube

_CHART = re.compile(r"kargo-service-\d")


def foreign(kube: Kube, namespace: str, names: Iterable[str]) -> dict[str, str]:
    """Return those of the releases `names` that belong to another chart, with that chart. They must not be changed."""
    if not (wanted := sorted(set(names))):
        return {}
    chosen = f"^({'|'.join(wanted)})$" if len(wanted) < 100 else ""
    listed = kube.helm("list", "--namespace", namespace, "--max", "0", "--filter", chosen, "--output", "json")
    return {
        release["name"]: release["chart"]
        for release in json.loads(listed)
        if release["name"] in wanted and not _CHART.match(release["chart"])
    }
