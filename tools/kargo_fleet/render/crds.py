"""Validation of rendered manifests against Kargo's CRDs. Unknown fields, which the API server drops silently, are errors.

A CRD's schema is almost a JSON Schema. Its CEL rules (`x-kubernetes-validations`) are not evaluated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from kargo_fleet.clients.kube import Kube
from kargo_fleet.clients.process import ClientError
from kargo_fleet.errors import FleetError
from kargo_fleet.files.reading import read_bytes
from kargo_fleet.findings import Problem
from kargo_fleet.text.json_schema import Schema
from kargo_fleet.text.words import did_you_mean
from kargo_fleet.text.yaml_manifests import parse

FETCHED = ".tools/kargo-crds"  # where `make render VALIDATE=1` puts them
_GROUP = "kargo.akuity.io"
_HOW = (
    "Run `make render VALIDATE=1` in a checkout of kargo-fleet, which fetches them; or pass --crds with the folder "
    "charts/kargo/resources/crds of a Kargo checkout; "
    "or choose a cluster with Kargo by `kubectl config use-context`"
)
_STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
#: The fields of ObjectMeta that a manifest may set; CRDs do not have them. The server sets the others.
_METADATA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 253},
        "generateName": {"type": "string"},
        "namespace": {"type": "string", "maxLength": 63},
        "labels": _STRINGS,
        "annotations": _STRINGS,
        "finalizers": {"type": "array", "items": {"type": "string"}},
        "ownerReferences": {"type": "array"},
    },
    "additionalProperties": False,
}
_INT32 = {"minimum": -(2**31), "maximum": 2**31 - 1}


class KargoKinds:
    """Kargo's kinds, by apiVersion and kind."""

    def __init__(self, crds: Iterable[Mapping[str, Any]]) -> None:
        """Read the schemas of `crds`; those of other groups than Kargo's are ignored."""
        self._schemas = dict(_schemas(crds))

    def __len__(self) -> int:
        return len(self._schemas)

    def problems(self, text: str) -> list[Problem]:
        """Return the problems of the manifests of Kargo's kinds in a YAML text; other kinds are ignored."""
        return [found for manifest in parse(text) if isinstance(manifest, dict) for found in self._problems(manifest)]

    def _problems(self, manifest: Mapping[str, Any]) -> Iterator[Problem]:
        version, kind = str(manifest.get("apiVersion")), str(manifest.get("kind"))
        if version.partition("/")[0] != _GROUP:
            return
        metadata = manifest.get("metadata")
        where = f"{kind} {metadata.get('name') if isinstance(metadata, dict) else ''}".strip()
        schema = self._schemas.get((version, kind))
        if schema is None:
            known = sorted(name for of, name in self._schemas if of == version)
            fix = did_you_mean(kind, known, "use a kind and a version that this Kargo has")
            yield Problem("KF804", f"{where}: Kargo has no kind {kind} in {version}", fix)
            return
        for problem in schema.problems(manifest):
            yield Problem("KF804", f"{where}: {problem.message}", problem.fix)


def find(root: Path, path: str | None) -> KargoKinds:
    """Return the kinds of the CRDs in `path`, a file or a folder.

    The default is .tools/kargo-crds if it exists, else the cluster of the current kubectl context. Raises FleetError when
    there are none; its message tells how to get them.
    """
    if path is not None or (root / FETCHED).is_dir():
        source = path or FETCHED
        kinds = KargoKinds(_read(root / source))
        problem = f"there is no CRD of Kargo in {source}"
    else:
        try:
            found = Kube().get("customresourcedefinitions.apiextensions.k8s.io")
            kinds, problem = KargoKinds(found), "the cluster of the current kubectl context has no Kargo"
        except (ClientError, FleetError) as error:
            kinds, problem = KargoKinds([]), f"cannot read Kargo's CRDs from the cluster: {str(error).splitlines()[0]}"
    if not kinds:
        raise FleetError(f"{problem}\n{_HOW}.")
    return kinds


def _read(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        raise FleetError(f"--crds: {path} does not exist\n{_HOW}.")
    files = sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml")) if path.is_dir() else [path]
    for file in files:
        try:
            yield from (item for item in parse(read_bytes(file).decode("utf-8")) if isinstance(item, dict))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise FleetError(f"--crds: {file} cannot be read: {str(error).splitlines()[0]}") from None


def _schemas(crds: Iterable[Mapping[str, Any]]) -> Iterator[tuple[tuple[str, str], Schema]]:
    for crd in crds:
        spec = crd.get("spec") or {}
        if crd.get("kind") != "CustomResourceDefinition" or spec.get("group") != _GROUP:
            continue
        for version in spec["versions"]:
            source = version["schema"]["openAPIV3Schema"]
            name = (f"{_GROUP}/{version['name']}", spec["names"]["kind"])
            yield name, Schema(_rooted(closed(source)))


def _rooted(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a manifest: with metadata, and without status, which the server sets."""
    properties = {key: value for key, value in schema["properties"].items() if key != "status"}
    properties |= {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": _METADATA}
    required = {"metadata", *schema.get("required", ())} - {"status"}
    return {**schema, "properties": properties, "required": sorted(required)}


def closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a CRD's schema as a JSON Schema that rejects fields which the CRD does not have."""
    left_out = ("description", "default", "example", "nullable")
    result = {
        key: value for key, value in schema.items() if key not in left_out and not key.startswith("x-kubernetes-")
    }
    if "properties" in schema:
        result["properties"] = {name: closed(value) for name, value in schema["properties"].items()}
    if isinstance(schema.get("additionalProperties"), dict):
        result["additionalProperties"] = closed(schema["additionalProperties"])
    elif schema.get("type") == "object" and not schema.get("x-kubernetes-preserve-unknown-fields"):
        result.setdefault("additionalProperties", False)
    if "items" in schema:
        result["items"] = closed(schema["items"])
    if schema.get("x-kubernetes-int-or-string"):
        result["type"] = ["integer", "string"]
        result.pop("anyOf", None)
    if schema.get("format") == "int32":
        result = _INT32 | result
    if schema.get("x-kubernetes-list-type") == "set":
        result["uniqueItems"] = True
    if schema.get("nullable") and isinstance(result.get("type"), str):
        result["type"] = [result["type"], "null"]
    return result
