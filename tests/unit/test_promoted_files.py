"""Kargo's own `yaml-update` agrees with what is said here of a values file before the first promotion."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from contract import upstream
from contract.fixtures import Oracle
from kargo_fleet.text import yaml_reader
from kargo_fleet.unit import promoted_files
from properties import examples

NEW = "v9.8.7"


def _kargo(oracle: Oracle, text: str, key: str, new: str = NEW) -> str:
    """Return what becomes of a file: "fine", "loses a comment" or "damage". Comments look like #c1, values do not."""
    try:
        (answer,) = oracle("yaml-update", [{"text": text, "updates": [{"key": key, "value": new}]}])
    except upstream.UpstreamError:  # it panics
        return "damage"
    if "error" in answer:
        return "damage"
    after = answer["text"]
    wanted = copy.deepcopy(_load(text))
    parent = wanted
    *way, last = promoted_files.split_key(key)
    try:
        for part in way:
            parent = parent[int(part) if isinstance(parent, list) else part]
        parent[int(last) if isinstance(parent, list) else last] = new
        if _load(after) != wanted or _marks(after) != _marks(text):
            return "damage"
    except (yaml.YAMLError, LookupError, TypeError):
        return "damage"
    return "fine" if _comments(after) == _comments(text) else "loses a comment"


def _load(text: str) -> Any:
    """The first document, with texts for scalars. Of keys that appear twice the last counts, as for Helm."""
    return next(yaml.load_all(text, yaml.CBaseLoader))


def _marks(text: str) -> list[str]:
    """Everything in the text but scalars: what a new value must not change."""
    return [repr(token) for token in yaml.scan(text, yaml.CBaseLoader) if not isinstance(token, yaml.ScalarToken)]


def _comments(text: str) -> list[str]:
    return re.findall(r"#c[0-9]+", text)


def _verdict(text: str, key: str) -> str:
    problem = promoted_files.problem(text, [key])
    return "fine" if problem is None else "loses a comment" if problem.code == "KFW401" else "damage"


# -- One file at a time ------------------------------------------------------------------------------------------------

