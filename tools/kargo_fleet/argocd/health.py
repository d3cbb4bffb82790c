"""Health checks for Kargo's kinds, as a patch of the ConfigMap argocd-cm. Argo CD has none of its own."""

from __future__ import annotations

from functools import cache
from typing import Any

from kargo_fleet.argocd.settings import ArgoFleet

KINDS = ("Project", "ProjectConfig", "Warehouse", "Stage")


def argocd_cm(fleet: ArgoFleet) -> dict[str, Any]:
    """Return the patch: a ConfigMap that holds nothing but the health checks."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm", "namespace": fleet.argocd["namespace"]},
        "data": {f"resource.customizations.health.kargo.akuity.io_{kind}": script(kind) for kind in KINDS},
    }


@cache
def script(kind: str) -> str:
    """Return the Lua script that tells the health of an object of `kind`; it is part of this package."""
    from importlib import resources  # 25 ms, which `schema` does not need

    return resources.files("kargo_fleet.argocd").joinpath("lua", f"{kind}.lua").read_text(encoding="utf-8")
