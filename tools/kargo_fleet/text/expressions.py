"""Expressions of Kargo (github.com/expr-lang/expr), as far as they can be told without evaluating them.

tests/text/test_expressions.py compares with Kargo's own code.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from kargo_fleet.text.patterns import linear

#: Comments and strings, in which brackets and quotes mean nothing.
_LITERAL = linear(r"""(?s)//[^\n]*|/\*.*?\*/|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`""")
_EMBEDDED = linear(r"(?s)\$\{\{(.*?)\}\}")
_CALL = re.compile(r"(?<![\w.$])([A-Za-z_]\w*)\s*\(")
#: Calls in more brackets than these are not looked at: people write a handful.
_DEEPEST = 100
_PAIR = re.compile(r"\(\)|\[\]|\{\}")


def fault(expression: str) -> str:
    """Return what is wrong with an expression that stands without `${{ }}`, "" if nothing can be told."""
    if expression.strip().startswith("${{"):
        return "is an expression already; write it without ${{ }}"
    return "" if is_balanced(expression) else "has quotes or brackets that do not match"


def is_balanced(expression: str) -> bool:
    """Return whether all quotes and brackets of an expression match."""
    plain = _LITERAL.sub("", expression)
    rest, left = re.sub(r"[^][(){}'\"`]", "", plain), None
    while rest != left:
        rest, left = _PAIR.sub("", rest), rest
    return not rest


class Call(NamedTuple):
    """One call of a function: its name, and its arguments as they are written."""

    name: str
    arguments: tuple[str, ...]


def embedded(text: str) -> list[str]:
    """Return the expressions in a string, those in `${{ }}`."""
    return _EMBEDDED.findall(text) if "${{" in text else []


def calls(expression: str, names: Collection[str]) -> Iterator[Call]:
    """Yield the calls of functions of these names, also those in the arguments of others."""
    hidden = _LITERAL.sub(lambda found: "~" * len(found[0]), expression)
    named = {found.end(): found[1] for found in _CALL.finditer(hidden)}
    found: list[tuple[int, Call]] = []
    stack: list[tuple[int, list[int]]] = []  # of each open bracket: where its inside begins, and the commas there
    for position, character in enumerate(hidden):
        if character in "([{":
            if len(stack) == _DEEPEST:
                break
            stack.append((position + 1, []))
        elif character in ")]}" and stack:
            start, commas = stack.pop()
            if (name := named.get(start)) in names and name:
                parts = zip([start, *(comma + 1 for comma in commas)], [*commas, position], strict=True)
                given = (expression[first:last].strip() for first, last in parts)
                found.append((start, Call(name, tuple(one for one in given if one))))
        elif character == "," and stack:
            stack[-1][1].append(position)
    yield from (call for _, call in sorted(found))


def literal(argument: str) -> str | None:
    """Return the string that an argument is, None if it is another expression."""
    quotes = argument[:1]
    if quotes in ("'", '"', "`") and _LITERAL.fullmatch(argument) and "\\" not in argument:
        return argument[1:-1]
    return None
