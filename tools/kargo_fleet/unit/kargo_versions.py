"""The versions of Kargo: which steps and fields each has, and what it refuses.

`kargo.version` of a unit says which Kargo it is for. What a version has in addition to the one before it is data, with
its source, in kargo_versions.json; the chart has the names of it in `kargo-service.newInKargo`. The rules of this module
are those of templates/_validate_kargo.tpl, in the same words. tests/unit/test_kargo_versions.py compares both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from kargo_fleet.findings import KeyPath, Problem, dotted
from kargo_fleet.fleet.freight import Subscription
from kargo_fleet.fleet.pipeline import Pipeline, section
from kargo_fleet.text.git_urls import https_fix, normalized
from kargo_fleet.unit.own_steps import OwnStep, own_steps

#: The version from which a Warehouse with two subscriptions of one repository is refused, and subscriptions have names.
_NAMES_AND_UNIQUE: Final = "1.12"
#: The version from which a Stage may have `spec.targets`, and a ProjectConfig `spec.promotionWindows`.
_TARGETS_AND_WINDOWS: Final = "1.12"
#: The version from which Git repositories have https:// URLs only, as Kargo has announced.
_NO_SSH: Final = "1.13"

_SSH: Final = re.compile(r"ssh://|[\w-]+@[\w.-]+:")


@cache
def _data() -> dict[str, dict[str, Any]]:
    """Return what each version adds to the one before it, oldest first."""
    data: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("kargo_versions.json").read_bytes())
    return data


def versions() -> list[str]:
    """Return the versions that `kargo.version` may name, oldest first."""
    return list(_data())


def version_of(values: Mapping[str, Any]) -> str:
    """Return the version of Kargo that a unit is for."""
    return str(section(values, "kargo").get("version") or "1.11")


def is_before(version: str, other: str) -> bool:
    """Return whether a version, such as 1.11, is older than another."""
    return [int(part) for part in version.split(".")] < [int(part) for part in other.split(".")]


@cache
def new_steps() -> dict[str, str]:
    """Return the steps that the oldest version does not have, each with the first version that has it."""
    return {step: version for version, added in _data().items() for step in added.get("steps", {})}


@cache
def new_config() -> dict[str, dict[str, str]]:
    """Return the keys of steps' `config` that the oldest version does not have, by step, with the first version."""
    found: dict[str, dict[str, str]] = {}
    for version, added in _data().items():
        for step, node in added.get("config", {}).items():
            found.setdefault(step, {}).update(dict.fromkeys(node["properties"], version))
    return found


def added_until(version: str) -> Iterator[dict[str, Any]]:
    """Yield what each version up to this one adds, oldest first."""
    return (added for name, added in _data().items() if not is_before(version, name))


def problems(pipeline: Pipeline) -> Iterator[Problem]:
    """Yield the problems of a unit with the Kargo that it is for."""
    version = version_of(pipeline.values)
    for warehouse in pipeline.warehouses.values():
        yield from _subscriptions(warehouse.subscriptions, pipeline.image, version)
    if section(pipeline.values, "projectConfig").get("promotionWindows") and is_before(version, _TARGETS_AND_WINDOWS):
        yield _too_new(("projectConfig", "promotionWindows"), _TARGETS_AND_WINDOWS, version)
    for name, stage in sorted(pipeline.stages.items()):
        if section(stage.given, "targets") and is_before(version, _TARGETS_AND_WINDOWS):
            yield _too_new(("stages", name, "targets"), _TARGETS_AND_WINDOWS, version)
    for step in own_steps(pipeline):
        yield from _step(step, version)


def _subscriptions(subscriptions: Sequence[Subscription], own: str, version: str) -> Iterator[Problem]:
    names: list[str] = []
    twice = repeated(subscriptions, own)
    for subscription in subscriptions:
        name, place = subscription.name, (*subscription.path[:-1], "name")
        if name and is_before(version, _NAMES_AND_UNIQUE):
            yield _too_new(place, _NAMES_AND_UNIQUE, version)
        elif name and name in names:
            message = f'{dotted(place)}: "{name}" is the name of another subscription'
            yield Problem("KF103", message, "use another name", place)
        names.append(name)
        if subscription in twice and not is_before(version, _NAMES_AND_UNIQUE):
            yield _twice(subscription, "KF304", f"which Kargo {version} refuses")


