"""Every regular expression takes linear time: in RE2, or in Python's engine where the pattern leaves it no choice.

Python's engine backtracks. A pattern is free of choices when no repetition has another one in it, what follows a repetition
cannot be taken for its end, and no search starts again within what it has just tried: `no_choice` sees to that. Whatever
else is matched by `re` stands in `BY_HAND`, with the reason; a new one has to be classified, or moved to text/patterns.py.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from re import _constants as c  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from kargo_fleet.fleet.sections import fleet_schema
from kargo_fleet.text import path_patterns
from kargo_fleet.text.go_regex import compiled
from kargo_fleet.text.json_schema import Schema
from kargo_fleet.text.patterns import LinearPattern, linear
from kargo_fleet.text.semver import is_constraint

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tools" / "kargo_fleet"
CALLS = {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
#: A repetition that is longer is one without an end.
FEW = 128
SAMPLE = frozenset(map(chr, range(256))) | {"\u2028", "\u4e2d"}
WHOLE = {"match", "fullmatch"}
#: Stands for what is checked at a place and takes no character.
END = frozenset({"the end"})


class Use:
    """A use of `re`: its module, its source, the pattern if that is known, and whether it starts at any character."""

    def __init__(self, module: str, source: str, pattern: str | None, flags: int, *, anywhere: bool) -> None:
        self.module, self.source, self.pattern, self.flags, self.anywhere = module, source, pattern, flags, anywhere

    @property
    def key(self) -> tuple[str, str]:
        return self.module, self.source


def _uses() -> Iterator[Use]:
    for path in sorted(PACKAGE.rglob("*.py")):
        module, text = path.relative_to(PACKAGE).as_posix(), path.read_text()
        tree = ast.parse(text)
        named = {node.value: node.targets[0] for node in ast.walk(tree) if isinstance(node, ast.Assign)}
        named |= {node.value: node.target for node in ast.walk(tree) if isinstance(node, ast.AnnAssign) and node.value}
        top = {id(node) for node in tree.body}
        parents = {id(child): node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        for call in ast.walk(tree):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            if not (isinstance(call.func.value, ast.Name) and call.func.value.id == "re" and call.func.attr in CALLS):
                continue
            target = named.get(call)
            if isinstance(target, ast.Name) and id(parents[id(call)]) in top:
                imported = f"kargo_fleet.{module.removesuffix('.py').replace('/', '.')}"
                found = getattr(importlib.import_module(imported), target.id)
                uses = set(re.findall(rf"\b{target.id}\.(\w+)\(", text))
                yield Use(module, target.id, found.pattern, found.flags, anywhere=not uses <= WHOLE)
            else:
                given = call.args[0]
                constant = given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else None
                anywhere = call.func.attr not in WHOLE
                flags = sum(getattr(re, name) for name in re.findall(r"re\.([A-Z]+)\b", ast.unparse(call)))
                yield Use(module, ast.unparse(given), constant, flags, anywhere=anywhere)


def _characters(node: Any, flags: int) -> frozenset[str] | None:
    """Return the characters of a sample that a node matches, None if it is not one character."""
    kind, value = node
    if kind is c.IN:
        return frozenset(SAMPLE & set(_class(value, flags)))
    if kind in (c.LITERAL, c.NOT_LITERAL):
        same = {chr(value), *({chr(value).lower(), chr(value).upper()} if flags & re.IGNORECASE else ())}
        return frozenset(same if kind is c.LITERAL else SAMPLE - same)
    if kind is c.ANY:
        return SAMPLE if flags & re.DOTALL else SAMPLE - {"\n"}
    return None


def _class(parts: Any, flags: int) -> set[str]:
    chosen: set[str] = set()
    is_negated = False
    for kind, value in parts:
        if kind is c.NEGATE:
            is_negated = True
        elif kind is c.RANGE:
            chosen |= {one for one in SAMPLE if value[0] <= ord(one) <= value[1]}
        elif kind is c.CATEGORY:
            letter = {c.CATEGORY_DIGIT: r"\d", c.CATEGORY_SPACE: r"\s", c.CATEGORY_WORD: r"\w"}
            letter |= {c.CATEGORY_NOT_DIGIT: r"\D", c.CATEGORY_NOT_SPACE: r"\S", c.CATEGORY_NOT_WORD: r"\W"}
            chosen |= {one for one in SAMPLE if re.match(letter[value], one, flags & re.ASCII)}
        else:
            chosen |= _characters((kind, value), flags) or set()
    if flags & re.IGNORECASE:
        chosen |= {other for one in chosen for other in (one.lower(), one.upper())}
    return set(SAMPLE - chosen) if is_negated else chosen


class _Choice(Exception):
    """A pattern that may be matched in several ways."""


def no_choice(pattern: str, flags: int = 0, *, anywhere: bool = False) -> bool:
    """Return whether Python's engine cannot backtrack far, by a rule that is simple and refuses some that cannot either."""
    tree = parser.parse(pattern, flags)
    flags |= tree.state.flags
    loops: list[frozenset[str]] = []
    try:
        first, _ = _walk(list(tree), frozenset(), flags, loops, in_loop=False)
    except _Choice:
        return False
    is_anchored = bool(tree) and tree[0][0] is c.AT and not flags & re.MULTILINE
    return not anywhere or is_anchored or not any(first & loop for loop in loops)


