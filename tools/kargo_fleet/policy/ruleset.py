"""`policy` of fleet.yaml as rules: the shipped ones with their settings, and those of the platform's own."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kargo_fleet.findings import KeyPath
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.pipeline import section
from kargo_fleet.policy import keys
from kargo_fleet.policy.baseline import BASELINE


@dataclass(frozen=True)
class Selection:
    """Some of the services: by name or path, or by group. An empty one is all of them."""

    services: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Selection:
        """Return the scope that a part of `policy` describes."""
        return cls(*(tuple(given.get(key) or ()) for key in ("services", "groups", "keys")))

    def has(self, fleet: Fleet, service: str) -> bool:
        """Return whether a service is one of them."""
        if not (self.services or self.groups):
            return True
        names = (service, f"{fleet.team_of(service)}/{service}")
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in self.services for name in names):
            return True
        return any(group.name in self.groups for group in fleet.groups_of(service))

    def has_key(self, path: KeyPath) -> bool:
        """Return whether a key is one of those that the scope names, or it names none."""
        return not self.keys or any(keys.matches(pattern, path) for pattern in self.keys)


@dataclass(frozen=True)
class Rule:
    """One rule. `given` is what `policy.rules` says of it, {} for a shipped rule without settings."""

    name: str
    given: Mapping[str, Any]

    @property
    def is_shipped(self) -> bool:
        """Whether it is one of the baseline."""
        return self.name in BASELINE

    @property
    def severity(self) -> str:
        """error, warning or off."""
        return self.given.get("severity") or "error"

    @property
    def owner(self) -> str:
        """Who decides about it, "" when nobody is said."""
        return self.given.get("owner") or ""

    @property
    def reason(self) -> str:
        """Why it is there, "" when nothing is said."""
        return self.given.get("reason") or (BASELINE[self.name].reason if self.is_shipped else "")

    @cached_property
    def _of(self) -> Selection:
        return Selection.of({**self.given, "keys": ()})

    @cached_property
    def _relaxed(self) -> tuple[Selection, ...]:
        return tuple(Selection.of(one) for one in self.given.get("relaxedFor") or ())

    def holds_for(self, fleet: Fleet, service: str) -> bool:
        """Return whether the rule is one for a service."""
        return self._of.has(fleet, service)

    def is_relaxed(self, fleet: Fleet, service: str, path: KeyPath) -> bool:
        """Return whether the platform lets a service do at a key what the rule forbids."""
        return any(one.has(fleet, service) and one.has_key(path) for one in self._relaxed)


@dataclass(frozen=True)
class Exemption:
    """A violation that is allowed for a while (`policy.exceptions`), at `index` of the list."""

    index: int
    rule: str
    of: Selection
    owner: str
    until: str


@dataclass(frozen=True)
class Policy:
    """All rules that are not off, and the exceptions."""

    rules: tuple[Rule, ...]
    exceptions: tuple[Exemption, ...] = ()

    @cached_property
    def shipped(self) -> tuple[Rule, ...]:
        """The rules of the baseline."""
        return tuple(rule for rule in self.rules if rule.is_shipped)

    @cached_property
    def own(self) -> tuple[Rule, ...]:
        """The rules of the platform's own."""
        return tuple(rule for rule in self.rules if not rule.is_shipped)

    def is_excepted(self, rule: Rule, fleet: Fleet, service: str, path: KeyPath) -> bool:
        """Return whether an exception holds. The day is not looked at: what is generated never depends on it."""
        return any(
            one.rule == rule.name and one.of.has(fleet, service) and one.of.has_key(path) for one in self.exceptions
        )


def policy_of(data: Mapping[str, Any]) -> Policy:
    """Return the policy of a fleet.yaml whose shape is valid."""
    policy = section(data, "policy")
    own = section(policy, "rules")
    names = [
        *(BASELINE if policy.get("baseline") is not False else ()),
        *(name for name in own if name not in BASELINE),
    ]
    rules = (Rule(name, own.get(name) or {}) for name in names)
    found = (
        Exemption(index, one["rule"], Selection.of({**one, "groups": ()}), one["owner"], one["until"])
        for index, one in enumerate(policy.get("exceptions") or [])
    )
    return Policy(tuple(rule for rule in rules if rule.severity != "off"), tuple(found))
