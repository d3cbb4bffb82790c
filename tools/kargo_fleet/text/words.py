"""Words in sentences: counts, lists, suggestions after a typo, quoted messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

_LONGEST = 300  # of a message that is quoted


def plural(count: int, noun: str) -> str:
    """Return a number with its noun: 1 service, 1,000 services."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def enumerate_words(words: Sequence[str]) -> str:
    """Return words in a sentence: "a", "a and b", "a, b and c"."""
    return "".join(words) if len(words) < 2 else f"{', '.join(words[:-1])} and {words[-1]}"


def first_of(words: Sequence[str], most: int = 5) -> str:
    """Return words in a sentence, the first few when there are many: "a, b, c, d, e and 7 more"."""
    if len(words) <= most:
        return ", ".join(words)
    return f"{', '.join(words[:most])} and {len(words) - most} more"


def closest(word: str, known: Iterable[str]) -> str:
    """Return the `known` word that is closest to `word`, "" when none is close."""
    return similar(word, known, 0.6)


def similar(word: str, known: Iterable[str], least: float) -> str:
    """Return the `known` word that is closest to `word`, "" when none is as close as `least`, a number from 0 to 1."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=least)), "")


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return a suggestion after a typo, `otherwise` when none of the `known` words is close."""
    close = closest(word, known)
    return f"did you mean {close}?" if close else otherwise


def quoted(text: str) -> str:
    """Return a text in double quotes, as templates of Helm quote it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def one_line(message: Any) -> str:
    """Return the message of another program as part of a sentence: one line, at most 300 characters, no full stop."""
    text = " ".join(str(message or "").split()).rstrip(".")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
