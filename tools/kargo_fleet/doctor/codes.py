"""The codes of `kargo-fleet doctor`. docs/doctor.md explains each; a test compares the two."""

from __future__ import annotations

from kargo_fleet.findings import Finding, Place

DOCTOR_CODES = {
    "KF701": "Kargo is not installed",
    "KF702": "Kargo is too old",
    "KF703": "no controller reconciles the unit",
    "KF711": "unit is not deployed",
    "KF712": "namespace lacks Kargo's label",
    "KF713": "namespace is being deleted",
    "KF714": "Project is missing",
    "KF715": "Project is not ready",
    "KF716": "part of the unit is missing",
    "KF717": "values file is missing or cannot be read",
    "KF721": "Warehouse cannot read a source",
    "KF722": "Warehouse discovers no matching artifact",
    "KF723": "Warehouse cannot create Freight",
    "KF731": "Stage is not ready",
    "KF732": "Stage is unhealthy",
    "KF733": "verification failed",
    "KF734": "promotion failed",
    "KF735": "promotion is stuck",
    "KF736": "Stage does not promote available Freight",
    "KF741": "Git credentials are missing",
    "KF751": "Application of a unit is missing",
    "KF752": "Application of a unit fails or is out of sync",
    "KF753": "ApplicationSet reports an error",
    "KF754": "Application of a workload is missing",
    "KF755": "Application of a workload is not authorized",
    "KF761": "unit differs from its values file",
    "KFW701": "not everything could be checked",
    "KFW721": "no Freight yet",
    "KFW731": "promotion was aborted",
    "KFW732": "promotion waits for a pull request",
    "KFW733": "auto-promotion is on hold",
    "KFW761": "unit belongs to no service",
}

#: The place of a finding about the cluster as a whole, or about many units at once.
CLUSTER = "cluster"


def found(code: str, place: str, message: str, fix: str, service: str = "") -> Finding:
    """Return a finding about an object of the cluster; `place` names it, such as `kargo-nginx/Stage/prod`."""
    return Finding(Place(place), code, message, fix, service)
