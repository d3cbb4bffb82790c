"""The expressions in a Stage: each compiles, and each thing that it names is there when it runs.

Kargo finds out when a promotion runs, or not at all: an undefined `vars.x` is `null`, and ends up as that in a path
or a message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from . import schemas, upstream

Object = Mapping[str, Any]

# pkg/promotion/evaluator.go, BuildCtxMap
PROMOTION: Final[Object] = {
    "uiBaseUrl": None,
    "project": None,
    "promotion": None,
    "stage": None,
    "targetFreight": {"name": None, "alias": None, "origin": {"name": None}},
    "meta": {"promotion": {"actor": None, "rollback": None}, "step": {"alias": None}},
}
# pkg/controller/stages/regular_stages.go, startVerification
VERIFICATION: Final[Object] = {"project": None, "stage": None}

CONFIG: Final = "config"  # a value in a step's config
IF: Final = "if"  # a step's condition
VARS: Final = "vars"  # a value of a variable or argument: no status functions


@dataclass
class Scope:
    """What an expression can see."""

    ctx: Object
    vars: set[str] = field(default_factory=set)
    # By alias, the outputs that are known, or None when they cannot be known. No map: there are no outputs here at
    # all.
    outputs: dict[str, frozenset[str] | None] | None = None
    later: frozenset[str] = frozenset()

    @property
    def names(self) -> set[str]:
        """The names that an expression may start with."""
        return {"ctx", "vars"} | ({"outputs", "stepMetas"} if self.outputs is not None else set())


def is_expression(text: object) -> bool:
    """Whether Kargo evaluates `text`; any other is passed on as it is."""
    return isinstance(text, str) and ("${{" in text or "${%" in text)


def strings(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every string in `value` with its path. Kargo does not evaluate keys."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from strings(inner, (*path, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from strings(inner, (*path, i))


def check(template: str, place: str, scope: Scope) -> Iterator[str]:
    """What is wrong with the expressions in `template`."""
    if not is_expression(template):
        return
    found = upstream.ask_one("expression-check", {"template": template, "place": place})
    if "error" in found:
        yield "expression: " + " ".join(str(found["error"]).split("\n")[0].split())
        return
    for name in found["names"]:
        if name not in scope.names:
            yield f"expression: there is no {name!r} here"
    for root, *path in found["paths"]:
        if root == "vars" and path and path[0] not in scope.vars:
            yield f"expression: vars.{path[0]} is not defined here"
        elif root == "ctx" and (unknown := _unknown(scope.ctx, path)):
            yield f"expression: there is no ctx.{unknown} here"
        elif root in {"outputs", "stepMetas"} and path and scope.outputs is not None:
            yield from _check_output(path, scope, fields=root == "outputs")
    for name, *arguments in found["calls"]:
        if name == "status" and arguments and scope.outputs is not None:
            yield from _check_output(arguments[:1], scope)


def _check_output(path: list[str], scope: Scope, *, fields: bool = True) -> Iterator[str]:
    assert scope.outputs is not None
    alias, rest = path[0].partition("::")[0], path[1:]
    if alias not in scope.outputs:
        when = "runs later" if alias in scope.later else "does not exist"
        yield f"expression: step {alias!r} {when}"
        return
    known = scope.outputs[alias]
    if fields and known is not None and "::" not in path[0] and rest and not _is_output(rest, known):
        yield f"expression: step {alias!r} has no output {'.'.join(rest)!r}, it has {', '.join(sorted(known))}"


def _is_output(path: list[str], known: frozenset[str]) -> bool:
    if path[0] not in known:
        return False
    nested = any(name.startswith(path[0] + ".") for name in known)
    return not nested or len(path) == 1 or f"{path[0]}.{path[1]}" in known


def _unknown(tree: Any, path: list[str]) -> str | None:
    """The first part of `path` that is not in `tree`, with what comes before it."""
    for i, part in enumerate(path):
        if not isinstance(tree, Mapping) or part not in tree:
            return ".".join(path[: i + 1])
        tree = tree[part]
    return None


def stage_problems(stage: Object) -> Iterator[str]:
    """Everything that is wrong with the expressions of a Stage."""
    spec = stage["spec"]
    verification = spec.get("verification")
    scope = Scope(PROMOTION)
    # Kargo evaluates the variables of a Stage for its verification as well, where less is known.
    own = Scope(VERIFICATION) if verification and verification.get("args") else scope
    yield from _check_vars(spec.get("vars"), "spec.vars", own)
    scope.vars |= own.vars
    arguments: list[Any] = (verification.get("args") if verification else None) or []
    for i, argument in enumerate(arguments):
        for problem in check(argument.get("value", ""), VARS, own):
            yield f"spec.verification.args[{i}].value: {problem}"
    template = (spec.get("promotionTemplate") or {}).get("spec")
    if template:
        yield from _check_vars(template.get("vars"), "spec.promotionTemplate.spec.vars", scope)
        yield from steps_problems(template.get("steps") or [], "spec.promotionTemplate.spec.steps", scope.vars)


def steps_problems(steps: list[Any], path: str, variables: set[str]) -> Iterator[str]:
    """Everything that is wrong with the expressions of a list of steps."""
    aliases = [alias_of(step, i) for i, step in enumerate(steps)]
    outputs: dict[str, frozenset[str] | None] = {}
    for i, step in enumerate(steps):
        scope = Scope(PROMOTION, set(variables), outputs, frozenset(aliases[i:]))
        yield from _check_vars(step.get("vars"), f"{path}[{i}].vars", scope)
        if condition := step.get("if"):
            # pkg/promotion/evaluator.go, ShouldSkip: text without an expression stays text, and is no boolean.
            if not is_expression(condition):
                yield f"{path}[{i}].if: {condition!r} is no expression and so never true or false"
            for problem in check(condition, IF, scope):
                yield f"{path}[{i}].if: {problem}"
        for where, text in strings(step.get("config"), (f"{path}[{i}].config",)):
            for problem in check(text, CONFIG, scope):
                yield f"{where[0]}.{schemas.path_of(where[1:])}: {problem}"
        outputs = outputs | {aliases[i]: schemas.step_outputs(step["uses"]) if step.get("uses") else None}


def alias_of(step: Object, index: int) -> str:
    """The alias of a step: its own, or the one that Kargo gives (api/v1alpha1/promotion_types.go, GetAlias)."""
    return str(step.get("as") or f"{'task' if step.get('task') else 'step'}-{index + 1}")


def _check_vars(variables: Any, path: str, scope: Scope) -> Iterator[str]:
    """Variables see those before them; each is added to `scope`."""
    seen: set[str] = set()
    for i, variable in enumerate(variables or ()):
        for problem in check(variable.get("value", ""), VARS, scope):
            yield f"{path}[{i}].value: {problem}"
        if variable["name"] in seen:
            yield f"{path}[{i}].name: {variable['name']!r} is defined twice"
        seen.add(variable["name"])
        scope.vars.add(variable["name"])
