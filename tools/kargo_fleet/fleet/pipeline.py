"""One service's pipeline, out of its complete values: the order of its stages, and how each is promoted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from kargo_fleet.fleet.merge import merge


def section(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the mapping at a key of values, {} when there is none."""
    value = values.get(key)
    return value if isinstance(value, dict) else {}


def pipeline_order(stages: Mapping[str, Any]) -> list[str]:
    """Return the stages so that each comes after its upstream ones; where that leaves a choice, in the order given."""
    order: list[str] = []
    waiting = list(stages)
    while waiting:
        ready = [
            name for name in waiting if not any(s in waiting and s != name for s in stages[name].get("upstream") or [])
        ]
        ready = ready[:1] or waiting[:1]  # a cycle is reported elsewhere
        order += ready
        waiting.remove(ready[0])
    return order


def promotion_of(values: Mapping[str, Any], stage: str) -> dict[str, Any]:
    """Return how one stage is promoted: `promotion`, with the stage's own over it; `controlFlow` when it is not."""
    own = section(section(values, "stages"), stage)
    promotion = merge(section(values, "promotion"), section(own, "promotion"))
    is_empty = section(promotion, "steps").get("replace") == [] and not section(promotion, "task").get("name")
    return {**promotion, "controlFlow": True} if own.get("controlFlow") or is_empty else promotion


def has_default_steps(promotion: Mapping[str, Any]) -> bool:
    """Return whether a stage runs the chart's own steps, the only ones that write its values file."""
    own = section(promotion, "steps").get("replace") or section(promotion, "task").get("name")
    return not (own or is_control_flow(promotion))


def is_control_flow(promotion: Mapping[str, Any]) -> bool:
    """Return whether a stage only passes Freight on, without promotions (Kargo's control flow stages)."""
    return bool(promotion.get("controlFlow"))


def shard_of(values: Mapping[str, Any], stage: str = "") -> str:
    """Return the name of the controller of a unit, or of one of its stages; "" is the default controller."""
    shard: str = section(section(values, "stages"), stage).get("shard") or values.get("shard") or ""
    return shard


def expanded(pattern: str, service: str, stage: str = "<stage>") -> str:
    """Return a pattern with `<service>` and `<stage>` filled in."""
    return pattern.replace("<service>", service).replace("<stage>", stage)


def path_of(values: Mapping[str, Any], stage: str, promotion: Mapping[str, Any]) -> str:
    """Return the values file that one stage's promotions write, from the root of the repository."""
    pattern: str = promotion.get("path") or "services/<service>/values-<stage>.yaml"
    return expanded(pattern, values["service"]["name"], stage)


def tag_key_of(promotion: Mapping[str, Any]) -> str:
    """Return the key of that file which gets the image's tag, "" for none."""
    key: str = promotion.get("tagKey", "image.tag") or ""
    return key


def written_keys(promotion: Mapping[str, Any]) -> list[str]:
    """Return the keys of that file which one stage's promotions write."""
    return [key for key in (tag_key_of(promotion), promotion.get("digestKey")) if key]


class Update(NamedTuple):
    """One thing that a promotion writes: `keys` of the YAML file at `path`, or an image in the kustomization in that folder.

    `keys` say what is written: tag, digest, image, imageDigest or an expression. `at` is where it is said in a promotion: (),
    for the values file, or its place in `updates`.
    """

    path: str
    keys: Mapping[str, str]
    kustomize: bool = False
    at: tuple[str, ...] = ()


def updates_of(values: Mapping[str, Any], stage: str, promotion: Mapping[str, Any]) -> list[Update]:
    """Return what the chart's own steps write for one stage: the keys of its values file, then `updates` by name."""
    found = []
    own = {promotion.get("digestKey"): "digest", tag_key_of(promotion): "tag"}
    if keys := {key: own[key] for key in written_keys(promotion)}:
        found.append(Update(path_of(values, stage, promotion), keys))
    for name, given in sorted(section(promotion, "updates").items()):
        for kind, update in (given or {}).items():
            path = path_of(values, stage, update if update.get("path") else promotion)
            keys = {key: what for key, what in section(update, "keys").items() if what}
            found.append(Update(path, keys, kind == "kustomize", ("updates", name, kind)))
    return found


def branch_of(values: Mapping[str, Any], stage: str) -> str:
    """Return the branch that one stage is promoted on."""
    branch: str = (
        section(section(values, "stages"), stage).get("branch") or section(values, "git").get("branch") or "main"
    )
    return branch


def application_of(promotion: Mapping[str, Any], service: str, stage: str) -> str | None:
    """Return the name of the Argo CD Application that one stage's promotions update, None when they update none."""
    update = section(promotion, "argocdUpdate")
    if not update.get("enabled") or is_control_flow(promotion):
        return None
    return expanded(update.get("name") or "<service>-<stage>", service, stage)
