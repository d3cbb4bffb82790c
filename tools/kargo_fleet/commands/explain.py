"""kargo-fleet explain: the section of the documentation about the code of a finding."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kargo_fleet.errors import FleetError
from kargo_fleet.files.packaged import packaged_folder
from kargo_fleet.terminal import output
from kargo_fleet.text.words import did_you_mean

_PAGES = ("findings.md", "doctor.md")
_SECTION = re.compile(r"^### (KFW?\d+): (.+?)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)


def explain(codes: Sequence[str] = ()) -> int:
    """Print what the findings with these codes mean, or without a code all codes; return 0.

    A code may also be a page of the documentation, as messages name it: docs/argocd.md, or argocd. On a terminal the text is
    laid out, elsewhere it is Markdown. Raises FleetError for a code that does not exist, and prints nothing then.
    """
    if not codes:
        for known, title in titles().items():
            output.show(f"{known:6}  {title}")
        return 0
    output.markdown("\n".join([_text(code) for code in dict.fromkeys(codes)]))
    return 0


def _text(code: str) -> str:
    """Return the text about a code, or of a page."""
    if (page := _page(code)) is not None:
        return page
    sections = {known: f"# {known}: {title}\n{body.rstrip()}\n" for known, title, body in _sections()}
    text = sections.get(code.upper())
    if text is None:
        codes = sorted(sections)
        prefixed = [one for one in codes if one.startswith(code.upper())]
        hint = f"these begin so: {', '.join(prefixed)}" if prefixed else ""
        hint = hint or did_you_mean(code.upper(), codes, "run `kargo-fleet explain` to list all codes")
        raise FleetError(f"there is no code {code}; {hint}")
    return text


def _page(name: str) -> str | None:
    """Return the text of a page of the documentation, by its name with or without docs/, .md and #section; None if there is none."""
    stem = name.partition("#")[0].removeprefix("docs/").removesuffix(".md")
    file = packaged_folder("pages", "docs") / f"{stem}.md"
    return file.read_text(encoding="utf-8") if re.fullmatch(r"[a-z-]+", stem) and file.is_file() else None


def titles() -> dict[str, str]:
    """Return the title of every code."""
    return {code: title for code, title, _ in sorted(_sections())}


def _sections() -> list[tuple[str, str, str]]:
    """Return code, title and text of every section about a code."""
    folder = packaged_folder("pages", "docs")
    text = "\n".join((folder / page).read_text(encoding="utf-8") for page in _PAGES)
    return _SECTION.findall(text)
