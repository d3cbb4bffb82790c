"""What kargo-fleet knows of the `config` of Kargo's promotion steps, derived from the JSON Schemas of its module.

`derived()` is the data, `python -m contract.step_data` (`make kargo-schemas`) writes it to `FILE`; a contract test holds
the file to the module. Kept are facts alone: keys, types, choices, limits, what is required. References are resolved,
and the alternatives with which Kargo's schemas say that keys exclude or require each other are turned into
`combinations`: the sets of keys that may be set together.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from . import schemas, upstream

Schema = dict[str, Any]

FILE: Final = upstream.ROOT / "tools" / "kargo_fleet" / "unit" / "kargo_steps.json"

_KEPT: Final = ("type", "enum", "minLength", "minimum", "maximum", "minItems", "uniqueItems", "minProperties")
_FORMATS: Final[dict[str, Schema]] = {
    # What gojsonschema accepts, which Kargo validates with.
    "uri": {"pattern": r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s\\]*$", "patternErrorMessage": "a URL that starts with https://"},
    "email": {"pattern": r"[^@\s]+@[^@\s]+", "patternErrorMessage": "an email address"},
}
_PATTERNS: Final = {
    r"^0[0-7]{3}$": 'permissions as a quoted octal number, such as "0644"',
    r"(?:\d+(ns|us|µs|ms|s|m|h))+": "a duration such as 30s, 5m or 1h",
    r"^https?://.*$": "a URL that starts with https:// or http://",
    r"^(oci://)?[a-zA-Z0-9._-]+(:\d+)?(/[a-zA-Z0-9._-]+)*[@:][a-zA-Z0-9._:-]+$": "a reference with a tag or a digest, "
    "such as registry.example.com/charts/app:1.0.0",
    r"^(oci://)?[a-zA-Z0-9._-]+(:\d+)?(/[a-zA-Z0-9._-]+)*[:][a-zA-Z0-9._-]+$": "a reference with a tag, "
    "such as registry.example.com/charts/app:1.0.0",
}
_UNSET: Final = (None, "", False)


def derived() -> Schema:
    """The data of the version that is tested: its `source`, and `steps` by name."""
    files = schemas.step_files()
    return {
        "source": f"{upstream.KARGO} {upstream.pinned(upstream.KARGO)[0]}, pkg/promotion/runner/builtin/schemas",
        "steps": {name: _node(files[f"{name}-config.json"], files[f"{name}-config.json"]) for name in schemas.steps()},
    }


def text() -> str:
    """The content of the file."""
    return json.dumps(derived(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _node(node: Mapping[str, Any], root: Mapping[str, Any]) -> Schema:
    if "$ref" in node:
        file, _, path = node["$ref"].partition("#/")
        root = schemas.step_files()[file] if file else root
        node = root
        for part in path.split("/"):
            node = node[part]
    result: Schema = {key: node[key] for key in _KEPT if key in node} | _text_rule(node)
    if "properties" in node:
        result["properties"] = {key: _node(value, root) for key, value in node["properties"].items()}
    if "items" in node:
        result["items"] = _node(node["items"], root)
    if "required" in node:
        result["required"] = sorted(node["required"])
    if isinstance(open_ := node.get("additionalProperties"), dict):
        result["additionalProperties"] = _node(open_, root)
    elif open_ is False:
        result["additionalProperties"] = False
    for keyword in ("oneOf", "anyOf"):
        if keyword in node:
            result["combinations"] = _combinations(node[keyword], exactly_one=keyword == "oneOf")
    known = {*_KEPT, "properties", "items", "required", "additionalProperties", "oneOf", "anyOf", "pattern", "format"}
    said = {"$schema", "$id", "title", "description", "default", "deprecated", "definitions", "$ref"}
    if unknown := node.keys() - known - said:
        raise ValueError(f"cannot derive {sorted(unknown)} of {dict(node)}")
    return result


def _text_rule(node: Mapping[str, Any]) -> Schema:
    if "format" in node:
        return _FORMATS[node["format"]]
    pattern = node.get("pattern")
    if pattern is None:
        return {}
    if choices := re.fullmatch(r"\^\(([\w/]+(?:\|[\w/]+)*)\)\$", pattern):
        return {"enum": choices[1].split("|")}
    return {"pattern": pattern, "patternErrorMessage": _PATTERNS[pattern]}


def _combinations(alternatives: list[Schema], *, exactly_one: bool) -> list[list[str]]:
    """The sets of keys that may be set together, by trying all; a key is not set when it is missing, empty or false."""
    keys = sorted({key for one in alternatives for key in (*one.get("required", ()), *one.get("properties", {}))})
    legal = []
    for size in range(len(keys) + 1):
        for chosen in itertools.combinations(keys, size):
            matches = sum(_matches(one, set(chosen)) for one in alternatives)
            if matches == 1 or (matches and not exactly_one):
                legal.append(list(chosen))
    return legal


def _matches(alternative: Schema, chosen: set[str]) -> bool:
    wanted, refused = set(alternative.get("required", ())), set()
    for key, rule in alternative.get("properties", {}).items():
        if "enum" in rule:
            if any(choice not in _UNSET for choice in rule["enum"]):
                raise ValueError(f"cannot derive {alternative}")
            refused.add(key)
        elif not rule.keys() <= {"type", "minLength", "minItems", "minProperties", "const"}:
            raise ValueError(f"cannot derive {alternative}")
    return wanted <= chosen and not refused & chosen


def main() -> None:
    """Write the file."""
    FILE.write_text(text(), encoding="utf-8")
    print(f"{FILE.relative_to(upstream.ROOT)}: {len(derived()['steps'])} steps of {derived()['source']}")


if __name__ == "__main__":
    main()
