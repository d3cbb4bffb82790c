"""Git on this machine: what a repository knows of its files and its remotes, and what another repository holds."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from kargo_fleet.clients.process import ClientError, ClientTimeoutError, run
from kargo_fleet.errors import FleetError

#: No question for a password, no editor, no lock for what is only read, messages in English.
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
}


class IgnoreRule(NamedTuple):
    """The rule that makes Git ignore a file, and where it stands."""

    pattern: str
    place: str


def git(folder: Path, *arguments: str, stdin: str = "", timeout: float = 60) -> str:
    """Run git in a folder and return its stdout.

    Raises ClientError when it fails, ClientTimeoutError after `timeout` seconds, FleetError when git is not installed.
    """
    environment = _ENVIRONMENT | dict(os.environ)
    try:
        return run(
            ["git", *arguments],
            stdin=stdin,
            timeout=timeout,
            environment=environment,
            folder=folder,
            errors="surrogateescape",
            alone=True,
        )
    except ClientTimeoutError:
        raise
    except ClientError as error:
        raise ClientError(error.message.removeprefix("fatal: ")) from None


def asked(folder: Path, *arguments: str, stdin: str = "") -> str:
    """Return what git answers to a question, without line end; "" when it fails or is not installed."""
    try:
        return git(folder, *arguments, stdin=stdin).rstrip("\n")
    except (ClientError, FleetError):
        return ""


def ignored(folder: Path, paths: Iterable[str]) -> dict[str, IgnoreRule]:
    """Return those of `paths` in a repository that Git ignores and does not track.

    A folder that is not the root of a repository, such as a copy in a scratch folder, has none.
    """
    answer = asked(folder, "check-ignore", "--verbose", "-z", "--stdin", stdin="\0".join(paths))
    if not answer or Path(asked(folder, "rev-parse", "--show-toplevel")).resolve() != folder.resolve():
        return {}
    fields = answer.split("\0")
    rules = zip(fields[0::4], fields[1::4], fields[2::4], fields[3::4], strict=False)
    return {
        path: IgnoreRule(pattern, f"{source}:{line}")
        for source, line, pattern, path in rules
        if not pattern.startswith("!")
    }


def file_of_remote(url: str, revision: str, path: str, scratch: Path) -> str | None:
    """Return the text of a file in another repository at a branch, tag or commit; None when there is no such file.

    `scratch` is an empty folder. Raises ClientError when the repository or the revision cannot be read.
    """
    git(scratch, "init", "--quiet")
    git(scratch, "remote", "add", "origin", url)
    git(scratch, "fetch", "--quiet", "--depth=1", "--filter=blob:none", "origin", revision)
    if not git(scratch, "ls-tree", "FETCH_HEAD", "--", path):
        return None
    return git(scratch, "show", f"FETCH_HEAD:{path}")
