"""The values files that promotions write: check whether Kargo's `yaml-update` step can write them.

The step changes one line: it finds the scalar at the key, and replaces everything from its first character to the end
of the line (github.com/akuity/kargo v1.11.2, pkg/yaml/yaml.go; key syntax: pkg/sjson). A missing key fails the
first promotion in the cluster, a truncated line breaks the file. tests/unit/test_promoted_files.py compares with that code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import yaml

from kargo_fleet.findings import Position, Problem, position_at
from kargo_fleet.text import yaml_reader

_INDEX = re.compile(r"[0-9]{1,9}")
# These end a line for YAML parsers; for the step, only \n does.
_ODD_BREAK = re.compile(r"\r(?!\n)|[\x85\u2028\u2029]")


@lru_cache(maxsize=1024)  # a fleet has few keys, and each file of each service is asked for them
def split_key(key: str) -> Sequence[str]:
    r"""Return the parts of a key such as image.tag. `\.` and `\:` escape; a colon before a part is dropped."""
    parts = re.split(r"(?<!\\)\.", key)
    return tuple(re.sub(r"\\([.:])", r"\1", part.removeprefix(":")) for part in parts)


class Present(NamedTuple):
    """The value that a key of a file has before the first promotion."""

    value: str
    position: Position


def problem(text: str, keys: list[str]) -> Problem | None:
    """Return the first reason why the scalars at `keys` cannot be written in a YAML text, None when all can.

    A comment that will be lost is reported only if there is no error. Raises yaml_reader.YamlError when the text
    is not YAML.
    """
    return examine(text, keys)[0]


def examine(text: str, keys: list[str]) -> tuple[Problem | None, dict[str, Present]]:
    """Return what `problem` does, and the present value of every key that can be written.

    Raises yaml_reader.YamlError when the text is not YAML.
    """
    root = yaml_reader.compose(text, first_only=True)
    lost_comment = None
    present: dict[str, Present] = {}
    for key in keys:
        found = _find(root, split_key(key), key)
        cut = found if isinstance(found, Problem) else _cut(found, text, key)
        if cut is not None and cut.code != "KFW401":
            return cut, present
        if isinstance(found, yaml.ScalarNode):
            present[key] = Present(found.value, _position(found.start_mark))
        lost_comment = lost_comment or cut
    return lost_comment, present


def _find(root: yaml.Node | None, parts: Sequence[str], key: str) -> yaml.ScalarNode | Problem:
    node = root
    here = Position(1, 1)
    for part in parts:
        if (twice := _twice(node, part)) is not None:
            fix = "remove the duplicate; a promotion writes the first, Helm reads the last"
            return Problem("KF003", f'duplicate key "{part}"', fix, position=_position(twice.start_mark))
        if node is None or (step := _child(node, part)) is None:
            fix = f"add {_example(parts)}; the first promotion sets it"
            return Problem("KF402", f"key {key} is missing", fix, position=here)
        before, child = step
        if isinstance(node, yaml.MappingNode):
            here = _position(before[0].start_mark)
        if child.start_mark.index < max([node.start_mark.index, *(other.end_mark.index for other in before)]):
            message = f"{key} is an alias, which a promotion does not follow"
            return Problem("KF402", message, "replace the alias with its value", position=here)
        node = child
    if not isinstance(node, yaml.ScalarNode):
        return Problem("KF402", f"{key} is not a scalar", f"write {_example(parts)}", position=here)
    return node


def _position(mark: yaml.Mark) -> Position:
    return Position(mark.line + 1, mark.column + 1)


def _child(node: yaml.Node, part: str) -> tuple[list[yaml.Node], yaml.Node] | None:
    """Return the value at one part of a key, and what ends before it unless it is an alias: its key, or other items."""
    if isinstance(node, yaml.MappingNode):
        return next((([key], value) for key, value in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode) and _INDEX.fullmatch(part) and int(part) < len(node.value):
        return node.value[: int(part)], node.value[int(part)]
    return None


def _twice(node: yaml.Node | None, part: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    keys = [key for key, _ in node.value if key.value == part]
    return keys[1] if len(keys) > 1 else None


def _cut(node: yaml.ScalarNode, text: str, key: str) -> Problem | None:
    start, end = node.start_mark, node.end_mark
    here = _position(start)
    if (odd := _ODD_BREAK.search(text, 0, start.index)) is not None:
        message = f"the line break {odd[0]!a} before {key} makes promotions miss its line"
        fix = "remove it; end lines with \\n or \\r\\n"
        return Problem("KF402", message, fix, position=position_at(text, odd.start()))
    source = text.split("\n")[start.line]
    # The step uses the column, which counts characters, as a number of bytes.
    if source[: start.column].encode()[start.column :].strip():
        message = f"the first promotion cuts off part of the non-ASCII text before {key} on its line"
        return Problem("KF402", message, "write the value on a line of its own, below its key", position=here)
    if start.index == end.index and source[: start.column].rstrip()[-1:] not in (":", "-"):
        return Problem("KF402", f"{key} has no colon", f"write {_example(split_key(key))}", position=here)
    if source[start.column : start.column + 1] in ("&", "!"):
        what = "an anchor" if source[start.column] == "&" else "a tag"
        message = f"{key} has {what}, which the first promotion removes"
        return Problem("KF402", message, "write the plain value", position=here)
    if start.line != end.line or node.style in ("|", ">"):
        message = f"{key} spans several lines; a promotion replaces only the first"
        return Problem("KF402", message, "write the value on one line", position=here)
    rest = source[end.column :].strip()
    if rest.startswith("#"):
        message = f"the first promotion removes the comment after {key}"
        comment = Position(here.line, source.index("#", end.column) + 1)
        return Problem("KFW401", message, "move it to a line of its own", position=comment)
    if rest:
        message = f"the first promotion removes the text after {key} on its line: {rest}"
        return Problem(
            "KF402", message, f"write {_block(split_key(key), text[start.index : end.index])}", position=here
        )
    return None


def _block(parts: Sequence[str], value: str) -> str:
    """Return the lines that a key in flow style takes in block style, in a sentence."""
    if any(_INDEX.fullmatch(part) for part in parts):
        return "one `key: value` or `- value` per line"
    lines = [f"{'  ' * depth}{part}:" for depth, part in enumerate(parts)]
    lines[-1] += f" {value}"
    return "each key on a line of its own: " + ", then ".join(f"`{line}`" for line in lines)


def _example(parts: Sequence[str]) -> str:
    above = f" under {'.'.join(parts[:-1])}:" if len(parts) > 1 else ""
    return f"`{parts[-1]}: <version>`{above}"
