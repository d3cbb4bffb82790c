"""The policy in the cluster: ValidatingAdmissionPolicies with their bindings.

Settings are literals in the policies' variables, and there are no parameter objects: in Kubernetes 1.36 a policy whose
parameters have a built-in kind, deleted and made again, goes on with the old ones until the API server restarts.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.names import PART_OF, PART_OF_LABEL, PROJECT_LABEL
from kargo_fleet.fleet.policy_section import ClusterSettings, cluster_settings
from kargo_fleet.policy import admission_baseline, admission_own
from kargo_fleet.policy.admission_rules import Check, InCluster
from kargo_fleet.policy.cel import identifier, is_one_of, literal, lookup
from kargo_fleet.policy.platform_layers import USUAL, Platform
from kargo_fleet.policy.ruleset import Policy, Rule, Selection
from kargo_fleet.text.yaml_writer import ANNOTATED, Note, document

_GROUP = "admissionregistration.k8s.io/v1"
_NAMESPACE = "object.metadata.namespace"
_RBAC = "rbac.authorization.k8s.io"

#: Only a change is judged: annotations, finalizers, refreshes and deletion of what was there before go through.
_CHANGED: Final = " ||\n".join(
    ["request.operation == 'CREATE'"]
    + [f"object.?{key}.orValue(null) != oldObject.?{key}.orValue(null)" for key in ("spec", "rules", "subjects")]
)
_WHY_CHANGED = "What was there before stays usable: annotations, finalizers, refreshes and deletion pass, a changed spec is judged."
_WHY_TIMES = """\
CEL has no clock. The API server sets creationTimestamp, and stamps the managedFields entry of this very request: other
entries can be forged, this one not, so "all times are before" means that an exception still holds."""
_TIMES = """\
request.operation == 'CREATE' ? [timestamp(object.metadata.creationTimestamp)] :
object.metadata.?managedFields.orValue([]).filter(f, has(f.time)).map(f, timestamp(f.time))"""
_STEPS = """\
object.kind == 'Stage' ? object.spec.?promotionTemplate.spec.steps.orValue([]) :
object.kind == 'PromotionTask' ? object.spec.?steps.orValue([]) : []"""
_VARS = """\
object.kind in ['Stage', 'PromotionTask'] ?
  object.spec.?vars.orValue([]) + object.spec.?promotionTemplate.spec.vars.orValue([]) : []"""
_ROLE = "object.kind == 'RoleBinding' ? object.roleRef.kind + '/' + object.roleRef.name : ''"
_SHORT_ROLE = """\
dyn(!(object.kind == 'RoleBinding' && object.roleRef.kind == 'Role') ? dyn(null) :
object.roleRef.name == object.metadata.name ? dyn('promoter') :
object.roleRef.name.startsWith('kargo-') ? dyn(object.roleRef.name.substring(6)) : dyn(null))"""


#: How many kinds of names of namespaces a condition has; a selector takes any number, but no wildcards.
_MOST_GLOBS: Final = 50


@dataclass(frozen=True)
class HeldRule:
    """A rule, and what the cluster holds of it."""

    rule: Rule
    held: InCluster


@dataclass(frozen=True)
class Admission:
    """The policy of a fleet in the cluster: its settings, and what the cluster holds of each rule."""

    fleet: Fleet
    policy: Policy
    services: Sequence[str]
    platform: Platform

    @property
    def settings(self) -> ClusterSettings:
        """`policy.cluster` of fleet.yaml."""
        return cluster_settings(self.fleet.data)

    def rules(self) -> list[HeldRule]:
        """Return what the cluster holds of each rule."""
        return [HeldRule(rule, self._held(rule)) for rule in self.policy.rules]

    def _held(self, rule: Rule) -> InCluster:
        if rule.given.get("relaxedFor") and set(self.relaxed(rule)) >= set(self._namespaces(self.services)):
            return InCluster(left="it is relaxed for all services")
        if rule.is_shipped:
            return admission_baseline.held(rule.name, self.platform)
        return admission_own.held(rule)

    def text(self) -> str:
        """Return the manifests, with a comment that says what they hold and what not."""
        rules = self.rules()
        errors = [one for one in rules if one.rule.severity == "error" and one.held.checks]
        warned = [one for one in rules if one.rule.severity == "warning" and one.held.checks]
        actions = ["Warn", "Audit"] if "Deny" in self.settings.actions else self.settings.actions
        documents = [
            *(self._units("", errors, self.settings.actions) if errors else ()),
            *(self._units("-warnings", warned, actions) if warned else ()),
            *self._freight(rules),
        ]
        texts = [document(one, ANNOTATED) for one in documents]
        return _comment(self.settings, rules) + "---\n".join(texts)

    def relaxed(self, rule: Rule) -> list[str]:
        """Return the namespaces of services for which the platform relaxed a rule, or of which violations are recorded."""
        scopes = [Selection.of(one) for one in rule.given.get("relaxedFor") or ()]
        known = self.fleet.recorded.get(rule.name) or {}
        meant = [one for one in self.services if one in known or any(scope.has(self.fleet, one) for scope in scopes)]
        return self._namespaces(meant)

    def _namespaces(self, services: Iterable[str]) -> list[str]:
        return sorted(self.fleet.projects.of(service) for service in services)

    def _units(self, suffix: str, rules: Sequence[HeldRule], actions: Sequence[str]) -> Iterator[dict[str, Any]]:
        name = self.settings.name + suffix
        kargo = [
            f"system:serviceaccount:{self.settings.kargo_namespace}:kargo-{part}"
            for part in ("management-controller", "webhooks-server")
        ]
        validations = [self._validation(one.rule, check) for one in rules for check in one.held.checks]
        spec = {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    _resources("kargo.akuity.io", "v1alpha1", "stages projectconfigs warehouses promotiontasks"),
                    _resources("argoproj.io", "v1alpha1", "analysistemplates"),
                    _resources(_RBAC, "v1", "rolebindings roles"),
                ]
            },
            "matchConditions": [
                *self._of_this_fleet(),
                {"name": "changed", "expression": Note(_WHY_CHANGED, _CHANGED)},
                {
                    "name": "not-by-kargo-itself",
                    "expression": Note(
                        "Kargo makes Roles and RoleBindings of each Project. kargo-api is not let through: it writes for people.",
                        f"!(object.kind in ['RoleBinding', 'Role'] && request.userInfo.username in\n  {literal(kargo)})",
                    ),
                },
            ],
            "variables": self._variables(one["expression"] for one in validations),
            "validations": validations,
        }
        yield _object("ValidatingAdmissionPolicy", name, spec)
        yield self._binding(name, actions)

    def _of_this_fleet(self) -> list[dict[str, Any]]:
        """Return the condition that a namespace is one of this fleet's, [] when the bindings name the namespaces."""
        if self._named_namespaces:
            return []
        patterns = [re.escape(glob).replace(r"\*", "[a-z0-9-]+").replace(r"\-", "-") for glob in self._globs]
        whole = f"^({'|'.join(patterns)})$"
        return [{"name": "project-of-this-fleet", "expression": f"{_NAMESPACE}.matches({literal(whole)})"}]

    @property
    def _globs(self) -> list[str]:
        return self.fleet.projects.namespaces(self.services)

    @cached_property
    def _named_namespaces(self) -> list[str]:
        """The namespaces of all services, where they are too many kinds of names for one condition."""
        return self._namespaces(self.services) if len(self._globs) > _MOST_GLOBS else []

    def _binding(self, name: str, actions: Sequence[str]) -> dict[str, Any]:
        selector: dict[str, Any] = {"matchLabels": {PROJECT_LABEL: "true"}}
        if self._named_namespaces:
            names = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": self._named_namespaces}
            selector["matchExpressions"] = [names]
        spec = {
            "policyName": name,
            "validationActions": list(actions),
            "matchResources": {"namespaceSelector": selector},
        }
        return _object("ValidatingAdmissionPolicyBinding", name, spec)

    def _variables(self, texts: Iterable[str]) -> list[dict[str, Any]]:
        """Return the variables that some expressions name, each after those that it names itself."""
        own: dict[str, Any] = {
            **lookup("group", self.platform.others, _NAMESPACE, USUAL),
            **self._service(),
            "times": Note(_WHY_TIMES, _TIMES),
            "steps": _STEPS,
            "vars": _VARS,
            "subjects": "object.kind == 'RoleBinding' ? object.?subjects.orValue([]) : []",
            "role": _ROLE,
            "shortRole": _SHORT_ROLE,
            **{name: text for rule in self.policy.rules for name, text in self._free[rule.name].items()},
            **admission_own.variables(self.policy.own, self.platform),
            **admission_baseline.variables(self.platform, self.fleet.custom_steps),
        }
        named = set(_named(texts))
        while more := set(_named(str(own[name]) for name in named)) - named:
            named |= more
        return [{"name": name, "expression": expression} for name, expression in own.items() if name in named]

    def _service(self) -> dict[str, str]:
        """Return variables for the name of the service of an object."""
        projects = self.fleet.projects
        before, found, after = projects.pattern.partition("<service>")
        if found and not projects.own and "<" not in before + after:
            end = f", size({_NAMESPACE}) - {len(after)}" if after else ""
            return {"service": f"{_NAMESPACE}.substring({len(before)}{end})"}
        names = {projects.of(service): service for service in self.services}
        return lookup("service", dict(sorted(names.items())), _NAMESPACE, "")

    def _validation(self, rule: Rule, check: Check) -> dict[str, Any]:
        text = check.whole
        if self._free[rule.name]:
            text = f"variables.{identifier('free', rule.name)} ||\n{text}"
        owner = f", owner {rule.owner}" if rule.owner else ""
        reason = f": {rule.given['reason']}" if rule.given.get("reason") else ""
        message = " ".join(f"rule {rule.name}{owner}: {check.message}{reason}".split())
        return {"expression": text, "message": message, "reason": "Forbidden"}

    @cached_property
    def _free(self) -> dict[str, dict[str, str]]:
        return {rule.name: self._free_of(rule) for rule in self.policy.rules}

    def _free_of(self, rule: Rule) -> dict[str, str]:
        """Return variables that tell whether a rule does not hold for a namespace, {} when it holds for all.

        It is not one of the rule's, the rule is relaxed for it, or it has an exception.
        """
        tests, found = [], dict[str, str]()
        scope = Selection.of({**rule.given, "keys": ()})
        if scope.services or scope.groups:
            meant = self._namespaces(one for one in self.services if scope.has(self.fleet, one))
            name = identifier("services", rule.name)
            found |= is_one_of(name, meant, _NAMESPACE)
            tests.append(f"!variables.{name}")
        if relaxed := self.relaxed(rule):
            name = identifier("relaxed", rule.name)
            found |= is_one_of(name, relaxed, _NAMESPACE)
            tests.append(f"variables.{name}")
        for until, namespaces in self._exceptions(rule):
            name = identifier("excepted", rule.name, until)
            found |= is_one_of(name, namespaces, _NAMESPACE)
            moment = f"timestamp({literal(_end(until))})"
            tests.append(f"variables.{name} && variables.times.size() > 0 && variables.times.all(t, t < {moment})")
        return {**found, identifier("free", rule.name): " ||\n".join(tests)} if tests else {}

    def _exceptions(self, rule: Rule) -> list[tuple[str, list[str]]]:
        found: dict[str, set[str]] = {}
        for one in self.policy.exceptions:
            if one.rule == rule.name:
                services = (service for service in self.services if one.of.has(self.fleet, service))
                found.setdefault(one.until, set()).update(self._namespaces(services))
        return [(until, sorted(namespaces)) for until, namespaces in sorted(found.items()) if namespaces]

    def _freight(self, rules: Sequence[HeldRule]) -> Iterator[dict[str, Any]]:
        settings = self.settings
        name = f"{settings.name}-freight"
        variables = {"controller": f"request.userInfo.username in {literal(settings.controllers)}"}
        verified = "object.?status.verifiedIn.orValue({}) == oldObject.?status.verifiedIn.orValue({})"
        validations = [
            {
                "expression": f"variables.controller || {verified}",
                "message": "freight: what was verified and has soaked is written by Kargo's controller only",
                "reason": "Forbidden",
            }
        ]
        if settings.approvers and (guarded := self._guarded(rules)):
            variables |= {
                **{one["name"]: one["expression"] for one in self._variables([guarded])},
                "guarded": guarded,
                "before": "oldObject.?status.approvedFor.orValue({})",
                "approver": f"request.userInfo.?groups.orValue([]).exists(g, g in {literal(settings.approvers)})",
            }
            validations.append(
                {
                    "expression": "variables.controller || variables.approver ||\n"
                    "object.?status.approvedFor.orValue({}).all(s, s in variables.before || !(s in variables.guarded))",
                    "message": f"freight: only {', '.join(settings.approvers)} approve Freight for stages that have a guard",
                    "reason": "Forbidden",
                }
            )
        spec = {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [_resources("kargo.akuity.io", "v1alpha1", "freights/status", "UPDATE")]
            },
            "matchConditions": self._of_this_fleet(),
            "variables": [{"name": name, "expression": text} for name, text in variables.items()],
            "validations": validations,
        }
        yield _object("ValidatingAdmissionPolicy", name, spec)
        yield self._binding(name, settings.actions)

    def _guarded(self, rules: Sequence[HeldRule]) -> str:
        """Return the CEL list of the stages that a person may not approve Freight for."""
        lists = []
        for one in rules:
            if one.rule.name == "gates":
                lists.append("variables.allGuarded")
            elif not one.rule.is_shipped and (stages := admission_own.guarded_stages(one.rule)):
                lists.append(stages)
        return " +\n".join(dict.fromkeys(lists))


