"""Reading files such that the same can be recognised later."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from kargo_fleet.files.reading import MOST, RepositoryReader, fingerprint_now, read_bytes, read_text
from kargo_fleet.findings import Finding


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


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _link_to_a_fifo(path: Path) -> None:
    os.mkfifo(path.with_name("fifo"))
    path.symlink_to("fifo")


@pytest.mark.parametrize("make", [_fifo, _socket, _device, _link_to_a_fifo])
def test_only_regular_files_are_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Without a word, `open` waits for the other end of a FIFO, and /dev/zero never ends."""
    make(tmp_path / "a")
    reader = RepositoryReader(tmp_path)
    found = read_text(reader, "a", "nginx")
    assert isinstance(found, Finding)
    told = (found.code, found.message, found.service)
    is_outside = make is _device  # as a link out of the repository
    assert told[0] == "KF009" if is_outside else told == ("KF001", "cannot be read: it is not a regular file", "nginx")
    assert fingerprint_now(tmp_path, reader.lookups) == reader.fingerprint
    with pytest.raises(OSError, match="not a regular file") as caught:
        read_bytes(tmp_path / "a")
    assert caught.value.filename == str(tmp_path / "a")


def test_large_files_are_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(1 << 40)  # a terabyte that takes no space
    reader = RepositoryReader(tmp_path)
    found = read_text(reader, "a")
    assert isinstance(found, Finding)
    assert found.message == "cannot be read: it is larger than 1 MiB"
    with pytest.raises(OSError, match="larger than 16 MiB"):
        read_bytes(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"a" * MOST)
    assert len(RepositoryReader(tmp_path).read("a")) == MOST


def test_a_file_whose_size_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("/proc/self/status")
    if not Path("/proc/self/status").exists():
        pytest.skip("no /proc")
    assert b"Pid" in read_bytes(tmp_path / "a")