CASES = [
    # What a promotion can write.
    ("image:\n  tag: v1\n", "image.tag", None),
    ("image:\n  tag:\n", "image.tag", None),
    ("image:\n  tag: \n  repository: a\n", "image.tag", None),
    ("image:\n  tag: ''\n", "image.tag", None),
    ('image:\n  tag: "v1"   \n', "image.tag", None),
    ("image:\n  tag: ~\n", "image.tag", None),
    ("image:\n  tag: 1.10\n", "image.tag", None),
    ("image:\n  tag:\tv1\n", "image.tag", None),
    ("image:\n  tag:\n    v1\n", "image.tag", None),
    ("image:\n  tag:\n    #c1\n    v1\n", "image.tag", None),
    ("#c1\nimage: #c2\n  #c3\n  tag: v1\n  #c4\n", "image.tag", None),
    ("image:\r\n  tag: v1\r\nmore: |\r\n  a\r\n", "image.tag", None),
    ("tag: v1\n", "tag", None),
    ("tag: v1#c\n", "tag", None),
    ("? tag\n: v1\n", "tag", None),
    ("'tag' : v1\n", "tag", None),
    ("--- #c1\nimage:\n  tag: v1\n---\nimage: {tag: v2} #c2\n", "image.tag", None),
    ("image: {\n  repository: a,\n  tag: v1\n}\n", "image.tag", None),
    ("images:\n  - tag: v0\n  - name: a\n    tag: v1\n", "images.1.tag", None),
    ("images:\n- v0\n- v1\n", "images.01", None),
    ("images:\n  - - v0\n    - v1\n", "images.0.1", None),
    ("images:\n  -\n  - v1\n", "images.0", None),
    ("images:\n  1:\n    tag: v1\n", "images.:1.tag", None),
    ("a.b:\n  c:d: v1\n", r"a\.b.c\:d", None),
    ("größe:\n  tag: v1\n", "größe.tag", None),
    ("größe:\n  日: 5\n  tag: v1 # #c1\n", "größe.tag", "KFW401"),
    ("größe:\n  v1\n", "größe", None),
    ("image: &image\n  tag: v1\nsidecar: *image\nmore: {<<: *image}\n", "image.tag", None),
    ("image:\n  tag: v1\ntag: v2\ntag: v3\n", "image.tag", None),
    # What is lost on the way.
    ("image:\n  tag: v1 #c1\n", "image.tag", "KFW401"),
    ("image:\n  tag: v1\t #c1\n", "image.tag", "KFW401"),
    ('image:\n  tag: "v1"#c1\n', "image.tag", "KFW401"),
    ("image:\n  tag: #c1\n", "image.tag", "KFW401"),
    ("image:\n  tag: #c1 }\n", "image.tag", "KFW401"),
    ("image: {\n  tag: v1 #c1\n}\n", "image.tag", "KFW401"),
    ("images:\n  - v1 #c1\n", "images.0", "KFW401"),
    # What is not there.
    ("", "image.tag", "KF402"),
    ("#c1\n", "image.tag", "KF402"),
    ("---\n---\nimage: {tag: v1}\n", "image.tag", "KF402"),
    ("image:\n  repository: a\n", "image.tag", "KF402"),
    ("image:\n", "image.tag", "KF402"),
    ("image: v1\n", "image.tag", "KF402"),
    ("- tag: v1\n", "tag", "KF402"),
    ("image.tag: v1\n", "image.tag", "KF402"),
    ("image:\n  Tag: v1\n", "image.tag", "KF402"),
    ("image:\n  tag:\n    a: v1\n", "image.tag", "KF402"),
    ("image:\n  tag: [v1]\n", "image.tag", "KF402"),
    ("image:\n  tag: {}\n", "image.tag", "KF402"),
    ("images: [\n  v1\n]\n", "images.x", "KF402"),
    ("images:\n  - v1\n", "images.1", "KF402"),
    ("images:\n  - v1\n", "images.99999999999999999999", "KF402"),
    ("images:\n  - v1\n", "images.²", "KF402"),
    ("images:\n  - v1\n", "images.-1", "KF402"),
    # What an alias or a merge brings.
    ("base: &base\n  tag: v1\nimage: *base\n", "image.tag", "KF402"),
    ("base: &base\n  tag: v1\nimage:\n  <<: *base\n", "image.tag", "KF402"),
    ("base: &base v1\nimage:\n  tag: *base\n", "image.tag", "KF402"),
    ("base: &base v1\nimages:\n  - *base\n", "images.0", "KF402"),
    ("a: &a v0\nb: &b v1\nimages:\n  - *a\n  - *b\n", "images.1", "KF402"),
    ("images:\n  - &base\n    tag: v1\n  - *base\n", "images.1.tag", "KF402"),
    # What would be cut off, or left behind.
    ("image:\n  tag: &tag v1\nmore: *tag\n", "image.tag", "KF402"),
    ("image:\n  tag: !!str v1\n", "image.tag", "KF402"),
    ("image: {tag: v1}\n", "image.tag", "KF402"),
    ("image: {tag: v1, repository: a}\n", "image.tag", "KF402"),
    ("image: {\n  tag: v1,\n  repository: a\n}\n", "image.tag", "KF402"),
    ("image: {\n  tag: v1, #c1\n}\n", "image.tag", "KF402"),
    ("image: {\n  tag\n}\n", "image.tag", "KF402"),
    ("? image\n", "image", "KF402"),
    ("images: [v1]\n", "images.0", "KF402"),
    ("image:\n  tag: v1\n    v2\n", "image.tag", "KF402"),
    ('image:\n  tag: "v1\n    v2"\n', "image.tag", "KF402"),
    ("image:\n  tag: |-\n    v1\n", "image.tag", "KF402"),
    ("image:\n  tag: >\n    v1\n", "image.tag", "KF402"),
    # Where Kargo counts characters, lines or keys otherwise than the parser.
    ("größe: v1\n", "größe", "KF402"),
    ("日: v1\n", "日", "KF402"),
    ("é:      v1\n", "é", None),
    ("日本: {\n  größe: v1\n}\n", "日本.größe", "KF402"),
    ("\ufefftag: v1\n", "tag", "KF402"),
    ("\ufeffimage:\n  tag: v1\n", "image.tag", None),
    ("# \u2028#c1\nimage:\n  tag: v1\n", "image.tag", "KF402"),
    ("more: 'a\x85b'\nimage:\n  tag: v1\n", "image.tag", "KF402"),
    ("#c1\rimage:\n  tag: v1\n", "image.tag", "KF402"),
    ("image:\n  tag: v1\n# \u2028#c1\n", "image.tag", None),
    ("image:\n  tag: v1\n  tag: v2\n", "image.tag", "KF003"),
    ("image:\n  a: v1\nimage:\n  tag: v2\n", "image.tag", "KF003"),
    ("image:\n  tag: v1\n  'tag': v2\n", "image.tag", "KF003"),
]
KARGO_SAYS = {None: "fine", "KFW401": "loses a comment", "KF402": "damage", "KF003": "damage"}


