"""Placeholders that nothing replaces: `<svc>` in a path, `<stage>` in the name of a branch.

A schema says where which ones are replaced (`"placeholders": ["service", "stage"]`) and which keys name something
(`"names": true`). A word that is not replaced is an error there: a promotion would write a file of that literal name. In
text for people it is a warning, and only if it was probably meant as a placeholder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from kargo_fleet.findings import KeyPath, Problem, dotted
from kargo_fleet.text.schema_nodes import Node, child
from kargo_fleet.text.words import enumerate_words, similar

_WORD = re.compile(r"<([A-Za-z][A-Za-z0-9_-]*)>")
#: What looks like a placeholder and is none: a named group of a regular expression, Kargo's expressions, and what was
#: escaped.
_OTHER = re.compile(r"\(\?P?<|\$\{\{.*?\}\}|\\<team>", re.DOTALL)
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
    return list(_problems(schema, schema, data, ()))


def angled(word: str) -> str:
    """Return the placeholder of a word, as people write it."""
    return "<" + word + ">"


def filled(data: Any, word: str, value: str, *, escapes: bool = False) -> Any:
    r"""Return plain data with a placeholder replaced in every string. `\<team>` becomes `<team>`; with `escapes`, it stays."""
    if isinstance(data, dict):
        return {key: filled(inner, word, value, escapes=escapes) for key, inner in data.items()}
    if isinstance(data, list):
        return [filled(inner, word, value, escapes=escapes) for inner in data]
    if not isinstance(data, str) or "<" not in data:
        return data
    kept = "\\" * escapes + angled(word)
    return re.sub(rf"(\\?){angled(word)}", lambda found: kept if found[1] else value, data)


def _problems(root: Node, node: Node, data: Any, path: KeyPath) -> Iterator[Problem]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        inner = child(root, node, key)
        if inner is not None:  # an unknown key is reported as such
            yield from _problems(root, inner, value, (*path, key))
    if isinstance(data, str) and "<" in data:
        yield from _in_text(node, data, path)


def _in_text(node: Node, text: str, path: KeyPath) -> Iterator[Problem]:
    """Yield the problem with the first placeholder of a text that is not replaced."""
    replaced: Sequence[str] = node.get("placeholders", ())
    is_name = node.get("names", False)
    for word in _WORD.findall(_OTHER.sub("", text)):
        meant = _meant(word, replaced)
        if word in replaced or not (is_name or (meant and "</" + word not in text)):
            continue
        message = f"{dotted(path)}: {angled(word)} is not replaced here"
        if replaced:
            words = [*map(angled, replaced)]
            message += f"; {enumerate_words(words)} {'are' if len(words) > 1 else 'is'}"
        yield Problem("KF309" if is_name else "KFW309", message, _fix(meant, replaced, path), path)
        return


def _meant(word: str, replaced: Sequence[str]) -> str:
    """Return the placeholder that a word was probably meant to be, "" if there is none."""
    plain = re.sub("[-_]", "", word.lower())
    return _SYNONYMS.get(plain) or similar(plain, replaced or _KNOWN, _CLOSE)


def _fix(meant: str, replaced: Sequence[str], path: KeyPath) -> str:
    if meant in replaced:
        return f"did you mean {angled(meant)}?"
    if meant == "team":
        return "set `services` of fleet.yaml to services/<team>/<service>, or write the value itself"
    if replaced:
        return "remove it, or write the value itself"
    expression = {"service": "${{ vars.service }}", "stage": "${{ ctx.stage }}"}.get(meant)
    if expression and ("steps" in path or path[-3:-1] == ("task", "vars")):
        return f"use {expression}"
    return "write the value itself"
