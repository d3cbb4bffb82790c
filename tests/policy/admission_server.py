"""ValidatingAdmissionPolicies on objects, without an API server: Google's CEL runtime does what the server's does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import yaml
from cel_expr_python import cel  # type: ignore[import-untyped,unused-ignore]
from cel_expr_python.ext import ext_optional, ext_strings  # type: ignore[import-untyped,unused-ignore]

Object = Mapping[str, Any]
_NOW = "2026-11-27T00:00:00Z"
_PLURALS = {
    "stages": "Stage",
    "projectconfigs": "ProjectConfig",
    "warehouses": "Warehouse",
    "promotiontasks": "PromotionTask",
    "analysistemplates": "AnalysisTemplate",
    "rolebindings": "RoleBinding",
    "roles": "Role",
    "freights/status": "Freight",
}


@cache
def _environment() -> Any:
    variables = dict.fromkeys(("object", "oldObject", "request"), cel.Type.DYN)
    return cel.NewEnv(variables=variables, extensions=[ext_optional.ExtOptional(), ext_strings.ExtStrings()])


@cache
def _compiled(expression: str) -> Any:
    return _environment().compile(expression)


def _value(expression: str, data: dict[str, Any]) -> Any:
    return _compiled(expression).eval(data=data).plain_value()


def policies(text: str) -> list[Object]:
    """Return the policies in the manifests that the tool generates."""
    return [one for one in yaml.safe_load_all(text) if one["kind"] == "ValidatingAdmissionPolicy"]


def refusals(
    text: str, new: Object, old: Object | None = None, *, user: str = "ann", groups: Iterable[str] = (), now: str = _NOW
) -> list[str]:
    """Return the messages with which the policies refuse an object to be created, or `old` to become it."""
    metadata = {"creationTimestamp": now, "managedFields": [{"time": now}], **new["metadata"]}
    request = {
        "operation": "UPDATE" if old else "CREATE",
        "userInfo": {"username": user, "groups": list(groups)},
    }
    data: dict[str, Any] = {"object": {**new, "metadata": metadata}, "oldObject": old, "request": request}
    return [message for policy in policies(text) for message in _refused(policy["spec"], data)]


def _refused(spec: Object, data: dict[str, Any]) -> list[str]:
    matched = [
        one for one in spec["matchConstraints"]["resourceRules"] if data["request"]["operation"] in one["operations"]
    ]
    kinds = {_PLURALS[name] for rule in matched for name in rule["resources"]}
    if data["object"]["kind"] not in kinds:
        return []
    if not all(_value(one["expression"], data) for one in spec["matchConditions"]):
        return []
    known = {one["name"]: one["expression"] for one in spec["variables"]}
    return [
        one["message"] for one in spec["validations"] if _value(_inlined(one["expression"], known), data) is not True
    ]


def _inlined(expression: str, known: Mapping[str, str]) -> str:
    """Return an expression with its variables filled in. A value that comes back from the runtime is not always one to put in."""
    return re.sub(r"\bvariables\.(\w+)", lambda found: f"({_inlined(known[found[1]], known)})", expression)


def rules_in(messages: Iterable[str]) -> set[str]:
    """Return the names of the rules in messages: `rule gates: …`, `rule soak, owner …: …`."""
    return {found[1] for message in messages for found in re.finditer(r"\brule ([a-z0-9-]+)[:,]", message)}
