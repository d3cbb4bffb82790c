"""Warnings about values that are valid, but probably a mistake."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kargo_fleet.findings import Finding, KeyPath, Place, Problem, dotted, value_at
from kargo_fleet.fleet.layers import Layer, in_layers, once_per_pipeline, says
from kargo_fleet.fleet.pipeline import has_default_steps, is_control_flow, promotion_of, section
from kargo_fleet.text.durations import seconds
from kargo_fleet.text.git_urls import https_fix
from kargo_fleet.unit import commits, kargo_versions, moot, soak

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
)
_BESIDE_REPLACE: tuple[KeyPath, ...] = (("steps", "before"), ("steps", "after"), *_OF_THE_DEFAULT_STEPS)


def find(values: dict[str, Any], layers: list[Layer], default: Place, service: str) -> list[Finding]:
    """Return the warnings about a unit's complete and valid values, placed in the layer that causes each."""
    found = [
        *_image(values, layers),
        *_git(values),
        *_signing(values, layers),
        *_interval(values),
        *_stages(values),
        *_unused(values, layers),
    ]
    found += [*commits.problems(values), *soak.problems(values["stages"]), *moot.problems(values, layers)]
    found += kargo_versions.warnings(values)
    return once_per_pipeline(in_layers(problem, layers, default, service) for problem in found)


def _image(values: dict[str, Any], layers: list[Layer]) -> Iterator[Problem]:
    image = values["image"]
    constraint, strategy = image.get("constraint") or "", image.get("imageSelectionStrategy") or "SemVer"
    path = ("image", "constraint")
    if strategy == "SemVer" and _ONLY_ZERO.fullmatch(constraint):
        message = f'image.constraint: "{constraint}" matches only version 0.0.0'
        yield Problem(
            "KFW301", message, 'use "*" or ">=0.0.0" for any release, ">=0.0.0-0" to include prereleases', path
        )
    # A weaker layer's constraint is for services that do not choose a strategy of their own.
    meant = _last(layers, path) >= max(_last(layers, ("image", "imageSelectionStrategy")), 0)
    if (
        strategy == "SemVer" and "constraint" in image and not constraint.strip()
    ):  # null unsets it; an empty string does not
        message = "image.constraint: is empty, so every version matches"
        yield Problem("KFW308", message, 'write "*" if every version is intended', path)
    if strategy in ("Lexical", "NewestBuild") and constraint and meant:
        message = f"image.constraint: has no effect with imageSelectionStrategy {strategy}"
        yield Problem("KFW306", message, "use allowTagsRegexes, or remove it", path)


def _last(layers: list[Layer], path: KeyPath) -> int:
    """Return the index of the strongest layer that sets `path`, -1 if none does."""
    return max((index for index, layer in enumerate(layers) if says([layer], path)), default=-1)


def _git(values: dict[str, Any]) -> Iterator[Problem]:
    url = (values.get("git") or {}).get("repoURL") or ""
    path = ("git", "repoURL")
    if url.startswith("http://"):
        message = f"git.repoURL: {url} sends credentials unencrypted"
        yield Problem("KFW304", message, "use https://, unless this never leaves your network", path)
    elif url and not url.startswith("https://"):
        message = f"git.repoURL: {url} is an SSH URL, which Kargo no longer supports from v1.13"
        yield Problem("KFW303", message, https_fix(url), path)


def _signing(values: dict[str, Any], layers: list[Layer]) -> Iterator[Problem]:
    author, path = section(section(values, "git"), "author"), ("git", "author", "signingKey")
    if author.get("name") and author.get("email") and not author.get("signingKey") and not says(layers, path):
        message = (
            "git.author: replaces the author and the signing key of Kargo's operator, so that commits are not signed"
        )
        fix = 'remove it, set git.author.signingKey, or set it to "" if commits are not signed anyway'
        yield Problem("KFW318", message, fix, ("git", "author"))


def _interval(values: dict[str, Any]) -> Iterator[Problem]:
    interval = (values.get("warehouse") or {}).get("interval") or "5m"
    if seconds(interval) < _INTERVAL_FLOOR:
        message = f"warehouse.interval: {interval} is below 5m, Kargo's default minimum; Kargo then uses its minimum"
        fix = "use 5m or more; for faster discovery, add a webhook receiver"
        yield Problem("KFW305", message, fix, ("warehouse", "interval"))


def _asks(promotion: dict[str, Any]) -> bool:
    """Return whether a promotion waits for a person to merge its pull request."""
    pull_request = promotion.get("pullRequest") or {}
    return bool(pull_request.get("enabled") and not pull_request.get("merge") and has_default_steps(promotion))


def _stages(values: dict[str, Any]) -> Iterator[Problem]:
    for name, stage in values["stages"].items():
        promotion = promotion_of(values, name)
        if stage.get("controlFlow") and stage.get("promotion"):
            message = f"stages.{name}.promotion: has no effect in a control flow stage"
            yield Problem("KFW306", message, "remove it, or controlFlow", ("stages", name, "promotion"))
        if (
            stage.get("autoPromotionEnabled")
            and _PRODUCTION.fullmatch(name)
            and not (_asks(promotion) or is_control_flow(promotion))
        ):
            message, fix = (
                f"stages.{name}: is promoted automatically, without approval",
                "remove autoPromotionEnabled unless this is intended",
            )
            yield Problem("KFW302", message, fix, ("stages", name, "autoPromotionEnabled"))
        if stage.get("requiredSoakTime") and not stage.get("upstream"):
            message = f"stages.{name}.requiredSoakTime: has no effect without an upstream stage"
            yield Problem("KFW306", message, "remove it, or set upstream", ("stages", name, "requiredSoakTime"))


def _unused(values: dict[str, Any], layers: list[Layer]) -> Iterator[Problem]:
    """Yield a problem for each setting of a promotion that no step uses, as other steps run instead of the default ones.

    A weaker layer's setting is for the services and stages that run the default steps.
    """
    for stage in values["stages"]:
        promotion = promotion_of(values, stage)
        if section(promotion, "steps").get("replace"):
            cause, keys = ("steps", "replace"), _BESIDE_REPLACE
        elif section(promotion, "task").get("name"):
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
    of_all, own = _last(layers, ("promotion", *key)), _last(layers, ("stages", stage, "promotion", *key))
    return max((of_all, 0), (own, 1)) if own >= 0 else (of_all, 0)