def _named(texts: Iterable[str]) -> Iterator[str]:
    """Yield the names of the variables in CEL expressions."""
    for text in texts:
        yield from re.findall(r"\bvariables\.(\w+)", text)


def _end(until: str) -> str:
    """Return the moment after the last day of an exception."""
    day = datetime.date.fromisoformat(until) + datetime.timedelta(days=1)
    return f"{day}T00:00:00Z"


def _resources(group: str, version: str, resources: str, *operations: str) -> dict[str, Any]:
    return {
        "apiGroups": [group],
        "apiVersions": [version],
        "operations": list(operations or ("CREATE", "UPDATE")),
        "resources": resources.split(),
    }


def _object(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": _GROUP,
        "kind": kind,
        "metadata": {"name": name, "labels": {PART_OF_LABEL: PART_OF}},
        "spec": spec,
    }


def _comment(settings: ClusterSettings, rules: Sequence[HeldRule]) -> str:
    """Return the lines that say what is held."""
    lines = ["", 'What of the policy in fleet.yaml the cluster holds (docs/policy.md, "In the cluster"):']
    for one in rules:
        left = f": {one.held.left}" if one.held.left else ""
        lines.append(f"  {one.rule.name}: {one.held.word}{left}")
    lines.append("  freight: only Kargo's controller writes what was verified and has soaked")
    if not settings.approvers:
        lines.append("Not held: approvals of Freight, since policy.cluster.approvers names no groups.")
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)
