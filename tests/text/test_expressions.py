"""What is refused as an expression, Kargo refuses, too; what it accepts is accepted."""

from __future__ import annotations

import pytest

from contract.fixtures import Oracle
from kargo_fleet.text.expressions import fault

VALID = [
    "true",
    "imageFrom('a').Tag == imageFrom(\"b\").Tag",
    "'it\\'s (' != \"[\"",
    "`(` == '(' // (",
    "len([1, 2]) == {'a': 2}.a /* ( */",
    "  (1 + 1) == 2\n",
    "\"${{ a }}\" == 'b'",
]
INVALID = ["${{ true }}", " ${{ true }} ", "(true", "true)", "[1", "{'a': 1", "([)]", "'a", 'a == "b', "`a", "'a\\'"]


@pytest.mark.parametrize("expression", VALID)
def test_valid(oracle: Oracle, expression: str) -> None:
    (said,) = oracle(
        "expression-check", [{"template": "${{ " + expression.replace("${{ a }}", "") + "\n}}", "place": "config"}]
    )
    assert "error" not in said
    assert fault(expression) == ""


@pytest.mark.parametrize("expression", INVALID)
def test_invalid(oracle: Oracle, expression: str) -> None:
    (said,) = oracle("expression-check", [{"template": "${{ " + expression + " }}", "place": "config"}])
    assert "error" in said
    assert fault(expression)
