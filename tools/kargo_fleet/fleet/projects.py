"""The names of the services' Projects, which only the platform sets: `project.name` in `values` and groups of fleet.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kargo_fleet.fleet.names import LONGEST_NAMESPACE, LONGEST_SERVICE, PROJECT

_SERVICE, _TEAM = "<service>", "<team>"


def named(layers: Iterable[Mapping[str, Any]], default: str) -> str:
    """Return `project.name` of merged layers of values, the weakest first: a pattern, `default` when they say none."""
    name = default
    for values in layers:
        section = values.get("project", {})
        if section is None or (isinstance(section, Mapping) and "name" in section):
            name = (section or {}).get("name") or PROJECT
    return name


def name_alone(values: Any) -> dict[str, Any]:
    """Return what invalid values say of the Project's name: Argo CD must not move a unit because of another mistake."""
    section = values.get("project") if isinstance(values, Mapping) else None
    name = section.get("name") if isinstance(section, Mapping) else None
    return {"project": {"name": name}} if isinstance(name, str) else {}


def filled(pattern: str, service: str, team: str = "") -> str:
    """Return the name of a service's Project."""
    return pattern.replace(_TEAM, team).replace(_SERVICE, service)


@dataclass(frozen=True)
class Projects:
    """The names of Projects: `pattern` gives those of all services, but for `own`, by service. `teams` has each service's team."""

    pattern: str = PROJECT
    own: Mapping[str, str] = field(default_factory=dict)
    teams: Mapping[str, str] = field(default_factory=dict)

    def of(self, service: str) -> str:
        """Return the name of a service's Project, which is that of its namespace."""
        return self.own.get(service) or filled(self.pattern, service, self.teams.get(service, ""))

    def namespaces(self, services: Iterable[str]) -> list[str]:
        """Return patterns of the Projects' names, with `*`: those that Argo CD may write to.

        Where a pattern would be all names, the names themselves stand there.
        """
        teams = sorted(set(self.teams.values())) if _TEAM in self.pattern else [""]
        globs = [filled(self.pattern, "*", team) for team in teams]
        if "*" in globs:
            globs = [self.of(service) for service in services if service not in self.own]
        return list(dict.fromkeys([*globs, *sorted(self.own.values())]))

    @property
    def longest_service(self) -> int:
        """How long the name of a service may be, so that the name of its namespace is not too long."""
        length = max(len(filled(self.pattern, "", team)) for team in {*self.teams.values(), ""})
        return max(min(LONGEST_SERVICE, LONGEST_NAMESPACE - length), 1)

    def shared(self, services: Iterable[str]) -> dict[str, list[str]]:
        """Return the services of each Project that several services would have."""
        if not self.own and _TEAM not in self.pattern and _SERVICE in self.pattern:
            return {}
        found: dict[str, list[str]] = {}
        for service in services:
            found.setdefault(self.of(service), []).append(service)
        return {name: sorted(same) for name, same in found.items() if len(same) > 1}