@pytest.mark.parametrize(("text", "key", "code"), CASES, ids=[repr(text) for text, _, _ in CASES])
def test_a_values_file(oracle: Oracle, text: str, key: str, code: str | None) -> None:
    problem = promoted_files.problem(text, [key])
    assert (problem and problem.code) == code
    assert _kargo(oracle, text, key) == KARGO_SAYS[code]


@pytest.mark.parametrize(
    "tag", ["1.2.3", "1.10", "1e3", "20261123", "007", "true", "null", "latest", f"sha256:{'0' * 64}"]
)
def test_any_tag_is_written(oracle: Oracle, tag: str) -> None:
    assert _kargo(oracle, "image:\n  tag: v1\n", "image.tag", tag) == "fine"


@pytest.mark.parametrize(
    ("text", "place", "message", "fix"),
    [
        (
            "tag: v1 # mine\n",
            (1, 9),
            "the first promotion removes the comment after tag",
            "move it to a line of its own",
        ),
        ("a: 1\n", (1, 1), "key tag is missing", "add `tag: <version>`; the first promotion sets it"),
        ("a: 1\ntag: {}\n", (2, 1), "tag is not a scalar", "write `tag: <version>`"),
        (
            "{tag: v1, name: a}\n",
            (1, 7),
            "the first promotion removes the text after tag on its line: , name: a}",
            "write each key on a line of its own: `tag: v1`",
        ),
        (
            "tag: v1\ntag: v2\n",
            (2, 1),
            'duplicate key "tag"',
            "remove the duplicate; a promotion writes the first, Helm reads the last",
        ),
        (
            "b: &b v1\ntag: *b\n",
            (2, 1),
            "tag is an alias, which a promotion does not follow",
            "replace the alias with its value",
        ),
        ("tag: &b v1\n", (1, 6), "tag has an anchor, which the first promotion removes", "write the plain value"),
        ("tag: !!str v1\n", (1, 6), "tag has a tag, which the first promotion removes", "write the plain value"),
        (
            "tag: >-\n  v1\n",
            (1, 6),
            "tag spans several lines; a promotion replaces only the first",
            "write the value on one line",
        ),
        ("? tag\n", (2, 1), "tag has no colon", "write `tag: <version>`"),
        (
            "{größe: 1,\nü: 2, tag:\n v1, é: {tag: v2}}\n",
            (3, 2),
            "the first promotion removes the text after tag on its line: , é: {tag: v2}}",
            "write each key on a line of its own: `tag: v1`",
        ),
        (
            "{üü: 1, tag: v1\n}\n",
            (1, 14),
            "the first promotion cuts off part of the non-ASCII text before tag on its line",
            "write the value on a line of its own, below its key",
        ),
        (
            "a: 1\n# x \u2028\ntag: v1\n",
            (2, 5),
            "the line break '\\u2028' before tag makes promotions miss its line",
            "remove it; end lines with \\n or \\r\\n",
        ),
    ],
)
def test_what_people_are_told(text: str, place: tuple[int, int], message: str, fix: str) -> None:
    problem = promoted_files.problem(text, ["tag"])
    assert problem is not None
    assert (problem.position, problem.message, problem.fix) == (place, message, fix)


