"""JSON Schema of the section `capacity` of fleet.yaml: settings of an installation or organisation that no values file has.

A key that is a value of Kargo's chart, of etcd or of Argo CD has the name of that value.
"""

from __future__ import annotations

from typing import Any

from kargo_fleet.text import durations


def _number(description: str, minimum: float = 0, **more: Any) -> dict[str, Any]:
    return {"type": "number", "description": description, "minimum": minimum, **more}


def _integer(description: str, minimum: int = 1) -> dict[str, Any]:
    return {"type": "integer", "description": description, "minimum": minimum}


def _duration(description: str) -> dict[str, Any]:
    return {
        "type": "string",
        "description": description,
        "pattern": durations.PATTERN,
        "maxLength": durations.LONGEST,
        "patternErrorMessage": "a duration such as 5m or 336h",
    }


def _flag(description: str) -> dict[str, Any]:
    return {"type": "boolean", "description": description}


CAPACITY_KEYS: dict[str, dict[str, Any]] = {
    "maxConcurrentReconciles": _integer(
        "controller.reconcilers.maxConcurrentReconciles of Kargo's chart: number of Warehouses, and of "
        "Promotions, that a controller processes concurrently."
    ),
    "rateLimit": _integer(
        "controller.images.registries.rateLimit of Kargo's chart: requests per second of a controller "
        "to a registry."
    ),
    "minReconciliationInterval": _duration(
        "controller.reconcilers.warehouses.minReconciliationInterval of Kargo's chart: minimum interval between discoveries."
    ),
    "kubeApiQps": _integer(
        "KUBE_API_QPS of Kargo's controllers (controller.env): requests per second of a controller to the "
        "API server."
    ),
    "maxRetainedPromotions": _integer(
        "garbageCollector.maxRetainedPromotions of Kargo's chart: number of finished Promotions kept per stage."
    ),
    "minPromotionDeletionAge": _duration(
        "garbageCollector.minPromotionDeletionAge of Kargo's chart: minimum age of a Promotion that is deleted."
    ),
    "maxRetainedFreight": _integer(
        "garbageCollector.maxRetainedFreight of Kargo's chart: number of Freight no longer in use that is kept per Warehouse."
    ),
    "minFreightDeletionAge": _duration(
        "garbageCollector.minFreightDeletionAge of Kargo's chart: minimum age of Freight that is deleted."
    ),
    "quotaBackendBytes": _integer(
        "--quota-backend-bytes of etcd: above it the cluster is read-only. etcd suggests at most "
        "8589934592."
    ),
    "installedBy": {
        "description": (
            "Tool that installs the units and stores objects of its own for each: argocd (an Application) or helm "
            "(Secrets with releases)."
        ),
        "enum": ["argocd", "helm"],
    },
    "registryRequestsPerSecond": _number(
        "Limit of a registry for all controllers together, requests per second. 0: no known limit."
    ),
    "secondsPerRequest": _number("Response time of a registry for one request, seconds.", 0.001),
    "tokenAuthentication": _flag(
        "The registry requires a token (Bearer), as Docker Hub, GitHub, GitLab, Harbor and Quay do: an additional "
        "request each time."
    ),
    "multiPlatformImages": _flag(
        "Images are multi-platform indexes, whose manifests Kargo caches by digest."
    ),
    "tagsPerImage": _integer("Number of tags in an image repository that Kargo has to check."),
    "webhookReceivers": _flag(
        "Registries notify Kargo of new images through webhook receivers; the interval is a fallback."
    ),
    "releasesPerServicePerDay": _number(
        "New versions of a service per working day. 0.2: one a week."
    ),
    "hoursPerDay": _number("Number of hours in a day with releases.", 0.1, maximum=24),
    "secondsPerPush": _number("Duration of git-push on a branch (pull, rebase, push), seconds.", 0.01),
    "secondsPerPromotion": _number("Duration of a promotion in the controller (clone to push), seconds.", 0.01),
    "secondsPerApplication": _number(
        "Time that an ApplicationSet takes to render one Application, seconds. The default was measured.", 0.0001
    ),
    "secondsPerNewApplication": _number(
        "Time that an ApplicationSet takes to create one Application, seconds. The default was measured.", 0.0001
    ),
    "utilization": _number("Share of a limit above which `capacity` warns.", 0.05, maximum=1),
}  # fmt: skip

CAPACITY_SCHEMA: dict[str, Any] = {
    "description": "Assumptions of `kargo-fleet capacity` about Kargo's installation, the registries, Git and the releases.",
    "type": ["object", "null"],
    "additionalProperties": False,
    "properties": CAPACITY_KEYS,
}


def is_duration(key: str) -> bool:
    """Return whether the value of a key of `capacity` is a duration."""
    return CAPACITY_KEYS[key].get("pattern") == durations.PATTERN
