"""Git on this machine: what a repository knows of its files and its remotes, and what another repository holds."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from kargo_fleet.clients.process import ClientError, ClientTimeoutError
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
    if shutil.which("git") is None:
        raise FleetError("git is not on PATH\nInstall it, or add it to PATH.")
    try:
        result = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=_ENVIRONMENT | dict(os.environ),
            input=stdin,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise ClientTimeoutError(f"git did not answer within {timeout:.0f} s") from None
    if result.returncode:
        raise ClientError(result.stderr.strip().removeprefix("fatal: ") or f"exit status {result.returncode}")
    return result.stdout


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
