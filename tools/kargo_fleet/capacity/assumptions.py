"""The assumptions of the formulas: the section `capacity` of fleet.yaml with its defaults, and overrides on the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kargo_fleet.errors import FleetError
from kargo_fleet.fleet.capacity_section import CAPACITY_KEYS, CAPACITY_SCHEMA, is_duration
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.durations import seconds, written
from kargo_fleet.text.json_schema import Schema
from kargo_fleet.text.words import did_you_mean

_GIB = 2**30


@dataclass(frozen=True)
class Assumptions:
    """The keys of `capacity` in fleet.yaml, with their defaults. Durations are seconds here.

    The defaults of the first group are those of Kargo's chart (charts/kargo/values.yaml of akuity/kargo v1.11.2), of its
    controllers (cmd/controlplane/controller.go) and of etcd; the others are conservative estimates, to be measured.
    """

    # Kargo's installation, etcd, and what installs the units
    max_concurrent_reconciles: int = 4
    rate_limit: int = 20
    min_reconciliation_interval: float = 300
    kube_api_qps: int = 50
    max_retained_promotions: int = 20
    min_promotion_deletion_age: float = 336 * 3600
    max_retained_freight: int = 20
    min_freight_deletion_age: float = 336 * 3600
    quota_backend_bytes: int = 2 * _GIB
    installed_by: str = "argocd"
    # The registries
    registry_requests_per_second: float = 0
    seconds_per_request: float = 0.1
    token_authentication: bool = True
    multi_platform_images: bool = False
    tags_per_image: int = 100
    webhook_receivers: bool = False
    # Git and the people
    releases_per_service_per_day: float = 0.2
    hours_per_day: float = 8
    seconds_per_push: float = 3
    seconds_per_promotion: float = 20
    # Argo CD
    seconds_per_application: float = 0.004
    seconds_per_new_application: float = 0.022
    # Planning
    utilization: float = 0.7

    def changed(self, settings: Mapping[str, Any]) -> Assumptions:
        """Return the assumptions with `settings`, valid keys of fleet.yaml, overriding them."""
        given = {
            attribute(key): seconds(value) if is_duration(key) else value
            for key, value in settings.items()
            if value is not None
        }
        return replace(self, **given)  # type: ignore[arg-type]

    def as_settings(self) -> dict[str, Any]:
        """Return the assumptions as they are written in fleet.yaml, durations such as 5m."""
        return {key: written(value) if is_duration(key) else value for key, value in self.as_data().items()}

    def as_data(self) -> dict[str, Any]:
        """Return the assumptions by the keys of fleet.yaml; durations are seconds."""
        return {key: getattr(self, attribute(key)) for key in CAPACITY_KEYS}


def attribute(key: str) -> str:
    """Return the attribute of a key of `capacity`: max_concurrent_reconciles for maxConcurrentReconciles."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower()


def assumptions_of(section: Mapping[str, Any] | None, options: Iterable[str]) -> Assumptions:
    """Return the assumptions of fleet.yaml, overridden by `options`, each KEY=VALUE. Raises FleetError for an invalid option."""
    return Assumptions().changed(section or {}).changed(_parsed(options))


def _parsed(options: Iterable[str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for option in options:
        key, separator, text = option.partition("=")
        if not separator or key not in CAPACITY_KEYS:
            hint = did_you_mean(key, CAPACITY_KEYS, f"the keys are {', '.join(CAPACITY_KEYS)}")
            raise FleetError(f"--set {option}: not KEY=VALUE with a known key; {hint}")
        settings[key] = text if is_duration(key) else _scalar(option, text)
        if problems := Schema(CAPACITY_SCHEMA).problems({key: settings[key]}):
            raise FleetError(f"--set {problems[0].message}\n{problems[0].fix}".strip())
    return settings


def _scalar(option: str, text: str) -> Any:
    """Parse a value of the command line by the same rules as fleet.yaml."""
    try:
        return yaml_reader.parse(f"value: {text}").get("value")
    except yaml_reader.YamlError as error:
        raise FleetError(f"--set {option}: {error.problem.message}") from None
