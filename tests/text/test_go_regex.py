"""Regular expressions: the library here and Go's agree on what is one."""

from __future__ import annotations

import random

import pytest

from contract.fixtures import Oracle
from kargo_fleet.text.go_regex import compiled

EXPRESSIONS = [
    *("^v", "(?i)a", "(?=x)", "\\C", "a\\C", "[\\C]", "\\\\C", "\\Q\\C\\E", "\\Q\\C", "\\Qa\\E\\C", "\\\\Q\\C"),
    *("(?P<n>a)(?P<n>b)", "(?<n>a)", "a{1000}", "a{1001}", "(a{100}){10}", "(a{100}){11}", "x**", "\\pN", "\\p{Greek}", "\\p{Nope}"),
    *("\\z", "\\Z", "\\h", "\\R", "[[:word:]]", "[[:nope:]]", "(" * 256 + ")" * 256, "(a|b(" * 85 + "))" * 85, "(?U)a+?", "(?s-i:a)"),
    *("(?x)a", "\\x{10FFFF}", "\\x{110000}", "\\07", "\\8"),
]  # fmt: skip
PARTS = [
    *("a", "b", "(", ")", "[", "]", "^", "$", "|", "*", "+", "?", "{2}", "{1,}", "{,3}", "\\", "\\d", "\\Q", "\\E", "\\C", "\\p"),
    *("{L}", "(?i)", "(?:", "-", ".", "\\b", "é", "(?P<a>"),
]  # fmt: skip


def agree(oracle: Oracle, expressions: list[str]) -> None:
    verdicts = [not answer.get("error") for answer in oracle("regexp", expressions)]
    ours = [compiled(one) is not None for one in expressions]
    assert [one for one, here, there in zip(expressions, ours, verdicts, strict=True) if here != there] == []


def test_known_differences(oracle: Oracle) -> None:
    agree(oracle, EXPRESSIONS)


@pytest.mark.parametrize("seed", range(5))
def test_random_expressions(oracle: Oracle, seed: int) -> None:
    dice = random.Random(seed)
    agree(oracle, ["".join(dice.choices(PARTS, k=dice.randint(1, 9))) for _ in range(2000)])
