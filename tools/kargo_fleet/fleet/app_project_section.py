"""JSON Schema of what an AppProject passes on: roles and sync windows, with the fields of Argo CD's CRD and its rules.

Source: pkg/apis/application/v1alpha1 of Argo CD v3.5, ValidateProject, validateRoleName, validatePolicy and SyncWindow.Validate.
An AppProject that breaks one of them takes every Application of it out of sync.
"""

from __future__ import annotations

from typing import Any

from kargo_fleet.text import durations


def _texts(description: str, **more: Any) -> dict[str, Any]:
    items = {"type": "string", "minLength": 1, **more}
    return {"type": "array", "description": description, "items": items, "uniqueItems": True}


def _closed(description: str, required: list[str], properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "array",
        "description": description,
        "items": {"type": "object", "required": required, "additionalProperties": False, "properties": properties},
    }


ROLES_SCHEMA: dict[str, Any] = _closed(
    "spec.roles, passed through.",
    ["name"],
    {
        "name": {
            "type": "string",
            "description": "Name of the role.",
            "pattern": r"^[a-zA-Z0-9]([-_a-zA-Z0-9]*[a-zA-Z0-9])?$",
            "patternErrorMessage": "the name of a role: letters, digits, - and _, starting and ending with a letter or digit",
        },
        "description": {"type": "string", "description": "What the role is for."},
        "policies": _texts(
            "Rules in Casbin's form, such as p, proj:kargo:viewer, applications, get, kargo/*, allow.",
            pattern=r"^ *p *, *proj:[^,:]+:[^,: ]+ *, *[a-z]+ *, *[^,]+ *, *[^,/]+/[^,]+ *, *(allow|deny) *$",
            patternErrorMessage="a rule such as p, proj:kargo:viewer, applications, get, kargo/*, allow",
        ),
        "groups": _texts(
            "Groups that have the role.",
            pattern=r'^([^",\s]|[^",\s][^",\n\r\t]*[^",\s]|"[^"\n\r\t]+")$',
            patternErrorMessage="the name of a group, in double quotes if it has a comma",
        ),
        "jwtTokens": _closed(
            "Tokens that were issued.",
            ["iat"],
            {
                "iat": {"type": "integer", "description": "When it was issued, in seconds since 1970."},
                "exp": {"type": "integer", "description": "When it ends, in seconds since 1970."},
                "id": {"type": "string", "description": "Name of the token."},
            },
        ),
    },
)

SYNC_WINDOWS_SCHEMA: dict[str, Any] = _closed(
    "spec.syncWindows, passed through: when syncs are allowed or denied.",
    ["kind", "schedule", "duration"],
    {
        "kind": {"enum": ["allow", "deny"], "description": "allow or deny."},
        "schedule": {
            "type": "string",
            "description": "Start of the window, in cron's form.",
            "pattern": r"^[0-9A-Za-z*/,?-]+( +[0-9A-Za-z*/,?-]+){4}$",
            "patternErrorMessage": "minute, hour, day of the month, month and day of the week, such as 0 22 * * 1-5",
        },
        "duration": {
            "type": "string",
            "description": "Length of the window.",
            "pattern": durations.PATTERN,
            "patternErrorMessage": durations.EXAMPLES,
            "maxLength": durations.LONGEST,
        },
        "applications": _texts("Names of Applications, or globs."),
        "namespaces": _texts("Namespaces, or globs."),
        "clusters": _texts("Clusters, or globs."),
        "manualSync": {"type": "boolean", "description": "Allow manual syncs while automatic ones are denied."},
        "syncOverrun": {"type": "boolean", "description": "Let a sync that has begun go on when the window ends."},
        "timeZone": {"type": "string", "description": "Time zone of schedule, such as Europe/Berlin. Empty: UTC."},
        "andOperator": {
            "type": "boolean",
            "description": "Require all of applications, namespaces and clusters to match.",
        },
        "description": {"type": "string", "description": "What the window is for.", "maxLength": 255},
    },
)
