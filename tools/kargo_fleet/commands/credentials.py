"""kargo-fleet credentials: print the Secret that gives Kargo access to the repository or the registry, for all Projects."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from kargo_fleet.errors import FleetError
from kargo_fleet.fleet.load import load_sound
from kargo_fleet.fleet.names import SHARED_RESOURCES
from kargo_fleet.onboard.secret import SecretKind, secret
from kargo_fleet.terminal import output
from kargo_fleet.text import yaml_writer


def credentials(
    root: Path,
    kind: SecretKind,
    *,
    username: str = "kargo",
    namespace: str = SHARED_RESOURCES,
    name: str = "",
    from_env: str = "",
    group: str = "",
) -> int:
    """Print a Secret manifest and return 0. Nothing is written to disk.

    The password is left out unless `from_env` names an environment variable that holds it; the output is then for a pipe
    to `kubectl apply --server-side -f -`, and printing it to a terminal is refused. With `group`, the registry is that of
    a group of fleet.yaml. Raises FleetError when fleet.yaml does not set the repository or registry, or when the variable
    is empty.
    """
    _, fleet, _ = load_sound(root)
    made = secret(fleet, kind, name=name, namespace=namespace, username=username, group=group)
    if from_env:
        made["stringData"]["password"] = _password(from_env)
    output.document(yaml_writer.document(made))
    if not from_env:
        output.tell("the password is missing: add --from-env VARIABLE and pipe to kubectl apply --server-side -f -")
    return 0


def _password(variable: str) -> str:
    if sys.stdout.isatty():
        raise FleetError("stdout is a terminal: pipe the password to `kubectl apply --server-side -f -`")
    if not (password := os.environ.get(variable)):
        raise FleetError(
            f"the environment variable {variable} is empty\nSet it with: read -rs {variable}; export {variable}"
        )
    return password
