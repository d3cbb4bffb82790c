"""The fields of each object that some check reads. Only these are kept: a Stage holds its history, and a fleet has thousands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kargo_fleet.cluster.objects import Object, dig
from kargo_fleet.cluster.resources import (
    APPLICATION_SETS,
    APPLICATIONS,
    CONFIGS,
    CRDS,
    PROJECTS,
    STAGES,
    WAREHOUSES,
    Resource,
)


def trimmed(resource: Resource, obj: Object, whole: bool) -> Object:
    """Return an object without the fields that no check reads."""
    metadata = {key: value for key, value in obj["metadata"].items() if key in _METADATA}
    slim = {**obj, "metadata": metadata}
    if resource == STAGES:
        slim["spec"] = obj["spec"] if whole else _stage_spec(obj["spec"])
        slim["status"] = _stage_status(obj.get("status") or {})
    elif resource in (WAREHOUSES, PROJECTS, CONFIGS):
        slim["status"] = _only(obj.get("status") or {}, "conditions", "lastFreightID")
    elif resource in (APPLICATIONS, APPLICATION_SETS):
        slim["spec"] = {}
        slim["status"] = _application_status(obj.get("status") or {})
    elif resource == CRDS:
        slim["spec"] = {"fields": _crd_fields(obj)}
    return slim


_METADATA = {"name", "namespace", "labels", "annotations", "creationTimestamp", "deletionTimestamp"}


def _only(obj: Mapping[str, Any], *keys: str) -> Object:
    return {key: obj[key] for key in keys if key in obj}


def _stage_spec(spec: Mapping[str, Any]) -> Object:
    steps = dig(spec, "promotionTemplate", "spec", "steps") or []
    slim = _only(spec, "shard", "requestedFreight")
    slim["promotionTemplate"] = {"spec": {"steps": [_only(step, "uses", "as", "task") for step in steps]}}
    return slim


def _stage_status(status: Mapping[str, Any]) -> Object:
    slim = _only(
        status, "conditions", "health", "currentPromotion", "autoPromotionEnabled", "effectiveAutoPromotionHolds"
    )
    slim["health"] = _only(status.get("health") or {}, "status", "issues")
    slim["freightHistory"] = [_only(item, "id") for item in (status.get("freightHistory") or [])[:1]]
    if last := status.get("lastPromotion"):
        outcome = _only(last.get("status") or {}, "phase", "message", "stepExecutionMetadata", "finishedAt")
        slim["lastPromotion"] = {"name": last.get("name", ""), "status": outcome}
    return slim


def _application_status(status: Mapping[str, Any]) -> Object:
    slim = _only(status, "conditions", "health")
    slim["sync"] = _only(status.get("sync") or {}, "status")
    slim["operationState"] = _only(status.get("operationState") or {}, "phase", "message")
    return slim


def _crd_fields(obj: Object) -> list[str]:
    """Return the fields of a custom resource, two levels deep: spec.shard, status.conditions."""
    for version in dig(obj, "spec", "versions") or []:
        if version.get("name") == "v1alpha1":
            top = dig(version, "schema", "openAPIV3Schema", "properties") or {}
            return [f"{outer}.{inner}" for outer in ("spec", "status") for inner in dig(top, outer, "properties") or {}]
    return []