def _walk(
    nodes: list[Any], after: frozenset[str], flags: int, loops: list[frozenset[str]], *, in_loop: bool
) -> tuple[frozenset[str], bool]:
    """Return what a sequence may start with, and whether it may be empty; `after` is what may follow it."""
    first, is_empty = after, True
    for kind, value in reversed(nodes):
        if kind in (c.AT, c.ASSERT, c.ASSERT_NOT):
            first |= END
            continue
        following = first
        here, may_be_empty = _node(kind, value, following, flags, loops, in_loop=in_loop)
        first = here | following if may_be_empty else here
        is_empty = is_empty and may_be_empty
    return first, is_empty


def _node(
    kind: Any, value: Any, following: frozenset[str], flags: int, loops: list[frozenset[str]], *, in_loop: bool
) -> tuple[frozenset[str], bool]:
    if (characters := _characters((kind, value), flags)) is not None:
        return characters, False
    if kind is c.SUBPATTERN:
        _, more, less, inner = value
        return _walk(list(inner), following, (flags | more) & ~less, loops, in_loop=in_loop)
    if kind is c.BRANCH:
        found = [_walk(list(inner), following, flags, loops, in_loop=in_loop) for inner in value[1]]
        return frozenset().union(*(first for first, _ in found)), any(empty for _, empty in found)
    if kind in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT):
        least, most, inner = value
        is_long = most > FEW
        characters = _characters(inner[0], flags) if len(inner) == 1 else None
        if is_long and (in_loop or characters is None or characters & following):
            raise _Choice
        if is_long and characters is not None and following:  # what ends a pattern cannot fail
            loops.append(characters)
        first, empty = _walk(list(inner), following, flags, loops, in_loop=in_loop or most > 1)
        return first, empty or least == 0
    raise _Choice


ONE_BACK = "gives back one character at a time, and each fails at the next"
SEPARATED = "what is repeated begins with a character that it has nowhere else"
WORDS = "words without repetitions"
LITERAL = "one literal text, with the characters beside it"
SHORT = "the text is the name of a file, which file systems limit"
LINES = "each line is tried once: what is repeated has no line breaks, and another line may not begin within it"
OURS = "the text is this tool's own"

