"""Archives whose bytes depend on what is in them, and on nothing else."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path


def normalize(archive: Path, epoch: int) -> None:
    """Pack a .tgz again: sorted, of nobody, with one time. `helm package` writes the times of the files and of now."""
    packed = io.BytesIO()
    with tarfile.open(archive, "r:gz") as old, tarfile.open(fileobj=packed, mode="w") as new:
        for member in sorted((member for member in old if member.isfile()), key=lambda member: member.name):
            plain = tarfile.TarInfo(member.name)
            plain.size, plain.mtime, plain.mode = member.size, epoch, 0o644
            new.addfile(plain, old.extractfile(member))
    archive.write_bytes(gzip.compress(packed.getvalue(), mtime=epoch))
