"""Reading files such that the same can be recognised later."""

from __future__ import annotations

from pathlib import Path

import pytest

from kargo_fleet.files.reading import RepositoryReader, fingerprint_now


@pytest.mark.parametrize("size", [0, 1, (1 << 16) - 1, 1 << 16, (1 << 16) + 1, 300_000])
def test_files_of_any_size(tmp_path: Path, size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    (tmp_path / "a").write_bytes(content)
    reader = RepositoryReader(tmp_path)
    assert reader.read("a") == content
    assert fingerprint_now(tmp_path, reader.lookups) == reader.fingerprint
    (tmp_path / "a").write_bytes(content + b"!")
    assert fingerprint_now(tmp_path, reader.lookups) != reader.fingerprint


def test_errors_are_answers_too(tmp_path: Path) -> None:
    reader = RepositoryReader(tmp_path)
    with pytest.raises(FileNotFoundError, match="No such file") as caught:
        reader.read("a/b")
    assert caught.value.filename == str(tmp_path / "a/b")
    assert fingerprint_now(tmp_path, reader.lookups) == reader.fingerprint
    (tmp_path / "a").write_text("")  # now it is something else that is wrong
    assert fingerprint_now(tmp_path, reader.lookups) != reader.fingerprint


def test_what_looks_like_another_answer_is_none(tmp_path: Path) -> None:
    """A file that holds what stands for an error, and two files whose contents are cut at another place."""
    for one, other in ((("!2", ""), (None, "")), (("ab", "c"), ("a", "bc")), (("", "1:="), ("1:=", ""))):
        prints = []
        for contents in (one, other):
            for name, content in zip("ab", contents, strict=True):
                (tmp_path / name).unlink(missing_ok=True)
                if content is not None:
                    (tmp_path / name).write_text(content)
            prints.append(fingerprint_now(tmp_path, ["<a", "<b"]))
        assert prints[0] != prints[1]


def test_a_dangling_link_is_there(tmp_path: Path) -> None:
    reader = RepositoryReader(tmp_path)
    assert not reader.exists("a")
    (tmp_path / "a").symlink_to("nowhere")
    assert reader.exists("a")
    assert reader.lookups == ["?a", "?a"]
