"""Patterns of paths, as Kargo reads `includePaths` and `excludePaths` of a Git subscription (its pkg/pattern).

`glob:` is the syntax of github.com/bmatcuk/doublestar v4, `regex:` and `regexp:` are Go's; anything else is a folder or a
file. tests/text/test_path_patterns.py compares with Kargo's own code.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate

from kargo_fleet.text.go_regex import compiled
from kargo_fleet.text.patterns import LinearPattern, linear

#: A pattern that no character matches.
_NOTHING = r"[^\x00-\x{10FFFF}]"

#: What makes a pattern of a path; Kargo takes all others for the name of a folder or a file.
KINDS = ("glob:", "regex:", "regexp:")
_ESCAPED = linear(r"(?s)\\.")
#: A class of a glob, [a-z]: not empty, and its first character may be negated.
_CLASS = linear(r"\[(?:[!^][^\]]+|[^!^\]][^\]]*)\]")
_LIKE_A_REGEX = linear(r"^[\^(]|\$$|\.[*+]|\\[.dwS]")
_WILDCARD = linear(r"[*?]|\{[^{}]*,[^{}]*\}")


def matches(pattern: str, path: str) -> bool:
    """Return whether a pattern matches the path of a file, which starts at the root of the repository."""
    kind, separator, text = pattern.partition(":")
    if separator and kind in ("regex", "regexp"):
        regex = compiled(text)
        return regex is not None and regex.search(path) is not None
    if separator and kind == "glob":
        glob = _glob(text)
        return glob is not None and glob.fullmatch(path) is not None
    return _is_below(pattern, path)


def is_glob(text: str) -> bool:
    """Return whether what follows `glob:` is one, as ValidatePattern of doublestar says."""
    plain = _CLASS.sub("x", _ESCAPED.sub("x", text))
    depths = list(accumulate((character == "{") - (character == "}") for character in plain))
    is_closed = not depths or (min(depths) >= 0 and depths[-1] == 0)
    return is_closed and "[" not in plain and "\\" not in plain


def meant(pattern: str) -> str:
    """Return the pattern that one without `glob:` or `regex:` was probably meant to be, "" if it may be what is meant.

    Kargo takes such a one for the name of a folder or a file, in which `*` is a character like others.
    """
    kind, separator, text = pattern.partition(":")
    if f"{kind}:" in KINDS:
        return ""
    known = f"{kind.strip().lower()}:" if separator else ""
    if known in KINDS:
        return known + text.strip()
    if _LIKE_A_REGEX.search(pattern):
        return f"regex:{pattern}"
    return f"glob:{pattern.removeprefix('./').lstrip('/')}" if _WILDCARD.search(pattern) else ""


def selects(include: Sequence[str], exclude: Sequence[str], path: str) -> bool:
    """Return whether a change of a file is one that a subscription with these patterns sees."""
    is_included = not include or any(matches(pattern, path) for pattern in include)
    return is_included and not any(matches(pattern, path) for pattern in exclude)


def _is_below(folder: str, path: str) -> bool:
    folder = posixpath.normpath(folder or ".")
    if folder.startswith(("/", "..")):
        return False
    return ".." not in posixpath.relpath(path, folder)  # two dots in a name count, too


@lru_cache(maxsize=4096)
def _glob(text: str) -> LinearPattern | None:
    """Return the regular expression of a glob, None if it is malformed."""
    try:
        translated = f"(?s){_translated(text)}"
    except IndexError:
        return None
    return None if compiled(translated) is None else linear(translated)


def _translated(glob: str) -> str:
    result, position, depth = "", 0, 0
    while position < len(glob):
        character = glob[position]
        position += 1
        if character == "*":
            is_start = position == 1 or glob[position - 2] in "/{,"
            if (
                is_start
                and glob[position : position + 1] == "*"
                and glob[position + 1 : position + 2] in ("", "/", ",", "}")
            ):
                position += 1
                if glob[position : position + 1] == "/":
                    position += 1
                    result += "(?:.*/)?"
                else:
                    # a/** matches a itself, too.
                    result = f"{result[:-1]}(?:/.*)?" if result.endswith("/") else f"{result}.*"
            else:
                result += "[^/]*"
        elif character == "?":
            result += "[^/]"
        elif character == "[":
            end = glob.index("]", position + 1) if "]" in glob[position + 1 :] else -1
            if end < 0:
                raise IndexError
            result += _class(glob[position:end])
            position = end + 1
        elif character == "{":
            result, depth = result + "(?:", depth + 1
        elif character == "}" and depth:
            result, depth = result + ")", depth - 1
        elif character == "," and depth:
            result += "|"
        elif character == "\\":
            result += _escaped(glob[position])
            position += 1
        else:
            result += _escaped(character)
    return result


def _class(body: str) -> str:
    """Return the class of characters that a glob has between brackets. It never matches a slash."""
    is_negated = body[:1] in ("!", "^")
    characters = list(_characters(body[is_negated:]))
    ranges = []
    while characters:
        first, _ = last = characters.pop(0)
        if len(characters) > 1 and characters[0] == ("-", False):
            last = characters[1]
            del characters[:2]
        if first > last[0]:
            raise IndexError
        ranges += [(first, last[0])] if is_negated else _without_slash(first, last[0])
    if not ranges:
        return _NOTHING
    inner = "".join(f"{_escaped(first)}-{_escaped(last)}" for first, last in ranges)
    return f"[^/{inner}]" if is_negated else f"[{inner}]"


def _characters(body: str) -> Iterator[tuple[str, bool]]:
    """Yield the characters of a class, each with whether a backslash stands before it."""
    rest = iter(body)
    for character in rest:
        yield (next(rest), True) if character == "\\" else (character, False)


def _without_slash(first: str, last: str) -> list[tuple[str, str]]:
    """Return a range of characters without the slash."""
    if not first <= "/" <= last:
        return [(first, last)]
    return [(one, other) for one, other in ((first, "."), ("0", last)) if one <= other]


def _escaped(character: str) -> str:
    return character if character.isalnum() or character in "/_" or character > "\x7f" else f"\\x{ord(character):02x}"
