"""Paths and versions of the measured programs. `make bench` installs them (tools/bootstrap/bench.sh)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PINS: Final = ROOT / "bench" / "tools"
HOME: Final = ROOT / ".tools" / "bench"
HELM: Final = ROOT / ".tools" / "bin" / "helm"
KARGO_FLEET: Final = Path(sys.executable).with_name("kargo-fleet")


def binary(name: str) -> Path:
    """Return the path of a Go program."""
    return HOME / "bin" / name


def go_version(module: str) -> str:
    """Return the version of a Go module in go.mod, without the v."""
    found = re.search(rf"^\s*{re.escape(module)} v(\S+)", (PINS / "go.mod").read_text(), re.MULTILINE)
    return found[1] if found else "?"


def python_version(package: str) -> str:
    """Return the version of a Python package in requirements.txt."""
    found = re.search(rf"^{re.escape(package)}==(\S+)", (PINS / "requirements.txt").read_text(), re.MULTILINE)
    return found[1] if found else "?"


def node_version(package: str) -> str:
    """Return the version of a Node.js package in package.json."""
    version: str = json.loads((PINS / "package.json").read_text())["dependencies"][package]
    return version


@cache
def printed(*command: str) -> str:
    """Return a program's output as one line, or the error if it cannot be started."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return f"({error.strerror})"
    return " ".join((done.stdout or done.stderr).split())


def why_missing(name: str, path: Path) -> str | None:
    """Return why a program is missing, with the last line of its log; None if it is installed."""
    if path.exists():
        return None
    log = HOME / f"{name}.log"
    lines = [line for line in log.read_text().splitlines() if line.strip()] if log.exists() else []
    return f"it was not installed: {lines[-1].strip()}" if lines else "it is not installed; run `make bench`"
