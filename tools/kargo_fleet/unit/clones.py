"""What the clone has that a promotion works in."""

from __future__ import annotations

from collections.abc import Iterable

from kargo_fleet.files.reading import RepositoryReader
from kargo_fleet.fleet.names import KUSTOMIZATIONS


def has_files_of(folder: str, checked_out: Iterable[str]) -> bool:
    """Return whether a sparse clone has the files directly in a folder: it is one that is checked out, in one, or above one.

    Source: Kargo v1.11.2, pkg/controller/git/work_tree.go, configureSparseCheckout: Git's cone mode.

    Args:
        folder: From the root of the repository, "" for the root itself.
        checked_out: The folders that the clone is made with.
    """
    here = f"{folder}/" if folder else ""
    return any(here.startswith(f"{one}/") or f"{one}/".startswith(here) for one in checked_out)


def kustomization_in(reader: RepositoryReader, folder: str) -> str:
    """Return the kustomization in a folder, the one that Kustomize would take, "" when there is none."""
    return next((f"{folder}/{name}" for name in KUSTOMIZATIONS if reader.exists(f"{folder}/{name}")), "")
