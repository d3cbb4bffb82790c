"""The one way in which this tool writes and removes files: whole or not at all, below one folder, and never through a link.

A new text goes into a temporary file beside the old one, which then takes its name. The name is random and the file must not
exist, so that nobody can prepare one; it is locked until it has its name, so that whoever finds it unlocked knows that the run
that made it has been killed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from kargo_fleet.findings import Finding, Place

_TEMPORARY = re.compile(r"\.kargo-fleet-[0-9a-f]{32}\.tmp")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
#: What `open` answers for a link to a folder that it must not follow, or for a file.
_NO_FOLDER = (errno.ENOTDIR, errno.ELOOP, errno.EMLINK)


class LinkError(OSError):
    """A path leads through a symbolic link, which is not followed: `path` from the folder that a FileWriter writes to."""

    def __init__(self, root: Path, path: str) -> None:
        super().__init__(errno.ELOOP, "it is a symbolic link, which is not followed", str(root / path))
        self.path = path


class FileWriter:
    """Writes and removes files below the folder `root`, which is made if it is missing.

    Paths are relative to `root`, with slashes. `root` itself may be reached through links: it is what the user named. The
    folders that were used stay open until `close`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the folders."""
        for folder in list(self._folders):
            self._forget(folder)

    def write(self, path: str, text: str, *, staged: str | None = None, durable: bool = False) -> None:
        """Write a file so that it is the old one or the new one at any moment, also when the process is killed.

        Folders that are missing are made; the permissions of the old file are kept; a link is replaced, not followed.

        Args:
            path: From `root`.
            text: Written as UTF-8.
            staged: The folder for the temporary file if it is not the file's own. `sweep` has to look for what was left
                there only, not in each of thousands of folders.
            durable: Whether the text is on the disk before the next one is written: what a person wrote is nowhere else.

        Raises:
            LinkError: When a folder on the path is a symbolic link.
            OSError: When the file cannot be written; `filename` is its path.
        """
        folder, _, name = path.rpartition("/")
        try:
            try:
                self._write(folder, folder if staged is None else staged, name, text, durable)
            except FileNotFoundError:  # Git may have replaced a folder that is open here
                self.close()
                self._write(folder, folder if staged is None else staged, name, text, durable)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                self._write(folder, folder, name, text, durable)
        except LinkError:
            raise
        except OSError as error:
            error.filename, error.filename2 = str(self._root / path), None  # the file that users know
            raise

    def remove(self, path: str) -> None:
        """Remove a file, or a link itself. One that is missing is no error. Raises OSError as `write` does."""
        folder, _, name = path.rpartition("/")
        try:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self._folder(folder, make=False))
        except LinkError:
            raise
        except OSError as error:
            error.filename = str(self._root / path)
            raise

    def sweep(self, folders: Iterable[str]) -> None:
        """Remove the temporary files that killed runs left in some folders. What cannot be removed stays."""
        for folder in folders:
            with suppress(OSError):
                inside = self._folder(folder, make=False)
                for name in os.listdir(inside):
                    if _TEMPORARY.fullmatch(name):
                        _remove_left(inside, name)

    def _write(self, folder: str, staged: str, name: str, text: str, durable: bool) -> None:
        target, stage = self._folder(folder), self._folder(staged)
        descriptor, temporary = _temporary_file(stage)
        try:
            _write_all(descriptor, text.encode())
            with suppress(FileNotFoundError):
                old = os.stat(name, dir_fd=target, follow_symlinks=False).st_mode
                if stat.S_ISREG(old) and old & 0o777 != os.fstat(descriptor).st_mode & 0o777:
                    os.fchmod(descriptor, old & 0o777)
            if durable:
                os.fsync(descriptor)
            os.replace(temporary, name, src_dir_fd=stage, dst_dir_fd=target)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=stage)
            raise
        finally:
            os.close(descriptor)
        if durable:
            with suppress(OSError):  # the file has its name; not every file system can do this with a folder
                os.fsync(target)

    def _folder(self, path: str, *, make: bool = True) -> int:
        """Return a descriptor of a folder, which is opened part by part, so that no link is followed."""
        if path not in self._folders:
            if path in ("", "."):
                self._folders[path] = _opened_root(self._root, make)
            else:
                above = path.rpartition("/")[0]
                inside = self._folder(above, make=make)
                self._folders[path] = _opened(inside, self._root, path, make)
        return self._folders[path]

    def _forget(self, folder: str) -> None:
        os.close(self._folders.pop(folder))


def is_temporary(name: str) -> bool:
    """Return whether a file has the name of a temporary one."""
    return _TEMPORARY.fullmatch(name) is not None


def _opened_root(root: Path, make: bool) -> int:
    try:
        return os.open(root, _FOLDER)
    except FileNotFoundError:
        if not make:
            raise
        os.makedirs(root, exist_ok=True)
        return os.open(root, _FOLDER)


def _opened(inside: int, root: Path, path: str, make: bool) -> int:
    name = path.rpartition("/")[2]

    def opened() -> int:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=inside)

    if name in ("", ".", ".."):
        raise ValueError(f"{path!r} is not a path below a folder")
    try:
        return opened()
    except FileNotFoundError:
        if not make:
            raise
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=inside)
        return opened()
    except OSError as error:
        if error.errno in _NO_FOLDER and _is_link(inside, name):
            raise LinkError(root, path) from None
        error.filename = str(root / path)
        raise


def _is_link(inside: int, name: str) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=inside, follow_symlinks=False).st_mode)


def _temporary_file(inside: int) -> tuple[int, str]:
    """Return the descriptor and the name of a new file, which this process has locked."""
    while True:
        name = f".kargo-fleet-{secrets.token_hex(16)}.tmp"
        descriptor = os.open(name, _NEW, 0o666, dir_fd=inside)
        try:
            with suppress(OSError):  # a file system without locks: nobody removes what is not locked there, either
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return descriptor, name
        except BaseException:
            with suppress(OSError):
                os.unlink(name, dir_fd=inside)
            os.close(descriptor)
            raise
        os.close(descriptor)  # another run took it for one that was left, between these two calls


def _remove_left(inside: int, name: str) -> None:
    """Remove a temporary file, unless a run holds it or it is not one of ours."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=inside)
    except OSError:  # a link, or that of another user
        return
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(name, dir_fd=inside)
    except OSError:  # it is locked, or locks are not known here
        return
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def unwritable(path: str, error: OSError, service: str = "", *, what: str = "written") -> Finding:
    """Return the finding for a file that could not be written or, with `what`, removed; or for the link on its path."""
    if isinstance(error, LinkError):
        message = f"is a symbolic link, through which nothing is {what}"
        return Finding(Place(error.path), "KF009", message, "replace the link with what it leads to")
    message = f"could not be {what}: {error.strerror}"
    return Finding(Place(path), "KF010", message, f"{_REMEDIES.get(error.errno or 0, _OTHERWISE)}, {_AGAIN}", service)


def folders_of(paths: Iterable[str]) -> set[str]:
    """Return the folders that the files with these paths are in."""
    return {path.rpartition("/")[0] for path in paths}


def until_failure(root: Path, written: Iterator[str]) -> tuple[list[str], list[Finding]]:
    """Return the paths that were `written` one after the other, and the finding about the first that could not be."""
    done: list[str] = []
    try:
        for path in written:
            done.append(path)  # noqa: PERF402  # what was done counts when the next one fails
    except OSError as error:
        if error.filename is None:
            raise
        return done, [unwritable(Path(os.path.relpath(error.filename, root)).as_posix(), error)]
    return done, []


_AGAIN = "then run the command again"
_OTHERWISE = "correct that"
_PERMISSION = "allow its folder to be written"
_SPACE = "free some space on the disk"
_REMEDIES = {
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EROFS: _PERMISSION,
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EISDIR: "remove the folder that is in its place",
    errno.ENOTDIR: "remove the file that is in the place of its folder",
}