def _twice(subscription: Subscription, code: str, consequence: str) -> Problem:
    place = (*subscription.path, "repoURL")
    message = f'{dotted(place)}: "{subscription.repo_url}" is subscribed to twice, {consequence}'
    return Problem(code, message, "remove one of the two, or merge their settings", place)


def repeated(subscriptions: Sequence[Subscription], own: str) -> list[Subscription]:
    """Return the subscriptions of one Warehouse to a repository to which an earlier one subscribes, too.

    The service's own image is not compared: whoever subscribes to that twice has another problem (KF304 in unit/rules.py).
    """
    seen: set[tuple[str, ...]] = set()
    found = []
    for one in subscriptions:
        if not one.repo_url:
            continue
        key = (one.kind, *identity(one.kind, one.given))
        if key in seen and not (one.kind == "image" and own and same_image(own, one.repo_url)):
            found.append(one)
        seen.add(key)
    return found


def identity(kind: str, subscription: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what Kargo compares subscriptions of a kind by: addSub of pkg/webhook/kubernetes/warehouse/webhook.go."""
    url: str = subscription["repoURL"].strip()
    if kind == "git":
        return (normalized(url),)
    if kind == "image":
        return (_image(url.lower()),)
    is_http = url.startswith(("http://", "https://"))
    return (_image(url.lower().removeprefix("oci://")), (subscription.get("name") or "") if is_http else "")


def same_image(first: str, second: str) -> bool:
    """Return whether two names of image repositories are the same to Kargo: nginx and docker.io/library/nginx are."""
    return _image(first.strip().lower()) == _image(second.strip().lower())


def _image(name: str) -> str:
    """Return an image repository without Docker Hub's names, as NormalizeImage of Kargo's pkg/urls does."""
    return re.sub(r"^(index\.|registry-1\.)?docker\.io/", "", name).removeprefix("library/")


def _step(step: OwnStep, version: str) -> Iterator[Problem]:
    since = new_steps().get(step.uses, "")
    if since and is_before(version, since) and step.uses not in step.custom:
        yield Problem(
            "KF312",
            f'{dotted((*step.path, "uses"))}: "{step.uses}" is a step of Kargo {since}; kargo.version is {version}',
            _FIX.format(since),
            (*step.path, "uses"),
        )
    for key, since in sorted(new_config().get(step.uses, {}).items()):
        if key in step.config and is_before(version, since):
            yield _too_new((*step.path, "config", key), since, version)


_FIX: Final = 'remove it, or set kargo.version to "{}" if the cluster runs that'


def _too_new(path: KeyPath, since: str, version: str) -> Problem:
    message = f"{dotted(path)}: requires Kargo {since}; kargo.version is {version}"
    return Problem("KF312", message, _FIX.format(since), path)


def warnings(pipeline: Pipeline) -> Iterator[Problem]:
    """Yield a problem for each thing that a later Kargo refuses, or has announced to."""
    version = version_of(pipeline.values)
    for warehouse in pipeline.warehouses.values():
        if is_before(version, _NAMES_AND_UNIQUE):
            for one in repeated(warehouse.subscriptions, pipeline.image):
                yield _twice(one, "KFW311", f"which Kargo refuses from {_NAMES_AND_UNIQUE} on")
        for one in warehouse.subscriptions:
            if one.kind == "git" and one.repo_url != section(pipeline.values, "git").get("repoURL"):  # said there
                yield from _ssh((*one.path, "repoURL"), one.repo_url)
    for step in own_steps(pipeline):
        yield from _ssh((*step.path, "config", "repoURL"), step.config.get("repoURL"))
        if step.uses == "git-commit" and step.config.get("author"):
            place = (*step.path, "config", "author")
            message = f"{dotted(place)}: is deprecated; Kargo has announced its removal in 1.12"
            yield Problem("KFW312", message, "set author in the config of git-clone", place)


def _ssh(path: KeyPath, url: object) -> Iterator[Problem]:
    if isinstance(url, str) and _SSH.match(url):
        yield ssh_problem(path, url)


def ssh_problem(path: KeyPath, url: str) -> Problem:
    """Return the problem with a Git repository's SSH URL."""
    message = f"{dotted(path)}: {url} is an SSH URL, which Kargo no longer supports from v{_NO_SSH}"
    return Problem("KFW303", message, https_fix(url), path)
