"""The Secret that gives Kargo access to the repository or to a registry, for all Projects."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

from kargo_fleet.errors import FleetError
from kargo_fleet.findings import dotted
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.examples import has_example
from kargo_fleet.fleet.names import CREDENTIAL_LABEL, FLEET_FILE
from kargo_fleet.text.words import did_you_mean


class SecretKind(StrEnum):
    GIT = "git"
    IMAGE = "image"


def secret(
    fleet: Fleet, kind: SecretKind, *, name: str, namespace: str, username: str, group: str = ""
) -> dict[str, Any]:
    """Return the manifest of a Secret, without a password. With `group`, the registry is that of a group of fleet.yaml.

    Raises FleetError when fleet.yaml does not set the repository or the registry, or still has the template's example.

    Source: https://docs.kargo.io/user-guide/security/managing-secrets, "Repository Credentials".
    """
    if group:
        _check_group(fleet, kind, group)
    path: tuple[str, ...] = ("git", "repoURL")
    address = fleet.git.get("repoURL", "")
    if kind is SecretKind.IMAGE:
        path = ("groups", group, "image", "registry") if group else ("image", "registry")
        address = next(found.registry for found in fleet.groups if found.name == group) if group else fleet.registry
    if not address:
        raise FleetError(f"{FLEET_FILE} does not set {dotted(path)}")
    if has_example(address):
        place = fleet.file.place(path)
        raise FleetError(
            f"{place}: {dotted(path)} ({address}) is still an example of the template\nWrite your own there."
        )
    data = {"repoURL": address}
    if kind is SecretKind.IMAGE:
        data = {"repoURL": f"^{_images(address)}$", "repoURLIsRegex": "true"}
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


def _check_group(fleet: Fleet, kind: SecretKind, name: str) -> None:
    """Raise FleetError unless there is a group of this name, which has a registry of its own."""
    registries = {group.name: group.registry for group in fleet.groups}
    with_registry = [group for group, registry in registries.items() if registry]
    known = f"groups with a registry: {', '.join(with_registry)}" if with_registry else "no group sets a registry"
    if name not in registries:
        others = f"its groups: {', '.join(registries)}" if registries else "it has no groups"
        raise FleetError(f"there is no group {name!r} in {FLEET_FILE}; {did_you_mean(name, registries, others)}")
    if kind is SecretKind.GIT:
        raise FleetError("--group requires image: groups have registries of their own, but no repository")
    if not registries[name]:
        raise FleetError(f"there is no group {name!r} with image.registry in {FLEET_FILE}; {known}")


def _images(registry: str) -> str:
    """Return the regular expression of the images of a registry, or of a pattern such as ghcr.io/example/<service>-image."""
    images = _escaped(registry).replace("<service>", "[a-z0-9-]+").replace("<team>", "[^/]+")
    return images if "<service>" in registry else f"{images}/.+"


def _escaped(text: str) -> str:
    """Escape the special characters of Go's regular expressions. re.escape also escapes `-`, which makes names hard to read."""
    return re.sub(r"[\\.+*?()|\[\]{}^$]", r"\\\g<0>", text)