@pytest.mark.parametrize(
    ("text", "key", "fix"),
    [
        ("image: {tag: 1.0.0}\n", "image.tag", "write each key on a line of its own: `image:`, then `  tag: 1.0.0`"),
        (
            "a: {b: {'c': 'x', d: 1}}\n",
            "a.b.c",
            "write each key on a line of its own: `a:`, then `  b:`, then `    c: 'x'`",
        ),
        ("images: [v1]\n", "images.0", "write one `key: value` or `- value` per line"),
    ],
)
def test_the_fix_for_a_flow_mapping_is_what_to_write(text: str, key: str, fix: str) -> None:
    problem = promoted_files.problem(text, [key])
    assert problem is not None
    assert problem.fix == fix
    lines = re.findall(r"`([^`]*)`", problem.fix)
    if "then" in fix:
        assert promoted_files.problem("\n".join(lines) + "\n", [key]) is None


def test_several_keys() -> None:
    """An error counts more than a warning before it."""
    text = "image:\n  tag: v1 # mine\n  digest: v2\n"
    assert promoted_files.problem(text, ["image.digest"]) is None
    lost = promoted_files.problem(text, ["image.digest", "image.tag"])
    assert lost == promoted_files.problem(text, ["image.tag"])
    assert lost is not None
    assert lost.code == "KFW401"
    missing = promoted_files.problem(text, ["image.tag", "image.sha"])
    assert missing is not None
    assert (missing.code, missing.position) == ("KF402", (1, 1))
    assert missing.fix == "add `sha: <version>` under image:; the first promotion sets it"


def test_what_is_not_yaml() -> None:
    with pytest.raises(yaml_reader.YamlError):
        promoted_files.problem("image:\n\ttag: v1\n", ["image.tag"])


# -- Any file ----------------------------------------------------------------------------------------------------------


