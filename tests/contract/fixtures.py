"""Fixtures for tests that ask Kargo's own code. In `tests/conftest.py`: `from contract.fixtures import oracle`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from . import upstream

Oracle = Callable[[str, Sequence[Any]], list[upstream.Answer]]


@pytest.fixture(scope="session")
def oracle() -> Oracle:
    """`oracle("constraint", [{"constraint": "^1.0.0"}])`, built when first used. Without Go the test fails."""
    try:
        upstream.oracle()
    except upstream.UpstreamError as error:
        pytest.fail(str(error), pytrace=False)
    return upstream.ask
