"""Edit YAML files that people maintain: comments, order and quotes of everything else are kept."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

import yaml

from kargo_fleet.text import yaml_reader, yaml_writer

if TYPE_CHECKING:
    from ruamel.yaml import YAML

_ABSENT = object()
_ENDS_DOCUMENT = re.compile(r"\.\.\.\s*$")


def rewrite(text: str, wanted: Mapping[str, Any], meaning: Mapping[str, Any]) -> str:
    """Return a layer's text, changed so that it sets `wanted`.

    `meaning` is the result of merging all layers up to this one: a key of the text that is not in `wanted` is kept where it
    agrees with that result, and removed where it does not.
    """
    yaml = _editor(text)
    document = yaml.load(text)
    if document is None:  # nothing but comments, which ruamel.yaml does not keep
        return text + ("\n" if text and not text.endswith("\n") else "") + yaml_writer.document(dict(wanted))
    _update(document, wanted, meaning)
    stream = io.StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def _editor(text: str) -> YAML:
    """Return an editor that keeps the indentation and the quotes of a text."""
    from ruamel.yaml import YAML
    from ruamel.yaml.util import load_yaml_guess_indent

    _, indent, offset = load_yaml_guess_indent(text)
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=indent or 4, offset=2 if offset is None else offset)
    yaml.representer.add_representer(
        type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    return yaml


def with_item(text: str, key: str, item: Mapping[str, Any]) -> str:
    """Return the text of a YAML file with an item appended to the list at a key of its root; the list is made when it is missing.

    All other bytes stay, line ends and `---` among them; only a list on one line, such as `[]`, is written anew. Raises
    ValueError when the text is not a mapping with such a list.
    """
    line_end = "\r\n" if "\r\n" in text else "\n"
    try:
        root = yaml_reader.compose(text)
    except yaml_reader.YamlError as error:
        raise ValueError(str(error)) from None
    if root is not None and (not isinstance(root, yaml.MappingNode) or root.flow_style):
        raise ValueError("the document is not a mapping in block style")
    entries = root.value if root is not None else []
    found = next((value for name, value in entries if name.value == key), None)
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += line_end
    new = yaml_writer.document({key: [dict(item)]}).splitlines()
    if found is None:
        at = next((number for number, line in enumerate(lines) if _ENDS_DOCUMENT.match(line)), len(lines))
    elif not isinstance(found, yaml.SequenceNode):
        raise ValueError(f"{key} is not a list")
    elif found.flow_style:
        if found.value or found.start_mark.line != found.end_mark.line:
            raise ValueError(f"{key} is a list in flow style")
        at = found.start_mark.line
        head, tail = lines[at][: found.start_mark.column], lines[at][found.end_mark.column :]
        lines[at] = f"{head.rstrip()}{tail}" if tail.strip() else head.rstrip() + line_end
        at, new = at + 1, new[1:]
    else:
        at = _last_line(found) + 1
        new = _indented(new[1:], found.start_mark.column)
    return "".join([*lines[:at], *(line + line_end for line in new), *lines[at:]])


def _indented(lines: list[str], column: int) -> list[str]:
    """Return lines of a list with its dashes in another column."""
    extra = column - (len(lines[0]) - len(lines[0].lstrip()))
    return [f"{' ' * extra}{line}" if extra > 0 else line[-extra:] for line in lines]


def _last_line(node: yaml.Node) -> int:
    """Return the line that a node's content ends on. The end of a block is only known as the beginning of what follows."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return max(_last_line(part) for part in (last if isinstance(last, tuple) else (last,)))
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        return int(node.end_mark.line) - 1
    return int(node.end_mark.line)


def _update(document: MutableMapping[str, Any], wanted: Mapping[str, Any], meaning: Mapping[str, Any]) -> None:
    for key in list(document):
        if key not in wanted and not _agrees(document[key], meaning.get(key, _ABSENT)):
            del document[key]
    for key, value in wanted.items():
        current = document.get(key, _ABSENT)
        if isinstance(value, dict) and isinstance(current, MutableMapping):
            inner = meaning.get(key)
            _update(current, value, inner if isinstance(inner, Mapping) else {})
        elif current != value or isinstance(current, bool) != isinstance(value, bool):
            document[key] = _styled(value)


def _styled(value: Any) -> Any:
    """Return a value whose short lists are written on one line, as in generated files."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if isinstance(value, dict):
        return CommentedMap((key, _styled(inner)) for key, inner in value.items())
    if isinstance(value, list):
        items = CommentedSeq(_styled(item) for item in value)
        if not any(isinstance(item, dict | list) for item in value):
            items.fa.set_flow_style()
        return items
    return value


def _agrees(said: Any, meant: Any) -> bool:
    if said is None:
        return meant is _ABSENT
    if isinstance(said, Mapping):
        return isinstance(meant, Mapping) and all(
            _agrees(value, meant.get(key, _ABSENT)) for key, value in said.items()
        )
    return bool(said == meant)
