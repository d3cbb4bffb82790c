"""Permissions for tests that run as root, who may read and write everything."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from functools import cache

import pytest

_PR_CAPBSET_DROP = 24  # linux/prctl.h
_OVERRIDE, _READ_SEARCH = 1, 2  # linux/capability.h: CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


def bind() -> None:
    """Let permissions hold for the program that this process is about to become: the `preexec_fn` of subprocess."""
    for capability in (_OVERRIDE, _READ_SEARCH):
        ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


@cache
def _hold(folder: str) -> bool:
    os.mkdir(f"{folder}/closed", 0)
    code = f"import os; os.listdir({folder + '/closed'!r})"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, preexec_fn=bind, stderr=subprocess.DEVNULL, check=False).returncode != 0


@pytest.fixture(scope="session")
def permissions(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip a test where nothing makes permissions hold."""
    if not _hold(str(tmp_path_factory.mktemp("permissions"))):
        pytest.skip("permissions do not hold for this user here")
