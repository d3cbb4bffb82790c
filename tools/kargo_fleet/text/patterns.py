"""Regular expressions that take linear time, whatever the text: RE2, the engine of Go, and so of Kargo and Helm.

Python's `re` backtracks: a pattern with repetitions that overlap takes hours for some texts of a few hundred characters.
What meets a text that people write is either matched here, or it cannot backtrack: tests/text/test_patterns.py knows of
every regular expression in the package which engine it takes, and why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property

from kargo_fleet.text.go_regex import compiled

#: What UTF-8, and so RE2, does not have; names of files may.
_SURROGATE = re.compile("[\ud800-\udfff]")


class LinearPattern:
    """A regular expression in RE2's syntax, with the methods of `re.Pattern`; flags stand in it, such as `(?i)`.

    It is compiled when it is first used: importing RE2 takes 5 ms. Unlike in Python, `$` is the end of the text only, and
    `\\s`, `\\w`, `\\d` and `\\b` mean ASCII.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        found = compiled(self.pattern)
        if found is None:
            raise ValueError(f"not a pattern of RE2: {self.pattern}")
        return found

    def match(self, text: str) -> re.Match[str] | None:
        """Return the match at the start of a text."""
        return self._compiled.match(_encodable(text))

    def search(self, text: str) -> re.Match[str] | None:
        """Return the first match in a text."""
        return self._compiled.search(_encodable(text))

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """Return the match of the whole text."""
        return self._compiled.fullmatch(_encodable(text))

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """Return all matches in a text."""
        return self._compiled.finditer(_encodable(text))

    def findall(self, text: str) -> list[str]:
        """Return what matches in a text: the group, if the pattern has one."""
        return self._compiled.findall(_encodable(text))

    def sub(self, change: str | Callable[[re.Match[str]], str], text: str) -> str:
        """Return the text with every match replaced."""
        return self._compiled.sub(change, _encodable(text))


def linear(pattern: str) -> LinearPattern:
    """Return a regular expression that takes linear time."""
    return LinearPattern(pattern)


def _encodable(text: str) -> str:
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)
