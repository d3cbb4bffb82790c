"""What a unit's promotions commit: whether a Git subscription of its own sees it, and whether the clone has it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kargo_fleet.findings import KeyPath, Problem, dotted
from kargo_fleet.fleet.names import KUSTOMIZATIONS
from kargo_fleet.fleet.pipeline import branch_of, has_default_steps, path_of, promotion_of, section, updates_of
from kargo_fleet.text.path_patterns import selects
from kargo_fleet.text.words import enumerate_words

_CLONE = re.compile(r"(?:\./)?src/")
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_UNKNOWN = "\0"


def problems(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the problems with what the promotions of a unit's complete and valid values commit."""
    yield from _loops(values)
    for stage in section(values, "stages"):
        yield from _outside(values, stage)


def _loops(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each Git subscription that sees the promotions' own commits.

    A pull request is none the better: its merge is a commit, too. What an `expressionFilter` leaves out is not known.
    """
    for index, subscription in enumerate(section(values, "warehouse").get("subscriptions") or []):
        git = section(subscription, "git")
        strategy = git.get("commitSelectionStrategy") or "NewestFromBranch"
        if not git or strategy != "NewestFromBranch" or git.get("expressionFilter"):
            continue
        exclude = git.get("excludePaths") or []
        written = sorted(
            {file for file in _written(values, git) if selects(git.get("includePaths") or [], exclude, file)}
        )
        if not written:
            continue
        path: KeyPath = ("warehouse", "subscriptions", index, "git")
        message = (
            f"{dotted(path)}: sees the commits of the promotions themselves ({enumerate_words(written)});"
            " each makes new Freight, which starts again at the first stage"
        )
        yield Problem("KFW316", message, f"set excludePaths: [{', '.join([*exclude, *written])}]", path)


def _written(values: Mapping[str, Any], git: Mapping[str, Any]) -> Iterator[str]:
    """Yield the files that promotions write on the branch of a subscription, as far as they are known."""
    own = section(values, "git")
    if _normalized(git.get("repoURL") or "") != _normalized(own.get("repoURL") or ""):
        return
    # Without a branch, it is the repository's default one: probably the one that promotions commit to.
    branch = git.get("branch") or own.get("branch") or "main"
    for stage in section(values, "stages"):
        promotion = promotion_of(values, stage)
        if not has_default_steps(promotion) or branch_of(values, stage) != branch:
            continue
        for update in updates_of(values, stage, promotion):
            yield f"{update.path}/{KUSTOMIZATIONS[0]}" if update.kustomize else update.path
        for path, file in _paths(values, stage, promotion):
            if path[-1] in ("path", "outPath") and _UNKNOWN not in file:
                yield file


def _normalized(url: str) -> str:
    """Return a repository's URL as Kargo compares them: in lowercase, without .git and a slash at the end."""
    return url.lower().rstrip("/").removesuffix(".git")


def _outside(values: Mapping[str, Any], stage: str) -> Iterator[Problem]:
    """Yield a problem for each step before the commit that writes or reads what a sparse clone does not check out."""
    promotion = promotion_of(values, stage)
    if not section(promotion, "steps").get("beforeCommit"):
        return
    sparse = section(values, "git").get("sparse")
    written = [u.path if u.kustomize else posixpath.dirname(u.path) for u in updates_of(values, stage, promotion)]
    folders = written or [posixpath.dirname(path_of(values, stage, promotion))]
    if sparse is False or not all(folders) or not has_default_steps(promotion):
        return
    further = sparse if isinstance(sparse, list) else []
    folders += [_filled(values, stage, promotion, item) for item in further]
    for path, file in _paths(values, stage, promotion):
        known = file.split(_UNKNOWN)[0]
        parent = posixpath.dirname(known)
        if not parent or _is_checked_out(parent, folders):
            continue
        message = f"{dotted(path)}: ./src/{parent} is not checked out; the clone has {enumerate_words(folders)} only"
        fix = f"set git.sparse: [{', '.join([*further, parent])}], or false for the whole repository"
        yield Problem("KFW317", message, fix, path)


def _is_checked_out(parent: str, folders: list[str]) -> bool:
    """Return whether a sparse clone has the files directly in a folder: it is in one of `folders`, or above one."""
    return any(f"{parent}/".startswith(f"{folder}/") or f"{folder}/".startswith(f"{parent}/") for folder in folders)


def _paths(values: Mapping[str, Any], stage: str, promotion: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Yield the files and folders of the clone that steps before the commit name, from the root of the repository."""
    for index, step in enumerate(section(promotion, "steps").get("beforeCommit") or []):
        here = ("stages", stage, "promotion", "steps", "beforeCommit", index, "config")
        for path, text in _strings(step.get("config"), here):
            if (start := _CLONE.match(text)) is not None:
                file = posixpath.normpath(_filled(values, stage, promotion, text[start.end() :]))
                yield path, file


def _strings(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _strings(inner, (*path, key))


def _filled(values: Mapping[str, Any], stage: str, promotion: Mapping[str, Any], text: str) -> str:
    """Return a text with the expressions and placeholders filled in whose values are known, and a mark for all others."""
    service = section(values, "service").get("name") or ""
    file = path_of(values, stage, promotion)
    known = {
        "ctx.stage": stage,
        "vars.service": service,
        "vars.path": file,
        "vars.folder": posixpath.dirname(file),
        "vars.branch": branch_of(values, stage),
    }
    text = text.replace("<service>", service).replace("<stage>", stage)
    return _EXPRESSION.sub(lambda match: known.get(match[1], _UNKNOWN), text)
