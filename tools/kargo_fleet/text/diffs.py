"""Unified diffs that `patch` and `git apply` take."""

from __future__ import annotations

import difflib
import re


def unified(path: str, before: str | None, after: str | None) -> str:
    """Return the diff of the text of a file. None stands for a missing file."""
    old = path if before is not None else "/dev/null"
    new = path if after is not None else "/dev/null"
    lines = difflib.unified_diff(_lines(before), _lines(after), old, new)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: str | None) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text or "")  # splitlines splits at more characters than `patch` does
