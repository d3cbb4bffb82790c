"""The kinds of objects that units may have: those of the chart, and those that `extraObjects` of fleet.yaml allows beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kargo_fleet.findings import Problem


class GroupKind(NamedTuple):
    """A kind of object, as an AppProject names it: `group` is "" for the core kinds of Kubernetes."""

    group: str
    kind: str

    def __str__(self) -> str:
        return f"{self.kind}.{self.group}".removesuffix(".")


#: Every namespaced kind in charts/kargo-service.
CHART_KINDS = (
    GroupKind("", "ResourceQuota"),
    GroupKind("", "ServiceAccount"),
    GroupKind("argoproj.io", "AnalysisTemplate"),
    GroupKind("kargo.akuity.io", "ProjectConfig"),
    GroupKind("kargo.akuity.io", "PromotionTask"),
    GroupKind("kargo.akuity.io", "Stage"),
    GroupKind("kargo.akuity.io", "Warehouse"),
    GroupKind("rbac.authorization.k8s.io", "Role"),
    GroupKind("rbac.authorization.k8s.io", "RoleBinding"),
)

_CLUSTER_SCOPED = """
    APIService.apiregistration.k8s.io
    CertificateSigningRequest.certificates.k8s.io
    ClusterAnalysisTemplate.argoproj.io
    ClusterConfig.kargo.akuity.io
    ClusterExternalSecret.external-secrets.io
    ClusterIssuer.cert-manager.io
    ClusterPolicy.kyverno.io
    ClusterPromotionTask.kargo.akuity.io
    ClusterRole.rbac.authorization.k8s.io
    ClusterRoleBinding.rbac.authorization.k8s.io
    ClusterSecretStore.external-secrets.io
    ClusterTrustBundle.certificates.k8s.io
    ComponentStatus
    CSIDriver.storage.k8s.io
    CSINode.storage.k8s.io
    CustomResourceDefinition.apiextensions.k8s.io
    DeviceClass.resource.k8s.io
    FlowSchema.flowcontrol.apiserver.k8s.io
    GatewayClass.gateway.networking.k8s.io
    IngressClass.networking.k8s.io
    IPAddress.networking.k8s.io
    MutatingAdmissionPolicy.admissionregistration.k8s.io
    MutatingAdmissionPolicyBinding.admissionregistration.k8s.io
    MutatingWebhookConfiguration.admissionregistration.k8s.io
    Node
    PersistentVolume
    PriorityClass.scheduling.k8s.io
    PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io
    ResourceSlice.resource.k8s.io
    RuntimeClass.node.k8s.io
    ServiceCIDR.networking.k8s.io
    StorageClass.storage.k8s.io
    ValidatingAdmissionPolicy.admissionregistration.k8s.io
    ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io
    ValidatingWebhookConfiguration.admissionregistration.k8s.io
    VolumeAttachment.storage.k8s.io
    VolumeAttributesClass.storage.k8s.io
"""

#: The kinds that extraObjects never has, by the reason: what to use instead, or what they are. An AppProject refuses other
#: cluster-scoped kinds.
FORBIDDEN: dict[str, str] = {
    kind: reason
    for reason, kinds in {
        "use analysisTemplates": "AnalysisTemplate.argoproj.io",
        "use namespace": "Namespace",
        "use project": "Project.kargo.akuity.io",
        "use projectConfig": "ProjectConfig.kargo.akuity.io",
        "use promotionTasks": "PromotionTask.kargo.akuity.io",
        "use rbac.bindings": "Role.rbac.authorization.k8s.io RoleBinding.rbac.authorization.k8s.io ServiceAccount",
        "use resourceQuota": "ResourceQuota",
        "use stages": "Stage.kargo.akuity.io",
        "use warehouses": "Warehouse.kargo.akuity.io",
        "it is created by Kargo": "Freight.kargo.akuity.io Promotion.kargo.akuity.io",
        "it would keep secrets in Git": "Secret",
        "it is a list of objects": "List",
        "it is cluster-scoped": _CLUSTER_SCOPED,
    }.items()
    for kind in kinds.split()
}

EXTRA_OBJECTS_SCHEMA: dict[str, Any] = {
    "description": "What `extraObjects` of the chart values may hold. Without it, nothing.",
    "type": ["object", "null"],
    "additionalProperties": False,
    "properties": {
        "allowedKinds": {
            "description": "The allowed kinds. The AppProject of the units allows them, too.",
            "type": ["array", "null"],
            "items": {
                "description": "A namespaced kind, as in namespaceResourceWhitelist of an AppProject.",
                "type": "object",
                "additionalProperties": False,
                "required": ["group", "kind"],
                "properties": {
                    "group": {
                        "description": 'API group, for example external-secrets.io; "" for core kinds such as ConfigMap.',
                        "type": "string",
                        "pattern": r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$",
                        "patternErrorMessage": 'an API group such as external-secrets.io, or "" for the core kinds, without version '
                        "and wildcards",
                    },
                    "kind": {
                        "description": "Kind, for example ExternalSecret.",
                        "type": "string",
                        "pattern": "^[A-Z][A-Za-z0-9]*$",
                        "patternErrorMessage": "a kind such as ConfigMap, without wildcards",
                    },
                },
            },
        }
    },
}


def allowed_kinds(data: Mapping[str, Any]) -> tuple[GroupKind, ...]:
    """Return the kinds that a fleet.yaml allows in `extraObjects`, sorted."""
    given = (data.get("extraObjects") or {}).get("allowedKinds") or []
    found = {GroupKind(one["group"], one["kind"]) for one in given}
    return tuple(sorted(one for one in found if str(one) not in FORBIDDEN))


def problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each kind that a fleet.yaml allows and that no unit may have."""
    for index, one in enumerate((data.get("extraObjects") or {}).get("allowedKinds") or []):
        if reason := FORBIDDEN.get(str(GroupKind(one["group"], one["kind"]))):
            message = f'extraObjects.allowedKinds[{index}].kind: "{one["kind"]}" is not allowed; {reason}'
            yield Problem("KF208", message, "remove it", ("extraObjects", "allowedKinds", index, "kind"))
