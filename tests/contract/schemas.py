"""Closed JSON Schemas of everything that the product renders, made from the upstream files.

- Kargo's, Argo CD's and Argo Rollouts' kinds from their CRDs, Kubernetes' own from the OpenAPI document that kubectl's module
  carries.
- A CRD prunes what it does not know without a word: here every object that has `properties` and does not ask for
  more is closed.
- Kargo's subscriptions and the `config` of its steps, which the CRDs leave open, from the JSON Schemas in Kargo's
  module.
- CEL rules (`x-kubernetes-validations`) are run by Google's own CEL runtime, patterns by RE2: what Go does is what
  is done here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import re2
import yaml
from cel_expr_python import cel  # type: ignore[import-untyped,unused-ignore]
from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.validators import extend
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from . import upstream

Schema = dict[str, Any]
GroupVersionKind = tuple[str, str]  # apiVersion, kind

_BASE: Final = "https://upstream.invalid/"
_OPEN: Final = "x-kubernetes-preserve-unknown-fields"
_OPENAPI: Final = f"{_BASE}openapi.json"

_NAME: Final = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_SUBDOMAIN: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_QUALIFIED: Final = {"pattern": rf"^({_SUBDOMAIN}/)?{_NAME}$", "maxLength": 317}

METADATA: Final[Schema] = {
    "description": "What of ObjectMeta a manifest may set; everything else is the server's.",
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 253, "pattern": rf"^{_SUBDOMAIN}$"},
        "generateName": {"type": "string", "maxLength": 253, "pattern": rf"^{_SUBDOMAIN}-?$"},
        "namespace": {"type": "string", "maxLength": 63, "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
        "labels": {
            "type": "object",
            "propertyNames": _QUALIFIED,
            "additionalProperties": {"type": "string", "pattern": rf"^({_NAME})?$"},
        },
        "annotations": {"type": "object", "propertyNames": _QUALIFIED, "additionalProperties": {"type": "string"}},
        "finalizers": {
            "type": "array",
            "items": {"type": "string", "pattern": rf"^({_SUBDOMAIN}/)?{_NAME}(/{_NAME})*$"},
        },
    },
    "oneOf": [{"required": ["name"]}, {"required": ["generateName"]}],
    "additionalProperties": False,
}
# Quantity and IntOrString are strings in the OpenAPI document, and numbers as well in fact.
_QUANTITY: Final[Schema] = {
    "type": ["string", "number"],
    "pattern": r"^[+-]?([0-9]+|[0-9]+\.[0-9]*|\.[0-9]+)([numkKMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$",
}
_OVERRIDES: Final[dict[str, Schema]] = {
    "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": METADATA,
    "io.k8s.apimachinery.pkg.api.resource.Quantity": _QUANTITY,
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["string", "integer"]},
}


class Kind(NamedTuple):
    """What is known of one kind of object."""

    namespaced: bool
    schema: Schema  # closed
    source: Schema  # as upstream wrote it: with defaults and CEL rules
    validator: Draft202012Validator


# -- Validation as Go does it --------------------------------------------------------------------------------------


@cache
def _pattern(pattern: str) -> Any:
    return re2.compile(pattern)


def _check_pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _pattern(pattern).search(instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_Validator: Final[Any] = extend(Draft202012Validator, {"pattern": _check_pattern})  # type: ignore[no-untyped-call]
_FORMATS: Final = FormatChecker(formats=())


@_FORMATS.checks("email")
def _is_email(value: object) -> bool:
    return not isinstance(value, str) or re.fullmatch(r"[^@\s]+@[^@\s]+", value) is not None


@_FORMATS.checks("uri")
def _is_uri(value: object) -> bool:
    """As gojsonschema, which Kargo uses: it parses, has a scheme, and no backslash."""
    return not isinstance(value, str) or (urlsplit(value).scheme != "" and re.search(r"[\\\s]", value) is None)


@_FORMATS.checks("date-time")
def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or (
        re.fullmatch(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", value, re.ASCII) is not None
    )


def validator(schema: Schema, registry: Any = None) -> Draft202012Validator:
    """A validator with Go's regular expressions and Kargo's formats."""
    made: Draft202012Validator = _Validator(schema, registry=registry or Registry(), format_checker=_FORMATS)
    return made


def path_of(parts: Any) -> str:
    """`spec.steps[0].config`."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"\w+", part):
            text += f".{part}"
        else:
            text += f"[{part!r}]"
    return text.removeprefix(".")


