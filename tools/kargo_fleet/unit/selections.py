"""What selects commits and Freight: patterns of paths, and expressions. Kargo finds out when it looks for new artifacts.

The chart has the rules of `problems` in templates/_validate_selections.tpl, in the same words.
"""

from __future__ import annotations

from collections.abc import Iterator

from kargo_fleet.findings import KeyPath, Problem, dotted, problem_at, value_at
from kargo_fleet.fleet.freight import Subscription
from kargo_fleet.fleet.pipeline import Pipeline
from kargo_fleet.text import expressions, path_patterns
from kargo_fleet.text.go_regex import compiled
from kargo_fleet.text.words import quoted


def problems(pipeline: Pipeline) -> Iterator[Problem]:
    """Yield the problems with patterns and expressions that Kargo refuses."""
    for warehouse in pipeline.warehouses.values():
        criteria = value_at(warehouse.given, ("freightCreationCriteria", "expression"))
        yield from _expression((*warehouse.path, "freightCreationCriteria", "expression"), criteria or "")
        for subscription in warehouse.subscriptions:
            if subscription.kind == "git":
                filter_ = subscription.given.get("expressionFilter") or ""
                yield from _expression((*subscription.path, "expressionFilter"), filter_)
                for path, pattern in _path_patterns(subscription):
                    yield from _path_pattern(path, pattern)


def _path_pattern(path: KeyPath, pattern: str) -> Iterator[Problem]:
    kind, _, text = pattern.partition(":")
    if pattern.startswith(("regex:", "regexp:")) and compiled(text) is None:
        message = f"{quoted(pattern)} is not a Go regular expression (RE2: no lookarounds, no backreferences)"
        yield problem_at(path, "KF303", message, "correct it, such as regex:^services/[^/]+/config/")
    elif kind == "glob" and not path_patterns.is_glob(text):
        message = f"{quoted(pattern)} is not a glob; [ and {{ have to be closed, and \\ stands before another character"
        yield problem_at(path, "KF103", message, r"correct it, or write \[ for the character itself")
    elif pattern.startswith("/"):
        message = f"{quoted(pattern)} matches nothing; paths start at the root of the repository, without /"
        yield problem_at(path, "KF103", message, f"write {path_patterns.meant(pattern) or pattern.lstrip('/')}")


def warnings(pipeline: Pipeline) -> Iterator[Problem]:
    """Yield a problem for each pattern that Kargo takes for the name of a folder or a file."""
    for subscription in pipeline.subscriptions("git"):
        for path, pattern in _path_patterns(subscription):
            if (meant := path_patterns.meant(pattern)) and not pattern.startswith("/"):
                kind = meant.partition(":")[0]
                message = f"{dotted(path)}: {quoted(pattern)} is the name of a folder or a file; a pattern starts with {kind}:"
                yield Problem("KFW320", message, f"write {quoted(meant)}", path)


def _expression(path: KeyPath, expression: str) -> Iterator[Problem]:
    if expression and (fault := expressions.fault(expression)):
        fix = expression.strip().removeprefix("${{").removesuffix("}}").strip() if fault.startswith("is") else ""
        yield problem_at(path, "KF103", fault, f"write {fix}" if fix else "correct it")


def _path_patterns(subscription: Subscription) -> Iterator[tuple[KeyPath, str]]:
    for key in ("includePaths", "excludePaths"):
        for index, pattern in enumerate(subscription.given.get(key) or []):
            yield (*subscription.path, key, index), pattern
