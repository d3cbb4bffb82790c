"""Reading YAML: plain data by the rules of YAML 1.2, or one problem with a place and a fix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from helm import values_of
from kargo_fleet.files.reading import RepositoryReader, read_text
from kargo_fleet.findings import Finding, Place, Problem
from kargo_fleet.text import yaml_reader
from kargo_fleet.text.yaml_reader import YamlError
from properties import examples


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, None) for text in ("", "~", "null", "Null", "NULL")),
        *((text, True) for text in ("true", "True", "TRUE")),
        *((text, False) for text in ("false", "False", "FALSE")),
        ("0", 0),
        ("-0", 0),
        ("+12", 12),
        ("017", 17),
        ("0o17", 15),
        ("0x1F", 31),
        ("9007199254740992", 2**53),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5e-3", -0.0005),
        ("1e3", 1000.0),
        ("1E+3", 1000.0),
        ("!!str 1", "1"),
        ("!!int '1'", 1),
        ("!!float 1", 1.0),
        ("'1'", "1"),
        ('"null"', "null"),
        ("|-\n  1", "1"),
        # Not what YAML 1.1 makes of them.
        *((text, text) for text in "y n yes No on OFF tRue nULL 1_000 0b11 -0x1f 0O17 12:30 190:20:30".split()),
        *((text, text) for text in "2026-11-23 1.2.3 v1 ^1.0.0 ~1 .e3 e3 1e . -. + 0x 0xg << = ${{x}}".split()),
        ("- ", [None]),
        ("a b", "a b"),
        ("größe 😀", "größe 😀"),
        ('"\\u00fc\\x41"', "üA"),
    ],
)
def test_scalars(text: str, value: Any) -> None:
    indented = text if not text.startswith("- ") else f"\n{text}"
    assert repr(yaml_reader.parse(f"key: {indented}\n")) == repr({"key": value})


def _read(text: str) -> dict[str, Any] | Problem:
    try:
        return yaml_reader.parse(text)
    except YamlError as error:
        return error.problem


_plain = st.text(st.sampled_from("0123456789+-.eExXoOabfnNuUlLtTrRsS_:~ "), min_size=1, max_size=8)


@examples(500)
@given(_plain.map(str.strip).filter(lambda text: text and text[-1] != ":" and ": " not in text and text[:1] != "-"))
def test_scalars_are_what_another_reader_of_yaml_1_2_says(text: str) -> None:
    ours = _read(f"key: {text}\n")
    if isinstance(ours, Problem):
        assert "for Helm" in ours.message  # more than a float64 holds
        return
    if "_" in text or "o" in text.lower() or text[-1:] == "." or not text.isascii():
        return  # ruamel takes 1_000 and 0O17 for numbers, as YAML 1.1 does
    theirs = YAML(typ="safe", pure=True).load(f"key: {text}\n")
    assert repr(theirs) == repr(ours)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", {}),
        ("\n \n", {}),
        ("# nothing\n", {}),
        ("---\n", {}),
        ("--- # nothing\n...\n", {}),
        ("null\n", {}),
        ("{}\n", {}),
        ("\ufeffa: 1\n", {"a": 1}),
        ("a: 1\r\nb:\r\n  - x\r\n", {"a": 1, "b": ["x"]}),
        ("a: |\r\n  x\r\n  y\r\n", {"a": "x\ny\n"}),
        ("%YAML 1.2\n---\na: 1\n...\n", {"a": 1}),
        ("1: a\ntrue: b\n~: c\n1.0: d\nno: e\n", {"1": "a", "true": "b", "~": "c", "1.0": "d", "no": "e"}),
        ("? a\n", {"a": None}),
        ("a: &x {b: 1}\nc: *x\nd: [*x, *x]\n", {"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}, {"b": 1}]}),
        ("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  b: 3\n", {"a": {"b": 1, "c": 2}, "d": {"b": 3, "c": 2}}),
        ("<<: [{a: 1}, {a: 2, b: 2}]\nc: 3\n", {"c": 3, "a": 1, "b": 2}),
        ("<<: {<<: {a: 1}, b: 2}\n", {"b": 2, "a": 1}),
        ("'<<': {a: 1}\n", {"<<": {"a": 1}}),
        ("<<: []\n", {}),
        ("a: <<\n", {"a": "<<"}),
        ("a: !!map {b: !!seq [c]}\n", {"a": {"b": ["c"]}}),
    ],
)
def test_documents(text: str, data: dict[str, Any]) -> None:
    assert repr(yaml_reader.parse(text)) == repr(data)


def test_merge_keys_mean_what_they_mean_to_helm(tmp_path: Path) -> None:
    text = """
        base: &base {a: 1, b: {x: 1}}
        more: &more {a: 2, c: 3}
        one: {<<: *base, a: 5}
        both: {<<: [*base, *more], d: 4}
        nested: {<<: {<<: *more, c: 9}}
        """
    assert yaml_reader.parse(text) == values_of(tmp_path / "one", text)
    # But Helm lets what is merged win over what stands before it, where YAML's own rule lets the key itself win.
    assert yaml_reader.parse("a: {x: 1, <<: {x: 2}}") == {"a": {"x": 1}}
    assert values_of(tmp_path / "two", "a: {x: 1, <<: {x: 2}}") == {"a": {"x": 2}}


KEYS = "write `key: value` lines"
INDENT = "check the indentation of this line and the one before it, and the quotes"
QUOTE = "quote the value, because of the character that it starts with"
COLON = "quote the value if it holds a colon and a space, or check the indentation"
TWICE = "remove the duplicate; Helm would use only the last value"
SPACES = "indent with spaces; YAML allows no tabs there"
DIGITS = "quote it if it is a string"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # What people really write.
        ("a:\n\tb: 1\n", ("KF002", 2, 1, "a tab indents this line", SPACES)),
        ("a:\n  \tb: 1\n  c: 2\n", ("KF002", 2, 3, "a tab indents this line", SPACES)),
        ("a: foo: bar\n", ("KF002", 1, 7, "not valid YAML: mapping values are not allowed in this context", COLON)),
        ("a: 1\n  b: 2\n", ("KF002", 2, 4, "not valid YAML: mapping values are not allowed in this context", COLON)),
        ("a:\n  b: 1\n c: 2\n", ("KF002", 3, 2, "not valid YAML: did not find expected key", INDENT)),
        ("a: 'it's'\n", ("KF002", 1, 8, "not valid YAML: did not find expected key", INDENT)),
        (
            "a: 1\nb\nc: 2\n",
            (
                "KF002",
                3,
                1,
                "not valid YAML: could not find expected ':'",
                "write `key: value`, with a space after the colon",
            ),
        ),
        (
            "constraint: *\n",
            ("KF002", 1, 13, "not valid YAML: did not find expected alphabetic or numeric character", QUOTE),
        ),
        (
            "constraint: >=1.2.0 <3.0.0\n",
            ("KF002", 1, 13, "not valid YAML: did not find expected comment or line break", QUOTE),
        ),
        ("a: @b\n", ("KF002", 1, 4, "not valid YAML: found character that cannot start any token", QUOTE)),
        (
            "constraint: !=1.0\n",
            ("KF004", 1, 13, "the tag !=1.0 is not supported", "remove it, or quote the value if it starts with !"),
        ),
        (
            "a: {{ b }}\n",
            ("KF004", 1, 5, "a key is not a string", "write `key: value` lines; quote a value that starts with {"),
        ),
        (
            "a: *b\n",
            (
                "KF002",
                1,
                4,
                "not valid YAML: found undefined alias",
                "define the anchor, or quote the value if it is a string that starts with *",
            ),
        ),
        (
            'größe: 1\na: "b\nc: 2\n',
            ("KF002", 2, 4, "not valid YAML: found unexpected end of stream", "close the quote that opens here"),
        ),
        (
            "a: [1, 2\nb: 3\n",
            (
                "KF002",
                2,
                2,
                "not valid YAML: did not find expected ',' or ']'",
                "close the bracket, and put a comma between the items",
            ),
        ),
        ("a: 1\nb: {x: 1,\n  a: 2, x: 3}\n", ("KF003", 3, 9, 'duplicate key "x"', TWICE)),
        ("stages:\n  dev: {}\nimage: {}\nstages: {}\n", ("KF003", 4, 1, 'duplicate key "stages"', TWICE)),
        ("a: 1\n'a': 2\n", ("KF003", 2, 1, 'duplicate key "a"', TWICE)),
        ("1: a\n'1': b\n", ("KF003", 2, 1, 'duplicate key "1"', TWICE)),
        ("- a: {b: 1, b: 1}\n", ("KF004", 1, 1, "the document is not a mapping", KEYS)),
        (
            "a: 1\n---\nb: 2\n",
            ("KF002", 2, 1, "a second document starts here", "keep one document, without `---` in between"),
        ),
        ("text\n", ("KF004", 1, 1, "the document is not a mapping", KEYS)),
        ("# a list\n- a\n", ("KF004", 2, 1, "the document is not a mapping", KEYS)),
        ("a:b\n", ("KF004", 1, 1, "the document is not a mapping", KEYS)),
        (
            "a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> other\n",
            (
                "KF002",
                2,
                1,
                "unresolved merge conflict",
                "keep the lines that you want, and remove those with <<<<<<<, ======= and >>>>>>>",
            ),
        ),
        # What they hardly ever do.
        ("größe: \x07\n", ("KF002", 1, 8, "the character U+0007 is not allowed in YAML", "remove it")),
        ("a: 1\n\0", ("KF002", 2, 1, "the character U+0000 is not allowed in YAML", "remove it")),
        ("? [a]\n: 1\n", ("KF004", 1, 3, "a key is not a string", f"{KEYS}; quote a value that starts with {{")),
        ("a: &x\n  b: *x\n", ("KF004", 1, 4, "an alias refers to the node that contains it", "remove the alias")),
        ("a: &x {<<: *x}\n", ("KF004", 1, 4, "an alias refers to the node that contains it", "remove the alias")),
        ("<<: 1\n", ("KF004", 1, 5, "`<<` requires a mapping", "refer to a mapping")),
        ("<<: [{}, a]\n", ("KF004", 1, 10, "`<<` requires a mapping", "refer to a mapping")),
        (
            "a: &x 1\nb: &x 2\n",
            ("KF002", 2, 4, "not valid YAML: duplicate anchor", "rename the second anchor"),
        ),
        (
            "a: !!binary eA==\n",
            ("KF004", 1, 4, "the tag !!binary is not supported", "remove it, or quote the value if it starts with !"),
        ),
        (
            "a: !!set {b}\n",
            ("KF004", 1, 4, "the tag !!set is not supported", "remove it, or quote the value if it starts with !"),
        ),
        ("a: !!int b\n", ("KF004", 1, 4, "b is not a valid int for Helm", "correct the value or its tag")),
        ("a: !!bool yes\n", ("KF004", 1, 4, "yes is not a valid bool for Helm", "correct the value or its tag")),
        ("a: 9007199254740993\n", ("KF004", 1, 4, "9007199254740993 is not a valid int for Helm", DIGITS)),
        ("a: 1e400\n", ("KF004", 1, 4, "1e400 is not a valid float for Helm", DIGITS)),
        ("a: -.inf\n", ("KF004", 1, 4, "-.inf is not a valid float for Helm", DIGITS)),
        ("a: .NaN\n", ("KF004", 1, 4, ".NaN is not a valid float for Helm", DIGITS)),
        (
            f"a: 0x{'f' * 5000}\n",
            ("KF004", 1, 4, f"0x{'f' * 37}… is not a valid int for Helm", DIGITS),
        ),
        (
            f"a: {'9' * 5000}\n",
            ("KF004", 1, 4, f"{'9' * 39}… is not a valid int for Helm", "correct the value or its tag"),
        ),
        (
            "".join(f"{' ' * depth}a:\n" for depth in range(500)),
            ("KF004", 101, 101, "the document is nested deeper than 100 levels", "flatten it"),
        ),
        (
            f"a: {'[' * 5000}{']' * 5000}\n",
            ("KF004", 1, 103, "the document is nested deeper than 100 levels", "flatten it"),
        ),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, str) else "",
)
def test_problems(text: str, expected: tuple[Any, ...]) -> None:
    with pytest.raises(YamlError) as caught:
        yaml_reader.parse(text)
    problem = caught.value.problem
    code, line, column, message, fix = expected
    assert problem.in_file("a.yaml", "nginx") == Finding(Place("a.yaml", line, column), code, message, fix, "nginx")


def test_aliases_that_grow_without_end() -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    text += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
    with pytest.raises(YamlError) as caught:
        yaml_reader.parse(text)
    assert caught.value.problem.message == "aliases expand to more than 200,000 nodes"


_indicators = [": ", "\n  ", "- ", "a: ", "&a ", "*a", "<<: ", "!!int ", "---\n"]
_parts = st.sampled_from([*"ab:-?,[]{}#&*!|>'\"%@`~<=. \n\t\\01é\u2028\ufeff", *_indicators])
_yaml_like = st.lists(_parts, max_size=30).map("".join)


def test_a_scalar_of_several_lines_is_shown_on_one() -> None:
    with pytest.raises(YamlError) as caught:
        yaml_reader.parse("0: !!int 0\n\n 0")
    assert caught.value.problem.message == "0 0 is not a valid int for Helm"


@examples(1500)
@given(st.text() | _yaml_like | _yaml_like.map("a: {}\n".format))
def test_nothing_but_data_or_a_problem(text: str) -> None:
    read = _read(text)
    if isinstance(read, Problem):
        assert read.position is not None
        assert 1 <= read.position.line <= len(text) + 1
        assert 1 <= read.position.column <= len(text) + 2
        assert read.message
        assert read.fix
        assert "\n" not in read.message + read.fix
    else:
        for key in read:
            assert isinstance(key, str)
            assert yaml_reader.locate(text, [key], key=True)[1] == 1


# -- Places -----------------------------------------------------------------------------------------------------------

TEXT = """\
# A comment
image:
  repoURL: a/b
