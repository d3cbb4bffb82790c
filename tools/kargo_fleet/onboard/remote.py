"""What Git knows of a repository: its root, the URL that others read it from, its branch, its files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from kargo_fleet.clients.git import asked
from kargo_fleet.errors import FleetError, WrongFolderError
from kargo_fleet.text.git_urls import https_url, is_guess


class GitHost(StrEnum):
    GITHUB = "GitHub"
    GITLAB = "GitLab"
    OTHER = "another host"


@dataclass(frozen=True)
class Checkout:
    """A working tree: `url` is the https:// form of its remote, `written` the remote as Git has it; both may be empty.

    `guessed` says that another port or path may be right. `branch` is empty when there are several that may be the default.
    """

    url: str
    guessed: bool
    written: str
    remote: str
    branch: str
    host: GitHost


def checkout_of(root: Path) -> Checkout:
    """Return what Git knows of the working tree at `root`. Raises FleetError when it is not the root of one."""
    top = asked(root, "rev-parse", "--show-toplevel")
    if not top:
        raise FleetError(
            f"{root.resolve()} is not in a Git repository\n"
            "Kargo writes to Git and Argo CD reads from it: run `git init`, or pass -C DIR."
        )
    if Path(top).resolve() != root.resolve():
        raise WrongFolderError(f"fleet.yaml belongs into the root of the Git repository, {top}", top)
    remotes = asked(root, "remote").split()
    remote = "origin" if "origin" in remotes else remotes[0] if len(remotes) == 1 else ""
    written = asked(root, "remote", "get-url", remote) if remote else ""
    url = https_url(written)
    return Checkout(url, is_guess(written), without_password(written), remote, _branch(root, remote), _host(root, url))


def files_of(root: Path) -> list[str]:
    """Return the files of the working tree, without those that Git ignores."""
    listed = asked(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return sorted({file for file in listed.split("\0") if file})


def without_password(url: str) -> str:
    """Return a URL as it may be shown."""
    return re.sub(r"(?<=://)[^/@]*@", "", url)


def _branch(root: Path, remote: str) -> str:
    """Return the default branch of the remote, "" when it cannot be told.

    A clone knows it. Without, it is the only branch, or main or master; the present branch may be a feature's.
    """
    if default := asked(root, "symbolic-ref", "--quiet", "--short", f"refs/remotes/{remote}/HEAD") if remote else "":
        return default.removeprefix(f"{remote}/")
    branches = _branches(root, f"refs/remotes/{remote}") if remote else []
    branches = branches or _branches(root, "refs/heads")
    if not branches:  # no commit yet
        return asked(root, "symbolic-ref", "--quiet", "--short", "HEAD") or "main"
    usual = [name for name in ("main", "master") if name in branches]
    return (usual or branches)[0] if len(usual or branches) == 1 else ""


def _branches(root: Path, prefix: str) -> list[str]:
    depth = len(prefix.split("/"))
    return asked(root, "for-each-ref", f"--format=%(refname:lstrip={depth})", prefix).split()


def _host(root: Path, url: str) -> GitHost:
    name = urlsplit(url).hostname or ""
    for host in (GitHost.GITHUB, GitHost.GITLAB):
        if host.value.lower() in name:
            return host
    if (root / ".github" / "workflows").is_dir():
        return GitHost.GITHUB
    return GitHost.GITLAB if (root / ".gitlab-ci.yml").is_file() else GitHost.OTHER
