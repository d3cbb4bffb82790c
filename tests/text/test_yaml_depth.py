"""Texts that would end the process, or take for ever, if libyaml's composer got them."""

from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kargo_fleet.text import yaml_manifests
from kargo_fleet.text.yaml_reader import YamlError, locate, parse
from properties import examples

DEEP = {
    "lists": "a: " + "[" * 25_000,
    "a megabyte of lists": "a: " + "[" * (1 << 20),
    "mappings": "a: " + "{a: " * 25_000,
    "quotes that are none": "a: " + '[a"b, ' * 25_000,
    "closed in a quote": "a: " + '["]", ' * 25_000,
    "closed in a comment": "a: " + "[ # ]\n " * 25_000,
    "items": "- " * 25_000,
    "items below a key": "a:\n" + "- " * 25_000 + "\n",
    "items with tabs": "-\t" * 25_000,
    "keys of keys": "? " * 25_000 + "x",
    "blocks": "\n".join(" " * depth + "a:" for depth in range(1400)),
    "blocks on lines that end with a carriage return": "\r".join(" " * depth + "a:" for depth in range(1400)),
    "blocks on lines that end with U+2028": "\u2028".join(" " * depth + "a:" for depth in range(1400)),
    "items on a line that ends with U+0085": "a:\x85" + "- " * 25_000,
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_a_deep_text(text: str) -> None:
    with pytest.raises(YamlError, match=r"nested deeper than 100 levels|not valid YAML|cannot start"):
        parse(text)
    assert locate(text, ("a", 0))[1] == 0


@pytest.mark.parametrize("depth", [99, 100])
@pytest.mark.parametrize("pad", [0, 1000])
def test_the_limit_is_the_same_however_it_is_found(depth: int, pad: int) -> None:
    """Many brackets make the reader count events; few leave it to the builder."""
    text = f"a: {'[' * depth}{']' * depth}\nb: [{'[],' * pad}]\n"
    if depth < 100:
        assert parse(text)["b"] == [[]] * pad
        return
    with pytest.raises(YamlError, match="nested deeper than 100 levels") as caught:
        parse(text)
    assert caught.value.problem.position == (1, 103)


@examples(300)
@given(st.text(alphabet="[]{}-?: \n\"'#,a&*!|>", max_size=40))
def test_counting_events_finds_what_the_composer_finds(text: str) -> None:
    def outcome(padded: str) -> object:
        try:
            return parse(padded)
        except YamlError as error:
            return error.problem.code, error.problem.message

    flat, deep = outcome(text), outcome(f"{text}\n#{'[' * 1000}")
    assert flat == deep


def test_many_nodes_without_an_alias() -> None:
    with pytest.raises(YamlError, match="the document has more than 200,000 nodes"):
        parse(f"a: [{'0,' * 200_000}]")


def test_many_directives() -> None:
    """libyaml compares each with all before it."""
    with pytest.raises(YamlError, match="%TAG"):
        parse("".join(f"%TAG !a{number}! x\n" for number in range(60_000)) + "---\na: 1")


def test_many_mistakes_are_found_at_once() -> None:
    text = "".join(f"a{number}: 1\n" for number in range(10_000))
    start = time.process_time()
    assert [locate(text, (f"a{number}",), key=True)[0].line for number in range(0, 10_000, 100)] == list(
        range(1, 10_001, 100)
    )
    assert time.process_time() - start < 5


def test_a_deep_manifest() -> None:
    with pytest.raises(yaml.YAMLError, match="nested deeper than 200 levels"):
        yaml_manifests.parse("a: " + "[" * 25_000)
    assert yaml_manifests.parse("a: " + "9" * 5000) == [{"a": "9" * 5000}]