def findings(checker: Draft202012Validator, instance: Any, prefix: str = "") -> list[str]:
    """Everything that is wrong with `instance`, as `path: message`."""

    def flat(errors: Any) -> Iterator[str]:
        for error in errors:
            if error.validator == "anyOf" and error.schema.get("x-expression"):
                # The first alternative is "it is an expression", what is wrong is said by the second.
                yield from flat(e for e in error.context if e.schema_path[0] == 1)
                continue
            where = prefix + ("." if prefix and error.absolute_path and isinstance(error.absolute_path[0], str) else "")
            yield f"{where}{path_of(error.absolute_path)}: {_message(error)}"

    return sorted(set(flat(checker.iter_errors(instance))))


def _message(error: ValidationError) -> str:
    if error.validator in {"oneOf", "anyOf"}:
        alternatives: Any = error.validator_value
        needs = sorted({f"{name}" for a in alternatives for name in a.get("required", ())})
        many = "more than one" if not error.context else "none"
        return f"fits {many} of {len(alternatives)} alternatives" + (f" (about: {', '.join(needs)})" if needs else "")
    return str(error.message)


# -- CRDs ----------------------------------------------------------------------------------------------------------


def closed(schema: Schema) -> Schema:
    """A structural schema (CRD) as a JSON Schema that refuses what the API server would prune."""
    result = {
        k: v
        for k, v in schema.items()
        if k not in {"description", "default", "example", "nullable"} and not k.startswith("x-kubernetes-")
    }
    if "properties" in schema:
        result["properties"] = {name: closed(value) for name, value in schema["properties"].items()}
    if isinstance(schema.get("additionalProperties"), dict):
        result["additionalProperties"] = closed(schema["additionalProperties"])
    elif schema.get("type") == "object" and not schema.get(_OPEN):
        result.setdefault("additionalProperties", False)
    if "items" in schema:
        result["items"] = closed(schema["items"])
    if schema.get("x-kubernetes-int-or-string"):
        result["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if schema.get("x-kubernetes-list-type") == "set":
        result["uniqueItems"] = True
    if schema.get("format") == "int32":
        result = {"minimum": -(2**31), "maximum": 2**31 - 1} | result
    if schema.get("nullable"):
        result = {"anyOf": [{"type": "null"}, result]}
    return result


def _crd_kinds(folder: Path, files: str = "*.yaml") -> Iterator[tuple[GroupVersionKind, Kind]]:
    for file in sorted(folder.glob(files)):
        document = yaml.load(file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        if document.get("kind") != "CustomResourceDefinition":
            continue
        spec = document["spec"]
        for version in spec["versions"]:
            gvk = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
            source: Schema = version["schema"]["openAPIV3Schema"]
            schema = _rooted(closed(source), gvk)
            yield gvk, Kind(spec["scope"] == "Namespaced", schema, source, validator(schema))


def _rooted(schema: Schema, gvk: GroupVersionKind) -> Schema:
    """The schema of a manifest: apiVersion, kind and metadata are there, `status` is not."""
    properties = {name: value for name, value in schema["properties"].items() if name != "status"}
    properties |= {"apiVersion": {"const": gvk[0]}, "kind": {"const": gvk[1]}, "metadata": METADATA}
    required = {"apiVersion", "kind", "metadata", *schema.get("required", ())} - {"status"}
    return schema | {"properties": properties, "required": sorted(required)}


# -- Kubernetes' own kinds -----------------------------------------------------------------------------------------

_CLUSTER_SCOPED: Final = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Namespace"}


def _kubernetes_kinds() -> Iterator[tuple[GroupVersionKind, Kind]]:
    document = json.loads((upstream.module(upstream.KUBECTL) / "testdata" / "openapi" / "swagger.json").read_bytes())
    definitions: dict[str, Schema] = document["definitions"]
    made = {
        name: _OVERRIDES.get(name) or closed({"type": "object", _OPEN: "properties" not in definition} | definition)
        for name, definition in definitions.items()
    }
    resource: Any = Resource.from_contents({"definitions": made}, default_specification=DRAFT202012)
    registry: Any = Registry().with_resource(_OPENAPI, resource)
    for name, definition in definitions.items():
        for of in definition.get("x-kubernetes-group-version-kind", ()):
            if not {"kind", "metadata"} <= definition.get("properties", {}).keys():
                continue
            gvk = (f"{of['group']}/{of['version']}".removeprefix("/"), of["kind"])
            schema = _absolute(_rooted(made[name], gvk))
            yield gvk, Kind(of["kind"] not in _CLUSTER_SCOPED, schema, definition, validator(schema, registry))


def _absolute(value: Any) -> Any:
    """`#/definitions/x` → the same in the OpenAPI document."""
    if isinstance(value, dict):
        return {
            k: _OPENAPI + v if k == "$ref" and isinstance(v, str) and v.startswith("#") else _absolute(v)
            for k, v in value.items()
        }
    return [_absolute(v) for v in value] if isinstance(value, list) else value


# -- All kinds -----------------------------------------------------------------------------------------------------


@cache
def kargo_kinds() -> Mapping[GroupVersionKind, Kind]:
    """Kargo's kinds."""
    kinds = dict(_crd_kinds(upstream.module(upstream.KARGO) / "charts" / "kargo" / "resources" / "crds"))
    # A Promotion's steps are filled in by the mutating webhook, from the Stage (pkg/webhook/kubernetes/promotion).
    for gvk, kind in kinds.items():
        if gvk[1] == "Promotion":
            kind.schema["properties"]["spec"]["required"].remove("steps")
    return kinds


@cache
def argo_cd_kinds() -> Mapping[GroupVersionKind, Kind]:
    """Argo CD's kinds."""
    return dict(_crd_kinds(upstream.module(upstream.ARGO_CD) / "manifests" / "crds"))


@cache
def argo_rollouts_kinds() -> Mapping[GroupVersionKind, Kind]:
    """AnalysisTemplate, of Argo Rollouts' kinds."""
    return dict(
        _crd_kinds(upstream.module(upstream.ARGO_ROLLOUTS) / "manifests" / "crds", "analysis-template-crd.yaml")
    )


@cache
def kubernetes_kinds() -> Mapping[GroupVersionKind, Kind]:
    """The kinds that every API server has."""
    return dict(_kubernetes_kinds())


def kind_of(obj: Mapping[str, Any]) -> Kind | None:
    """What is known of the kind of `obj`."""
    gvk = (str(obj.get("apiVersion")), str(obj.get("kind")))
    group = gvk[0].partition("/")[0]
    if group.endswith("akuity.io"):
        return kargo_kinds().get(gvk)
    if group == "argoproj.io":
        return argo_cd_kinds().get(gvk) or argo_rollouts_kinds().get(gvk)
    return kubernetes_kinds().get(gvk)


# -- CEL -----------------------------------------------------------------------------------------------------------


@cache
def compiled_rule(rule: str) -> Any:
    """A CEL rule, ready to run."""
    return _cel_environment().compile(rule)


@cache
def _cel_environment() -> Any:
    return cel.NewEnv(variables={"self": cel.Type.DYN})


def rules(source: Schema, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Every CEL rule of a CRD's schema and where it stands: `("spec.steps[]", "has(self.uses)")`."""
    for rule in source.get("x-kubernetes-validations", ()):
        yield ".".join(path).replace(".[]", "[]"), rule["rule"]
    for name, value in source.get("properties", {}).items():
        yield from rules(value, (*path, name))
    if "items" in source:
        yield from rules(source["items"], (*path, "[]"))
    if isinstance(source.get("additionalProperties"), dict):
        yield from rules(source["additionalProperties"], (*path, "*"))


def broken_rules(source: Schema, value: Any, path: tuple[str | int, ...] = ()) -> Iterator[str]:
    """The CEL rules of a CRD's schema that `value` breaks."""
    for rule in source.get("x-kubernetes-validations", ()):
        verdict = compiled_rule(rule["rule"]).eval(data={"self": value}).value()
        if verdict is not True:
            message = rule.get("message") or rule["rule"]
            yield f"{path_of(path)}: {message}" + ("" if verdict is False else f" ({verdict})")
    if isinstance(value, dict):
        for name, item in value.items():
            inner = source.get("properties", {}).get(name) or source.get("additionalProperties")
            if isinstance(inner, dict):
                yield from broken_rules(inner, item, (*path, name))
    elif isinstance(value, list) and "items" in source:
        for i, item in enumerate(value):
            yield from broken_rules(source["items"], item, (*path, i))


# -- Kargo's JSON Schemas ------------------------------------------------------------------------------------------

# Text with an expression in it. What comes of it is known only when it runs.
EXPRESSION: Final[Schema] = {"type": "string", "pattern": r"\$\{\{|\$\{%"}
_SCALAR: Final = {
    *("type", "enum", "const", "pattern", "format", "minLength", "maxLength"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
_UNSET: Final = (None, "", False)


def expressive(schema: Any, *, root: bool = False) -> Any:
    """The same schema, where an expression also fits wherever a value of any type, format, pattern or choice is wanted.

    Not where the only choice is "not set" (`enum: ["", null]`, which is how these schemas say that keys exclude
    each other): a key with an expression is set. The config as a whole is no expression.
    """
    if not isinstance(schema, dict):
        return schema
    result: Schema = {}
    for key, value in schema.items():
        if key in {"description", "title", "default", "deprecated", "$schema", "$id"}:
            continue
        if key in {"properties", "definitions", "$defs", "patternProperties"}:
            result[key] = {name: expressive(inner) for name, inner in value.items()}
        elif key in {"items", "additionalProperties", "not", "contains"}:
            result[key] = expressive(value)
        elif key in {"oneOf", "anyOf", "allOf"}:
            result[key] = [expressive(inner, root=root) for inner in value]
        else:
            result[key] = value
    scalar = {key: result.pop(key) for key in sorted(_SCALAR & result.keys())}
    if not scalar:
        return result
    choices = scalar.get("enum", [scalar["const"]] if "const" in scalar else None)
    if root or (choices is not None and all(any(c is u or c == u == "" for u in _UNSET) for c in choices)):
        return result | scalar
    wrapped = {"x-expression": True, "anyOf": [EXPRESSION, scalar]}
    return wrapped | result if "anyOf" not in result else {"allOf": [wrapped, result]}


@cache
def step_files() -> Mapping[str, Schema]:
    """The files of Kargo's module with the JSON Schemas of its steps' `config`, by name."""
    folder = upstream.module(upstream.KARGO) / "pkg" / "promotion" / "runner" / "builtin" / "schemas"
    return {file.name: json.loads(file.read_bytes()) for file in sorted(folder.glob("*.json"))}


@cache
def _step_registry(*, expressions: bool) -> Any:
    registry: Any = Registry()
    for name, written in step_files().items():
        schema = {key: value for key, value in written.items() if key != "$schema"}
        contents = expressive(schema, root=True) if expressions else schema
        resource: Any = Resource.from_contents(contents, default_specification=DRAFT202012)
        registry = registry.with_resource(_BASE + name, resource)
    return registry


@cache
def steps() -> frozenset[str]:
    """The names of Kargo's built-in promotion steps."""
    return frozenset(name.removesuffix("-config.json") for name in step_files() if name.endswith("-config.json"))


@cache
def step_validator(uses: str) -> Draft202012Validator:
    """For the config of the built-in step `uses` as it is written, with expressions in it."""
    return validator({"$ref": f"{_BASE}{uses}-config.json"}, _step_registry(expressions=True))


@cache
def strict_step_validator(uses: str) -> Draft202012Validator:
    """For the config of the built-in step `uses` when its expressions are evaluated."""
    return validator({"$ref": f"{_BASE}{uses}-config.json"}, _step_registry(expressions=False))


@cache
def subscription_validators() -> Mapping[str, Draft202012Validator]:
    """For `spec.subscriptions[]` of a Warehouse, by the subscription's one key. Kargo knows no expressions there."""
    folder = upstream.module(upstream.KARGO) / "pkg" / "subscription" / "schemas"
    return {file.stem: validator(json.loads(file.read_bytes())) for file in sorted(folder.glob("*.json"))}


@cache
def step_outputs(uses: str) -> frozenset[str] | None:
    """The outputs of the built-in step `uses` (`commit`, `pr.id`) that Kargo's documentation lists; None if none."""
    docs = upstream.module(upstream.KARGO) / "docs/docs/50-user-guide/60-reference-docs/30-promotion-steps"
    file = docs / f"{uses}.md"
    if not file.exists():
        return None
    section = re.search(r"^## Output\n(.*?)(?=^## |\Z)", file.read_text(), re.MULTILINE | re.DOTALL)
    return frozenset(re.findall(r"^\| `([\w.]+)` ", section[1], re.MULTILINE)) or None if section else None
