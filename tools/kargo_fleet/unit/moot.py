"""Settings that another setting of the same values makes moot: each is said, none is dropped without a word.

A weaker layer's setting is for other services and stages, so that only what is set beside its reason, or closer, counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kargo_fleet.findings import KeyPath, Problem, dotted, value_at
from kargo_fleet.fleet.freight import Subscription
from kargo_fleet.fleet.layers import Layer, last, says
from kargo_fleet.fleet.pipeline import Pipeline, Stage, section
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
    *((("render", key), ("render", "helm")) for key in ("branch", "outPath")),
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


def problems(pipeline: Pipeline, layers: Sequence[Layer]) -> Iterator[Problem]:
    """Yield a problem for each setting that has no effect."""
    yield from _image(pipeline.values, layers)
    for subscription in pipeline.subscriptions():
        yield from _subscription(subscription)
    yield from _warehouses(pipeline, layers)
    yield from _quota(pipeline.values, layers)
    says_promotions = any(layer.values.get(key) for layer in layers for key in ("promotion", "stages"))
    for stage in pipeline.stages.values() if says_promotions else ():
        if stage.given.get("branch") and section(stage.given, "git").get("branch"):
            yield _moot(
                ("stages", stage.name, "git", "branch"), f"beside stages.{stage.name}.branch", "remove one of the two"
            )
        yield from _switched(pipeline, layers, stage)
        yield from _gate(layers, stage)


def _moot(path: KeyPath, reason: str, fix: str = "remove it") -> Problem:
    return Problem("KFW306", f"{dotted(path)}: has no effect {reason}", fix, path)


def _image(values: Mapping[str, Any], layers: Sequence[Layer]) -> Iterator[Problem]:
    image = section(values, "image")
    strategy = image.get("imageSelectionStrategy") or "SemVer"
    chosen = max(last(layers, ("image", "imageSelectionStrategy")), 0)
    for key in _OF_IMAGES[strategy]:
        path = ("image", key)
        # The constraint has a warning of its own.
        if key != "constraint" and image.get(key) not in (None, []) and last(layers, path) >= chosen:
            yield _moot(path, f"with imageSelectionStrategy {strategy}")


def _subscription(subscription: Subscription) -> Iterator[Problem]:
    kind, given, path, _ = subscription
    if path == ("image",):  # its settings may come from weaker layers, for other services
        return
    ignored: tuple[str, ...] = ()
    if kind == "image":
        key, strategy = "imageSelectionStrategy", given.get("imageSelectionStrategy") or "SemVer"
        ignored = _OF_IMAGES[strategy]
    elif kind == "git":
        key, strategy = "commitSelectionStrategy", given.get("commitSelectionStrategy") or "NewestFromBranch"
        ignored = _OF_COMMITS[strategy]
    for setting in ignored:
        if given.get(setting) not in (None, "", []):
            yield _moot((*path, setting), f"with {key} {strategy}")


def _warehouses(pipeline: Pipeline, layers: Sequence[Layer]) -> Iterator[Problem]:
    for warehouse in pipeline.warehouses.values():
        criteria = (*warehouse.path, "freightCreationCriteria", "expression")
        policy = (*warehouse.path, "freightCreationPolicy")
        if (
            value_at(pipeline.values, policy) == "Manual"
            and value_at(pipeline.values, criteria)
            and last(layers, criteria) >= last(layers, policy)
        ):
            yield _moot(criteria, "with freightCreationPolicy Manual")


def _quota(values: Mapping[str, Any], layers: Sequence[Layer]) -> Iterator[Problem]:
    hard, enabled = ("resourceQuota", "hard"), ("resourceQuota", "enabled")
    own = len(layers) - 1
    if not value_at(values, enabled) and own >= 0 and last(layers, hard) == own:
        yield _moot(hard, "without resourceQuota.enabled", "set resourceQuota.enabled: true, or remove it")


def _switched(pipeline: Pipeline, layers: Sequence[Layer], stage: Stage) -> Iterator[Problem]:
    """Yield a problem for each setting of a stage's promotion that is not switched on.

    A setting for all stages may be for one of them, and one of fleet.yaml for some of the services.
    """
    promotion, name = stage.promotion, stage.name
    if not stage.has_default_steps:
        return
    for key, switch in _SWITCHED:
        if value_at(promotion, switch) or not value_at(promotion, key) or (key[0] == "render" and stage.rendering):
            continue
        own: KeyPath = ("stages", name, "promotion", *key)
        of_all: KeyPath = ("promotion", *key)
        is_own = layers[-1:] and layers[-1].base == () and says([layers[-1]], of_all)
        if says(layers, own) or (is_own and not _is_anywhere(pipeline, switch)):
            yield _moot(own, f"without {dotted(switch)}", f"remove it, or set {dotted(switch)}")
    labels: KeyPath = ("pullRequest", "labels")
    provider = provider_of(section(promotion, "pullRequest"), stage.repo_url) if stage.has_pull_request else ""
    if provider == "bitbucket" and value_at(promotion, labels):
        yield _moot(("stages", name, "promotion", *labels), "with provider bitbucket: Bitbucket has no labels")


def _is_anywhere(pipeline: Pipeline, switch: KeyPath) -> bool:
    return any(value_at(stage.promotion, switch) for stage in pipeline.stages.values())


def _gate(layers: Sequence[Layer], stage: Stage) -> Iterator[Problem]:
    """Yield a problem where a task or steps of one's own replace the pull requests that a weaker layer asks for."""
    if stage.has_default_steps or not value_at(stage.promotion, ("pullRequest", "enabled")):
        return
    cause: KeyPath = ("task", "name") if stage.task else ("steps", "replace")
    paths: list[KeyPath] = [("promotion",), ("stages", stage.name, "promotion")]
    asked = max(last(layers, (*path, "pullRequest", "enabled")) for path in paths)
    decided = max(last(layers, (*path, *cause)) for path in paths)
    if asked < decided:  # what is set beside the reason is said with the other settings of the default steps
        path = ("stages", stage.name, "promotion", *cause)
        message = (
            f"{dotted(path)}: runs instead of the default steps, so that pullRequest.enabled has no effect and nothing"
            " waits for an approval"
        )
        yield Problem("KFW306", message, f"remove {dotted(cause)}, or set pullRequest.enabled: false", path)
