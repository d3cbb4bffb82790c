"""Random chart values from a JSON Schema: what it allows, its limits, and what is just beyond them."""

from __future__ import annotations

import random
import re._constants as sre
import re._parser as sre_parser
import string
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

#: What has broken something before, for any string.
HOSTILE = (
    *(
        "",
        " ",
        "a b",
        "null",
        "true",
        "1.10",
        "~",
        "é",
        "日本",
        "a\nb",
        "a\tb",
        "\x1b[2J",
        "\x7f",
        "\x85",
        "\u202e",
        "\u2028",
        "\ufeff",
    ),
    *(
        "'",
        '"',
        "`",
        "\\",
        "%",
        "%zz",
        "{{ .Values }}",
        "${{ vars.service }}",
        "${{",
        "<service>",
        "<stage>",
        "<word>",
        "\\<service>",
    ),
    *(
        "a" * 63,
        "a" * 64,
        "a" * 253,
        "a" * 254,
        "-a",
        "a-",
        ".a",
        "a.",
        "a..b",
        "A",
        "0",
        "-",
        ".",
        "..",
        "/",
        "*",
        "# x",
        "- x",
        "a: b",
        "? a",
    ),
)
#: The same, by key: mostly right, or hard for the parser that reads it in Kargo.
BY_KEY: Mapping[str, Sequence[Any]] = {
    "constraint": (
        "^1.0.0",
        "*",
        "1 - 2",
        "latest",
        ">=1.2 <3 || ~4",
        "1.1 " * 50,
        "<",
        "=>1",
        "v1",
        "1.x.2",
        "^1.0.0-0",
        "99999999999999999999",
    ),
    "repoURL": (
        *(
            "http://[0]/y",
            "http://[::1]/y",
            "https://[fe80::1]:8443/a.git",
            "https://h/%zz",
            "https://h/%41",
            "https://h/a\x7f",
            "https://h/a b",
        ),
        *(
            "https://h:0/a",
            "https://h:99999/a",
            "https://h:/a",
            "https://u@h/a",
            "https://.../a",
            "https://-/a",
            "https://h/a/",
            "https://H/a",
        ),
        *(
            "ssh://git@h/a",
            "ssh://ü@h/a",
            "ssh://a%zz@h/a",
            "git@h:a/b",
            "git@h:/a",
            "https://h/a\\b",
            "https://h/é",
            "https://h//a",
            "https://h/a;b",
        ),
        *(
            "oci://h/a",
            "oci://h",
            "oci://",
            "https://[",
            "http://a?b",
            "oci://h/A",
            "registry.example.com/a",
            "docker.io/nginx",
            "a/b",
            "nginx:1",
        ),
        *(
            "https://charts.example.com",
            "https://charts.example.com/a b",
            "https://h:1/a:b",
            "oci://h:x/a",
            "https://h/#a",
            "https://h/a\u200b",
        ),
    ),
    "interval": (
        "5m",
        "9999999h",
        "2562047h",
        "2562048h",
        "1h1h1h",
        "0s",
        "0.5h",
        "1.5h30m",
        "00000000000000000001s",
        "999999999999s",
        "999999h",
    ),
    "since": (
        "2026-01-31T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2024-02-29T23:59:59Z",
        "2023-02-29T00:00:00Z",
    ),
    "uses": ("http", "git-clone", "yaml-update", "no-such-step", "compose-output", "set-metadata"),
    "as": ("a", "b", "step-1", "a::b", "task-2", "clone"),
    "upstream": ("dev", "staging", "prod", "qa"),
    "stages": ("dev", "staging", "prod", "qa"),
    "requestedFreight": ("main", "builds"),
    "name": ("a", "nginx", "a.b", "kargo-admin"),
    "branch": ("main", "stage/<stage>", "a..b", "-a", "@", "a.lock", "a@{b", "HEAD", "a//b", "refs/heads/a", "a/", "é"),
    "includePaths": ("services", "glob:a/*", "regex:^a", "regex:(", "regexp:[", "glob:[", "a:b"),
    "expression": ("true", "(", "imageFrom('a').Tag == 'b'", "${{ true }}", "1"),
    "hard": ("count/promotions.kargo.akuity.io", "pods", "requests.storage", "requests.cpu"),
    "url": ("https://a", "javascript:alert(1)", "${{ 1 }}", "a"),
    "role": ("admin", "viewer"),
    "message": ("x", "x\n\ny", "${{ 1", "<version>"),
}
BY_KEY = {
    **BY_KEY,
    **dict.fromkeys(("semverConstraint",), BY_KEY["constraint"]),
    **dict.fromkeys(("requiredSoakTime", "timeout", "initialDelay"), BY_KEY["interval"]),
    **dict.fromkeys(("excludePaths",), BY_KEY["includePaths"]),
    **dict.fromkeys(("if", "expressionFilter", "successCondition", "failureCondition"), BY_KEY["expression"]),
    **dict.fromkeys(
        ("allowTagsRegexes", "ignoreTagsRegexes"),
        (
            "^v",
            "(?i)a",
            "(?=x)",
            "(" * 999 + ")" * 999,
            "(" * 1001 + ")" * 1001,
            "a{1001}",
            "(a{100}){100}",
            "[",
            "\\C",
            "(?P<n>a)",
            "\\pN",
            "x**",
        ),
    ),
}

#: Objects that are Argo Rollouts' own all the way down: the schema knows their first level.
FOREIGN = ("cloudWatch", "kayenta", "job", "valueFrom")


