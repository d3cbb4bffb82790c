"""The record of a vendored chart: which version of it kargo-fleet has put into a folder, and the checksum of each file.

It is a file in the chart's folder, in the format of sha256sum, so that `sha256sum -c .vendored` tells an untouched copy as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from kargo_fleet.files.reading import is_absent, read_bytes
from kargo_fleet.fleet.folder_pattern import FOLDER_PATTERN, FolderPattern, is_services
from kargo_fleet.fleet.names import WRITTEN_FOLDERS
from kargo_fleet.fleet.sections import DEFAULT_SERVICES

RECORD = ".vendored"
_VERSION = re.compile(r"^# kargo-service (\S+)$", re.MULTILINE)
_SUM = re.compile(r"^([0-9a-f]{64})  (\S.*)$", re.MULTILINE)


@dataclass(frozen=True)
class VendoredChart:
    """The version of the chart, and the SHA-256 of each of its files by path in the folder."""

    version: str
    sums: dict[str, str]


def refusal(root: Path, path: str, services: object) -> str:
    """Return why the chart is not copied to the folder `path`, "" when it can be; `services` is that key of fleet.yaml."""
    if not re.search(FOLDER_PATTERN, path):
        return "is not a path from the root of the repository, such as charts/kargo-service"
    if path.partition("/")[0] in WRITTEN_FOLDERS:
        return "is for generated files; choose another folder, such as charts/kargo-service"
    is_valid = isinstance(services, str) and is_services(services)
    base = FolderPattern.of(services if is_valid else DEFAULT_SERVICES).base  # type: ignore[arg-type]
    if f"{path}/".startswith(f"{base}/"):
        return f"is in {base}, the folder of the services; choose another folder, such as charts/kargo-service"
    if not (root / path).resolve().is_relative_to(root.resolve()):
        return "is a link that leads out of the repository"
    return ""


def read_record(folder: Path) -> VendoredChart | None:
    """Return the record of the chart in a folder, None when kargo-fleet has not vendored it.

    Raises OSError when it cannot be read: a copy would count as the work of others.
    """
    if is_absent(folder / RECORD):
        return None
    try:
        text = read_bytes(folder / RECORD).decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
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
