"""The record of a vendored chart: which version of it kargo-fleet has put into a folder, and the checksum of each file.

It is a file in the chart's folder, in the format of sha256sum, so that `sha256sum -c .vendored` tells an untouched copy as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

RECORD = ".vendored"
_VERSION = re.compile(r"^# kargo-service (\S+)$", re.MULTILINE)
_SUM = re.compile(r"^([0-9a-f]{64})  (\S.*)$", re.MULTILINE)


@dataclass(frozen=True)
class VendoredChart:
    """The version of the chart, and the SHA-256 of each of its files by path in the folder."""

    version: str
    sums: dict[str, str]


def read_record(folder: Path) -> VendoredChart | None:
    """Return the record of the chart in a folder, None when kargo-fleet has not vendored it."""
    try:
        text = (folder / RECORD).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    version = _VERSION.search(text)
    return VendoredChart(version[1] if version else "", {path: digest for digest, path in _SUM.findall(text)})


def record_text(chart: VendoredChart) -> str:
    """Return the text of the record."""
    head = [
        "# Copied by kargo-fleet. To update this folder: kargo-fleet chart vendor",
        f"# kargo-service {chart.version}",
    ]
    return "".join(
        f"{line}\n" for line in [*head, *(f"{digest}  {path}" for path, digest in sorted(chart.sums.items()))]
    )
