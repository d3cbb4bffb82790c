"""What is legal but surely not meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kargo_fleet.findings import Finding, Place
from kargo_fleet.fleet.layers import Layer, origin, says
from kargo_fleet.text.yaml_reader import KeyPath
from kargo_fleet.unit.rules import has_default_steps, promotion_of

_INTERVAL_FLOOR = 300  # seconds: controller.reconcilers.warehouses.minReconciliationInterval of Kargo's own chart
_ONLY_ZERO = re.compile(r"\s*\^\s*v?0\.0\.0\s*")
_PRODUCTION = re.compile(r"pro?d(uction)?(-.*)?|live(-.*)?")
_SECONDS = {"h": 3600, "m": 60, "s": 1}


def find(values: dict[str, Any], layers: list[Layer], default: Place, service: str) -> list[Finding]:
    """Return the warnings about a unit's complete and valid values, placed in the layer that causes each."""
    found = [*_image(values, layers), *_git(values), *_interval(values), *_stages(values)]
    findings = []
    for path, code, message, fix in found:
        place = origin(layers, path, default)
        findings.append(Finding(place, code, message, fix, service if place.file == default.file else ""))
    return findings


def seconds(duration: str) -> float:
    """Return the length of a duration such as 5m or 1h30m in seconds."""
    return sum(float(number) * _SECONDS[unit] for number, unit in re.findall(r"([0-9.]+)([hms])", duration))


_Warning = tuple[KeyPath, str, str, str]


def _image(values: dict[str, Any], layers: list[Layer]) -> Iterator[_Warning]:
    image = values["image"]
    constraint, strategy = image.get("constraint") or "", image.get("imageSelectionStrategy") or "SemVer"
    path = ("image", "constraint")
    if strategy == "SemVer" and _ONLY_ZERO.fullmatch(constraint):
        message = f'image.constraint: "{constraint}" matches version 0.0.0 and no other'
        yield path, "KFW301", message, 'any release is "*" or ">=0.0.0"; with prereleases ">=0.0.0-0"'
    # A weaker layer's constraint is for services that do not choose a strategy of their own.
    meant = _last(layers, path) >= max(_last(layers, ("image", "imageSelectionStrategy")), 0)
    if strategy == "SemVer" and "constraint" in image and not constraint.strip():  # null would be meant
        yield path, "KFW308", "image.constraint: is empty, so that every version matches", 'write "*" if that is meant'
    if strategy in ("Lexical", "NewestBuild") and constraint and meant:
        message = f"image.constraint: has no effect with imageSelectionStrategy {strategy}"
        yield path, "KFW306", message, "use allowTagsRegexes, or remove it"


def _last(layers: list[Layer], path: KeyPath) -> int:
    """Return the index of the strongest layer that says anything at `path`, -1 if none does."""
    return max((index for index, layer in enumerate(layers) if says([layer], path)), default=-1)


def _git(values: dict[str, Any]) -> Iterator[_Warning]:
    url = (values.get("git") or {}).get("repoURL") or ""
    path = ("git", "repoURL")
    if url.startswith("http://"):
        yield (
            path,
            "KFW304",
            f"git.repoURL: {url} sends credentials unencrypted",
            "use https://, unless this never leaves your network",
        )
    elif url and not url.startswith("https://"):
        yield path, "KFW303", f"git.repoURL: {url} is an SSH URL, which Kargo drops in v1.13", "use https://"


def _interval(values: dict[str, Any]) -> Iterator[_Warning]:
    interval = (values.get("warehouse") or {}).get("interval") or "5m"
    if seconds(interval) < _INTERVAL_FLOOR:
        message = f"warehouse.interval: {interval} is below 5m, Kargo's floor unless its operator lowered it; Kargo would use 5m"
        yield ("warehouse", "interval"), "KFW305", message, "write 5m or more, and add a webhook receiver for speed"


def _asks(promotion: dict[str, Any]) -> bool:
    """Say whether a promotion waits for a person to merge its pull request."""
    pull_request = promotion.get("pullRequest") or {}
    return bool(pull_request.get("enabled") and not pull_request.get("merge") and has_default_steps(promotion))


def _stages(values: dict[str, Any]) -> Iterator[_Warning]:
    for name, stage in values["stages"].items():
        if stage.get("autoPromotionEnabled") and _PRODUCTION.fullmatch(name) and not _asks(promotion_of(values, name)):
            path = ("stages", name, "autoPromotionEnabled")
            yield (
                path,
                "KFW302",
                f"stages.{name}: promotes itself, without a person",
                "remove autoPromotionEnabled if that is not meant",
            )
        if stage.get("requiredSoakTime") and not stage.get("upstream"):
            path = ("stages", name, "requiredSoakTime")
            yield (
                path,
                "KFW306",
                f"stages.{name}.requiredSoakTime: has no effect without an upstream stage",
                "remove it, or name the upstream",
            )
