"""The section `plan` of fleet.yaml: what is not in the fleet's values, but an installation's or an organisation's own.

A key that is one value of Kargo's chart, of etcd or of Argo CD has that one's name.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from kargo_fleet.errors import FleetError
from kargo_fleet.text.json_schema import Schema
from kargo_fleet.unit.warnings import seconds

_DURATION = r"^([0-9]+(\.[0-9]+)?(h|m|s))+$"
_GIB = 2**30


@dataclass(frozen=True)
class Assumptions:
    """Everything that `plan` of fleet.yaml may say, with its default. Durations are seconds here.

    The defaults of the first group are those of Kargo's chart (charts/kargo/values.yaml of akuity/kargo v1.11.2), of its
    controllers (cmd/controlplane/controller.go) and of etcd; the others are cautious, and yours are better.
    """

    # Kargo's installation, etcd's, and what installs the units
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
        """Return these with `settings`, keys of fleet.yaml that are valid by the schema, over them."""
        given = {
            attribute(key): seconds(value) if _is_duration(key) else value
            for key, value in settings.items()
            if value is not None
        }
        return replace(self, **given)  # type: ignore[arg-type]

    def as_data(self) -> dict[str, Any]:
        """Return them by the keys of fleet.yaml; durations are seconds."""
        return {key: getattr(self, attribute(key)) for key in _SCHEMA}


def attribute(key: str) -> str:
    """Return what a key of `plan` is called here: max_concurrent_reconciles for maxConcurrentReconciles."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower()


def _number(description: str, minimum: float = 0, **more: Any) -> dict[str, Any]:
    return {"type": "number", "description": description, "minimum": minimum, **more}


def _integer(description: str, minimum: int = 1) -> dict[str, Any]:
    return {"type": "integer", "description": description, "minimum": minimum}


def _duration(description: str) -> dict[str, Any]:
    return {
        "type": "string",
        "description": description,
        "pattern": _DURATION,
        "patternErrorMessage": "a duration such as 5m or 336h",
    }


def _flag(description: str) -> dict[str, Any]:
    return {"type": "boolean", "description": description}


_SCHEMA: dict[str, dict[str, Any]] = {
    "maxConcurrentReconciles": _integer(
        "controller.reconcilers.maxConcurrentReconciles of Kargo's chart: how many Warehouses, and how many "
        "Promotions, one controller handles at once. Default: 4."
    ),
    "rateLimit": _integer(
        "controller.images.registries.rateLimit of Kargo's chart: requests per second that one controller "
        "sends to one registry. Default: 20."
    ),
    "minReconciliationInterval": _duration(
        "controller.reconcilers.warehouses.minReconciliationInterval of Kargo's chart. Default: 5m."
    ),
    "kubeApiQps": _integer(
        "KUBE_API_QPS of Kargo's controllers (controller.env): requests per second of one controller to the "
        "API server. Default: 50."
    ),
    "maxRetainedPromotions": _integer("garbageCollector.maxRetainedPromotions of Kargo's chart. Default: 20."),
    "minPromotionDeletionAge": _duration("garbageCollector.minPromotionDeletionAge of Kargo's chart. Default: 336h."),
    "maxRetainedFreight": _integer("garbageCollector.maxRetainedFreight of Kargo's chart. Default: 20."),
    "minFreightDeletionAge": _duration("garbageCollector.minFreightDeletionAge of Kargo's chart. Default: 336h."),
    "quotaBackendBytes": _integer(
        "--quota-backend-bytes of etcd: above it the cluster is read-only. Default: 2147483648, etcd's own; "
        "8589934592 is the most that etcd suggests."
    ),
    "installedBy": {
        "description": (
            "What installs the units, and keeps an object of its own for each: argocd (an Application) or helm "
            "(Secrets with its releases). Default: argocd."
        ),
        "enum": ["argocd", "helm"],
    },
    "registryRequestsPerSecond": _number(
        "What a registry allows all controllers together, requests per second. Default: 0, no limit known."
    ),
    "secondsPerRequest": _number("How long a registry takes to answer one request, seconds. Default: 0.1.", 0.001),
    "tokenAuthentication": _flag(
        "The registry asks for a token (Bearer), as Docker Hub, GitHub, GitLab, Harbor and Quay do: one more "
        "request each time. Default: true."
    ),
    "multiPlatformImages": _flag(
        "Images are indexes of several platforms, whose parts Kargo caches by digest. Default: false."
    ),
    "tagsPerImage": _integer("How many tags an image repository has that Kargo has to look at. Default: 100."),
    "webhookReceivers": _flag(
        "Registries tell Kargo of new images through webhook receivers, so the interval is a safety net. Default: false."
    ),
    "releasesPerServicePerDay": _number(
        "How often a service gets a new version, on a working day. Default: 0.2, once a week."
    ),
    "hoursPerDay": _number("In how many hours of a day releases come. Default: 8.", 0.1, maximum=24),
    "secondsPerPush": _number("How long git-push holds a branch: pull, rebase, push, seconds. Default: 3.", 0.01),
    "secondsPerPromotion": _number("How long a promotion occupies the controller: clone to push, seconds. Default: 20.", 0.01),
    "secondsPerApplication": _number(
        "How long an ApplicationSet takes to render one Application, seconds. Default: 0.004, measured.", 0.0001
    ),
    "secondsPerNewApplication": _number(
        "How long an ApplicationSet takes to create one Application, seconds. Default: 0.022, measured.", 0.0001
    ),
    "utilization": _number("Share of a limit that may be used before the plan warns. Default: 0.7.", 0.05, maximum=1),
}  # fmt: skip

PLAN_SCHEMA: dict[str, Any] = {
    "description": "What `kargo-fleet plan` assumes of Kargo's installation, the registries, Git and the releases.",
    "type": ["object", "null"],
    "additionalProperties": False,
    "properties": _SCHEMA,
}


def _is_duration(key: str) -> bool:
    return _SCHEMA[key].get("pattern") == _DURATION


def read(section: Mapping[str, Any] | None, options: Iterable[str]) -> Assumptions:
    """Return the assumptions of fleet.yaml, with `options`, each KEY=VALUE, over them. Raises FleetError for a bad option."""
    return Assumptions().changed(section or {}).changed(_parsed(options))


def _parsed(options: Iterable[str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for option in options:
        key, separator, text = option.partition("=")
        if not separator or key not in _SCHEMA:
            close = difflib.get_close_matches(key, _SCHEMA, n=1)
            hint = f"did you mean {close[0]}?" if close else f"it is one of {', '.join(_SCHEMA)}"
            raise FleetError(f"--set {option}: KEY=VALUE is wanted; {hint}")
        settings[key] = text if _is_duration(key) else yaml.safe_load(text)
        if problems := Schema(PLAN_SCHEMA).problems({key: settings[key]}):
            raise FleetError(f"--set {problems[0].message}\n{problems[0].fix}".strip())
    return settings
