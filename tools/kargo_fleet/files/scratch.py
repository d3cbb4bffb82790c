"""Scratch folders outside of the repository, which are removed at the end of a run: also those of runs that were killed."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = ".kargo-fleet-scratch-"
_NAME = re.compile(re.escape(_PREFIX) + "[a-z0-9_]{8}")  # as tempfile makes them
_YOUNG = 60  # seconds that a folder may exist before it is locked
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for this run, which is locked until it is removed. Raises OSError when none can be made."""
    _sweep(tempfile.gettempdir())
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as folder:
        descriptor = os.open(folder, _OPEN)
        try:
            with suppress(OSError):  # a file system without locks: nobody removes what is not locked there, either
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield Path(folder)
        finally:
            os.close(descriptor)


def _sweep(parent: str) -> None:
    """Remove the folders that killed runs of this user left."""
    with suppress(OSError):
        for name in os.listdir(parent):
            if _NAME.fullmatch(name):
                _remove_left(os.path.join(parent, name))


def _remove_left(folder: str) -> None:
    with suppress(OSError):
        descriptor = os.open(folder, _OPEN)
        try:
            found = os.fstat(descriptor)
            if found.st_uid == os.geteuid() and time.time() - found.st_mtime > _YOUNG:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)
