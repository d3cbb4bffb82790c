"""Reading files of the repository, and remembering what was asked, so that a later run can ask the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_CHUNK = 1 << 16


class Reader:
    """Reads files by their path in the repository.

    What is worked out from a Reader's answers alone comes out the same whenever the same questions have the same
    answers: `questions` are those asked so far, in order, `fingerprint` stands for their answers.
    """

    def __init__(self, root: Path) -> None:
        self.questions: list[str] = []
        self._root = f"{root}{os.sep}"
        self._answers = hashlib.blake2b(digest_size=16)

    def read(self, file: str) -> bytes:
        """Return the content of a file. Raises OSError, as `open` does."""
        try:
            content = _content(self._root + file)
        except OSError as error:
            self._note(f"<{file}", b"!%d" % (error.errno or 0))
            raise
        self._note(f"<{file}", b"=" + content)
        return content

    def exists(self, file: str) -> bool:
        """Say whether there is anything of that name, a dangling symbolic link included."""
        found = os.path.lexists(self._root + file)
        self._note(f"?{file}", b"%d" % found)
        return found

    @property
    def fingerprint(self) -> str:
        """The hash of all answers so far: contents, not times, which `git checkout` changes."""
        return self._answers.hexdigest()

    def _note(self, question: str, answer: bytes) -> None:
        self.questions.append(question)
        self._answers.update(b"%d:" % len(answer))
        self._answers.update(answer)


def ask_again(root: Path, questions: Iterable[str]) -> str:
    """Return the fingerprint that the answers to a Reader's `questions` have now."""
    reader = Reader(root)
    for question in questions:
        kind, file = question[0], question[1:]
        if kind == "?":
            reader.exists(file)
        else:
            with suppress(OSError):
                reader.read(file)
    return reader.fingerprint


def digest(content: bytes) -> str:
    """Return the hash of a file's content."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _content(path: str) -> bytes:
    # Tens of thousands of small files are read here: this is a third of the time of `open(path, "rb").read()`.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = os.read(descriptor, _CHUNK)
        if len(content) < _CHUNK:
            return content
        parts = [content]
        while part := os.read(descriptor, _CHUNK):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)