stages:
  dev: {autoPromotionEnabled: true, upstream: [a, b]}
  "prod":
    upstream:
      - x
      - y
base: &base
  vars: {p: 1}
more:
  <<: *base
  own: *base
many:
  <<: [{c: 1}, *base]
empty:
"""


@pytest.mark.parametrize(
    ("path", "value", "key", "found"),
    [
        ((), (2, 1), (2, 1), 0),
        (("image",), (2, 1), (2, 1), 1),
        (("image", "repoURL"), (3, 12), (3, 3), 2),
        (("stages", "dev", "autoPromotionEnabled"), (5, 31), (5, 9), 3),
        (("stages", "dev", "upstream", 1), (5, 51), (5, 51), 4),
        (("stages", "prod"), (6, 3), (6, 3), 2),
        (("stages", "prod", "upstream", 1), (9, 9), (9, 9), 4),
        (("empty",), (17, 7), (17, 1), 1),
        # The deepest part that there is.
        (("image", "constraint"), (2, 1), (2, 1), 1),
        (("nothing", "at", "all"), (2, 1), (2, 1), 0),
        (("stages", "prod", "upstream", 5), (7, 5), (7, 5), 3),
        (("image", "repoURL", "x", 0), (3, 3), (3, 3), 2),
        # What an alias or a merge brings.
        (("more", "own"), (14, 3), (14, 3), 2),
        (("more", "vars", "p"), (11, 13), (11, 10), 3),
        (("more", "own", "vars"), (11, 3), (11, 3), 3),
        (("many", "c"), (16, 12), (16, 9), 2),
        (("many", "vars"), (11, 3), (11, 3), 2),
    ],
)
def test_locate(path: tuple[str | int, ...], value: tuple[int, int], key: tuple[int, int], found: int) -> None:
    assert yaml_reader.locate(TEXT, path) == (value, found)
    assert yaml_reader.locate(TEXT, path, key=True) == (key, found)


def test_locate_in_texts_without_places() -> None:
    assert yaml_reader.locate("", ["a"]) == ((1, 1), 0)
    assert yaml_reader.locate("a: 1\nb: [\n", ["a"]) == ((3, 1), 0)


# -- Files ------------------------------------------------------------------------------------------------------------


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbfgr\xc3\xb6\xc3\x9fe: 1\r\n")
    assert read_text(RepositoryReader(tmp_path), "a.yaml") == "größe: 1\r\n"


@pytest.mark.parametrize(
    ("data", "line", "column"),
    [
        (b"a: \xff\n", 1, 4),
        (b"a: 1\nb: caf\xe9\n", 2, 7),
        ("größe: ".encode() + b"\xe4", 1, 8),
        (b"\xef\xbb\xbfa: \xff\n", 1, 4),
        ("a: 1\n".encode("utf-16"), 1, 1),
    ],
)
def test_a_file_that_is_not_utf_8(tmp_path: Path, data: bytes, line: int, column: int) -> None:
    file = tmp_path / "services/a/kargo.yaml"
    file.parent.mkdir(parents=True)
    file.write_bytes(data)
    place = Place("services/a/kargo.yaml", line, column)
    expected = Finding(place, "KF001", "the file is not UTF-8 text", "save it as UTF-8", "a")
    assert read_text(RepositoryReader(tmp_path), "services/a/kargo.yaml", "a") == expected


def test_what_cannot_be_read(tmp_path: Path) -> None:
    fix = "check that it is a file that you may read"
    (tmp_path / "a").mkdir()
    folder = Finding(Place("a"), "KF001", "cannot be read: Is a directory", fix)
    missing = Finding(Place("b"), "KF001", "cannot be read: No such file or directory", fix)
    assert read_text(RepositoryReader(tmp_path), "a") == folder
    assert read_text(RepositoryReader(tmp_path), "b") == missing
