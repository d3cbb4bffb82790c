"""The words of messages, in the whole package and in the chart: no banned phrase, no unknown placeholder, no broken command."""

from __future__ import annotations

import ast
import itertools
import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kargo_fleet.cli.arguments import parser

ROOT = Path(__file__).parents[1]
CHART = ROOT / "charts/kargo-service"

#: Whole phrases that no message may have, and what to write instead. They are phrases, not words, where the word has a
#: legitimate use: "image not found" is a registry's answer, and "there is no service api" is plain English.
BANNED = {
    r"\bnobody\b|\bsomebody\b": "name who: a person, a user, another release",
    r"\bsaid\b|\btold\b": "reported, set",
    r"\bsay --|\bsay (how|that|so|what|which)\b": "pass --…, report",
    r"\bnobody is there\b": "not a terminal",
    r"\b(can|could|would) be meant\b": "state the limit",
    r"\bif (that|this|it) is meant\b(?! for)|\bnot meant\b|\b(what|was|were) meant\b": "unless this is intended",
    r"\brely on nothing\b|\bfound out\b": "ignore the cache",
    r"\bnames of Helm releases end\b|\bends? at \d+ characters\b": "Helm release names are limited to … characters",
    r"\bhas mistakes\b": "is invalid",
    r"\bleft as (it is|they are)\b": "skipped, unchanged",
    r"\bwhat is up to date\b": "releases that are already up to date",
    r"\bis no (valid|string|number|integer|boolean|list|mapping|JSON|\w+ that)\b|\bis none\b": "is not a …",
    r"\ba text\b|\bno text\b": "a string",
    r"\bwhole number\b": "an integer",
    r"\bexclude each other\b": "are mutually exclusive",
    r"\bwait for each other\b": "form a cycle",
    r"\bpromotes itself\b": "is promoted automatically",
    r"\bat the most\b": "at most …",
    r"\bthe last word\b|\bwithout a word\b|\blies? in wait\b": "no metaphors",
    r"\bbrings? (it|them|the \w+) back\b|\bbring .* back\b": "restore",
    r"\bappears twice\b|\bis listed already\b": "duplicate …",
}

#: Every placeholder that a message, a help text or a description may have. Another one is a typo, or a word that the
#: reader cannot look up.
PLACEHOLDERS = {
    # Replaced in values by the chart or by Kargo, and the reader's own service or stage elsewhere.
    "service",
    "stage",
    "version",
    "team",
    # In paths and image names: `services` and `image.registry` of fleet.yaml.
    "services",
    "registry",
    # In descriptions of the chart's values: this value, and the parts of a platform.
    "name",
    "os",
    "arch",
    # In help texts: the arguments of the command itself.
    "group",
    "kind",
    # In the chart's notes: what only the reader knows.
    "ALIAS",
    "USER",
}
#: Not placeholders: what Go's templates and kubectl print for nothing.
PRINTED = {"no value", "none"}

#: The subcommands in messages. A new one is added once it was tried.
VERBS = {
    "argocd": {"app"},
    "git": {"add", "checkout", "commit", "init", "mv", "remote"},
    "helm": {
        "dependency",
        "install",
        "list",
        "pull",
        "push",
        "registry",
        "rollback",
        "template",
        "uninstall",
        "upgrade",
    },
    "kargo": {"approve", "create", "get", "promote", "refresh", "verify"},
    "kubectl": set("annotate apply auth config create delete describe edit get label logs patch".split()),
}
#: What a hole of an f-string stands for. It is the name of a service, of a namespace, of a context.
SAMPLE = "nginx"


class Text(NamedTuple):
    """A string that a user may read, where it is, and each form that its holes may give it."""

    place: str
    forms: tuple[str, ...]


