"""One service's violations of the policy, as findings: the rule, its owner, the layer and line, the value, what is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kargo_fleet.findings import Finding, KeyPath, Place, Problem, dotted
from kargo_fleet.fleet.layers import in_layers
from kargo_fleet.fleet.names import FLEET_FILE
from kargo_fleet.policy.baseline import BASELINE
from kargo_fleet.policy.own_rules import breaches, effective_values, origin_of
from kargo_fleet.policy.ruleset import Policy, Rule
from kargo_fleet.policy.subject import Breach, Subject


def find(policy: Policy, subject: Subject, default: Place) -> list[Finding]:
    """Return the violations of a service whose values are valid, one for each rule and key.

    `default` is the place of what no layer says.
    """
    found: dict[tuple[str, KeyPath], Finding] = {}
    for rule, breach in _breaches(policy, subject):
        path = origin_of(subject, breach.path)
        is_relaxed = rule.is_relaxed(subject.fleet, subject.service, path)
        if is_relaxed or policy.is_excepted(rule, subject.fleet, subject.service, path):
            continue
        finding = in_layers(_problem(rule, breach._replace(path=path)), subject.layers, default, subject.service)
        # A value of a group is each service's own mistake: the rule may not hold for others.
        found.setdefault((rule.name, path), replace(finding, service=subject.service))
    return list(found.values())


def _breaches(policy: Policy, subject: Subject) -> Iterator[tuple[Rule, Breach]]:
    rules = [rule for rule in policy.rules if rule.holds_for(subject.fleet, subject.service)]
    shipped = [rule for rule in rules if rule.is_shipped]
    for rule in shipped if subject.own else ():  # they are about the service's own file
        for breach in BASELINE[rule.name].check(subject):
            yield rule, breach
    own = [rule for rule in rules if not rule.is_shipped]
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
