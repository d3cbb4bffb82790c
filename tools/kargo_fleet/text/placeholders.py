"""Placeholders that nothing replaces: `<svc>` in a path, `<stage>` in the name of a branch.

A schema says where which ones are replaced (`"placeholders": ["service", "stage"]`, for a value and all that is in it) and
which keys name something (`"names": true`). A word that is not replaced is an error there: a promotion would write a file of
that literal name. In text for people it is a warning, and only if it was probably meant as a placeholder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kargo_fleet.findings import KeyPath, Problem, dotted
from kargo_fleet.text.patterns import linear
from kargo_fleet.text.schema_nodes import Node, child
from kargo_fleet.text.words import enumerate_words, similar

_WORD = re.compile(r"<([A-Za-z][A-Za-z0-9_-]*)>")
#: What looks like a placeholder and is none: a named group of a regular expression, Kargo's expressions, and what was
#: escaped.
_OTHER = linear(r"(?s)\(\?P?<|\$\{\{.*?\}\}|\\<[a-z]+>")
_KNOWN = ("service", "stage", "version", "team")
#: What people write instead, in lowercase and without - and _.
_SYNONYMS = {
    **dict.fromkeys(["svc", "servicename", "app", "appname", "application", "name"], "service"),
    **dict.fromkeys(["stagename", "env", "environment"], "stage"),
    **dict.fromkeys(["tag", "imagetag"], "version"),
    **dict.fromkeys(["teamname", "team"], "team"),
}
#: How close a word is to a placeholder that it was meant to be: `servcie` is (0.86), `page` is not (0.67).
_CLOSE = 0.75


def problems(schema: Node, data: Any) -> list[Problem]:
    """Return a problem for each string of `data` with a placeholder that is not replaced."""
    return list(_problems(schema, schema, data, (), ()))


def angled(word: str) -> str:
    """Return the placeholder of a word, as people write it."""
    return "<" + word + ">"


def filled(data: Any, word: str, value: str, *, escapes: bool = False) -> Any:
    r"""Return plain data with a placeholder replaced in every string. `\<team>` becomes `<team>`; with `escapes`, it stays."""
    kept = "\\" * escapes + angled(word)
    pattern = re.compile(rf"(\\?){angled(word)}")

    def change(text: str) -> str:
        return pattern.sub(lambda found: kept if found[1] else value, text) if "<" in text else text

    return with_strings(data, change)


def with_strings(data: Any, change: Callable[[str], str]) -> Any:
    """Return plain data with every string changed, but not the keys."""
    if isinstance(data, dict):
        return {key: with_strings(inner, change) for key, inner in data.items()}
    if isinstance(data, list):
        return [with_strings(inner, change) for inner in data]
    return change(data) if isinstance(data, str) else data


class JsonText:
    r"""JSON data, and whether there are placeholders in it; keys count, too. Most data have none, and no copy is made then.

    A placeholder is replaced in every string, `\<service>` becomes `<service>`. This is what the chart does (`kargo-service.filled`).
    """

    def __init__(self, data: Any) -> None:
        self._data, self._text = data, json.dumps(data)

    def has(self, word: str) -> bool:
        """Return whether the data have the placeholder of a word."""
        return angled(word) in self._text

    def filled(self, word: str, value: str) -> Any:
        """Return the data with a placeholder replaced: a copy, or the data themselves when they do not have it."""
        if not self.has(word):
            return self._data
        text, placeholder, value = self._text, angled(word), json.dumps(value)[1:-1]
        kept = f"\\\\{placeholder}"  # as JSON writes a backslash
        group = re.compile(rf"\?(P?){placeholder}")  # a named group of a regular expression
        if kept in text or group.search(text):  # NUL is never in JSON text
            marked = group.sub("?\\1\0", text.replace(kept, "\0"))
            return json.loads(marked.replace(placeholder, value).replace("\0", placeholder))
        return json.loads(text.replace(placeholder, value))


def _problems(root: Node, node: Node, data: Any, path: KeyPath, replaced: Sequence[str]) -> Iterator[Problem]:
    replaced = node.get("placeholders", replaced)
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        inner = child(root, node, key)
        if inner is not None:  # an unknown key is reported as such
            yield from _problems(root, inner, value, (*path, key), replaced)
    if isinstance(data, str) and "<" in data:
        yield from _in_text(node, data, path, replaced)


def _in_text(node: Node, text: str, path: KeyPath, replaced: Sequence[str]) -> Iterator[Problem]:
    """Yield the problem with the first placeholder of a text that is not replaced, or that is and is no placeholder."""
    is_name = node.get("names", False)
    for word in _WORD.findall(_OTHER.sub("", text)):
        meant = word if word in _KNOWN else _meant(word, replaced)
        if word in replaced and "</" + word in text:
            message = f"{dotted(path)}: {angled(word)} is replaced, although it looks like a tag of XML or HTML"
            yield Problem("KFW309", message, rf"write \{angled(word)} to keep it", path)
            return
        if word in replaced or not (is_name or (meant and "</" + word not in text)):
            continue
        message = f"{dotted(path)}: {angled(word)} is not replaced here"
        if replaced:
            words = [*map(angled, replaced)]
            message += f"; {enumerate_words(words)} {'are' if len(words) > 1 else 'is'}"
        yield Problem("KF309" if is_name else "KFW309", message, _fix(meant, replaced), path)
        return


def _meant(word: str, replaced: Sequence[str]) -> str:
    """Return the placeholder that a word was probably meant to be, "" if there is none."""
    plain = re.sub("[-_]", "", word.lower())
    return _SYNONYMS.get(plain) or similar(plain, replaced or _KNOWN, _CLOSE)


def _fix(meant: str, replaced: Sequence[str]) -> str:
    if meant in replaced:
        return f"did you mean {angled(meant)}?"
    if meant == "team":
        return "set `services` of fleet.yaml to services/<team>/<service>, or write the value itself"
    if replaced:
        return "remove it, or write the value itself"
    return "write the value itself"
