"""Settings that another setting of the same values makes moot: each is said, none is dropped without a word.

A weaker layer's setting is for other services and stages, so that only what is set beside its reason, or closer, counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kargo_fleet.findings import KeyPath, Problem, dotted, value_at
from kargo_fleet.fleet.layers import Layer, says
from kargo_fleet.fleet.pipeline import has_default_steps, promotion_of, section
from kargo_fleet.unit.pull_requests import provider_of

_PULL_REQUEST: KeyPath = ("pullRequest",)
#: Settings of a promotion, and the switch without which each has no effect.
_SWITCHED: tuple[tuple[KeyPath, KeyPath], ...] = (
    *(((*_PULL_REQUEST, key), (*_PULL_REQUEST, "enabled")) for key in ("title", "labels", "merge", "provider")),
    ((*_PULL_REQUEST, "mergeMethod"), (*_PULL_REQUEST, "merge")),
    (("argocdUpdate", "name"), ("argocdUpdate", "enabled")),
    (("argocdUpdate", "namespace"), ("argocdUpdate", "enabled")),
    (("task", "kind"), ("task", "name")),
    (("task", "vars"), ("task", "name")),
)
#: Settings of an image subscription that a strategy does not look at.
_OF_IMAGES = {
    "Digest": ("allowTagsRegexes", "ignoreTagsRegexes", "strictSemvers", "cacheByTag", "discoveryLimit"),
    "Lexical": ("constraint", "strictSemvers"),
    "NewestBuild": ("constraint", "strictSemvers"),
    "SemVer": (),
}
#: Settings of a Git subscription that a strategy does not look at.
_OF_COMMITS = {
    "NewestFromBranch": ("semverConstraint", "strictSemvers", "allowTagsRegexes", "ignoreTagsRegexes"),
    "NewestTag": ("branch", "semverConstraint", "strictSemvers", "since"),
    "Lexical": ("branch", "semverConstraint", "strictSemvers", "since"),
    "SemVer": ("branch", "since"),
}


def problems(values: Mapping[str, Any], layers: Sequence[Layer]) -> Iterator[Problem]:
    """Yield a problem for each setting that has no effect."""
    yield from _image(values, layers)
    yield from _subscriptions(values)
    yield from _warehouse(values, layers)
    for stage in section(values, "stages"):
        promotion = promotion_of(values, stage)
        yield from _switched(values, layers, stage, promotion)
        yield from _gate(layers, stage, promotion)


def _moot(path: KeyPath, reason: str, fix: str = "remove it") -> Problem:
    return Problem("KFW306", f"{dotted(path)}: has no effect {reason}", fix, path)


def _last(layers: Sequence[Layer], path: KeyPath) -> int:
    """Return the index of the strongest layer that sets `path`, -1 if none does."""
    return max((index for index, layer in enumerate(layers) if says([layer], path)), default=-1)


def _image(values: Mapping[str, Any], layers: Sequence[Layer]) -> Iterator[Problem]:
    image = section(values, "image")
    strategy = image.get("imageSelectionStrategy") or "SemVer"
    chosen = max(_last(layers, ("image", "imageSelectionStrategy")), 0)
    for key in _OF_IMAGES[strategy]:
        path = ("image", key)
        # The constraint has a warning of its own.
        if key != "constraint" and image.get(key) not in (None, []) and _last(layers, path) >= chosen:
            yield _moot(path, f"with imageSelectionStrategy {strategy}")


def _subscriptions(values: Mapping[str, Any]) -> Iterator[Problem]:
    for index, subscription in enumerate(section(values, "warehouse").get("subscriptions") or []):
        path: KeyPath = ("warehouse", "subscriptions", index)
        image, git = section(subscription, "image"), section(subscription, "git")
        strategy = image.get("imageSelectionStrategy") or "SemVer"
        for key in _OF_IMAGES[strategy]:
            if image.get(key) not in (None, "", []):
                yield _moot((*path, "image", key), f"with imageSelectionStrategy {strategy}")
        strategy = git.get("commitSelectionStrategy") or "NewestFromBranch"
        for key in _OF_COMMITS[strategy]:
            if git.get(key) not in (None, "", []):
                yield _moot((*path, "git", key), f"with commitSelectionStrategy {strategy}")


def _warehouse(values: Mapping[str, Any], layers: Sequence[Layer]) -> Iterator[Problem]:
    criteria = ("warehouse", "freightCreationCriteria", "expression")
    policy = ("warehouse", "freightCreationPolicy")
    if (
        value_at(values, policy) == "Manual"
        and value_at(values, criteria)
        and _last(layers, criteria) >= _last(layers, policy)
    ):
        yield _moot(criteria, "with freightCreationPolicy Manual")
    hard, enabled = ("resourceQuota", "hard"), ("resourceQuota", "enabled")
    own = len(layers) - 1
    if not value_at(values, enabled) and own >= 0 and _last(layers, hard) == own:
        yield _moot(hard, "without resourceQuota.enabled", "set resourceQuota.enabled: true, or remove it")


def _switched(
    values: Mapping[str, Any], layers: Sequence[Layer], stage: str, promotion: dict[str, Any]
) -> Iterator[Problem]:
    """Yield a problem for each setting of a stage's promotion that is not switched on.

    A setting for all stages may be for one of them, and one of fleet.yaml for some of the services.
    """
    if not has_default_steps(promotion):
        return
    for key, switch in _SWITCHED:
        if value_at(promotion, switch) or not value_at(promotion, key):
            continue
        own: KeyPath = ("stages", stage, "promotion", *key)
        of_all: KeyPath = ("promotion", *key)
        is_own = layers[-1:] and layers[-1].base == () and says([layers[-1]], of_all)
        if says(layers, own) or (is_own and not _is_anywhere(values, switch)):
            yield _moot(own, f"without {dotted(switch)}", f"remove it, or set {dotted(switch)}")
    labels: KeyPath = ("pullRequest", "labels")
    if value_at(promotion, labels) and value_at(promotion, ("pullRequest", "enabled")):
        repo_url = section(values, "git").get("repoURL") or ""
        if provider_of(section(promotion, "pullRequest"), repo_url) == "bitbucket":
            yield _moot(("stages", stage, "promotion", *labels), "with provider bitbucket: Bitbucket has no labels")


def _is_anywhere(values: Mapping[str, Any], switch: KeyPath) -> bool:
    return any(value_at(promotion_of(values, stage), switch) for stage in section(values, "stages"))


def _gate(layers: Sequence[Layer], stage: str, promotion: dict[str, Any]) -> Iterator[Problem]:
    """Yield a problem where a task or steps of one's own replace the pull requests that a weaker layer asks for."""
    if has_default_steps(promotion) or not value_at(promotion, ("pullRequest", "enabled")):
        return
    cause: KeyPath = ("task", "name") if section(promotion, "task").get("name") else ("steps", "replace")
    paths: list[KeyPath] = [("promotion",), ("stages", stage, "promotion")]
    asked = max(_last(layers, (*path, "pullRequest", "enabled")) for path in paths)
    decided = max(_last(layers, (*path, *cause)) for path in paths)
    if asked < decided:  # what is set beside the reason is said with the other settings of the default steps
        path = ("stages", stage, "promotion", *cause)
        message = (
            f"{dotted(path)}: runs instead of the default steps, so that pullRequest.enabled has no effect and nothing"
            " waits for an approval"
        )
        yield Problem("KFW306", message, f"remove {dotted(cause)}, or set pullRequest.enabled: false", path)
