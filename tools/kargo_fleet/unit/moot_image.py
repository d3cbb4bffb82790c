"""Settings that have no effect where there is nothing for them: no image, no first Warehouse, or no promotion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kargo_fleet.findings import KeyPath, Problem, dotted, value_at
from kargo_fleet.fleet.freight import MAIN
from kargo_fleet.fleet.layers import Layer, decides, last
from kargo_fleet.fleet.pipeline import Pipeline, Stage

#: Settings of a promotion that are about the service's image. `tagKey` has a default, so that only what a layer sets counts.
_OF_IMAGE: tuple[KeyPath, ...] = (
    ("tagKey",),
    ("digestKey",),
    ("render", "kustomize", "name"),
    ("render", "kustomize", "newName"),
)
#: Settings of a stage that only promotions and verifications use.
_OF_PROMOTIONS = ("git", "branch", "vars", "verification")


def problems(pipeline: Pipeline, layers: Sequence[Layer]) -> Iterator[Problem]:
    """Yield a problem for each of these settings that is set beside the reason for it, or in a stronger layer."""
    removed = max((index for index, layer in enumerate(layers) if decides([layer], ("image",))), default=-1)
    if MAIN not in pipeline.warehouses:
        for key in sorted(pipeline.values.get("warehouse") or {}):
            path: KeyPath = ("warehouse", key)
            if _is_set(layers, path, removed):
                fix = "move it to one of warehouses, or remove it"
                yield _moot(path, "as there is no first Warehouse: image is null, and subscriptions is empty", fix)
    images = [stage for stage in pipeline.stages.values() if stage.image_of]
    says_promotions = any(layer.values.get(key) for layer in layers for key in ("promotion", "stages"))
    for name, stage in pipeline.stages.items():
        if says_promotions:
            yield from _without_image(layers, stage, removed, of_all=not images)
        if stage.is_control_flow:
            for key in _OF_PROMOTIONS:
                if stage.given.get(key):
                    yield _moot(("stages", name, key), "in a control flow stage", "remove it")


def _without_image(layers: Sequence[Layer], stage: Stage, removed: int, *, of_all: bool) -> Iterator[Problem]:
    """Yield a problem for each setting of a stage that is about an image, where it has none, or that Kustomize does not use."""
    if not stage.has_default_steps:
        return
    for key in _OF_IMAGE:
        own: KeyPath = ("stages", stage.name, "promotion", *key)
        is_own = _is_set(layers, own, 0)
        is_shared = of_all and _is_set(layers, ("promotion", *key), max(removed, 0))
        if stage.image_of:
            is_kustomize = stage.rendering is not None and stage.rendering.kind == "kustomize"
            if key == ("tagKey",) and is_kustomize and is_own:
                yield _moot(own, "with render.kustomize, which sets the image in the kustomization")
        elif is_own or is_shared:
            yield _moot(own, "without an image: no Warehouse of the stage has that of the service")


def _is_set(layers: Sequence[Layer], path: KeyPath, least: int) -> bool:
    """Return whether a layer of at least this strength sets a value that is not empty."""
    index = last(layers, path)
    return index >= max(least, 0) and not _is_empty(value_at(layers[index].values, path))


def _is_empty(value: Any) -> bool:
    return value in (None, "", [], {})


def _moot(path: KeyPath, reason: str, fix: str = "remove it") -> Problem:
    return Problem("KFW306", f"{dotted(path)}: has no effect {reason}", fix, path)
