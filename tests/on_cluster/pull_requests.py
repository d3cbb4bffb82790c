"""A Git server with pull requests: the part of Gitea's API that Kargo uses, over the bare repositories of a folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from .repository import GIT, GitServer


class Gitea(GitServer):
    """One repository, example/platform, at `repo_url`; its pull requests are merged by a merge commit."""

    def __init__(self, folder: Path) -> None:
        self.bare = folder / "example" / "platform.git"
        self.pulls: list[dict[str, Any]] = []
        super().__init__(folder)
        self.repo_url = f"{self.url}/example/platform.git"
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", self.bare], check=True, env=os.environ | GIT)
        self.git("config", "http.receivepack", "true")
        self.git("config", "gc.auto", "0")

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.bare), *arguments]
        done = subprocess.run(command, env=os.environ | GIT, text=True, capture_output=True, check=True)
        return done.stdout.strip()

    def answer(self, _method: str, _path: str, _body: bytes) -> tuple[int, Any] | None:
        """Gitea's answers; None for what is Git's."""
        if _path == "/api/v1/version":
            return 200, {"version": "1.24.0"}
        found = re.fullmatch(r"/api/v1/repos/example/platform/(labels|pulls)(?:/(\d+)(/merge)?)?", _path)
        if found is None:
            return None
        if found[1] == "labels":
            return 200, []
        if not found[2]:
            return (201, self.open(json.loads(_body))) if _method == "POST" else (200, self.pulls)
        number = int(found[2])
        if found[3]:
            self.merge(number)
            return 200, None
        return 200, self.pulls[number - 1]

    def open(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What somebody asks for, as a pull request."""
        number = len(self.pulls) + 1
        pull = {
            "number": number,
            "html_url": f"{self.url}/example/platform/pulls/{number}",
            "title": asked["title"],
            "body": asked["body"],
            "state": "open",
            "mergeable": True,
            "base": {"ref": asked["base"]},
            "head": {"ref": asked["head"], "sha": self.git("rev-parse", asked["head"])},
        }
        self.pulls.append(pull)
        return pull

    def merge(self, number: int) -> None:
        """Merge a pull request, as its button does."""
        pull = self.pulls[number - 1]
        base, head = pull["base"]["ref"], pull["head"]["sha"]
        tree = self.git("merge-tree", "--write-tree", base, head)
        message = f"Merge pull request #{number}"
        merged = self.git("commit-tree", "-p", self.git("rev-parse", base), "-p", head, "-m", message, tree)
        self.git("update-ref", f"refs/heads/{base}", merged)
        pull |= {"state": "closed", "merged": True, "mergeable": False, "merge_commit_sha": merged}

    def changed(self, pull: dict[str, Any]) -> list[str]:
        """What a pull request changes: lines of a letter and a file."""
        base = self.git("merge-base", pull["base"]["ref"], f"{pull['head']['sha']}^")
        return self.git("diff", "--name-status", "--no-renames", base, pull["head"]["sha"]).split("\n")
