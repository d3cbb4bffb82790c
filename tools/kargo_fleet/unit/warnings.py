"""Warnings about values that are valid, but probably a mistake."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kargo_fleet.findings import Finding, KeyPath, Place, Problem, dotted, value_at
from kargo_fleet.fleet.freight import Subscription
from kargo_fleet.fleet.layers import Layer, in_layers, last, once_per_pipeline, says
from kargo_fleet.fleet.pipeline import Pipeline, Stage, section
from kargo_fleet.text.durations import seconds
from kargo_fleet.unit import beside, commits, kargo_versions, moot, moot_image, selections, soak, two_layers

_INTERVAL_FLOOR = 300  # seconds: controller.reconcilers.warehouses.minReconciliationInterval of Kargo's own chart
_ONLY_ZERO = re.compile(r"\s*\^\s*v?0\.0\.0\s*")
_PRODUCTION = re.compile(r"pro?d(uction)?(-.*)?|live(-.*)?")

#: What only the default steps use. (Every step and task may use the variables, which `path` and `argocdUpdate` set.)
_OF_THE_DEFAULT_STEPS: tuple[KeyPath, ...] = (
    ("steps", "beforeCommit"),
    ("tagKey",),
    ("digestKey",),
    ("message",),
    ("maxAttempts",),
    ("retry",),
    ("pullRequest", "enabled"),
    ("render",),
)
_BESIDE_REPLACE: tuple[KeyPath, ...] = (("steps", "before"), ("steps", "after"), *_OF_THE_DEFAULT_STEPS)


def find(pipeline: Pipeline, layers: list[Layer], default: Place, service: str) -> list[Finding]:
    """Return the warnings about a valid unit, placed in the layer that causes each."""
    found = [
        *(problem for one in pipeline.subscriptions("image") for problem in _only_zero(one)),
        *_image(section(pipeline.values, "image"), layers),
        *_git(pipeline),
        *_signing(pipeline, layers),
        *_intervals(pipeline),
        *(problem for stage in pipeline.stages.values() for problem in _stage(pipeline, stage)),
        *_unused(pipeline, layers),
    ]
    found += [*commits.problems(pipeline), *soak.problems(pipeline), *moot.problems(pipeline, layers)]
    found += moot_image.problems(pipeline, layers)
    found += [
        *kargo_versions.warnings(pipeline),
        *beside.warnings(pipeline),
        *selections.warnings(pipeline),
        *two_layers.warnings(pipeline, layers),
    ]
    return once_per_pipeline(in_layers(problem, layers, default, service) for problem in found)


def _only_zero(subscription: Subscription) -> Iterator[Problem]:
    constraint, strategy = (subscription.given.get(key) or "" for key in ("constraint", "imageSelectionStrategy"))
    if strategy in ("", "SemVer") and _ONLY_ZERO.fullmatch(constraint):
        path = (*subscription.path, "constraint")
        message = f'{dotted(path)}: "{constraint}" matches only version 0.0.0'
        yield Problem(
            "KFW301", message, 'use "*" or ">=0.0.0" for any release, ">=0.0.0-0" to include prereleases', path
        )


def _image(image: dict[str, Any], layers: list[Layer]) -> Iterator[Problem]:
    constraint, strategy = image.get("constraint") or "", image.get("imageSelectionStrategy") or "SemVer"
    path = ("image", "constraint")
    # A weaker layer's constraint is for services that do not choose a strategy of their own.
    meant = last(layers, path) >= max(last(layers, ("image", "imageSelectionStrategy")), 0)
    if (
        strategy == "SemVer" and "constraint" in image and not constraint.strip()
    ):  # null unsets it; an empty string does not
        message = "image.constraint: is empty, so every version matches"
        yield Problem("KFW308", message, 'write "*" if every version is intended', path)
    if strategy in ("Lexical", "NewestBuild") and constraint and meant:
        message = f"image.constraint: has no effect with imageSelectionStrategy {strategy}"
        yield Problem("KFW306", message, "use allowTagsRegexes, or remove it", path)


def _git(pipeline: Pipeline) -> Iterator[Problem]:
    sections: dict[KeyPath, dict[str, Any]] = {("git",): section(pipeline.values, "git")}
    sections |= {("stages", name, "git"): section(stage.given, "git") for name, stage in pipeline.stages.items()}
    for owner, git in sections.items():
        url, path = git.get("repoURL") or "", (*owner, "repoURL")
        if url.startswith("http://"):
            message = f"{dotted(path)}: {url} sends credentials unencrypted"
            yield Problem("KFW304", message, "use https://, unless this never leaves your network", path)
        elif url and not url.startswith("https://"):
            yield kargo_versions.ssh_problem(path, url)


def _signing(pipeline: Pipeline, layers: list[Layer]) -> Iterator[Problem]:
    owners: dict[KeyPath, dict[str, Any]] = {("git",): section(pipeline.values, "git")}
    owners |= {("stages", one.name, "git"): one.git for one in pipeline.stages.values() if one.given.get("git")}
    for owner, git in owners.items():
        author, path = section(git, "author"), (*owner, "author")
        is_said = any(says(layers, (*one, "author", "signingKey")) for one in (owner, ("git",)))
        is_own = owner == ("git",) or section(value_at(pipeline.values, owner), "author")
        if is_own and author.get("name") and author.get("email") and not author.get("signingKey") and not is_said:
            message = f"{dotted(path)}: replaces the author and the signing key of Kargo's operator, so that commits are not signed"
            fix = f'remove it, set {dotted(path)}.signingKey, or set it to "" if commits are not signed anyway'
            yield Problem("KFW318", message, fix, path)


def _intervals(pipeline: Pipeline) -> Iterator[Problem]:
    for warehouse in pipeline.warehouses.values():
        interval, path = warehouse.given.get("interval") or "5m", (*warehouse.path, "interval")
        if seconds(interval) < _INTERVAL_FLOOR:
            message = f"{dotted(path)}: {interval} is below 5m, Kargo's default minimum; Kargo then uses its minimum"
            yield Problem("KFW305", message, "use 5m or more; for faster discovery, add a webhook receiver", path)


def _is_approved(pipeline: Pipeline, stage: Stage) -> bool:
    """Return whether a person decides: by merging a pull request, or by promoting to the gates right before the stage."""
    asks = stage.has_pull_request and not section(stage.promotion, "pullRequest").get("merge")
    before = [pipeline.stages.get(name) for one in stage.requests for name in one.upstream]
    gates = [one for one in before if one and one.is_control_flow and not one.given.get("autoPromotionEnabled")]
    return asks or (len(gates) == len(before) > 0 and not any(one.direct for one in stage.requests))


def _stage(pipeline: Pipeline, stage: Stage) -> Iterator[Problem]:
    name, given = stage.name, stage.given
    if given.get("controlFlow") and given.get("promotion"):
        message = f"stages.{name}.promotion: has no effect in a control flow stage"
        yield Problem("KFW306", message, "remove it, or controlFlow", ("stages", name, "promotion"))
    is_automatic = given.get("autoPromotionEnabled") and not stage.is_control_flow
    if is_automatic and _PRODUCTION.fullmatch(name) and not _is_approved(pipeline, stage):
        message = f"stages.{name}: is promoted automatically, without approval"
        fix = "remove autoPromotionEnabled unless this is intended"
        yield Problem("KFW302", message, fix, ("stages", name, "autoPromotionEnabled"))


def _unused(pipeline: Pipeline, layers: list[Layer]) -> Iterator[Problem]:
    """Yield a problem for each setting of a promotion that no step uses, as other steps run instead of the default ones.

    A weaker layer's setting is for the services and stages that run the default steps.
    """
    for stage, one in pipeline.stages.items():
        promotion = one.promotion
        if section(promotion, "steps").get("replace"):
            cause, keys = ("steps", "replace"), _BESIDE_REPLACE
        elif one.task:
            cause, keys = ("task", "name"), _OF_THE_DEFAULT_STEPS
        else:
            continue
        decided = _rank(layers, stage, cause)
        for key in keys:
            if _rank(layers, stage, key) >= decided and value_at(promotion, key):
                path: KeyPath = ("stages", stage, "promotion", *key)
                message = f"{dotted(path)}: has no effect with {dotted(cause)}, which runs instead of the default steps"
                yield Problem("KFW306", message, f"remove it, or {dotted(cause)}", path)


def _rank(layers: list[Layer], stage: str, key: KeyPath) -> tuple[int, int]:
    """Return how strong the layer is that sets a key of a stage's promotion; within one, the stage's own beats that of all."""
    of_all, own = last(layers, ("promotion", *key)), last(layers, ("stages", stage, "promotion", *key))
    return max((of_all, 0), (own, 1)) if own >= 0 else (of_all, 0)
