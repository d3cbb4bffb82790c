"""Read files: regular ones up to a size, and such that a later run can check whether it would get the same answers.

A repository may hold anything: a FIFO and a device would be waited for, and some are endless. Whatever people own is
read here; tests/test_architecture.py holds that.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from kargo_fleet.findings import Finding, Place, position_at

#: The largest file of a service, and the largest of those that all services share or that are generated, in bytes.
MOST, MOST_SHARED = 1 << 20, 1 << 24
_CHUNK = 1 << 16
#: Nothing is waited for: not for a FIFO's other end, and no terminal takes over this process.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
#: What `open` answers for a socket, and this module for everything else that is no regular file.
_IRREGULAR = errno.ENXIO
#: What `open` answers for a link that it must not follow; the second is FreeBSD's.
_IS_LINK = (errno.ELOOP, errno.EMLINK)
#: What system calls answer where there is no such file. Any other failure says nothing about that.
_ABSENT = (errno.ENOENT, errno.ENOTDIR)


class OutsideError(OSError):
    """A file that is not read, since `link`, the file itself or a folder above it, leads out of the repository."""

    def __init__(self, path: str, link: str) -> None:
        super().__init__(errno.ELOOP, "a symbolic link leads out of the repository", path)
        self.link = link


class RepositoryReader:
    """Reads files by their path in the repository; `instead` replaces the content of some files.

    `targets` are the files among those read that are symbolic links, and where each leads to, from the root.

    A result that depends only on the answers of a RepositoryReader is the same whenever the same lookups have the same
    answers: `lookups` are those made so far, in order, `fingerprint` is the hash of their answers.
    """

    def __init__(self, root: Path, instead: Mapping[str, bytes] | None = None, most: int = MOST) -> None:
        self.most = most
        self.lookups: list[str] = []
        self.targets: dict[str, str] = {}
        self._root = f"{root}{os.sep}"
        self._instead = instead or {}
        self._answers = hashlib.blake2b(digest_size=16)
        self._folders: _Links = {}

    def read(self, file: str) -> bytes:
        """Return the content of a file.

        Raises OSError, as `open` does, also for one of more than `most` bytes and for one that is no regular file, and OutsideError
        for one out of the repository.
        """
        answer = self._look_up(f"<{file}")
        if answer[:1] == b"^":
            raise OutsideError(self._root + file, os.fsdecode(answer[1:]))
        if answer[:1] == b"!":
            number = int(answer[1:])
            raise OSError(number, _reason(number, self.most), self._root + file)
        if answer[:1] == b"@":
            target, _, content = answer[1:].partition(b"\0")
            self.targets[file] = os.fsdecode(target)
            return content
        return answer[1:]

    def exists(self, file: str) -> bool:
        """Return whether the path exists, as a dangling symbolic link does.

        A path that cannot be looked up may exist: it counts as one that does, and `read` says why it cannot be read.
        """
        return self._look_up(f"?{file}") != b"0"

    def sees(self, path: str) -> bool:
        """Return whether the path is known to exist: for what nobody reads."""
        return self._look_up(f"?{path}") == b"1"

    def target(self, folder: str) -> str:
        """Return where a folder leads to that is a symbolic link, from the root; "" for one that is none."""
        return os.fsdecode(self._look_up(f"@{folder}")[1:])

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder, sorted; [] when it cannot be listed."""
        answer = self._look_up(f"/{folder}")
        return os.fsdecode(answer[1:]).split("\0") if answer[1:] and answer[:1] == b"=" else []

    @property
    def fingerprint(self) -> str:
        """The hash of all answers so far: contents, not times, which `git checkout` changes."""
        return self._answers.hexdigest()

    def _look_up(self, lookup: str) -> bytes:
        if self._instead and lookup[1:] in self._instead:
            answer = b"1" if lookup[0] == "?" else b"=" + self._instead[lookup[1:]]
        else:
            answer = _answer(self._root, lookup, self.most, self._folders)
        self.lookups.append(lookup)
        self._answers.update(b"%d:%b" % (len(answer), answer))
        return answer


def fingerprint_now(root: Path, lookups: Iterable[str]) -> str:
    """Return the fingerprint that a RepositoryReader would have after these lookups now."""
    prefix = f"{root}{os.sep}"
    answers = hashlib.blake2b(digest_size=16)
    folders: _Links = {}
    for lookup in lookups:
        answer = _answer(prefix, lookup, MOST, folders)
        answers.update(b"%d:%b" % (len(answer), answer))
    return answers.hexdigest()


