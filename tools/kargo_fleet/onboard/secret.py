"""The Secret that gives Kargo access to the repository or to a registry, for all Projects."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

from kargo_fleet.errors import FleetError
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.names import CREDENTIAL_LABEL


class SecretKind(StrEnum):
    GIT = "git"
    IMAGE = "image"


def secret(
    fleet: Fleet, kind: SecretKind, *, name: str, namespace: str, username: str, group: str = ""
) -> dict[str, Any]:
    """Return the manifest of a Secret, without a password. With `group`, the registry is that of a group of fleet.yaml.

    Raises FleetError when fleet.yaml does not set the repository or the registry.

    Source: https://docs.kargo.io/user-guide/security/managing-secrets, "Repository Credentials".
    """
    data = {"repoURL": fleet.git.get("repoURL", "")}
    if kind is SecretKind.IMAGE:
        registry = _group_registry(fleet, group) if group else fleet.registry
        data = {"repoURL": f"^{_escaped(registry)}/.+$" if registry else "", "repoURLIsRegex": "true"}
    if not data["repoURL"]:
        raise FleetError(f"fleet.yaml does not set {'git.repoURL' if kind is SecretKind.GIT else 'image.registry'}")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name or _name(kind, group),
            "namespace": namespace,
            "labels": {CREDENTIAL_LABEL: str(kind)},
        },
        "stringData": {**data, "username": username},
    }


def _name(kind: SecretKind, group: str) -> str:
    suffix = re.sub(r"[^a-z0-9]+", "-", group.lower()).strip("-")
    return f"kargo-fleet-{kind}-{suffix}" if suffix else f"kargo-fleet-{kind}"


def _group_registry(fleet: Fleet, name: str) -> str:
    registries = {group.name: group.registry for group in fleet.groups if group.registry}
    if name not in registries:
        known = f"groups with a registry: {', '.join(registries)}" if registries else "no group sets a registry"
        raise FleetError(f"there is no group {name!r} with image.registry in fleet.yaml; {known}")
    return registries[name]


def _escaped(text: str) -> str:
    """Escape the special characters of Go's regular expressions. re.escape also escapes `-`, which makes names hard to read."""
    return re.sub(r"[\\.+*?()|\[\]{}^$]", r"\\\g<0>", text)
