"""What is emitted reads as the same data everywhere: by this tool, by YAML 1.1, by YAML 1.2, and by Helm."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from helm import values_of
from kargo_fleet.text import yaml_reader, yaml_writer
from properties import examples

# Texts that YAML 1.1, 1.2 or Go take for something else when nothing quotes them.
WORDS = r"""
    y Y n N yes Yes YES no No NO on On ON off Off OFF true True TRUE false False FALSE null Null NULL ~ Y. nO
    0 -0 +1 017 0o17 0x1f 0X1F 0b11 1_000 1e3 1E3 1e-3 1.0 1. .5 -.5 +.5 5. 1.5e3 ._ ._1 _1 1_ 0755 09
    .inf -.inf +.Inf .INF .nan .NaN inf NaN Infinity 12:30 12:30:45 1:2 -1:30 190:20:30.15 08:00
    2026-11-23 2026-11-23T10:00:00Z 2026-1-2 - -- --- ... . .. << = <<: ! !! !!str & &a * *a | > |- >+
    % %YAML @ @a ` ? ?a : :a a: a:b a:: a:-b # #a a#b [ ] { } [] {} [a] {a} , a,b ' " '' "" 'a' "a" \ \n a\b
    $ ${{x}} ${{vars.x}} <service> <a ^1.0.0 ~1.2 >=1 !=1 =1 * x v1
""".split()
# fmt: off
ODD = [
    "", " ", "  ", " a", "a ", "a b", "a  b", "a: b", "a :b", "a #b", "a # b", "- a", "? a", "--- a", "... a", "a - b",
    "\t", "a\tb", "\ta", "a\t#b", "\n", "a\n", "a\nb", "\n\n a", "a\r\nb", "\r", "\0", "\x07", "\x1b[0m",
    "\x7f", "\x85", "\x9f", "\xa0", "\u2028", "\u2029", "\ufeff", "\ufffe", "\uffff", "é", "日本語", "😀", "\U0001ffff",
    "x" * 5000, "word " * 300, "a/" * 300,
]
# fmt: on
LOOK_ALIKES = WORDS + ODD

_texts = (
    st.sampled_from(LOOK_ALIKES)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.text("yn01e.:-_+#'\"{}[],&*!|>%@`~<=?^/ \t\n\\a")
)
_floats = st.floats(allow_nan=False, allow_infinity=False)
_scalars = _texts | st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _floats
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4), max_leaves=12
)
_documents = st.dictionaries(_texts, _values, max_size=5)


def _fast(text: str) -> Any:
    return yaml.load(text, yaml.CSafeLoader)