class _Writer:
    """Writes a YAML text at random: every style, every place for a comment. Values are v1, v2, … and never twice."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.count = 0
        self.anchors: list[str] = []

    def number(self) -> int:
        self.count += 1
        return self.count

    def one_of(self, *choices: str) -> str:
        return self.draw(st.sampled_from(choices))

    def comment(self) -> str:
        return self.one_of("", "", "", " #c{}", "  #c{}").format(self.number())

    def key(self) -> str:
        return self.one_of(
            "image", "tag", "tag", "größe", "日", '"image"', "'tag'", "a b", "1", "0", "x.y", "x:y", "😀"
        )

    def scalar(self) -> str:
        text = self.one_of(
            "v{}", "v{}", '"v{}"', "'v{}'", "''", "1.{}", "v{} w", "v{}#x", "'v{} ''x'", '"v{} \\" x"', "vé{}"
        )
        return text.format(self.number())

    def properties(self) -> str:
        kind = self.one_of("", "", "", "", "&a ", "!!str ", "&a !x ")
        if "&" in kind:
            name = f"a{self.number()}"
            self.anchors.append(name)
            kind = kind.replace("&a", f"&{name}")
        return kind

    def flow(self, depth: int) -> str:
        kind = self.one_of("scalar", "scalar", "map", "list", "long map", "bare") if depth else "scalar"
        if kind == "scalar":
            return self.one_of(self.scalar(), self.scalar(), "", *(f"*{name}" for name in self.anchors)) or "''"
        inner = [self.flow(depth - 1) for _ in range(self.draw(st.integers(0, 3)))]
        if kind == "list":
            return f"[{', '.join(inner)}]"
        if kind == "long map":
            lines = "".join(
                f"  {self.key()}: {value}{self.one_of(',', ',', ' ,')}{self.comment()}\n" for value in inner
            )
            return f"{{{self.comment()}\n{lines}}}"
        if kind == "bare":
            return self.one_of(
                "{tag}", "{tag: }", "{\n tag\n }", "[tag: v]", "{'tag':v}", "{tag: v\n }", "{\n tag:\n }"
            )
        return f"{{{', '.join(f'{self.key()}: {value}' for value in inner)}}}"

    def value(self, indent: str, depth: int) -> str:
        """What stands behind `key:`, to the end of its last line."""
        kind = self.one_of(
            "scalar",
            "scalar",
            "scalar",
            "empty",
            "flow",
            "block",
            "folded",
            "long",
            "quoted",
            "alias",
            "below",
            "map",
            "list",
        )
        more = f"\n{indent}  "
        if kind == "empty":
            return self.comment()
        if kind == "flow":
            return f" {self.properties()}{self.flow(2)}".replace("\n", more) + self.comment()
        if kind == "block":
            return f" {self.one_of('|', '>', '|-', '>+', '|2-')}{self.comment()}{more}v{self.number()}{more}#x"
        if kind == "folded":
            return f" v{self.number()}{more}w{self.comment()}"
        if kind == "quoted":
            return self.one_of(' "v{}{}w"', " 'v{}{}w'").format(self.number(), more) + self.comment()
        if kind == "alias" and self.anchors:
            return f" *{self.one_of(*self.anchors)}{self.comment()}"
        if kind == "below":
            return f"{self.comment()}{more}{self.properties()}{self.scalar()}{self.comment()}"
        if depth and kind == "map":
            return f" {self.properties()}{self.comment()}\n{self.mapping(indent + '  ', depth - 1)}".rstrip("\n")
        if depth and kind == "list":
            return f"{self.comment()}\n{self.sequence(indent + self.one_of('', '  '), depth - 1)}".rstrip("\n")
        return f"{self.one_of(' ', ' ', '   ', chr(9))}{self.properties()}{self.scalar()}{self.comment()}"

    def mapping(self, indent: str, depth: int) -> str:
        text = ""
        for _ in range(self.draw(st.integers(1, 3))):
            text += self.one_of("", "", "\n", f"{indent}#c{self.number()}\n")
            colon = self.one_of(":", ":", ":", " :")
            explicit = self.one_of("", "", "", "", "", f"? {self.key()}\n{indent}")
            head = f"{explicit}:" if explicit else f"{self.key()}{colon}"
            text += f"{indent}{head}{self.value(indent, depth)}\n"
        return text

    def sequence(self, indent: str, depth: int) -> str:
        text = ""
        for _ in range(self.draw(st.integers(1, 3))):
            if depth and self.draw(st.booleans()):
                text += f"{indent}- {self.mapping(indent + '  ', depth - 1).lstrip()}"
            else:
                text += f"{indent}-{self.value(indent, 0)}\n"
        return text

    def document(self) -> str:
        text = self.one_of("", "", "---\n", "--- #c0\n", "# #c0\n\n", "%YAML 1.1\n---\n") + self.mapping("", 2)
        text += self.one_of("", "", "", "---\nother: v0 # x\n", "...\n", "---\n- image: &z v0\n")
        return text.replace("\n", self.one_of("\n", "\n", "\r\n"))


_yaml_texts = st.composite(lambda draw: _Writer(draw).document())()


def _keys(value: Any) -> list[list[str]]:
    """Every path in a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [[str(part), *path] for part, inner in items for path in ([], *_keys(inner))]


@examples(120)
@given(_yaml_texts)
def test_any_values_file(oracle: Oracle, text: str) -> None:
    """No error that is none, and none missed; and a comment is called lost exactly when it will be."""
    try:
        yaml_reader.compose(text, first_only=True)
    except yaml_reader.YamlError:
        assert _kargo(oracle, text, "image.tag") == "damage"
        return
    try:
        data = _load(text)
    except yaml.constructor.ConstructorError:  # a document that contains itself
        assume(False)
    for path in _keys(data):
        key = ".".join(re.sub(r"[.:]", r"\\\g<0>", part) for part in path)
        assert (_verdict(text, key), key) == (_kargo(oracle, text, key), key)