def read_text(reader: RepositoryReader, file: str, service: str = "") -> str | Finding:
    """Return the text of a file of the repository, or the finding that explains why it cannot be read."""
    try:
        return reader.read(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8")
        place = Place(file, *position_at(before, len(before)))
        return Finding(place, "KF001", "the file is not UTF-8 text", "save it as UTF-8", service)
    except OutsideError as error:
        message = f"{_called(error.link, file)} a symbolic link that leads out of the repository, so it is not read"
        fix = "replace the link with a file" if error.link == file else "replace the link with a folder"
        return Finding(Place(file), "KF009", message, fix, service)
    except OSError as error:
        message, fix = f"cannot be read: {error.strerror}", "check that it is a file that you may read"
        if error.errno == _IRREGULAR:
            fix = "replace it with a regular file"
        elif error.errno == errno.EFBIG:
            fix = f"make it smaller: files of a service are limited to {_size(MOST)}, files of the fleet to {_size(MOST_SHARED)}"
        return Finding(Place(file), "KF001", message, fix, service)


def read_bytes(path: Path, most: int = MOST_SHARED) -> bytes:
    """Return the content of a regular file, or of the one that a link leads to. Raises OSError, also for a larger file than `most`."""
    return _read(str(path), 0, most)


def digest(content: bytes) -> str:
    """Return the hash of a file's content."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def unlinked(path: str) -> bytes:
    """Return the content of a file that is no symbolic link. Raises OSError, also for a larger file than MOST_SHARED."""
    return _read(path, os.O_NOFOLLOW, MOST_SHARED)


def _read(path: str, flags: int, most: int) -> bytes:
    try:
        return _content(path, flags, most)
    except OSError as error:
        number = error.errno or 0
        raise OSError(number, _reason(number, most), path) from None


def is_link_error(error: OSError) -> bool:
    """Return whether `unlinked` has failed because the file is a symbolic link."""
    return error.errno in _IS_LINK


def is_absent(path: Path) -> bool:
    """Return whether there is no such file or folder; a dangling symbolic link is one.

    Path.exists takes some failures for absence, and which ones depends on the version of Python. Raises OSError when nobody
    knows.
    """
    try:
        os.lstat(path)
    except OSError as error:
        if error.errno not in _ABSENT:
            raise
        return True
    return False


def repository_root(root: Path) -> str:
    """Return the real path of the repository that the folder `root` is in: of its closest folder with a .git, or its own."""
    here = os.path.realpath(root)
    folder = here
    while not os.path.lexists(os.path.join(folder, ".git")):
        folder, before = os.path.dirname(folder), folder
        if folder == before:
            return here
    return folder


#: By folder: the link that leads out of the repository, itself or above it; "" for none.
_Links = dict[str, str]


def _called(link: str, file: str) -> str:
    return "is" if link == file else f"is in {link},"


def _answer(root: str, lookup: str, most: int, folders: _Links) -> bytes:
    """Return the answer to a lookup.

    That is 0, 1 or !errno for `?file`, =names or !errno for `/folder`, @target or @ for `@folder`, and for `<file` =content,
    @target, NUL and the content of a link's file, !errno, or ^link for one out of the repository.
    """
    name = lookup[1:]
    path = root + name
    try:
        if lookup[0] == "?":
            os.lstat(path)
            return b"1"
        if lookup[0] == "/":
            return b"^" if _link_out(root, name, folders) else b"=" + _names(path)
        if lookup[0] == "@":
            return b"@" + (_target(root, path) if os.path.islink(path) else b"")
        if link := _link_out(root, name.rpartition("/")[0], folders):
            return b"^" + os.fsencode(link)
        try:
            return b"=" + _content(path, os.O_NOFOLLOW, most)
        except OSError as error:
            if error.errno not in _IS_LINK:
                raise
            if _is_outside(root, path):
                return b"^" + os.fsencode(name)
            return b"@%b\0%b" % (_target(root, path), _content(path, 0, most))
    except OSError as error:
        if lookup[0] == "?" and error.errno in _ABSENT:
            return b"0"
        return b"!%d" % (error.errno or 0)


def _names(folder: str) -> bytes:
    return os.fsencode("\0".join(sorted(os.listdir(folder))))


def _link_out(root: str, folder: str, known: _Links) -> str:
    """Return the link on the way to a folder that leads out of the repository, "" when there is none."""
    if not folder:
        return ""
    if (found := known.get(folder)) is None:
        above, _, name = folder.rpartition("/")
        found = _link_out(root, above, known)
        path = root + folder
        if not found and (name == ".." or os.path.islink(path)) and _is_outside(root, path):
            found = folder
        known[folder] = found
    return found


def _is_outside(root: str, path: str) -> bool:
    real, inside = os.path.realpath(path), repository_root(Path(root))
    return real != inside and not real.startswith(f"{inside.rstrip(os.sep)}{os.sep}")


def _target(root: str, path: str) -> bytes:
    return os.fsencode(os.path.relpath(os.path.realpath(path), os.path.realpath(root)))


def _content(path: str, flags: int, most: int) -> bytes:
    # Tens of thousands of small files are read here: this is a third of the time of `open(path, "rb").read()`.
    descriptor = os.open(path, _FLAGS | flags)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EISDIR if stat.S_ISDIR(status.st_mode) else _IRREGULAR, "")
        content = os.read(descriptor, min(status.st_size, most) + 1)
        while len(content) != status.st_size and len(content) <= most and (part := os.read(descriptor, _CHUNK)):
            content += part  # somebody writes it right now
        if len(content) > most:
            raise OSError(errno.EFBIG, "")
    finally:
        os.close(descriptor)
    return content


def _reason(number: int, most: int) -> str:
    if number == errno.EFBIG:
        return f"it is larger than {_size(most)}"
    return "it is not a regular file" if number == _IRREGULAR else os.strerror(number)


def _size(number: int) -> str:
    return f"{number >> 20} MiB"
