"""The label of a shard, set by hand: Kargo's webhook removes it from an object without `spec.shard`, and Argo CD adds it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kargo_fleet.findings import KeyPath, Problem, dotted, value_at

_LABEL = "kargo.akuity.io/shard"
_LABELS: tuple[KeyPath, ...] = (
    ("commonLabels",),
    ("namespace", "labels"),
    ("project", "labels"),
    ("warehouse", "labels"),
)


def problems(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each mapping of labels with that label. The chart has the same rule."""
    stages = sorted(name for name, stage in (values.get("stages") or {}).items() if stage)
    for path in (*_LABELS, *(("stages", name, "labels") for name in stages)):
        shard = (value_at(values, path) or {}).get(_LABEL)
        if shard:
            here = (*path, _LABEL)
            message = f"is set by Kargo, which removes it where no shard is set; use shard: {shard}"
            where = dotted((*path[:2], "shard")) if path[0] == "stages" else "shard"
            yield Problem("KF317", f"{dotted(here)}: {message}", f"remove it, and set {where}: {shard}", here)
