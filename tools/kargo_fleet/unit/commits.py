"""What a unit's promotions commit: whether a Git subscription of its own sees it, and whether the clone has it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any

from kargo_fleet.findings import KeyPath, Problem, dotted
from kargo_fleet.fleet.freight import Subscription
from kargo_fleet.fleet.pipeline import Pipeline, Stage, section
from kargo_fleet.text.git_urls import normalized
from kargo_fleet.text.path_patterns import selects
from kargo_fleet.text.patterns import linear
from kargo_fleet.text.words import enumerate_words
from kargo_fleet.unit import clones

_CLONE = re.compile(r"(?:\./)?(src|out)/")
_EXPRESSION = linear(r"\$\{\{\s*(.*?)\s*\}\}")
_UNKNOWN = "\0"


def problems(pipeline: Pipeline) -> Iterator[Problem]:
    """Yield the problems with what the promotions of a valid unit commit."""
    for subscription in pipeline.subscriptions("git"):
        yield from _loop(pipeline, subscription)
    for stage in pipeline.stages.values():
        yield from _outside(pipeline, stage)


def _loop(pipeline: Pipeline, subscription: Subscription) -> Iterator[Problem]:
    """Yield a problem if a Git subscription sees the promotions' own commits.

    A pull request is none the better: its merge is a commit, too. What an `expressionFilter` leaves out is not known.
    """
    git = subscription.given
    strategy = git.get("commitSelectionStrategy") or "NewestFromBranch"
    if strategy != "NewestFromBranch" or git.get("expressionFilter"):
        return
    include, exclude = git.get("includePaths") or [], git.get("excludePaths") or []
    written = sorted({file for file in _written(pipeline, subscription) if selects(include, exclude, file)})
    if not written:
        return
    message = (
        f"{dotted(subscription.path)}: sees the commits of the promotions themselves ({enumerate_words(written)});"
        " each makes new Freight, which starts again at the first stage"
    )
    fix = f"set excludePaths: [{', '.join([*exclude, *written])}]"
    yield Problem("KFW316", message, fix, subscription.path)


def _written(pipeline: Pipeline, subscription: Subscription) -> Iterator[str]:
    """Yield the files that promotions write on the branch of a subscription, as far as they are known."""
    repository = normalized(subscription.repo_url)
    # Without a branch, it is the repository's default one: probably the one that promotions commit to.
    branch = subscription.given.get("branch") or section(pipeline.values, "git").get("branch") or "main"
    for stage in pipeline.stages.values():
        if not stage.has_default_steps or normalized(stage.repo_url) != repository or stage.target_branch != branch:
            continue
        if stage.rendering:
            yield stage.rendering.out_path or "."
        for update in () if stage.rendering else stage.updates:
            yield from update.files
        for path, file in _paths(pipeline, stage, stage.work_tree):
            if path[-1] in ("path", "outPath") and _UNKNOWN not in file:
                yield file


def _outside(pipeline: Pipeline, stage: Stage) -> Iterator[Problem]:
    """Yield a problem for each step before the commit that writes or reads what a sparse clone does not check out."""
    if not section(stage.promotion, "steps").get("beforeCommit"):
        return
    if not (stage.is_sparse and stage.has_default_steps):
        return
    further = stage.sparse_folders
    own = {"src": stage.source_folders, **({"out": [stage.rendering.out_folder]} if stage.rendering else {})}
    for clone, folders in own.items():
        if not all(folders):
            continue
        folders += [_filled(pipeline, stage, item) for item in further]
        for path, file in _paths(pipeline, stage, clone):
            known = file.split(_UNKNOWN)[0]
            parent = posixpath.dirname(known)
            if not parent or clones.has_files_of(parent, folders):
                continue
            message = (
                f"{dotted(path)}: ./{clone}/{parent} is not checked out; the clone has {enumerate_words(folders)} only"
            )
            fix = f"set git.sparse: [{', '.join([*further, parent])}], or false for the whole repository"
            yield Problem("KFW317", message, fix, path)


def _paths(pipeline: Pipeline, stage: Stage, clone: str) -> Iterator[tuple[KeyPath, str]]:
    """Yield the files and folders of a clone that steps before the commit name, from the root of the repository."""
    for index, step in enumerate(section(stage.promotion, "steps").get("beforeCommit") or []):
        here = ("stages", stage.name, "promotion", "steps", "beforeCommit", index, "config")
        for path, text in _strings(step.get("config"), here):
            if (start := _CLONE.match(text)) is not None and start[1] == clone:
                yield path, posixpath.normpath(_filled(pipeline, stage, text[start.end() :]))


def _strings(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _strings(inner, (*path, key))


def _filled(pipeline: Pipeline, stage: Stage, text: str) -> str:
    """Return a text with the expressions filled in whose values are known, and a mark for all others."""
    known = {
        "ctx.stage": stage.name,
        "vars.service": pipeline.service,
        "vars.path": stage.path,
        "vars.folder": posixpath.dirname(stage.path),
        "vars.branch": stage.branch,
    }
    return _EXPRESSION.sub(lambda match: known.get(match[1], _UNKNOWN), text)
