"""`policy` of fleet.yaml: what the values of services are held to, whatever their own files say."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import jsonschema_rs

from kargo_fleet.findings import KeyPath, Problem, problem_at
from kargo_fleet.text.durations import WHOLE_PATTERN
from kargo_fleet.text.semver import is_constraint
from kargo_fleet.text.words import did_you_mean, enumerate_words

#: The names of the shipped rules, which policy/baseline.py has.
SHIPPED: Final = (
    "own-files",
    "own-repository",
    "own-registry",
    "own-application",
    "reserved-metadata",
    "subjects",
    "roles",
    "protection",
    "gates",
    "local-steps",
    "secrets",
    "web-links",
    "limits",
)
#: What a rule of one's own holds a value to, at least one of them.
TESTS = ("must", "minimumDuration", "maximumDuration", "constraintWithin", "setBy")
#: Keywords of JSON Schema draft 7 that say something about a value. A word that is none would be ignored.
_KEYWORDS = frozenset(
    "$comment additionalItems additionalProperties allOf anyOf const contains dependencies description else enum"
    " exclusiveMaximum exclusiveMinimum format if items maxItems maxLength maxProperties maximum minItems minLength"
    " minProperties minimum multipleOf not oneOf pattern patternProperties properties propertyNames required then title type"
    " uniqueItems".split()
)

_NAME = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
_DURATION = {
    "type": "string",
    "pattern": WHOLE_PATTERN,
    "patternErrorMessage": "a duration such as 30m, 1h or 24h",
}
_OWNER = {"description": "Who decides about it: a team, or a person.", "type": "string", "minLength": 1}
_REASON = {"description": "Why, for the person whose pull request fails.", "type": "string", "minLength": 1}
_KEYS = {
    "type": "array",
    "minItems": 1,
    "items": {"type": "string", "minLength": 1},
}
_SCOPE: dict[str, Any] = {
    "services": {
        "description": "Names of services, or globs with * and ?. With a slash, of team and service: `payments/*`.",
        "type": "array",
        "minItems": 1,
        "items": {"type": "string", "minLength": 1},
    },
    "groups": {
        "description": "Names of groups: their services.",
        "type": "array",
        "minItems": 1,
        "items": {"type": "string", "minLength": 1},
    },
}

POLICY_SCHEMA: dict[str, Any] = {
    "description": "What the values of services are held to, whatever their own files say.",
    "type": ["object", "null"],
    "additionalProperties": False,
    "properties": {
        "baseline": {
            "description": "The shipped rules, about what a service's own file may do. false: none of them, for a fleet that one "
            "team owns as a whole.",
            "default": True,
            "type": "boolean",
        },
        "rules": {
            "description": "Rules by name: settings of the shipped ones, and further ones.",
            "type": ["object", "null"],
            "propertyNames": {"pattern": _NAME, "patternErrorMessage": "a name of a-z, 0-9 and -"},
            "additionalProperties": {
                "description": "A rule. Without `keys` and `writes`, the settings of the shipped rule of this name.",
                "type": ["object", "null"],
                "additionalProperties": False,
                "properties": {
                    "severity": {
                        "description": "What a violation is. off: nothing.",
                        "default": "error",
                        "enum": ["error", "warning", "off"],
                    },
                    "owner": _OWNER,
                    "reason": _REASON,
                    **_SCOPE,
                    "keys": {
                        **_KEYS,
                        "description": "Keys of the merged values: `stages.*.requiredSoakTime`. `*` stands for one key or item, `**` "
                        "for any number of them.",
                    },
                    "writes": {
                        **_KEYS,
                        "description": "Globs of files: only stages whose promotions write one of them. `keys` begin with `stages.*`.",
                    },
                    "must": {
                        "description": "JSON Schema that the value of each key must satisfy.",
                        "type": ["object", "boolean"],
                    },
                    "minimumDuration": {**_DURATION, "description": "The value is a duration of at least this length."},
                    "maximumDuration": {**_DURATION, "description": "The value is a duration of at most this length."},
                    "constraintWithin": {
                        "description": "The value is a semver constraint that takes no version which this one does not take.",
                        "type": "string",
                        "minLength": 1,
                    },
                    "setBy": {
                        "description": "platform: only fleet.yaml may set the keys, no service's own file.",
                        "enum": ["platform"],
                    },
                    "relaxedFor": {
                        "description": "For whom, and for which keys, the rule does not hold.",
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "additionalProperties": False,
                            "minProperties": 1,
                            "properties": {
                                **_SCOPE,
                                "keys": {**_KEYS, "description": "Keys of the service's own file. Default: all."},
                                "reason": _REASON,
                            },
                        },
                    },
                },
            },
        },
        "cluster": {
            "description": "The policy as ValidatingAdmissionPolicies in policy/admission.yaml, for kubectl, Kargo's UI and API.",
            "type": ["object", "null"],
            "additionalProperties": False,
            "properties": {
                "enabled": {
                    "description": "Whether policy/admission.yaml is generated.",
                    "default": False,
                    "type": "boolean",
                },
                "actions": {
                    "description": "What the API server does with an object that breaks a rule. Deny excludes Warn.",
                    "default": ["Warn", "Audit"],
                    "type": "array",
                    "minItems": 1,
                    "uniqueItems": True,
                    "items": {"enum": ["Warn", "Audit", "Deny"]},
                },
                "name": {
                    "description": "Name of the policies: another one for each fleet of a cluster.",
                    "default": "kargo-fleet",
                    "type": "string",
                    "pattern": r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
                    "patternErrorMessage": "a name of a-z, 0-9 and -",
                },
                "approvers": {
                    "description": "Groups that approve Freight for stages with a guard. Default: approvals are not held.",
                    "type": "array",
                    "minItems": 1,
                    "items": {"type": "string", "minLength": 1},
                },
                "kargoNamespace": {
                    "description": "Namespace of Kargo, whose own ServiceAccounts make the RoleBindings of Projects.",
                    "default": "kargo",
                    "type": "string",
                    "pattern": _NAME,
                    "patternErrorMessage": "the name of a namespace, such as kargo",
                },
                "controllers": {
                    "description": "Users as which Kargo's controllers write, those of shards included. Default: "
                    "the ServiceAccount kargo-controller of kargoNamespace.",
                    "type": "array",
                    "minItems": 1,
                    "items": {"type": "string", "minLength": 1},
                },
            },
        },
        "exceptions": {
            "description": "Violations that are allowed for a while.",
            "type": ["array", "null"],
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["rule", "services", "owner", "reason", "until"],
                "properties": {
                    "rule": {"description": "Name of the rule.", "type": "string", "minLength": 1},
                    "services": _SCOPE["services"],
                    "keys": {**_KEYS, "description": "Keys for which it holds. Default: all."},
                    "owner": _OWNER,
                    "reason": _REASON,
                    "until": {
                        "description": "The last day on which it holds, in UTC. `check` warns two weeks before, and fails after it.",
                        "type": "string",
                        "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
                        "patternErrorMessage": "a day such as 2027-01-31",
                    },
                },
            },
        },
    },
}


class ClusterSettings(NamedTuple):
    """`policy.cluster` with its defaults."""

    enabled: bool
    actions: list[str]
    name: str
    approvers: list[str]
    kargo_namespace: str
    controllers: list[str]


def cluster_settings(data: Mapping[str, Any]) -> ClusterSettings:
    """Return `policy.cluster` of a fleet.yaml whose shape is valid."""
    given = section_of(data.get("policy") or {})
    namespace = given.get("kargoNamespace") or "kargo"
    return ClusterSettings(
        bool(given.get("enabled")),
        given.get("actions") or ["Warn", "Audit"],
        given.get("name") or "kargo-fleet",
        given.get("approvers") or [],
        namespace,
        given.get("controllers") or [f"system:serviceaccount:{namespace}:kargo-controller"],
    )


def section_of(policy: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the section `cluster` of a policy."""
    found: Mapping[str, Any] = policy.get("cluster") or {}
    return found


def problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the problems of `policy` that its schema does not see; the shape is valid."""
    policy = data.get("policy") or {}
    groups = list(data.get("groups") or {})
    for name, rule in (policy.get("rules") or {}).items():
        path: KeyPath = ("policy", "rules", name)
        yield from _rule(path, name, rule or {})
        for index, scope in enumerate([rule or {}, *((rule or {}).get("relaxedFor") or [])]):
            place = path if not index else (*path, "relaxedFor", index - 1)
            yield from _groups(place, scope.get("groups") or [], groups)
    if {"Deny", "Warn"} <= set(section_of(policy).get("actions") or ()):
        message = "Kubernetes does not take Deny together with Warn"
        yield _problem(
            ("policy", "cluster", "actions"), message, "write [Deny, Audit], or [Warn, Audit] to try it first"
        )
    known = [*SHIPPED, *(policy.get("rules") or {})]
    for index, one in enumerate(policy.get("exceptions") or []):
        path = ("policy", "exceptions", index)
        if one["rule"] not in known:
            message = f'"{one["rule"]}" is no rule'
            yield _problem(
                (*path, "rule"), message, did_you_mean(one["rule"], known, f"rules are {enumerate_words(known)}")
            )
        try:
            datetime.date.fromisoformat(one["until"])
        except ValueError:
            yield _problem(
                (*path, "until"), f'"{one["until"]}" is no day of the calendar', "write a day such as 2027-01-31"
            )


def _problem(path: KeyPath, message: str, fix: str) -> Problem:
    return problem_at(path, "KF353", message, fix)


def _groups(path: KeyPath, given: Sequence[str], groups: list[str]) -> Iterator[Problem]:
    for index, name in enumerate(given):
        if name not in groups:
            known = f"groups are {enumerate_words(groups)}" if groups else "fleet.yaml has no groups; use services"
            yield _problem((*path, "groups", index), f'"{name}" is no group', did_you_mean(name, groups, known))


def _rule(path: KeyPath, name: str, rule: Mapping[str, Any]) -> Iterator[Problem]:
    tests = [key for key in TESTS if key in rule]
    if name in SHIPPED:
        for key in (*tests, "keys", "writes"):
            if key in rule:
                fix = "remove it, or give your own rule another name"
                yield _problem((*path, key), f"{name} is a shipped rule, which decides itself what it looks at", fix)
        return
    if not rule.get("keys"):
        fix = did_you_mean(name, SHIPPED, "add keys, such as keys: [stages.prod.autoPromotionEnabled]")
        yield _problem(path, "is no shipped rule, and has no keys", fix)
    elif not tests:
        yield _problem(
            path,
            f"says nothing of its keys; one of {enumerate_words(list(TESTS))} is required",
            "add must: {const: false}",
        )
    for index, pattern in enumerate(rule.get("keys") or [] if rule.get("writes") else []):
        if pattern.split(".")[:2] != ["stages", "*"]:
            message = f"{pattern} is not about the stages that write a file"
            yield _problem((*path, "keys", index), message, "begin it with stages.*, or remove writes")
    if "must" in rule:
        yield from _schema((*path, "must"), rule["must"])
    if "constraintWithin" in rule and not is_constraint(rule["constraintWithin"]):
        yield _problem(
            (*path, "constraintWithin"), "is not a version constraint", "write one such as ^1.0.0, or >=1.2.0 <3.0.0"
        )


def _schema(path: KeyPath, schema: Any) -> Iterator[Problem]:
    try:
        jsonschema_rs.Draft7Validator(schema, offline=True)
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        yield _problem(path, f"is not a JSON Schema: {str(error).splitlines()[0]}", "correct it")
        return
    yield from _unknown_words(path, schema)


def _unknown_words(path: KeyPath, schema: Any) -> Iterator[Problem]:
    """Yield a problem for each word that JSON Schema does not know: it would be ignored."""
    if not isinstance(schema, dict):
        return
    for word, inner in schema.items():
        place = (*path, word)
        if word not in _KEYWORDS:
            yield _problem(
                place,
                "is no word of JSON Schema, draft 7, without references",
                did_you_mean(word, sorted(_KEYWORDS), "remove it"),
            )
        elif word in ("properties", "patternProperties", "dependencies"):
            for key, value in inner.items():
                yield from _unknown_words((*place, key), value)
        elif word in ("allOf", "anyOf", "oneOf") or (word == "items" and isinstance(inner, list)):
            for index, value in enumerate(inner):
                yield from _unknown_words((*place, index), value)
        elif word not in ("const", "enum"):
            yield from _unknown_words(place, inner)
