"""What the owner of a repository that was made from this one replaces or removes: its README, its own CI.

Tests of such a file are skipped where it is not the product's any more; `services/` and the like are not read at all
(conftest.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
#: The pages at the top of the repository.
TOP: Final = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")


def is_ours(name: str) -> bool:
    """Return whether a file is there and, for the README, the product's."""
    path = ROOT / name
    return path.is_file() and (name != "README.md" or path.read_text(encoding="utf-8").startswith("# kargo-fleet\n"))


def may_be_gone(path: Path) -> bool:
    """Return whether the product's pages may lead to a file that is not there, or not the product's any more."""
    name = path.relative_to(ROOT).as_posix()
    return name.startswith((".github/", ".ci/", "services")) or (name in TOP and not is_ours(name))


def need(*names: str) -> None:
    """Skip a test of files that the owner has replaced or removed."""
    for name in names:
        if not is_ours(name):
            pytest.skip(f"{name} is not the product's")


def needs(*names: str) -> pytest.MarkDecorator:
    """Return the mark that does so."""
    missing = [name for name in names if not is_ours(name)]
    return pytest.mark.skipif(bool(missing), reason=f"not the product's: {', '.join(missing)}")
