"""Expressions of Kargo (github.com/expr-lang/expr), as far as they can be told without evaluating them.

tests/text/test_expressions.py compares with Kargo's own code.
"""

from __future__ import annotations

import re

#: Comments and strings, in which brackets and quotes mean nothing.
_LITERAL = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`""", re.DOTALL)
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
