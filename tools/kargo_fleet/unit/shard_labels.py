"""The label of a shard, set by hand: Kargo's webhook removes it from an object without `spec.shard`, and Argo CD adds it again."""

from __future__ import annotations

from collections.abc import Iterator

from kargo_fleet.findings import KeyPath, Problem, dotted, value_at
from kargo_fleet.fleet.freight import MAIN
from kargo_fleet.fleet.pipeline import Pipeline

_LABEL = "kargo.akuity.io/shard"
_LABELS: tuple[KeyPath, ...] = (
    ("commonLabels",),
    ("namespace", "labels"),
    ("project", "labels"),
    ("warehouse", "labels"),
)


def problems(pipeline: Pipeline) -> Iterator[Problem]:
    """Yield a problem for each mapping of labels with that label. The chart has the same rule."""
    warehouses = sorted(pipeline.warehouses.keys() - {MAIN})
    owners = [*(("warehouses", key) for key in warehouses), *(("stages", name) for name in sorted(pipeline.stages))]
    for path in (*_LABELS, *((*owner, "labels") for owner in owners)):
        shard = (value_at(pipeline.values, path) or {}).get(_LABEL)
        if shard:
            here = (*path, _LABEL)
            message = f"is set by Kargo, which removes it where no shard is set; use shard: {shard}"
            where = dotted((*path[:2], "shard")) if path[0] in ("stages", "warehouses") else "shard"
            yield Problem("KF317", f"{dotted(here)}: {message}", f"remove it, and set {where}: {shard}", here)