class Values:
    """A source of values, the same for the same seed. `wild` is the share of strings that ignore their schema."""

    def __init__(self, schema: Mapping[str, Any], seed: int, wild: float = 0.05) -> None:
        self.schema, self.dice, self.wild = schema, random.Random(seed), wild

    def of_a_unit(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return values with a few of the keys at the top."""
        chosen = self.dice.sample(list(keys), self.dice.choice((1, 1, 2, 3)))
        return {key: self.of(self.schema["properties"][key], key) for key in chosen}

    def of(self, node: Mapping[str, Any], key: str = "", depth: int = 0) -> Any:
        """Return a value for a node of the schema, which stands at `key`."""
        while "$ref" in node:
            node = self.schema["definitions"][node["$ref"].rpartition("/")[2]]
        if self.dice.random() < 0.02:
            return None
        if "enum" in node:
            return self.dice.choice(node["enum"])
        types = [
            kind
            for kind in ([node["type"]] if isinstance(node.get("type"), str) else node.get("type", ()))
            if kind != "null"
        ]
        kind = self.dice.choice(types) if types else "string"
        if kind == "object":
            return self._object(node, key, depth)
        if kind == "array":
            low, high = node.get("minItems", 0), min(node.get("maxItems", 3), 3)
            count = max(low, self.dice.choice((0, 1, 1, 2, high)))
            items = [self.of(node.get("items", {}), key, depth + 1) for _ in range(min(count, max(high, low)))]
            return [item for n, item in enumerate(items) if item not in items[:n]] if node.get("uniqueItems") else items
        if kind == "boolean":
            return self.dice.random() < 0.5
        if kind in ("integer", "number"):
            low, high = node.get("minimum", -1), node.get("maximum", 2**31)
            return self.dice.choice((low, high, low + 1, self.dice.randint(low, min(high, low + 100)), 2**53))
        return self._string(node, key)

    def _object(self, node: Mapping[str, Any], key: str, depth: int) -> dict[str, Any]:
        known = [name for name in node.get("properties", {}) if name not in FOREIGN]
        required = list(node.get("required", ()))
        if "oneOf" in node:
            required += self.dice.choice(node["oneOf"])["required"]
        most = node.get("maxProperties", 3)
        others = [name for name in known if name not in required]
        left = max(
            0,
            min(most, self.dice.choice((0, 1, 1, 2, 3))) - len(required)
            if "maxProperties" in node
            else self.dice.choice((0, 1, 1, 2)),
        )
        names = required + self.dice.sample(others, min(left, len(others)))
        if node.get("minProperties", 0) > len(names):
            free = [name for name in others if name not in names]
            names += self.dice.sample(free, min(len(free), node["minProperties"] - len(names)))
        made = {name: self.of(node.get("properties", {}).get(name, {}), name, depth + 1) for name in names}
        further = node.get("additionalProperties")
        if isinstance(further, Mapping):
            for _ in range(self.dice.choice((0, 1, 1, 2))):
                made[self._string(node.get("propertyNames", {}), key)] = self.of(further, key, depth + 1)
        return made

    def _string(self, node: Mapping[str, Any], key: str) -> str:
        thrown = self.dice.random()
        if thrown < self.wild:
            return self.dice.choice(HOSTILE)
        if key in BY_KEY and thrown < 0.7:
            return str(self.dice.choice(BY_KEY[key]))
        if "pattern" not in node:
            return self.dice.choice(("a", "nginx", "a b", "${{ vars.service }}", "x<service>y"))
        return self._matching(node["pattern"])[: node.get("maxLength", 300)]

    def _matching(self, pattern: str) -> str:
        return "".join(self._of(op, value) for op, value in parsed(pattern))

    def _of(self, op: Any, value: Any) -> str:
        """Return a text for one part of a regular expression, as Python's own parser gives it."""
        dice = self.dice
        if op is sre.LITERAL:
            return chr(value)
        if op is sre.NOT_LITERAL:
            return dice.choice([one for one in "aZ0-é" if ord(one) != value])
        if op is sre.ANY:
            return dice.choice("aZ0 -é")
        if op is sre.IN:
            return self._one_of(value)
        if op is sre.BRANCH:
            return "".join(self._of(*part) for part in dice.choice(value[1]))
        if op is sre.SUBPATTERN:
            return "".join(self._of(*part) for part in value[3])
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            low, high, parts = value
            most = min(high, low + dice.choice((0, 1, 1, 2, 3, 12 if dice.random() < 0.1 else 1)))
            return "".join(self._of(*part) for _ in range(dice.randint(low, most)) for part in parts)
        assert op in (sre.AT, sre.ASSERT, sre.ASSERT_NOT), op
        return ""

    def _one_of(self, parts: Any) -> str:
        excluded = parts[0][0] is sre.NEGATE
        chosen = [one for one in _CHARACTERS if any(_contains(part, one) for part in parts) != excluded]
        return self.dice.choice(chosen)


#: Letters and digits as often as others.
_CHARACTERS = (
    string.ascii_letters + string.digits + "-_./:@#%+= ~'\"\\,;|&$!?*()[]{}<>^`\t\n" + "aZ09éß日\x7f\x01\u200b"
)


def _contains(part: tuple[Any, Any], character: str) -> bool:
    op, value = part
    code = ord(character)
    if op is sre.LITERAL:
        return code == value
    if op is sre.RANGE:
        return bool(value[0] <= code <= value[1])
    if op is sre.CATEGORY:
        of = {
            sre.CATEGORY_SPACE: character.isspace(),
            sre.CATEGORY_NOT_SPACE: not character.isspace(),
            sre.CATEGORY_WORD: character.isascii() and (character.isalnum() or character == "_"),
            sre.CATEGORY_DIGIT: character in "0123456789",
        }
        return of[value]
    return False


@cache
def parsed(pattern: str) -> Any:
    return sre_parser.parse(pattern)
