"""kargo-fleet credentials: print the Secret that gives Kargo access to the repository or the registry, for all Projects."""

from __future__ import annotations

import os
import re
import sys
from enum import StrEnum
from pathlib import Path

from kargo_fleet.errors import FleetError
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.generate import desired
from kargo_fleet.text import yaml_writer

#: Kargo looks there for every Project (`global.sharedResources.namespace` of its chart).
SHARED = "kargo-shared-resources"


class Kind(StrEnum):
    GIT = "git"
    IMAGE = "image"


def credentials(
    root: Path,
    kind: Kind,
    *,
    username: str = "kargo",
    namespace: str = SHARED,
    name: str = "",
    from_env: str = "",
    group: str = "",
) -> int:
    """Print a Secret manifest and return 0. Nothing is written to disk.

    The password is left out, unless `from_env` names an environment variable that holds it; then the manifest is meant
    for a pipe to `kubectl apply --server-side -f -`, and a terminal does not get to see it. With `group`, the registry is that of
    a group of fleet.yaml. Raises FleetError when fleet.yaml does not say what the credentials are for, or the variable is empty.

    Source: https://docs.kargo.io/user-guide/security/managing-secrets, "Repository Credentials".
    """
    _, fleet = desired.load_sound(root)
    data = {"repoURL": fleet.git.get("repoURL", "")}
    if kind is Kind.IMAGE:
        registry = _group_registry(fleet, group) if group else fleet.registry
        data = {"repoURL": f"^{_escaped(registry)}/.+$" if registry else "", "repoURLIsRegex": "true"}
    if not data["repoURL"]:
        raise FleetError(f"fleet.yaml does not set {'git.repoURL' if kind is Kind.GIT else 'image.registry'}")
    data["username"] = username
    if from_env:
        data["password"] = _password(from_env)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name or _name(kind, group),
            "namespace": namespace,
            "labels": {"kargo.akuity.io/cred-type": str(kind)},
        },
        "stringData": data,
    }
    print(yaml_writer.document(secret), end="")
    if not from_env:
        print(
            "the password is missing: add --from-env VARIABLE and pipe to kubectl apply --server-side -f -",
            file=sys.stderr,
        )
    return 0


def _name(kind: Kind, group: str) -> str:
    suffix = re.sub(r"[^a-z0-9]+", "-", group.lower()).strip("-")
    return f"kargo-fleet-{kind}-{suffix}" if suffix else f"kargo-fleet-{kind}"


def _group_registry(fleet: Fleet, name: str) -> str:
    registries = {group.name: group.registry for group in fleet.groups if group.registry}
    if name not in registries:
        known = f"those with one are {', '.join(registries)}" if registries else "no group has one"
        raise FleetError(f"there is no group {name!r} with a registry of its own in fleet.yaml; {known}")
    return registries[name]


def _escaped(text: str) -> str:
    """Escape what means something to Go's regular expressions. re.escape also takes `-` for that, which nobody wants to read."""
    return re.sub(r"[\\.+*?()|\[\]{}^$]", r"\\\g<0>", text)


def _password(variable: str) -> str:
    if sys.stdout.isatty():
        raise FleetError("this would show the password: pipe it to `kubectl apply --server-side -f -`")
    if not (password := os.environ.get(variable)):
        raise FleetError(
            f"the environment variable {variable} is empty\nSet it with: read -rs {variable}; export {variable}"
        )
    return password
