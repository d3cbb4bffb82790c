"""Holding rendered manifests to Kargo's CRDs, closed: what the API server would prune without a word is an error here.

A CRD's schema is nearly a JSON Schema. Its CEL rules (`x-kubernetes-validations`) are not evaluated.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from kargo_fleet.clients.kube import Failed, Kube
from kargo_fleet.errors import FleetError
from kargo_fleet.text.json_schema import Schema

FETCHED = ".tools/kargo-crds"  # where `make render VALIDATE=1` puts them
_GROUP = "kargo.akuity.io"
_HOW = (
    "`make render VALIDATE=1` fetches them; or name charts/kargo/resources/crds of a checkout of Kargo with --crds; "
    "or choose a cluster that has Kargo with `kubectl config use-context`"
)
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
#: What a manifest may set of ObjectMeta, which CRDs leave out. The rest is the server's.
_METADATA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 253},
        "generateName": {"type": "string"},
        "namespace": {"type": "string", "maxLength": 63},
        "labels": _TEXTS,
        "annotations": _TEXTS,
        "finalizers": {"type": "array", "items": {"type": "string"}},
        "ownerReferences": {"type": "array"},
    },
    "additionalProperties": False,
}
_INT32 = {"minimum": -(2**31), "maximum": 2**31 - 1}


class Mistake(NamedTuple):
    """What is wrong with a manifest: `where` is its kind and name, `message` says which field and what it should be."""

    where: str
    message: str
    fix: str


class Kinds:
    """Kargo's kinds, by apiVersion and kind."""

    def __init__(self, crds: Iterable[Mapping[str, Any]]) -> None:
        """Take CRDs of any group; only Kargo's count."""
        self._schemas = dict(_schemas(crds))

    def __len__(self) -> int:
        return len(self._schemas)

    def mistakes(self, text: str) -> list[Mistake]:
        """Return what is wrong with the manifests of Kargo's kinds in a YAML text; all others are left alone."""
        return [found for manifest in parse(text) if isinstance(manifest, dict) for found in self._mistakes(manifest)]

    def _mistakes(self, manifest: Mapping[str, Any]) -> Iterator[Mistake]:
        version, kind = str(manifest.get("apiVersion")), str(manifest.get("kind"))
        if version.partition("/")[0] != _GROUP:
            return
        metadata = manifest.get("metadata")
        where = f"{kind} {metadata.get('name') if isinstance(metadata, dict) else ''}".strip()
        schema = self._schemas.get((version, kind))
        if schema is None:
            known = sorted(name for of, name in self._schemas if of == version)
            close = difflib.get_close_matches(kind, known, n=1)
            fix = f"did you mean {close[0]}?" if close else "use a kind and a version that this Kargo has"
            yield Mistake(where, f"Kargo has no kind {kind} in {version}", fix)
            return
        for problem in schema.problems(manifest):
            yield Mistake(where, problem.message, problem.fix)


def find(root: Path, path: str | None) -> Kinds:
    """Return the kinds of the CRDs in `path`, a file or a folder.

    Without one, of those that were fetched into .tools/, else of those in the cluster of the current kubectl context. Raises
    FleetError when there are none, which says how to get them.
    """
    if path is not None or (root / FETCHED).is_dir():
        source = path or FETCHED
        kinds = Kinds(_read(root / source))
        problem = f"there is no CRD of Kargo in {source}"
    else:
        try:
            found = Kube().get("customresourcedefinitions.apiextensions.k8s.io")
            kinds, problem = Kinds(found), "the cluster of the current kubectl context has no Kargo"
        except (Failed, FleetError) as error:
            kinds, problem = Kinds([]), f"no cluster to take Kargo's CRDs from: {str(error).splitlines()[0]}"
    if not kinds:
        raise FleetError(f"{problem}\n{_HOW}.")
    return kinds


def _read(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        raise FleetError(f"--crds: there is no {path}\n{_HOW}.")
    files = sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml")) if path.is_dir() else [path]
    for file in files:
        try:
            yield from (item for item in parse(file.read_text(encoding="utf-8")) if isinstance(item, dict))
        except (ValueError, yaml.YAMLError) as error:
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
    """Return the schema of a manifest: with metadata, and without status, which is the server's."""
    properties = {key: value for key, value in schema["properties"].items() if key != "status"}
    properties |= {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": _METADATA}
    required = {"metadata", *schema.get("required", ())} - {"status"}
    return {**schema, "properties": properties, "required": sorted(required)}


def closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a CRD's schema as a JSON Schema that takes no field which the CRD does not have."""
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


# -- YAML as the API server's clients read it ------------------------------------------------------------------------

_WORDS: dict[str, Any] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
for _yes, _no in (("y", "n"), ("yes", "no"), ("on", "off"), ("true", "false")):
    _WORDS |= dict.fromkeys((_yes, _yes.title(), _yes.upper()), True)
    _WORDS |= dict.fromkeys((_no, _no.title(), _no.upper()), False)
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0b[01_]+|0o?[0-7_]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?")


@lru_cache(maxsize=50_000)
def _plain(text: str) -> Any:
    """Return what a scalar without quotes stands for, by the rules of the YAML library that kubectl, Helm and Argo CD use."""
    if text in _WORDS:
        return _WORDS[text]
    digits = text.replace("_", "")
    if _INTEGER.fullmatch(text):
        sign = -1 if digits[0] == "-" else 1
        digits = digits.lstrip("+-")
        octal = digits[0] == "0" and digits[1:].isdigit()
        return sign * (int(digits, 8) if octal else int(digits, 0))
    return float(digits) if _FLOAT.fullmatch(text) else text


def parse(text: str) -> list[Any]:
    """Return the documents of a YAML text as plain data, twice as fast as PyYAML does. Raises yaml.YAMLError."""
    parser = CParser(text)
    following: Callable[[], Any] = parser.get_event
    anchors: dict[str, Any] = {}

    def build(event: Any) -> Any:
        kind, anchor = type(event), event.anchor
        value: Any
        if kind is ScalarEvent:
            value = _plain(event.value) if event.implicit[0] else event.value
        elif kind is AliasEvent:
            return anchors.get(anchor)
        elif kind is MappingStartEvent:
            value = {}
            while type(event := following()) is not MappingEndEvent:
                key = build(event)
                value[key if isinstance(key, str) else event.value] = build(following())
        else:
            value = []
            while type(item := following()) is not SequenceEndEvent:
                value.append(build(item))
        if anchor:
            anchors[anchor] = value
        return value

    documents = []
    try:
        while type(event := following()) is not StreamEndEvent:
            if type(event) is DocumentStartEvent:
                documents.append(build(following()))
    finally:
        parser.dispose()
    return documents