def _ruamel(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


# repr tells 1 from 1.0 and True, and one order of keys from another.


@examples(400)
@given(_documents)
def test_this_tool_reads_back_what_was_written(data: dict[str, Any]) -> None:
    assert repr(yaml_reader.parse(yaml_writer.document(data))) == repr(data)


@examples(400)
@given(_documents)
def test_yaml_1_1_reads_back_what_was_written(data: dict[str, Any]) -> None:
    assert repr(_fast(yaml_writer.document(data))) == repr(data)


@examples(150)
@given(_documents)
def test_yaml_1_2_reads_back_what_was_written(data: dict[str, Any]) -> None:
    assert repr(_ruamel(yaml_writer.document(data))) == repr(data)


@pytest.mark.parametrize("read", [yaml_reader.parse, _fast, yaml.safe_load, _ruamel])
def test_look_alikes_stay_texts(read: Any) -> None:
    data = {"values": LOOK_ALIKES, "keys": {text: {text: [text]} for text in LOOK_ALIKES}}
    assert read(yaml_writer.document(data)) == data


def test_helm_reads_back_what_was_written(tmp_path: Path) -> None:
    """One start of Helm for 200 documents."""
    chance = random.Random(20261123)

    def text() -> str:
        if chance.random() < 0.7:
            return chance.choice(LOOK_ALIKES)
        ranges = [(0, 0x7F), (0x80, 0xFF), (0x2000, 0x206F), (0xE000, 0xFFFF), (0x10000, 0x10FFFF)]
        return "".join(chr(chance.randint(*chance.choice(ranges))) for _ in range(chance.randint(0, 8)))

    def value(depth: int) -> Any:
        kind = chance.random()
        if depth and kind < 0.3:
            return {text(): value(depth - 1) for _ in range(chance.randint(0, 4))}
        if depth and kind < 0.5:
            return [value(depth - 1) for _ in range(chance.randint(0, 4))]
        integer = chance.randint(-(2**53), 2**53)  # Helm keeps numbers as float64: no larger ones
        return chance.choice([text(), text(), text(), True, False, integer, chance.random(), 1e-7, 1.5e300])

    data = {f"k{i}": {text(): value(3) for _ in range(5)} for i in range(200)}
    data["k200"] = {"look-alikes": LOOK_ALIKES, "keys": {text: text for text in LOOK_ALIKES}}
    assert values_of(tmp_path, "", yaml_writer.document(data)) == data


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("dev", "dev"),
        ("^1.0.0", "^1.0.0"),
        ("services/<service>/values-<stage>.yaml", "services/<service>/values-<stage>.yaml"),
        ("<service>-<stage>", "<service>-<stage>"),
        ("https://github.com/example/gitops.git", "https://github.com/example/gitops.git"),
        ("git@github.com:example/gitops.git", "git@github.com:example/gitops.git"),
        ("registry.example.com:5000/team/nginx", "registry.example.com:5000/team/nginx"),
        ("Kargo Bot", "Kargo Bot"),
        (".hidden/path", ".hidden/path"),
        ("/absolute", "/absolute"),
        ("v1.2.3", "v1.2.3"),
        ("count/freights.kargo.akuity.io", "count/freights.kargo.akuity.io"),
        ("1.0.0", '"1.0.0"'),
        ("5m", '"5m"'),
        ("~1.2.0", '"~1.2.0"'),
        (">=1.2.0 <3.0.0", '">=1.2.0 <3.0.0"'),
        ("*", '"*"'),
        ("=1.0.0", '"=1.0.0"'),
        ("no", '"no"'),
        ("On", '"On"'),
        ("y", '"y"'),
        ("NULL", '"NULL"'),
        ("1e3", '"1e3"'),
        (".5", '".5"'),
        (".NaN", '".NaN"'),
        ("2026-11-23", '"2026-11-23"'),
        ("", '""'),
        (" a", '" a"'),
        ("a: b", '"a: b"'),
        ("a #b", '"a #b"'),
        ("<<", '"<<"'),
        ("...", '"..."'),
        ("${{ vars.image }}", '"${{ vars.image }}"'),
        ("<service>: promote <stage>", '"<service>: promote <stage>"'),
        ("#ff8800", '"#ff8800"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("two\nlines", '"two\\nlines"'),
        ("größe", '"größe"'),
        ("\x7f\x85\u2028\ufeff", '"\\u007f\\u0085\\u2028\\ufeff"'),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        (0, "0"),
        (-12, "-12"),
        (2**70, "1180591620717411303424"),
        (0.5, "0.5"),
        (1e16, "1.0e+16"),
        (1e-7, "1.0e-07"),
        (float("inf"), ".inf"),
        (float("-inf"), "-.inf"),
        (float("nan"), ".nan"),
    ],
)
def test_what_is_quoted(value: Any, text: str) -> None:
    assert yaml_writer.scalar(value) == text


def test_the_shape_of_a_document() -> None:
    data = {
        "image": {"repoURL": "registry.example.com/nginx", "constraint": "^1.0.0", "allowTagsRegexes": []},
        "stages": {
            "dev": {"autoPromotionEnabled": True},
            "prod": {"upstream": ["eu", "us"], "requiredSoakTime": "1h", "vars": {}},
            "staging": None,
        },
        "times": ["12:30", "a:b", 5],
        "long": [f"registry.example.com/one/two/three/four/five/{last}" for last in ("six", "ten")],
        "steps": [
            {"uses": "http", "config": {"url": "https://example.com", "headers": [{"name": "A", "value": "1"}]}},
            [["a"], []],
            {},
            "text",
        ],
        "no": "yes",
    }
    assert yaml_writer.document(data) == (
        "image:\n"
        "  repoURL: registry.example.com/nginx\n"
        "  constraint: ^1.0.0\n"
        "  allowTagsRegexes: []\n"
        "stages:\n"
        "  dev:\n"
        "    autoPromotionEnabled: true\n"
        "  prod:\n"
        "    upstream: [eu, us]\n"
        '    requiredSoakTime: "1h"\n'
        "    vars: {}\n"
        "  staging: null\n"
        'times: ["12:30", "a:b", 5]\n'
        "long:\n"
        "  - registry.example.com/one/two/three/four/five/six\n"
        "  - registry.example.com/one/two/three/four/five/ten\n"
        "steps:\n"
        "  - uses: http\n"
        "    config:\n"
        "      url: https://example.com\n"
        "      headers:\n"
        "        - name: A\n"
        '          value: "1"\n'
        "  - - - a\n"
        "    - []\n"
        "  - {}\n"
        "  - text\n"
        '"no": "yes"\n'
    )


def test_an_empty_document() -> None:
    assert yaml_writer.document({}) == "{}\n"
    assert yaml_reader.parse(yaml_writer.document({})) == {}


def test_keys_keep_their_order() -> None:
    keys = ["zeta", "alpha", "10", "9", "mid"]
    assert list(yaml_reader.parse(yaml_writer.document({key: {"x": 1} for key in keys}))) == keys
