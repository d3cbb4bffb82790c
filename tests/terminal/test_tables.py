"""Tables fit their width, and wrap between words only."""

from __future__ import annotations

import pytest

from kargo_fleet.terminal.tables import table

HEAD = ["shard", "API requests/s of 50", "smallest interval"]
ROWS = [["(default)", "94", "3h47m"], ["eu-west", "1,122", "15m"]]


def test_a_table_with_room() -> None:
    assert table(HEAD, ROWS, 80) == [
        "  shard      API requests/s of 50  smallest interval",
        "  (default)                    94              3h47m",
        "  eu-west                   1,122                15m",
    ]


@pytest.mark.parametrize("width", [70, 50, 45, 40])
def test_a_narrow_one_keeps_its_words(width: int) -> None:
    lines = table(HEAD, ROWS, width)
    assert max(map(len, lines)) <= width
    words = [word for row in [HEAD, *ROWS] for cell in row for word in cell.split()]
    assert sorted(" ".join(lines).split()) == sorted(words)


def test_without_room_no_word_is_lost() -> None:
    assert sorted(" ".join(table(HEAD, ROWS, 5)).split()) == sorted(" ".join(table(HEAD, ROWS, 80)).split())


def test_only_the_first_rows_are_shown() -> None:
    assert table(["name", "n"], [["a", "1"]] * 1500, 80)[-1] == "  … and 1,488 more"
