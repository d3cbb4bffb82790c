"""Reading files of the repository, and remembering what was asked, so that a later run can ask the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
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
        answer = self._ask(f"<{file}")
        if answer[:1] == b"!":
            number = int(answer[1:])
            raise OSError(number, os.strerror(number), self._root + file)
        return answer[1:]

    def exists(self, file: str) -> bool:
        """Say whether there is anything of that name, a dangling symbolic link included."""
        return self._ask(f"?{file}") == b"1"

    @property
    def fingerprint(self) -> str:
        """The hash of all answers so far: contents, not times, which `git checkout` changes."""
        return self._answers.hexdigest()

    def _ask(self, question: str) -> bytes:
        answer = _answer(self._root, question)
        self.questions.append(question)
        self._answers.update(b"%d:%b" % (len(answer), answer))
        return answer


def ask_again(root: Path, questions: Iterable[str]) -> str:
    """Return the fingerprint that the answers to a Reader's `questions` have now."""
    prefix = f"{root}{os.sep}"
    answers = hashlib.blake2b(digest_size=16)
    for question in questions:
        answer = _answer(prefix, question)
        answers.update(b"%d:%b" % (len(answer), answer))
    return answers.hexdigest()


def digest(content: bytes) -> str:
    """Return the hash of a file's content."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _answer(root: str, question: str) -> bytes:
    """Return what there is of a file: `?file` is answered by 0 or 1, `<file>` by =content or !errno."""
    path = root + question[1:]
    try:
        if question[0] == "?":
            os.lstat(path)
            return b"1"
        # Tens of thousands of small files are read here: this is a third of the time of `open(path, "rb").read()`.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            content = os.read(descriptor, _CHUNK)
            while part := os.read(descriptor, _CHUNK) if len(content) >= _CHUNK else b"":
                content += part
        finally:
            os.close(descriptor)
    except OSError as error:
        return b"0" if question[0] == "?" else b"!%d" % (error.errno or 0)
    return b"=" + content
