"""The kinds of objects that are read, as the API names them."""

from __future__ import annotations

from typing import NamedTuple


class Resource(NamedTuple):
    """A kind of object, as the API names it."""

    plural: str
    api: str
    namespaced: bool = True

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return the API path of its objects, of those in a namespace, or of one of them."""
        inside = f"/namespaces/{namespace}" if namespace else ""
        return f"{self.api}{inside}/{self.plural}" + (f"/{name}" if name else "")


_KARGO, _ARGO, _RBAC = (
    "/apis/kargo.akuity.io/v1alpha1",
    "/apis/argoproj.io/v1alpha1",
    "/apis/rbac.authorization.k8s.io/v1",
)
NAMESPACES = Resource("namespaces", "/api/v1", namespaced=False)
PROJECTS = Resource("projects", _KARGO, namespaced=False)
TASKS = Resource("promotiontasks", _KARGO)
CONFIGS = Resource("projectconfigs", _KARGO)
WAREHOUSES = Resource("warehouses", _KARGO)
STAGES = Resource("stages", _KARGO)
PROMOTIONS = Resource("promotions", _KARGO)
ANALYSIS_TEMPLATES = Resource("analysistemplates", _ARGO)
APPLICATIONS = Resource("applications", _ARGO)
APPLICATION_SETS = Resource("applicationsets", _ARGO)
CRDS = Resource("customresourcedefinitions", "/apis/apiextensions.k8s.io/v1", namespaced=False)
LEASES = Resource("leases", "/apis/coordination.k8s.io/v1")
DEPLOYMENTS = Resource("deployments", "/apis/apps/v1")
CONFIG_MAPS = Resource("configmaps", "/api/v1")
SECRETS = Resource("secrets", "/api/v1")
ACCESS = (Resource("roles", _RBAC), Resource("rolebindings", _RBAC), Resource("serviceaccounts", "/api/v1"))
QUOTAS = Resource("resourcequotas", "/api/v1")

#: The kinds of every unit, and those that only some units have.
UNIT_KINDS = (NAMESPACES, PROJECTS, CONFIGS, WAREHOUSES, STAGES)
EXTRA_KINDS = (*ACCESS, QUOTAS, TASKS, ANALYSIS_TEMPLATES)
