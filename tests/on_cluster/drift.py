"""What is different between an object as it was rendered and as it is stored."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from .control_plane import Object

#: What the API server, Helm and Kargo's controllers add to objects that are not theirs to render. No diff looks at it.
SERVER = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "uid",
)
HELM = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")
ARGO_CD = ("argocd.argoproj.io/tracking-id", "kubectl.kubernetes.io/last-applied-configuration")
FINALIZER = "kargo.akuity.io/finalizer"


def differences(rendered: Object, stored: Object) -> list[str]:
    """Every field in which they differ, in either direction, with its path."""
    title = f"{rendered['kind']}/{rendered['metadata']['name']}"
    return [f"{title}: {line}" for line in _compare("", rendered, _without_additions(stored))]


def _without_additions(stored: Object) -> Object:
    obj = copy.deepcopy(stored)
    obj.pop("status", None)
    metadata = obj["metadata"]
    for key in SERVER:
        metadata.pop(key, None)
    for key in (*HELM, *ARGO_CD):
        (metadata.get("annotations") or {}).pop(key, None)
    if FINALIZER in metadata.get("finalizers", ()):
        metadata["finalizers"].remove(FINALIZER)
    if obj["kind"] == "Namespace":
        metadata.get("labels", {}).pop("kubernetes.io/metadata.name", None)
        obj.pop("spec", None)
    for key in ("annotations", "labels", "finalizers"):
        if not metadata.get(key, True):
            del metadata[key]
    return obj


def _compare(path: str, rendered: Any, stored: Any) -> Iterator[str]:
    if isinstance(rendered, dict) and isinstance(stored, dict):
        for key in sorted(rendered.keys() | stored.keys()):
            here = f"{path}.{key}" if path else key
            if key not in stored:
                yield f"{here}: rendered as {rendered[key]!r}, not stored"
            elif key not in rendered:
                yield f"{here}: stored as {stored[key]!r}, not rendered"
            else:
                yield from _compare(here, rendered[key], stored[key])
    elif isinstance(rendered, list) and isinstance(stored, list) and len(rendered) == len(stored):
        for i, (one, other) in enumerate(zip(rendered, stored, strict=True)):
            yield from _compare(f"{path}[{i}]", one, other)
    elif rendered != stored or type(rendered) is not type(stored):
        yield f"{path}: rendered as {rendered!r}, stored as {stored!r}"
