"""Git credentials: each unit's repository needs a Secret that Kargo uses for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit, urlunsplit

from kargo_fleet.cluster import resources as c
from kargo_fleet.cluster.objects import dig
from kargo_fleet.cluster.scope import ExpectedUnit
from kargo_fleet.cluster.snapshot import GitCredential, Snapshot
from kargo_fleet.doctor.codes import CLUSTER, found
from kargo_fleet.findings import Finding
from kargo_fleet.fleet.names import CREDENTIAL_LABEL
from kargo_fleet.text.go_regex import compiled
from kargo_fleet.text.words import first_of

_SCP = re.compile(r"^((?:[\w-]+@)?[\w-]+(?:\.[\w-]+)*)(?::(.*))?$", re.ASCII)


def git(cluster: Snapshot, units: Sequence[ExpectedUnit]) -> tuple[list[Finding], set[str]]:
    """Return findings about repositories without credentials, and the services that these affect.

    Units that have ever promoted are not checked: their credentials work, wherever they are.
    """
    without: dict[str, list[ExpectedUnit]] = {}
    for unit in units:
        if _may_read(cluster, unit):
            for url in _without(cluster, unit):
                without.setdefault(url, []).append(unit)
    findings = [_finding(cluster, url, affected) for url, affected in sorted(without.items())]
    return findings, {unit.service for affected in without.values() for unit in affected}


def uncertain(cluster: Snapshot, units: Sequence[ExpectedUnit]) -> bool:
    """Return whether credentials of some units cannot be checked because the Secrets may not be read."""
    return any(_without(cluster, unit) and not _may_read(cluster, unit) for unit in units)


def _without(cluster: Snapshot, unit: ExpectedUnit) -> list[str]:
    """Return the repositories of a unit that has never promoted for which no Secret that was read matches."""
    # Kargo sends no credentials over http://, so none are missing there.
    urls = [url for url in unit.repo_urls if not url.startswith("http://")]
    if not urls or any(dig(one, "status", "freightHistory") for one in cluster.within(c.STAGES, unit.project).values()):
        return []
    known = [one for one in cluster.credentials if one.namespace in _places(cluster, unit)]
    return [url for url in urls if not any(fits(one, url) for one in known)]


def _places(cluster: Snapshot, unit: ExpectedUnit) -> tuple[str, str]:
    return unit.project, cluster.shared_namespace


def _may_read(cluster: Snapshot, unit: ExpectedUnit) -> bool:
    return all(cluster.knows(c.SECRETS, place) for place in _places(cluster, unit))


def _finding(cluster: Snapshot, url: str, units: list[ExpectedUnit]) -> Finding:
    shared, services = cluster.shared_namespace, [unit.service for unit in units]
    place = f"{units[0].project}/Secret" if len(units) == 1 else f"{CLUSTER}/Secret"
    message = f"no Secret has Git credentials for {url}; promotions of {first_of(services)} cannot push"
    fix = (
        "create the Secret with `kargo-fleet credentials git --from-env GIT_TOKEN`, see docs/credentials.md; "
        f"`kubectl get secrets -n {shared} -l {CREDENTIAL_LABEL}=git` lists those for all Projects"
    )
    return found("KF741", place, message, fix, services[0] if len(services) == 1 else "")


def fits(credential: GitCredential, url: str) -> bool:
    """Return whether Kargo uses a Secret for a repository: pkg/credentials/kubernetes/database.go of v1.11.2."""
    if not credential.is_regex:
        return bool(credential.url) and normalized(credential.url) == normalized(url)
    pattern = compiled(credential.url)
    return pattern is not None and any(pattern.search(form) for form in (url, normalized(url)))


@lru_cache(maxsize=4096)
def normalized(url: str) -> str:
    """Return a Git URL in the form in which Kargo compares it: pkg/urls/git.go of v1.11.2."""
    text = url.strip().lower()
    if text.startswith(("http://", "https://", "ssh://")):
        parts = urlsplit(text)
        if parts.query:
            return url
        host = parts.netloc.rpartition("@")[2] if text.startswith("http") else parts.netloc
        return urlunsplit((parts.scheme, host, _trimmed(parts.path), "", parts.fragment))
    match = _SCP.match(text)
    if match is None:
        return url
    path = _trimmed(match[2] or "")
    return f"ssh://{match[1]}/{path}" if path else f"ssh://{match[1]}"


def _trimmed(path: str) -> str:
    return path.removesuffix("/").removesuffix(".git")