BY_HAND = {
    ("argocd/validate.py", "_SUBDOMAIN"): "the text has at most 253 characters",
    ("clients/helm.py", "_NOISE"): "what is repeated comes after a word at the start of the text, or before its end",
    (
        "clients/kube.py",
        "_NO_CONTEXT",
    ): "a search that fails at the second quote does not begin within the quotes again",
    (
        "clients/retrying.py",
        "_TRANSIENT",
    ): "a search that fails at the second quote does not begin within the quotes again",
    ("commands/doctor.py", "f'`({client})(?=[ `])'"): LITERAL,
    ("commands/explain.py", "_SECTION"): OURS,
    ("doctor/git_credentials.py", "_SCP"): SEPARATED,
    ("doctor/stages.py", "pattern"): WORDS,
    ("doctor/warehouses.py", "pattern"): WORDS,
    ("doctor/warehouses.py", "'No\\\\w+Discovered'"): ONE_BACK,
    ("findings.py", "f'(?<![\\\\w-]){re.escape(finding.service)}(?![\\\\w-])'"): LITERAL,
    ("fleet/config.py", "'|'.join((f'(?:{fnmatch.translate(item)})' for item in patterns)) or '(?!)'"): (
        "fnmatch gives nothing back of what a * has taken: atomic groups"
    ),
    ("fleet/folder_pattern.py", "SERVICES_PATTERN"): SEPARATED,
    ("fleet/folder_pattern.py", "WRITTEN_PATTERN"): WORDS,
    ("fleet/names.py", "_DNS_LABEL"): ONE_BACK,
    ("fleet/vendored.py", "FOLDER_PATTERN"): SEPARATED,
    ("fleet/vendored.py", "_SUM"): LINES,
    ("fleet/vendored.py", "_VERSION"): LINES,
    ("generate/listed.py", "_ELEMENT"): LINES,
    ("onboard/candidates.py", "_STAGE_NAME"): ONE_BACK,
    ("onboard/candidates.py", "_VALUES"): SHORT,
    ("onboard/initial.py", "OCI_PATTERN"): "the text is an argument of the command line",
    ("onboard/layout.py", "_RESEMBLES"): SHORT,
    ("onboard/remote.py", "'(?<=://)[^/@]*@'"): "a search that fails at a slash begins again behind the next ://",
    ("render/documents.py", "_PLAIN_HEAD"): LINES,
    ("terminal/output.py", "_COMMAND"): "it begins at the start of a line, or at a #, and letters are no #",
    ("terminal/invocation.py", "_OPTION"): OURS,
    ("text/diffs.py", "'[^\\\\n]*\\\\n|[^\\\\n]+'"): LINES,
    ("text/expressions.py", "_CALL"): "a match begins at the start of a word only, and what follows it is spaces",
    ("text/go_regex.py", "_PART"): "each match begins where the last one ends, and none fails",
    ("text/durations.py", "'([0-9.]+)(ms|h|m|s)'"): "the text is a duration: a unit stands behind each number",
    ("text/durations.py", "PATTERN"): SEPARATED,
    ("text/image_references.py", "_PORT"): WORDS,
    ("text/image_references.py", "_REPLACED"): WORDS,
    ("text/placeholders.py", "f'(\\\\\\\\?){angled(word)}'"): LITERAL,
    ("text/placeholders.py", "f'\\\\?(P?){placeholder}'"): LITERAL,
    ("text/yaml_reader.py", "_pattern"): "digits, a point and an exponent: no two of them begin alike",
    ("text/yaml_writer.py", "_DURATION"): SEPARATED,
    ("text/yaml_writer.py", "_NARROW_PLAIN"): SEPARATED,
    ("text/yaml_writer.py", "_PLAIN"): "the alternatives begin with different characters, and look one character ahead",
    ("unit/project_names.py", "_LABEL"): ONE_BACK,
    ("unit/rendered_files.py", "f'(?<![a-z0-9]){re.escape(service)}(?![a-z0-9])'"): LITERAL,
    ("unit/written_files.py", "_STAGE"): ONE_BACK,
    **{
        ("unit/pull_requests.py", f"'https?://{host}/'"): "the schema of git.repoURL requires a slash behind the host"
        for host in (
            "(dev\\\\.azure\\\\.com|[^/]*visualstudio\\\\.com)",
            "[^/]*gitea[^/]*",
            "([^/]*github[^/]*|[^/]*\\\\.ghe\\\\.com)",
            "[^/]*gitlab[^/]*",
        )
    },
}
USES = list(_uses())


