"""Expressions of Kargo (github.com/expr-lang/expr), as far as they can be told without evaluating them.

tests/text/test_expressions.py compares with Kargo's own code.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

#: Comments and strings, in which brackets and quotes mean nothing.
_LITERAL = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`""", re.DOTALL)
_EMBEDDED = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_CALL = re.compile(r"(?<![\w.$])([A-Za-z_]\w*)\s*\(")
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
    for found in _CALL.finditer(hidden):
        if found[1] not in names:
            continue
        depth, start, arguments = 1, found.end(), []
        for position in range(found.end(), len(hidden)):
            character = hidden[position]
            depth += (character in "([{") - (character in ")]}")
            if depth == 0 or (depth == 1 and character == ","):
                arguments.append(expression[start:position].strip())
                start = position + 1
            if depth == 0:
                yield Call(found[1], tuple(one for one in arguments if one))
                break


def literal(argument: str) -> str | None:
    """Return the string that an argument is, None if it is another expression."""
    quotes = argument[:1]
    if quotes in ("'", '"', "`") and _LITERAL.fullmatch(argument) and "\\" not in argument:
        return argument[1:-1]
    return None
