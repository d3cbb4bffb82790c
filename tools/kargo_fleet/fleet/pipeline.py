"""One service's pipeline, out of its complete values: the order of its stages, and how each is promoted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    """Return how one stage is promoted: `promotion`, with the stage's own over it."""
    return merge(section(values, "promotion"), section(section(section(values, "stages"), stage), "promotion"))


def has_default_steps(promotion: Mapping[str, Any]) -> bool:
    """Return whether a stage runs the chart's own steps, the only ones that write its values file."""
    return not (section(promotion, "steps").get("replace") or section(promotion, "task").get("name"))


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


def branch_of(values: Mapping[str, Any], stage: str) -> str:
    """Return the branch that one stage is promoted on."""
    branch: str = (
        section(section(values, "stages"), stage).get("branch") or section(values, "git").get("branch") or "main"
    )
    return branch


def application_of(promotion: Mapping[str, Any], service: str, stage: str) -> str | None:
    """Return the name of the Argo CD Application that one stage's promotions update, None when they update none."""
    update = section(promotion, "argocdUpdate")
    if not update.get("enabled"):
        return None
    return expanded(update.get("name") or "<service>-<stage>", service, stage)
