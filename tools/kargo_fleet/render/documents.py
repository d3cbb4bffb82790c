"""What `helm template` does with the output of a chart's templates: splits it, sorts it by kind, and prints it.

Helm does this after the templates have run, and it takes as long as they do: it parses every document as YAML. Here the
first lines of most documents are enough. The others raise `Unclear` and are left to Helm.

After pkg/release/v1/util/{manifest,manifest_sorter,kind_sorter}.go and pkg/cmd/template.go of Helm 4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import yaml

from kargo_fleet.text import yaml_reader
from kargo_fleet.text.yaml_manifests import is_well_formed

# The order in which Helm installs kinds. All others follow, by name.
_INSTALL_ORDER = {
    kind: place
    for place, kind in enumerate(
        """
        PriorityClass Namespace NetworkPolicy ResourceQuota LimitRange PodSecurityPolicy PodDisruptionBudget ServiceAccount
        Secret SecretList ConfigMap StorageClass PersistentVolume PersistentVolumeClaim CustomResourceDefinition
        ClusterRole ClusterRoleList ClusterRoleBinding ClusterRoleBindingList Role RoleList RoleBinding RoleBindingList
        Service DaemonSet Pod ReplicationController ReplicaSet Deployment HorizontalPodAutoscaler StatefulSet Job CronJob
        IngressClass Ingress APIService MutatingWebhookConfiguration ValidatingWebhookConfiguration
        """.split()
    )
}
_HOOKS = frozenset(
    """
    pre-install post-install pre-delete post-delete pre-upgrade post-upgrade pre-rollback post-rollback test test-success
    """.split()
)
_SEPARATOR = re.compile(r"^---[ \t]*", re.MULTILINE)
# White space in Go; str.strip() also strips some control characters.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
_SCALAR = r"(?:\"[^\n]*\"|'[^\n]*'|[A-Za-z0-9./][^\n]*)\n"
# A document that begins as nearly all do: with its kind, and metadata that hold strings only.
_PLAIN_HEAD = re.compile(
    rf"apiVersion: [\w./]+\nkind: (\w+)\nmetadata:\n(?:  \w+: {_SCALAR}|  (?:labels|annotations):\n(?:    [\w./-]+: {_SCALAR})+)+"
    r"(?=[a-z]|\Z)"
)
_SECOND_HEAD = re.compile(r"^(?:apiVersion|kind|metadata|[^\w\s])", re.MULTILINE)


class Unclear(Exception):
    """Only Helm can tell what it prints for these documents."""


class _Head(NamedTuple):
    kind: str
    hooks: str | None


def printed(files: Mapping[str, str]) -> str:
    """Return what `helm template` prints for the output of a chart's templates, by path.

    Raises Unclear for output that only Helm can handle, such as invalid YAML.
    """
    plain: list[tuple[str, str, str]] = []
    hooks: list[tuple[str, str, str]] = []
    for path in sorted(files, key=str.encode):
        for document in documents(files[path].replace("<no value>", "")):  # Helm removes it, too
            head = _head(document)
            if head.hooks is None:
                plain.append((head.kind, path, document))
            elif all(event.strip().lower() in _HOOKS for event in head.hooks.split(",")):
                hooks.append((head.kind, path, document))
    if not is_well_formed("\n---\n".join(document for _, _, document in [*plain, *hooks])):
        raise Unclear
    return _join(plain).strip(_SPACE) + "\n" + _join(hooks)


def documents(text: str) -> list[str]:
    """Return the documents of a text without empty ones, split as Helm does."""
    found = _SEPARATOR.split(text.lstrip(_SPACE))
    return [document.lstrip(_SPACE) for document in found if document.strip(_SPACE)]


def _join(found: list[tuple[str, str, str]]) -> str:
    found.sort(key=lambda item: (_INSTALL_ORDER.get(item[0], len(_INSTALL_ORDER)), _unknown(item[0])))
    return "".join(f"---\n# Source: {path}\n{document}\n" for _, path, document in found)


def _unknown(kind: str) -> bytes:
    return b"" if kind in _INSTALL_ORDER else kind.encode()


def _head(document: str) -> _Head:
    """Return a document's kind, and its hook annotation if it has one."""
    match = _PLAIN_HEAD.match(document)
    if match and "helm.sh/hook" not in match[0] and not _SECOND_HEAD.search(document, match.end()):
        return _Head(match[1], None)
    try:
        node = yaml_reader.compose(document, first_only=True)
    except yaml_reader.YamlError as error:
        raise Unclear from error
    fields = _fields(node)
    if "kind" in fields and not isinstance(fields["kind"], yaml.ScalarNode):
        raise Unclear
    annotations = _fields(_fields(fields.get("metadata")).get("annotations"))
    if not all(isinstance(value, yaml.ScalarNode) for value in annotations.values()):
        raise Unclear
    hook = annotations.get("helm.sh/hook")
    return _Head(fields["kind"].value if "kind" in fields else "", hook.value if hook else None)


def _fields(node: yaml.Node | None) -> dict[str, yaml.Node]:
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode) or any(key.tag.endswith(":merge") for key, _ in node.value):
        raise Unclear
    return {key.value: value for key, value in node.value}
