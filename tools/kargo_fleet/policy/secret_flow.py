"""Where the content of Secrets comes to: the variables and the outputs of steps whose expressions read one.

Kargo's functions `secret` and `sharedSecret` read Secrets of the Project's namespace and the shared ones (Kargo's docs,
"Expression Language Reference"). What they return is followed, since a rule that looks for their names alone is evaded by a
variable in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kargo_fleet.fleet.pipeline import Pipeline, section
from kargo_fleet.policy.keys import strings
from kargo_fleet.text.patterns import linear

_EXPRESSION = linear(r"(?s)\$\{\{(.*?)\}\}")
_SECRET = linear(r"\b(?:secret|sharedSecret)\b")
#: What an expression reads variables or outputs of steps by, and the name of the one that it reads; without a name, as in
#: toJSON(vars), all of them.
_OWNER = linear(
    r"\b(?:vars|outputs)\b(?:\s*\??\.?\s*(?:\.\s*([A-Za-z_]\w*)|\[\s*(?:\"([^\"\\]*)\"|'([^'\\]*)')\s*\]))?"
)


class Tainted:
    """The names of variables and of steps' outputs that hold what a Secret holds, anywhere in a unit."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._names: set[str] = set()
        sources = list(_sources(pipeline))
        while found := {name for name, text in sources if name not in self._names and self.reads(text)}:
            self._names |= found

    def reads(self, text: str) -> bool:
        """Return whether an expression in a text reads a Secret, by itself or by what holds its content."""
        return any(self._has(expression) for expression in _EXPRESSION.findall(text))

    def _has(self, expression: str) -> bool:
        if _SECRET.search(expression):
            return True
        for owner in _OWNER.finditer(expression):
            name = next(filter(None, owner.groups()), "")
            if name in self._names if name else self._names:
                return True
        return False


def _sources(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    """Yield each variable and each alias of a step, with every text that it is made of."""
    for stage in pipeline.stages.values():
        owners = [section(stage.given, "vars"), section(section(stage.promotion, "task"), "vars")]
        yield from _variables(*owners)
        for steps in stage.own_steps.values():
            yield from _of_steps(steps)
    for task in section(pipeline.values, "promotionTasks").values():
        yield from _of_steps((task or {}).get("steps") or [])
        for variable in (task or {}).get("vars") or []:
            yield from ((variable.get("name") or "", text) for _, text in strings(variable.get("value")))


def _variables(*owners: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for owner in owners:
        for name, value in owner.items():
            yield from ((name, text) for _, text in strings(value))


def _of_steps(steps: Any) -> Iterator[tuple[str, str]]:
    for index, step in enumerate(steps):
        alias = step.get("as") or f"step-{index}"
        yield from ((alias, text) for _, text in strings(step.get("config")))
        given = step.get("vars") or {}
        pairs = given.items() if isinstance(given, dict) else [(one.get("name"), one.get("value")) for one in given]
        for name, value in pairs:
            yield from ((name, text) for _, text in strings(value))
