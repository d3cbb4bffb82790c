"""Tables as text, as wide as there is room."""

from __future__ import annotations

import io
from collections.abc import Sequence

_GAP = 2
_INDENT = "  "


def table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int, most: int = 12) -> list[str]:
    """Return the lines of a table of at most `width` columns, more only if its words are longer: titles wrap between words.

    Columns of numbers are aligned to the right. Only the first `most` rows are shown, with the number of the others.
    """
    from rich.console import Console
    from rich.table import Table

    shown = rows[:most]
    widths = _widths(head, shown, width - len(_INDENT))
    made = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="")
    for column, title in enumerate(head):
        is_number = bool(shown) and shown[0][column][:1].isdigit()
        made.add_column(title, justify="right" if is_number else "left", width=widths[column])
    for row in shown:
        made.add_row(*row)
    text = io.StringIO()
    Console(file=text, width=_total(widths), color_system=None, emoji=False).print(made, markup=False, highlight=False)
    left = [f"{_INDENT}… and {len(rows) - most:,} more"] if len(rows) > most else []
    return [f"{_INDENT}{line.rstrip()}" for line in text.getvalue().splitlines()] + left


def _widths(head: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """Return the width of each column. While there is no room, the title that saves most is wrapped between its words."""
    cells = [max((len(row[column]) for row in rows), default=0) for column in range(len(head))]
    widths = [max(len(title), cell) for title, cell in zip(head, cells, strict=True)]
    narrow = [max(*map(len, title.split()), cell) for title, cell in zip(head, cells, strict=True)]
    while _total(widths) > room and widths != narrow:
        column = max(range(len(head)), key=lambda column: widths[column] - narrow[column])
        widths[column] = narrow[column]
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)
