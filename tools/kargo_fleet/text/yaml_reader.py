"""Read YAML: fast, by the rules of YAML 1.2, with the position of every key and value.

Deliberate differences from yaml.safe_load:

* scalars follow the YAML 1.2 core schema (https://yaml.org/spec/1.2.2/#103-core-schema): `no`, `on` and
  `2026-11-23` are strings, `017` is 17;
* a key that appears twice is refused, where PyYAML and Helm silently keep the last one;
* keys are strings, as they are once Helm has read them;
* a document that contains itself, or whose aliases expand to more than 200,000 nodes, is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import yaml
from yaml._yaml import CParser  # libyaml; PyYAML's wheels have it

from kargo_fleet.findings import Position, Problem, position_at

_CONFLICT = re.compile(r"^(?:<{7} |={7}\r?$|>{7} )", re.MULTILINE)
_MAX_NODES = 200_000  # what aliases may expand to; a values file has tens to hundreds
_MAX_DEPTH = 100
#: Nesting that libyaml's composer stands: it calls itself for every level, and ends the process at some 20,000.
_SAFE_DEPTH = 1000
#: A line that may open many blocks: each takes a column, of spaces or of `-`, `?` and `:`. (YAML has more line breaks than `re`.)
_DEEP_LINE = re.compile(r"(?:^|[\r\x85\u2028\u2029])[ \t?:\ufeff-]{96}", re.MULTILINE)
#: How many `%TAG` lines may stand in a text: libyaml compares each with all others.
_MAX_DIRECTIVES = 100
_MAX_INTEGER = 2**53  # Helm reads numbers as float64


class _Resolver(yaml.resolver.BaseResolver):
    """YAML 1.2 core schema, and the merge key that Helm understands."""


for _tag, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", list("-+0123456789")),
    (
        "float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        list("-+.0123456789"),
    ),
    ("merge", r"^<<$", ["<"]),
):
    _Resolver.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


class _Loader(CParser, _Resolver):
    def __init__(self, text: str) -> None:
        CParser.__init__(self, text)
        _Resolver.__init__(self)


_TOO_DEEP = "the document is nested deeper than"
_QUOTE = "quote the value, because of the character that it starts with"
_UNQUOTED = "close the quote that opens here"
#: What to do about libyaml's messages, by how they start.
_FIXES = {
    "mapping values are not allowed": "quote the value if it holds a colon and a space, or check the indentation",
    "could not find expected ':'": "write `key: value`, with a space after the colon",
    "did not find expected key": "check the indentation of this line and the one before it, and the quotes",
    "did not find expected ','": "close the bracket, and put a comma between the items",
    "found unexpected end of stream": _UNQUOTED,
    "found character that cannot start any token": _QUOTE,
    "did not find expected alphabetic": _QUOTE,
    "did not find expected comment or line break": _QUOTE,
    "found undefined alias": "define the anchor, or quote the value if it is a string that starts with *",
}


class YamlError(Exception):
    """An unusable document; `problem` has the reason and the position."""

    def __init__(self, code: str, message: str, fix: str, position: Position) -> None:
        super().__init__(message)
        self.problem = Problem(code, message, fix, position=position)


def compose(text: str, *, first_only: bool = False) -> yaml.Node | None:
    """Parse `text` and return its node tree, None for an empty document.

    With `first_only`, further documents in the text are ignored. Raises YamlError for a text that is not YAML, or
    that holds several documents.
    """
    check_depth(text)
    try:
        loader = _Loader(text)
        try:
            if not first_only:
                node: yaml.Node | None = loader.get_single_node()
                return node
            return loader.get_node() if loader.check_node() else None
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text) from None
    except yaml.reader.ReaderError as error:
        before = text.encode()[: error.position].decode(errors="ignore")
        message = f"the character U+{int(error.character):04X} is not allowed in YAML"
        raise YamlError("KF002", message, "remove it", position_at(text, len(before))) from None


def check_depth(text: str) -> None:
    """Check that a text can be parsed without harm. Raises YamlError for one that is nested too deep.

    Nearly all texts have too few brackets, and too narrow an indentation, to be. For others, the events are counted:
    libyaml makes these one by one.
    """
    if text.count("%TAG") > _MAX_DIRECTIVES:
        raise YamlError("KF002", f"more than {_MAX_DIRECTIVES} times %TAG", "remove the directives", Position(1, 1))
    if text.count("[") + text.count("{") < _SAFE_DEPTH // 2 and not _DEEP_LINE.search(text):
        return
    parser, depth = CParser(text), 0
    following: Callable[[], Any] = parser.get_event
    try:
        while not isinstance(event := following(), yaml.StreamEndEvent):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _MAX_DEPTH:
                message = f"{_TOO_DEEP} {_MAX_DEPTH} levels"
                raise YamlError("KF004", message, "flatten it", _position(event.start_mark))
    except yaml.YAMLError:
        return  # up to there it is not too deep; the composer stops at the same place
    finally:
        parser.dispose()


def _syntax_error(error: yaml.MarkedYAMLError, text: str) -> YamlError:
    if conflict := _CONFLICT.search(text):
        fix = "keep the lines that you want, and remove those with <<<<<<<, ======= and >>>>>>>"
        return YamlError("KF002", "unresolved merge conflict", fix, position_at(text, conflict.start()))
    problem = error.problem or str(error)
    fix = next((fix for start, fix in _FIXES.items() if problem.startswith(start)), "correct the YAML at this place")
    mark = error.problem_mark or error.context_mark
    if fix in (_QUOTE, _UNQUOTED):
        mark = error.context_mark or mark
    position = _position(mark) if mark else Position(1, 1)
    lines = text.splitlines()
    source = lines[position.line - 1] if position.line <= len(lines) else ""
    if "\t" in source[: len(source) - len(source.lstrip())]:
        fix = "indent with spaces; YAML allows no tabs there"
        return YamlError("KF002", "a tab indents this line", fix, Position(position.line, source.index("\t") + 1))
    if "expected a single document" in (error.context or "") or "another document" in problem:
        fix = "keep one document, without `---` in between"
        return YamlError("KF002", "a second document starts here", fix, position)
    if problem == "second occurrence":  # of a duplicate anchor
        problem, fix = "duplicate anchor", "rename the second anchor"
    return YamlError("KF002", f"not valid YAML: {problem}", fix, position)


def parse(text: str) -> dict[str, Any]:
    """Return the mapping that a YAML text holds, {} for an empty one.

    Raises YamlError for anything that is not one mapping of plain data.
    """
    node = compose(text)
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null"):
            return {}
        raise _node_error("KF004", node, "the document is not a mapping", "write `key: value` lines")
    result: dict[str, Any] = _Builder(has_aliases="*" in text).build(node)
    return result


def _position(mark: yaml.Mark) -> Position:
    return Position(mark.line + 1, mark.column + 1)


def _node_error(code: str, node: yaml.Node, message: str, fix: str) -> YamlError:
    return YamlError(code, message, fix, _position(node.start_mark))


class _Builder:
    """Turns a node tree into dicts, lists and scalars."""

    def __init__(self, *, has_aliases: bool) -> None:
        self.has_aliases = has_aliases
        self.open: set[int] = set()
        self.nodes = 0

    def build(self, node: yaml.Node) -> Any:
        self.nodes += 1
        if self.nodes > _MAX_NODES:
            message, fix = f"the document has more than {_MAX_NODES:,} nodes", "make it smaller"
            if self.has_aliases:
                message, fix = (
                    f"aliases expand to more than {_MAX_NODES:,} nodes",
                    "replace the aliases with their values",
                )
            raise _node_error("KF004", node, message, fix)
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if id(node) in self.open:
            raise _node_error("KF004", node, "an alias refers to the node that contains it", "remove the alias")
        if len(self.open) >= _MAX_DEPTH:
            raise _node_error("KF004", node, f"{_TOO_DEEP} {_MAX_DEPTH} levels", "flatten it")
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                self.check_tag(node, "seq")
                return [self.build(item) for item in node.value]
            self.check_tag(node, "map")
            return self.mapping(node.value)
        finally:
            self.open.discard(id(node))

    @staticmethod
    def check_tag(node: yaml.Node, expected: str) -> None:
        if node.tag != f"tag:yaml.org,2002:{expected}":
            raise _unsupported(node)

    def mapping(self, pairs: list[tuple[yaml.Node, yaml.Node]]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: list[dict[str, Any]] = []
        for key_node, value_node in pairs:
            if not isinstance(key_node, yaml.ScalarNode):
                fix = "write `key: value` lines; quote a value that starts with {"
                raise _node_error("KF004", key_node, "a key is not a string", fix)
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged.extend(self.merged(value_node))
                continue
            key = key_node.value
            if key in result:
                raise _node_error(
                    "KF003",
                    key_node,
                    f'duplicate key "{key}"',
                    "remove the duplicate; Helm would use only the last value",
                )
            result[key] = self.build(value_node)
        for base in merged:
            for key, value in base.items():
                result.setdefault(key, value)
        return result

    def merged(self, node: yaml.Node) -> list[dict[str, Any]]:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for part in parts:
            if not isinstance(part, yaml.MappingNode):
                raise _node_error("KF004", part, "`<<` requires a mapping", "refer to a mapping")
        return [self.build(part) for part in parts]


def _unsupported(node: yaml.Node) -> YamlError:
    tag = node.tag.replace("tag:yaml.org,2002:", "!!")
    return _node_error(
        "KF004", node, f"the tag {tag} is not supported", "remove it, or quote the value if it starts with !"
    )


def _scalar(node: yaml.ScalarNode) -> Any:
    tag = node.tag.removeprefix("tag:yaml.org,2002:")
    text: str = node.value
    if tag == "str":
        return text
    try:
        if tag == "bool":
            return {"true": True, "false": False}[text.lower()]
        if tag == "int":
            integer = int(text, 0) if text[:2] in ("0x", "0o") else int(text)
            if abs(integer) <= _MAX_INTEGER:
                return integer
        elif tag == "float":
            number = float(re.sub(r"\.(?=inf|nan)", "", text.lower()))
            if math.isfinite(number):
                return number
        elif tag == "null":
            return None
        elif tag == "merge":
            return text
        else:
            raise _unsupported(node)
    except (ValueError, KeyError):
        fix = "correct the value or its tag"
    else:
        fix = "quote it if it is a string"
    shown = " ".join(text.split())  # one line, also of a scalar that spans several
    shown = shown if len(shown) <= 40 else f"{shown[:39]}…"
    raise _node_error("KF004", node, f"{shown} is not a valid {tag} for Helm", fix)


def locate(text: str, path: Sequence[str | int], *, key: bool = False) -> tuple[Position, int]:
    """Return the position of a value in a YAML text, and how many parts of its path exist there.

    `path` leads from the root to the value; with `key`, the position is that of its key. If the text lacks the end of the
    path, the position is that of the deepest part that exists.
    """
    return _located(text, tuple(path), key)


@lru_cache(maxsize=256)  # what all services share is looked up for each of them
def _located(text: str, path: tuple[str | int, ...], key: bool) -> tuple[Position, int]:
    try:
        node = _tree(text)
    except YamlError as error:
        return error.problem.position or Position(1, 1), 0
    mark = node.start_mark if node else None
    found = 0
    for part in path:
        step = _step(node, part)
        if step is None:
            break
        key_node, node = step
        found += 1
        # The value of an alias is elsewhere in the text: the key is then the more useful position.
        at_key = key or found < len(path) or not isinstance(node, yaml.ScalarNode)
        mark = key_node.start_mark if key_node is not None and at_key else node.start_mark
    return (_position(mark) if mark else Position(1, 1)), found


@lru_cache(maxsize=2)  # a service's own file and fleet.yaml, with all of their mistakes
def _tree(text: str) -> yaml.Node | None:
    return compose(text)


def _step(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node | None, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            if key_node.value == part:
                return key_node, value_node
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                for base in value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]:
                    if (step := _step(base, part)) is not None:
                        return step
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return None, node.value[part]
    return None
