"""One service's violations of the policy: the rule, its owner, the layer and line, the value, what is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from kargo_fleet.findings import Finding, KeyPath, Place, Problem, dotted
from kargo_fleet.fleet.layers import in_layers
from kargo_fleet.fleet.names import FLEET_FILE
from kargo_fleet.policy.baseline import BASELINE
from kargo_fleet.policy.own_rules import breaches, effective_values, origin_of
from kargo_fleet.policy.ruleset import Policy, Rule
from kargo_fleet.policy.subject import Breach, Subject


class Standing(StrEnum):
    """Whether a violation counts: an open one is reported, the others were recorded, or excepted for a while."""

    OPEN = "open"
    RECORDED = "recorded"
    EXCEPTED = "excepted"


@dataclass(frozen=True)
class Violation:
    """One violation of a rule by a service, at `path` of its values, whose value there is `value`."""

    rule: Rule
    service: str
    path: KeyPath
    value: Any
    state: Standing
    finding: Finding


def find(policy: Policy, subject: Subject, default: Place) -> list[Violation]:
    """Return the violations of a service whose values are valid, one for each rule and key.

    `default` is the place of what no layer says.
    """
    found: dict[tuple[str, KeyPath], Violation] = {}
    fleet, service = subject.fleet, subject.service
    for rule, breach in _breaches(policy, subject):
        path = origin_of(subject, breach.path)
        if rule.is_relaxed(fleet, service, path) or (rule.name, path) in found:
            continue
        value = _value(subject.pipeline.values, path)
        state = Standing.OPEN
        if policy.is_excepted(rule, fleet, service, path):
            state = Standing.EXCEPTED
        elif _is_recorded(fleet.recorded, rule, service, path, value):
            state = Standing.RECORDED
        finding = in_layers(_problem(rule, breach._replace(path=path)), subject.layers, default, service)
        # A value of a group is each service's own mistake: the rule may not hold for others.
        found[rule.name, path] = Violation(rule, service, path, value, state, replace(finding, service=service))
    return list(found.values())


def findings(violations: Iterable[Violation]) -> list[Finding]:
    """Return what is reported of violations."""
    return [one.finding for one in violations if one.state is Standing.OPEN]


def _value(values: Any, path: KeyPath) -> Any:
    for part in path:
        if isinstance(values, list) and isinstance(part, int) and part < len(values):
            values = values[part]
        else:
            values = values.get(part) if isinstance(values, dict) else None
    return values


def _is_recorded(recorded: Mapping[str, Any], rule: Rule, service: str, path: KeyPath, value: Any) -> bool:
    known = (recorded.get(rule.name) or {}).get(service) or {}
    return dotted(path) in known and known[dotted(path)] == value


def _breaches(policy: Policy, subject: Subject) -> Iterator[tuple[Rule, Breach]]:
    fleet, service = subject.fleet, subject.service
    for rule in policy.shipped if subject.own else ():  # they are about the service's own file
        if rule.holds_for(fleet, service):
            for breach in BASELINE[rule.name].check(subject):
                yield rule, breach
    own = [rule for rule in policy.own if rule.holds_for(fleet, service)]
    values = effective_values(subject.pipeline) if own else {}
    for rule in own:
        for breach in breaches(rule, subject, values):
            yield rule, breach


def _problem(rule: Rule, breach: Breach) -> Problem:
    owner = f", owner {rule.owner}" if rule.owner else ""
    message = f"{dotted(breach.path)}: {breach.message}; rule {rule.name}{owner}"
    if rule.reason:
        message += f": {rule.reason}"
    ask = f"ask {rule.owner}" if rule.owner else "ask the owner of fleet.yaml"
    fix = f"allowed: {breach.allowed}; for anything else, {ask}: policy.rules.{rule.name}.relaxedFor in {FLEET_FILE}"
    return Problem("KF351" if rule.severity == "error" else "KFW351", message, fix, breach.path)