def forms(node: ast.AST) -> list[str]:
    """Return what a string expression may come to: both branches of a conditional, SAMPLE for what is not known here."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [re.sub(r"\{\w+\}", SAMPLE, node.value)]  # the holes of str.format
    if isinstance(node, ast.FormattedValue):
        return forms(node.value)
    if isinstance(node, ast.IfExp):
        return [*forms(node.body), *forms(node.orelse)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(parts) for parts in itertools.product(*map(forms, node.values))]
    return [SAMPLE]


def strings(source: str, file: str) -> Iterator[Text]:
    """Yield the strings of a module, without its docstrings."""
    tree = ast.parse(source)
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):  # a docstring, or a string that nothing uses
            skipped.add(id(node.value))
        if isinstance(node, ast.JoinedStr) and id(node) not in skipped:
            yield Text(f"{file}:{node.lineno}", tuple(forms(node)))
            skipped.update(id(part) for part in node.values if isinstance(part, ast.Constant))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield Text(f"{file}:{node.lineno}", tuple(forms(node)))


def messages_of_template(source: str, file: str) -> Iterator[Text]:
    """Yield the lines of a template of the chart, without its comments."""
    text = re.sub(r"\{\{-? ?/\*.*?\*/ ?-?\}\}", lambda found: "\n" * found[0].count("\n"), source, flags=re.DOTALL)
    for number, line in enumerate(text.splitlines(), 1):
        yield Text(f"{file}:{number}", (re.sub(r"\{\{.*?\}\}", lambda found: _printed(found[0]), line),))


def _printed(action: str) -> str:
    """Return what an action of a template prints, as far as it stands in the action itself."""
    return (
        f" {found[1]} " if (found := re.search(r'(?:fail|printf|default) \(?(?:printf )?"([^"]*)"', action)) else SAMPLE
    )


def _texts_of_schema(schema: Any, path: str) -> Iterator[Text]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key in ("patternErrorMessage", "emptyErrorMessage", "description") and isinstance(value, str):
                yield Text(path, (value,))
            yield from _texts_of_schema(value, f"{path}/{key}")
    elif isinstance(schema, list):
        for index, value in enumerate(schema):
            yield from _texts_of_schema(value, f"{path}/{index}")


@cache
def texts() -> list[Text]:
    """Return every string of the package, and every message of the chart."""
    found = []
    for file in sorted((ROOT / "tools/kargo_fleet").rglob("*.py")):
        found += strings(file.read_text(encoding="utf-8"), file.relative_to(ROOT).as_posix())
    for file in sorted((CHART / "templates").iterdir()):
        found += messages_of_template(file.read_text(encoding="utf-8"), file.relative_to(ROOT).as_posix())
    found += _texts_of_schema(
        json.loads((CHART / "values.schema.json").read_text(encoding="utf-8")), "values.schema.json"
    )
    return found


def banned(text: Text) -> Iterator[str]:
    """Yield the banned phrases in a text. One word alone is a key or a name, not a message."""
    for form in text.forms:
        for phrase, instead in BANNED.items():
            if " " in form.strip() and (found := re.search(phrase, form)):
                yield f"{text.place}: {found[0]!r} in {form!r}: {instead}"


def unknown_placeholders(text: Text) -> Iterator[str]:
    """Yield the words in angle brackets that are no placeholders. A group of a regular expression is none: (?P<name>…)."""
    for word in re.findall(r"(?<![?P<])<([A-Za-z][\w -]*)>", " ".join(text.forms)):
        if word not in PLACEHOLDERS | PRINTED:
            yield f"{text.place}: <{word}>"


def commands(text: Text) -> Iterator[str]:
    """Yield the commands in backticks of a text; each part of a pipe is one."""
    for form in text.forms:
        for span in re.findall(r"`([^`\n]+)`", form):
            yield from (part.strip() for part in re.split(r" (?:\||&&) ", span))


@cache
def _makefile() -> tuple[set[str], set[str]]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE)), set(re.findall(r"[A-Z_]{2,}", text))


def broken(command: str) -> str:
    """Return why a command cannot be pasted, "" when it can, or when it is none."""
    program, _, rest = command.partition(" ")
    if not rest:
        return ""
    if program == "kargo-fleet":
        try:
            parser().parse_args(shlex.split(rest))
        except SystemExit as end:
            return f"exit status {end.code}" if end.code else ""
    elif program == "make":
        targets, variables = _makefile()
        for word in shlex.split(rest):
            name, is_variable, _ = word.partition("=")
            if name not in (variables if is_variable else targets):
                return f"the Makefile has no {name}"
    elif program in VERBS:
        words = iter(shlex.split(rest))
        verb = next(words)
        while verb.startswith("-"):  # kubectl -n nginx get …
            next(words)
            verb = next(words, "")
        if verb not in VERBS[program]:
            return f"{program} {verb} is unknown"
    return ""


def test_there_are_messages() -> None:
    files = {text.place.partition(":")[0] for text in texts()}
    assert {"tools/kargo_fleet/unit/rules.py", "charts/kargo-service/templates/_validate.tpl"} <= files
    assert any("is reserved by Kargo" in form for text in texts() for form in text.forms)


def test_no_message_has_a_banned_phrase() -> None:
    assert [problem for text in texts() for problem in banned(text)] == []


def test_no_fix_has_an_ellipsis_for_a_value() -> None:
    """Such as `{image: {…}}`, which cannot be pasted. Descriptions of a schema are for readers."""
    found = [text.place for text in texts() for form in text.forms if re.search(r"\{…\}|: …[,}]", form)]
    assert [place for place in found if "unit/" in place or "doctor/" in place or "templates/" in place] == []


def test_every_placeholder_exists() -> None:
    assert [problem for text in texts() for problem in unknown_placeholders(text)] == []


def test_every_placeholder_is_used() -> None:
    used = {word for text in texts() for form in text.forms for word in re.findall(r"<([A-Za-z ]+)>", form)}
    assert used >= PLACEHOLDERS


def test_every_command_can_be_pasted() -> None:
    found = {command: text.place for text in texts() for command in commands(text)}
    assert sum(command.startswith("kargo-fleet ") for command in found) > 10
    assert {f"{place}: `{command}`: {why}" for command, place in found.items() if (why := broken(command))} == set()


def test_the_commands_of_the_notes_can_be_pasted() -> None:
    notes = [text for text in texts() if text.place.startswith("charts/kargo-service/templates/NOTES.txt:")]
    lines = [line for text in notes for line in text.forms if line.strip().partition(" ")[0] in VERBS]
    assert len(lines) > 5
    assert {line: broken(line.strip()) for line in lines if broken(line.strip())} == {}


@pytest.mark.parametrize(
    ("source", "finds"),
    [
        ('message = f"{name} has mistakes, so nothing is written"', banned),
        ('fix = "not a terminal" if tty else "nobody is there to ask: say --yes"', banned),
        ("f\"the value{', which nobody reads' if unread else ''}\"", banned),
        ('x = f"{shown} is no number"', banned),
        ('fix = "helm install <shorter name> chart"', unknown_placeholders),
        ('fix = f"write {folder}/<servce>/values.yaml"', unknown_placeholders),
    ],
)
def test_a_violation_is_found(source: str, finds: Any) -> None:
    assert any(problem for text in strings(source, "x.py") for problem in finds(text))


@pytest.mark.parametrize(
    "source",
    [
        '"""Nobody reads <this>, and nothing is said."""',
        'def f():\n    """Return what was said."""',
        'key = "told"',
        'x = "there is no service api", "service api is no longer there", r"(?P<name>.*) x"',
        'x = "write services/<service>/values-<stage>.yaml"',
    ],
)
def test_legitimate_words_are_left_alone(source: str) -> None:
    for text in strings(source, "x.py"):
        assert [*banned(text), *unknown_placeholders(text)] == []


@pytest.mark.parametrize(
    ("source", "is_broken"),
    [
        ('fix = f"run `kargo-fleet generate {name} --force`"', False),
        ("fix = f\"run `kargo-fleet generate --prune{' --force' if edited else ''}`\"", False),
        ('fix = "run `kargo-fleet generate --froce`"', True),
        ("fix = f\"run `kargo-fleet generate{' --froce' if edited else ''}`\"", True),
        ('fix = "run `kargo-fleet genrate`"', True),
        ('fix = "`make render VALIDATE=1` fetches them"', False),
        ('fix = "`make rendr`"', True),
        ('fix = "`make render VALIDAT=1`"', True),
        ('fix = f"`kubectl -n {namespace} get pods`, `kubectl get pods | helm template`"', False),
        ('fix = f"`kubectl -n {namespace} gte pods`"', True),
        ('fix = "`helm nstall`"', True),
        ('fix = "`image.tag` or `services/<service>`"', False),
    ],
)
def test_a_broken_command_is_found(source: str, is_broken: bool) -> None:
    found = [broken(command) for text in strings(source, "x.py") for command in commands(text)]
    assert any(found) == is_broken, found
