"""Names: of files, of a unit's Project and release, of labels; which names a service may have, and how long they may be."""

from __future__ import annotations

import re
from enum import Enum

FLEET_FILE = "fleet.yaml"
SERVICE_FILE = "kargo.yaml"
#: Violations that were there when a rule began, as `policy record` writes them.
RECORDED_FILE = "policy-recorded.yaml"
#: Files in the root of the repository that say what holds for the fleet.
FLEET_FILES = (FLEET_FILE, RECORDED_FILE)
#: The folder of the generated values files.
VALUES = "values"
ARGOCD = "argocd"
SCHEMAS = "schemas"
POLICY = "policy"
#: The policy in the cluster. In a folder of its own: `kubectl apply -f argocd/` applies all of that one.
ADMISSION_FILE = f"{POLICY}/admission.yaml"
#: The folders that `generate` writes.
GENERATED_FOLDERS = (VALUES, ARGOCD, POLICY)
#: The files that Kustomize looks for in a folder.
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
#: Folders in the root of the repository that this tool writes, and which therefore hold no services.
WRITTEN_FOLDERS = (*GENERATED_FOLDERS, SCHEMAS)
#: Words in the place of a stage that say that a file or folder is for all stages, or for a program.
NOT_STAGES = ("all", "base", "common", "default", "defaults", "global", "schema", "secrets", "shared")

#: What the names of Kargo's own namespaces begin with, and by default those of Projects and their namespaces.
PREFIX = "kargo-"
#: The default of `project.name`.
PROJECT = f"{PREFIX}<service>"
#: Kubernetes' limit for the name of a namespace: a DNS label (RFC 1123).
LONGEST_NAMESPACE = 63
LONGEST_SERVICE = LONGEST_NAMESPACE - len(PREFIX)
#: Helm's own limit for the name of a release.
LONGEST_RELEASE = 53
#: Services whose namespace would be one of Kargo's own, such as kargo-cluster-secrets.
RESERVED_NAMES = frozenset(["cluster-secrets", "shared-resources", "system-resources"])
#: Namespaces that are no Project's.
OTHERS_NAMESPACES = ("default", "kargo", *(f"{PREFIX}{name}" for name in sorted(RESERVED_NAMES)))
#: Kargo looks there for the credentials of all Projects (`global.sharedResources.namespace` of its chart).
SHARED_RESOURCES = f"{PREFIX}shared-resources"
#: How many revisions of a release Helm keeps: the present one, and one to roll back to. Each is a Secret of 115 KB in etcd.
RELEASE_REVISIONS = 2

#: The label of everything that the chart and the ApplicationSets create. (Helm owns managed-by.)
PART_OF_LABEL, PART_OF = "app.kubernetes.io/part-of", "kargo-fleet"
#: The service, on everything that the chart creates.
INSTANCE_LABEL = "app.kubernetes.io/instance"
#: The service, and that it is a unit, on Applications.
NAME_LABEL = "app.kubernetes.io/name"
COMPONENT_LABEL, UNIT_COMPONENT = "app.kubernetes.io/component", "kargo-unit"

#: Kargo's own labels and annotations.
PROJECT_LABEL = "kargo.akuity.io/project"
CREDENTIAL_LABEL = "kargo.akuity.io/cred-type"
CONTROLLER_LABEL = "kargo.akuity.io/controller"
AUTHORIZED_STAGE = "kargo.akuity.io/authorized-stage"

#: A DNS label (RFC 1123), as a regular expression without anchors.
DNS_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_LABEL = re.compile(DNS_LABEL, re.ASCII)
#: A name that is too long for a release is cut to _KEPT characters, followed by _CHECKSUM characters of its SHA-256.
_CHECKSUM = 8
_KEPT = LONGEST_RELEASE - _CHECKSUM - 1


class NameFault(Enum):
    """Why a name cannot be that of a service."""

    NOT_A_LABEL = "not a DNS label"
    TOO_LONG = "too long"
    RESERVED = "reserved"


def fault_of(service: str) -> NameFault | None:
    """Return why a name cannot be that of a service, None when it can."""
    if not _DNS_LABEL.fullmatch(service):
        return NameFault.NOT_A_LABEL
    if len(service) > LONGEST_SERVICE:
        return NameFault.TOO_LONG
    return NameFault.RESERVED if service in RESERVED_NAMES else None


def is_service_name(name: str) -> bool:
    """Return whether a folder's name can be the name of a service."""
    return fault_of(name) is None


def release_name(service: str) -> str:
    """Return the name of a service's Helm release: the service's name, cut and with a checksum if it is too long."""
    if len(service) <= LONGEST_RELEASE:
        return service
    import hashlib  # 3 ms, which `--help` need not wait for

    return f"{service[:_KEPT].rstrip('-')}-{hashlib.sha256(service.encode()).hexdigest()[:_CHECKSUM]}"


def release_template(service: str) -> str:
    """Return the Go template (with sprig) that computes `release_name` for the Go expression `service`."""
    text = (
        "{{ if le (len NAME) LONGEST }}{{ NAME }}"
        '{{ else }}{{ regexReplaceAll "-+$" (trunc KEPT NAME) "" }}-{{ sha256sum NAME | trunc CHECKSUM }}{{ end }}'
    )
    for word, number in (("LONGEST", LONGEST_RELEASE), ("KEPT", _KEPT), ("CHECKSUM", _CHECKSUM)):
        text = text.replace(word, str(number))
    return text.replace("NAME", service)


def values_path(service: str) -> str:
    """Return the path of a service's values file in the repository."""
    return f"{VALUES}/{service}.yaml"
