"""The only way to stdout and stderr. Text from files, clusters and other programs is made visible on its way out.

A name, a key or a value may hold escape sequences that recolour or overwrite lines of a terminal, characters that turn the
direction of writing, and line breaks that forge lines: a CI system takes a line that begins with `::error::` or has
`##[error]` in it for a command. A test holds that no other module prints.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple, TextIO

#: Code points that are not shown, or change how others are: C0 but tab and line feed, DEL and C1, format characters (soft
#: hyphen, bidirectional controls, zero width, byte order mark, tags), line separators, and surrogates, which stand for bytes
#: of a file name that are not UTF-8.
_HIDDEN = (
    *(range(0x09), range(0x0B, 0x20), range(0x7F, 0xA0), (0xAD, 0x61C, 0x180E, 0xFEFF)),
    *(range(0x200B, 0x2010), range(0x2028, 0x202F), range(0x2060, 0x2070), range(0xFFF9, 0xFFFC)),
    *(range(0xD800, 0xE000), range(0xE0000, 0xE0080)),
)
_VISIBLE = {code: chr(code).encode("unicode_escape", "surrogatepass").decode() for codes in _HIDDEN for code in codes}
_ON_ONE_LINE = {**_VISIBLE, ord("\n"): r"\n", ord("\t"): r"\t"}

#: What CI systems take for a command: `::name::` at the start of a line, after spaces; `##[name]` and `##vso[name]` anywhere.
_COMMAND = re.compile(r"(?m)^([^\S\n]*):(?=:)|#(?=#[A-Za-z]*\[)")


class Coloured(NamedTuple):
    """A part of a line that has a colour on a terminal, as the parameters of the escape sequence: "1;31"."""

    text: str
    colour: str


def visible(text: str, *, lines: bool = True) -> str:
    r"""Return a text with hidden characters as escapes: `\x1b`, `\r`, `\u202e`. Without `lines`, line feeds, too.

    A command to a CI system, as it stands at the start of a line, is shown with an escape as well: `\x3a:error::`.
    """
    text = text.translate(_VISIBLE if lines else _ON_ONE_LINE)
    return _COMMAND.sub(lambda found: rf"{found[1] or ''}\x{ord(found[0][-1]):x}", text)


def show(*parts: str | Coloured, end: str = "\n") -> None:
    """Print a text for people on stdout."""
    _print(parts, sys.stdout, end)


def tell(*parts: str | Coloured, end: str = "\n") -> None:
    """Print a text for people on stderr."""
    _print(parts, sys.stderr, end)
    sys.stderr.flush()


def document(text: str) -> None:
    """Print a text that programs read on stdout, as it is; on a terminal it is made visible."""
    sys.stdout.write(visible(text) if sys.stdout.isatty() else text)


def workflow_command(name: str, properties: Mapping[str, str], message: str) -> None:
    """Print a command to GitHub: https://docs.github.com/actions/reference/workflow-commands-for-github-actions."""
    values = ",".join(f"{key}={_escaped(value, ':', ',')}" for key, value in properties.items() if value)
    sys.stdout.write(f"::{name} {values}::{_escaped(message)}\n")


def patch(lines: Iterable[str | Coloured]) -> None:
    """Print the lines of a unified diff on stdout: in colours and visible on a terminal, elsewhere as they are.

    So `git apply` takes what was written to a file or a pipe. In a job of GitHub, which reads the same pipe, commands are
    switched off as long as a diff that may hold some is printed; the lines that do so stand outside of the diff.
    """
    if sys.stdout.isatty():
        for line in lines:
            show(line)
        return
    text = "".join(f"{_plain(line)}\n" for line in lines)
    if _is_read_by_github() and _COMMAND.search(text):
        token = secrets.token_hex(16)
        text = f"::stop-commands::{token}\n{text}::{token}::\n"
    sys.stdout.write(text)


def json_text(data: Any) -> str:
    """Return data as indented JSON, with hidden characters as escapes of JSON: the same data, which a terminal can show."""
    import json

    return json.dumps(data, indent=2, ensure_ascii=False).translate(_json_escapes())


@cache
def _json_escapes() -> dict[int, str]:
    import json

    return {code: json.dumps(chr(code))[1:-1] for code in _VISIBLE}


def markdown(text: str) -> None:
    """Print a page of the documentation on stdout: laid out on a terminal, elsewhere as it is."""
    if not sys.stdout.isatty():
        sys.stdout.write(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(text, hyperlinks=False))


def _print(parts: Iterable[str | Coloured], stream: TextIO, end: str) -> None:
    if stream.isatty() and not os.environ.get("NO_COLOR"):
        text = "".join(_in_colour(part) for part in parts)
    else:  # as one text: two parts may make a command
        text = visible("".join(_plain(part) for part in parts))
    stream.write(text + end)


def _in_colour(part: str | Coloured) -> str:
    if isinstance(part, str):
        return visible(part)
    return f"\x1b[{part.colour}m{visible(part.text)}\x1b[0m"


def _plain(part: str | Coloured) -> str:
    return part if isinstance(part, str) else part.text


def _escaped(text: str, *others: str) -> str:
    """Return a value of a workflow command; `others` are characters to escape beside those that end a line."""
    text = "\n".join(visible(line) for line in text.split("\n"))
    for character in ("%", "\n", *others):
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _is_read_by_github() -> bool:
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return False
    try:
        return not stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    except (OSError, ValueError):  # not a file of the operating system
        return True
