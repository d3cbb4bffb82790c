"""The sample fleet of the tests: the golden case `samples`, with what is generated from it.

The `services/`, `values/`, `argocd/` and `fleet.yaml` of the repository are data that a user owns. No test may read them:
`conftest.py` sees to that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

#: A fleet without a chart of its own: fleet.yaml and services/.
FLEET: Final = Path(__file__).resolve().parent / "cases" / "samples"
#: What `generate` writes for it.
EXPECTED: Final = FLEET / "expected"
#: The values files of its units.
VALUES: Final = tuple(sorted((EXPECTED / "values").glob("*.yaml")))
