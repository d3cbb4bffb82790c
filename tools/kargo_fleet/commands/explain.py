"""kargo-fleet explain: the section of the documentation about the code of a finding."""

from __future__ import annotations

import re
import sys

from kargo_fleet.errors import FleetError
from kargo_fleet.files.packaged import packaged_folder
from kargo_fleet.text.words import did_you_mean

_PAGES = ("findings.md", "doctor.md")
_SECTION = re.compile(r"^### (KFW?\d+): (.+?)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)


def explain(code: str = "") -> int:
    """Print what the finding with this code means, or without a code all codes; return 0.

    On a terminal the text is laid out, elsewhere it is Markdown. Raises FleetError for a code that does not exist.
    """
    if not code:
        for known, title in titles().items():
            print(f"{known:6}  {title}")
        return 0
    sections = {known: f"# {known}: {title}\n{body.rstrip()}\n" for known, title, body in _sections()}
    text = sections.get(code.upper())
    if text is None:
        hint = did_you_mean(code.upper(), sections, "run `kargo-fleet explain` to list all codes")
        raise FleetError(f"there is no code {code}; {hint}")
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(text, hyperlinks=False))
    else:
        print(text, end="")
    return 0


def titles() -> dict[str, str]:
    """Return the title of every code."""
    return {code: title for code, title, _ in sorted(_sections())}


def _sections() -> list[tuple[str, str, str]]:
    """Return code, title and text of every section about a code."""
    folder = packaged_folder("pages", "docs")
    text = "\n".join((folder / page).read_text(encoding="utf-8") for page in _PAGES)
    return _SECTION.findall(text)
