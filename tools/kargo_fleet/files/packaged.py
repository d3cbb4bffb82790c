"""Files that come with this tool: in the installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

import kargo_fleet


def packaged_folder(inside: str, in_checkout: str) -> Path:
    """Return a folder that comes with the tool: `inside` the package, or else `in_checkout`, from the root of a checkout."""
    here = Path(kargo_fleet.__file__).resolve().parent
    return here / inside if (here / inside).is_dir() else here.parents[1] / in_checkout