@pytest.mark.parametrize(
    ("pattern", "anywhere", "expected"),
    [
        ("[a-z]+", False, True),
        ("[a-z]+", True, True),
        ("[a-z]+:", True, False),
        ("a[b-z]*", True, True),
        ("(a+)+", False, False),
        ("[a-z]+[0-9]+:", False, True),
        ("[a-z]*[a-m]", False, False),
        ("[a-z]*(-x)?[a-m]", False, False),
        (r"\s*\s*", False, False),
        (r"x|.*y", False, False),
        (r"[^/]*/", False, True),
        (r"(?i)a[B]*:", True, True),
        (r"(?i)a[A]*:", True, False),
    ],
)
def test_what_counts_as_free_of_choices(pattern: str, anywhere: bool, expected: bool) -> None:
    assert no_choice(pattern, anywhere=anywhere) is expected


@pytest.mark.parametrize("use", USES, ids=lambda use: f"{use.module} {use.source}")
def test_each_regular_expression_takes_linear_time(use: Use) -> None:
    if use.key not in BY_HAND:
        assert use.pattern is not None, f"{use.source}: a pattern that is put together, with which engine and why?"
        assert no_choice(use.pattern, use.flags, anywhere=use.anywhere), f"{use.pattern}: use text/patterns.py"


def test_what_is_classified_is_there() -> None:
    assert {use.key for use in USES} >= BY_HAND.keys()


def test_re_is_used_by_its_name() -> None:
    """`from re import …` and another engine would not be seen above."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.module not in ("re", "re2", "regex"), path
            if isinstance(node, ast.Import):
                names = {alias.name for alias in node.names if not alias.asname or alias.name == "re"}
                assert "re2" not in names or path.name == "go_regex.py", path
                assert all(alias.asname is None for alias in node.names if alias.name == "re"), path


def _linear_patterns() -> Iterator[tuple[str, LinearPattern]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if "linear(" in path.read_text() and path.stem != "__main__":
            module = importlib.import_module(
                f"kargo_fleet.{path.relative_to(PACKAGE).with_suffix('').as_posix().replace('/', '.')}"
            )
            yield from (
                (f"{path.name} {name}", found)
                for name, found in vars(module).items()
                if isinstance(found, LinearPattern)
            )


def test_the_patterns_for_re2_are_its_own() -> None:
    found = dict(_linear_patterns())
    assert len(found) > 10
    assert [name for name, pattern in found.items() if compiled(pattern.pattern) is None] == []


def _schema_patterns(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("pattern"), str):
            yield node["pattern"]
        if isinstance(node.get("patternProperties"), dict):
            yield from node["patternProperties"]
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _schema_patterns(inner)


def test_the_patterns_of_the_schemas_are_linear() -> None:
    """Helm validates with Go's engine, which knows no lookahead; the tool compiles all of them for linear time, too."""
    chart = json.loads((ROOT / "charts/kargo-service/values.schema.json").read_text())
    steps = json.loads((PACKAGE / "unit/kargo_steps.json").read_text())
    patterns = set(_schema_patterns([chart, fleet_schema(chart), steps]))
    assert len(patterns) > 40
    assert [pattern for pattern in patterns if compiled(pattern) is None] == []
    with pytest.raises(ValueError, match="regex"):
        Schema({"pattern": "(?=a)b"})


@pytest.mark.parametrize(
    "constraint",
    [
        " ".join(["11.1"] * 99 + ["1.1 a"]),
        ",".join(["| - 1.1"] * 64),
        "1 - " * 128,
        "1-" * 256,
        "1.1.1-" + "a." * 250,
        "1 " * 255 + "!",
    ],
)
def test_a_constraint_takes_no_time(constraint: str) -> None:
    start = time.process_time()
    is_constraint(constraint)
    assert time.process_time() - start < 1


def test_a_glob_takes_no_time() -> None:
    start = time.process_time()
    assert not path_patterns.matches("glob:" + "*a" * 30, "a" * 5000 + "b")
    assert not path_patterns.matches("glob:" + "{a,aa}" * 30 + "c", "a" * 5000)
    assert time.process_time() - start < 1


def test_what_utf_8_does_not_have() -> None:
    """Names of files may hold any bytes; Python then has surrogates for them."""
    assert linear("^a.b$").fullmatch("a\udcffb")
    assert not linear("^ab$").fullmatch("a\udcffb")
