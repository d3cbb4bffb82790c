"""Which services the units' ApplicationSets on disk list, in a fleet whose sets do: its tree has no folder per service."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from kargo_fleet.files import generated
from kargo_fleet.findings import Finding, Place
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.names import ARGOCD

#: An element as this tool writes it. No YAML is parsed: there are thousands, and other text is not this tool's.
_ELEMENT = re.compile(r"^ +- service: '?([a-z0-9-]+)'?$", re.MULTILINE)


def listed(root: Path) -> set[str]:
    """Return the services that argocd/units*.yaml list."""
    texts = (_text(file) for file in sorted((root / ARGOCD).glob("units*.yaml")))
    return {service for text in texts for service in _ELEMENT.findall(text)}


def _text(file: Path) -> str:
    """Return the text of a set; one that cannot be read lists nothing, which a run over all services reports."""
    try:
        return generated.read(file) or ""
    except OSError:
        return ""


def unlisted_findings(fleet: Fleet, services: Iterable[str]) -> Iterator[Finding]:
    """Yield a warning for each service that no set lists, for a run that leaves the sets as they are."""
    if not fleet.layout.has_stages:
        return
    known = listed(fleet.root)
    for service in services:
        if service not in known:
            message = f"does not list {service}, so that Argo CD does not install it"
            fix = "run `kargo-fleet generate` without names and commit the result"
            yield Finding(Place(f"{ARGOCD}/units.yaml"), "KFW504", message, fix, service)
