"""The sizes that `capacity` counts with are still those that etcd holds."""

from __future__ import annotations

import json

import pytest

from .measure import STORED, measure

pytestmark = pytest.mark.cluster

TOLERANCE = 0.1


@pytest.mark.parametrize("way", ["argocd", "helm"])
@pytest.mark.usefixtures("own_cluster")  # reads etcd, which it must have started
def test_stored_sizes_are_current(way: str) -> None:
    committed = json.loads(STORED.read_text())[way]
    again = measure(8, way)
    assert set(again["chart"]) <= set(committed["chart"])
    for section in ("chart", "beside", "release"):
        for kind, found in again[section].items():
            expected = committed[section][kind]
            assert found["stored"] == pytest.approx(expected["stored"], rel=TOLERANCE), kind
            if section == "beside":
                assert found["perService"] == pytest.approx(expected["perService"], abs=0.5), kind
