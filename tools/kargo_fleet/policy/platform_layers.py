"""What the platform's layers say of units, for rules in the cluster: objects do not tell which layer a value comes from.

Services whose layers are the same make up a class. `<service>` stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kargo_fleet.fleet.pipeline import Pipeline, Stage, section
from kargo_fleet.policy.cel import lookup
from kargo_fleet.text.durations import seconds

#: The class of the services that no group has, or of most services where groups have all.
USUAL = ""
#: In the text of a ServiceAccount: the unit's own namespace.
OWN_NAMESPACE = "@namespace"


@dataclass(frozen=True)
class PlatformLayers:
    """What the layers of fleet.yaml say of the services of a class, and `registry`, what their images begin with."""

    pipeline: Pipeline
    registry: str

    @property
    def images(self) -> list[str]:
        """The repositories of images that are not in the registry."""
        found = {one.repo_url for one in self.pipeline.subscriptions("image") if one.repo_url}
        return sorted(one for one in found if not one.startswith(self.registry))

    @property
    def repositories(self) -> list[str]:
        """The Git repositories that promotions commit to, or that steps name."""
        named = [section(step, "config").get("repoURL") for step in self._steps]
        return sorted({*(stage.repo_url for stage in self._stages), *(one for one in named if one)} - {""})

    @property
    def branches(self) -> list[str]:
        """The branches that promotions commit to, with <stage>."""
        git, stages = section(self.pipeline.values, "git"), section(self.pipeline.values, "stages").values()
        own = [(stage or {}).get("branch") or section(stage or {}, "git").get("branch") for stage in stages]
        return sorted({git.get("branch") or "main", *(one for one in own if one)})

    @property
    def by_hand(self) -> list[str]:
        """The stages that people promote to, without those whose pull requests people merge."""
        return [one.name for one in self._stages if one.is_by_hand and not one.waits_for_people]

    @property
    def soaks(self) -> dict[str, str]:
        """The longest soak time of each stage that has one."""
        found = {one.name: [request.soak for request in one.requests if request.soak] for one in self._stages}
        return {name: max(soaks, key=seconds) for name, soaks in found.items() if soaks}

    @property
    def pull_requests(self) -> list[str]:
        """The stages whose pull requests people merge."""
        return [one.name for one in self._stages if one.waits_for_people]

    @property
    def verified(self) -> list[str]:
        """The stages that have a verification."""
        return [one.name for one in self._stages if one.given.get("verification")]

    @property
    def guarded(self) -> list[str]:
        """The stages that do not promote themselves, and to which only those promote whom the platform names."""
        return [one.name for one in self._stages if one.is_by_hand]

    @property
    def all_guarded(self) -> list[str]:
        """The stages with any guard, for which not everybody may approve Freight."""
        return sorted({*self.guarded, *self.soaks, *self.pull_requests, *self.verified})

    @property
    def steps(self) -> list[str]:
        """The names of the steps that the platform added to promotions."""
        return sorted({str(step["uses"]) for step in self._steps if step.get("uses")})

    @property
    def jobs(self) -> list[str]:
        """The AnalysisTemplates that run a Job."""
        templates = section(self.pipeline.values, "analysisTemplates").items()
        return sorted(name for name, spec in templates if runs_a_job(spec))

    @property
    def links(self) -> list[str]:
        """The links in Kargo's UI."""
        config = section(self.pipeline.values, "projectConfig")
        return sorted(
            {str(link.get("url")) for key in ("freightLinks", "stageLinks") for link in config.get(key) or []}
        )

    @property
    def bindings(self) -> list[str]:
        """Who is bound to which role: "Role/kargo-viewer Group/developers"."""
        found: set[str] = set()
        for key, binding in self._bindings.items():
            role = bound_role(key, binding)
            found.update(f"{role} {subject}" for subject in subjects_of(key, binding))
        return sorted(found)

    @property
    def roles(self) -> list[str]:
        """The roles that the platform binds, other than Kargo's own: "ClusterRole/auditor"."""
        found = {bound_role(key, binding) for key, binding in self._bindings.items() if binding.get("roleRef")}
        return sorted(found)

    @property
    def promoters(self) -> list[str]:
        """The Roles that the chart makes for the platform's bindings, by stage that people promote to: "kargo-service-a/prod"."""
        names = [(f"kargo-service-{key}", one.get("stages") or []) for key, one in self._bindings.items()]
        return sorted(f"{name}/{stage}" for name, stages in names for stage in stages if stage in self.guarded)

    def stages(self, is_meant: Callable[[Stage], bool]) -> list[str]:
        """Return the names of the stages for which a test holds."""
        return [one.name for one in self._stages if is_meant(one)]

    @property
    def _bindings(self) -> dict[str, dict[str, Any]]:
        found = section(section(self.pipeline.values, "rbac"), "bindings")
        return {key: binding for key, binding in found.items() if binding}

    @property
    def _stages(self) -> list[Stage]:
        return [stage for _, stage in sorted(self.pipeline.stages.items())]

    @cached_property
    def _steps(self) -> list[Mapping[str, Any]]:
        lists = [steps for stage in self._stages for steps in stage.own_steps.values()]
        lists += [(task or {}).get("steps") or [] for task in section(self.pipeline.values, "promotionTasks").values()]
        return [step for steps in lists for step in steps]


def runs_a_job(template: Any) -> bool:
    """Return whether an AnalysisTemplate runs containers of its own."""
    metrics = (template or {}).get("metrics") or []
    return any("job" in section(metric, "provider") for metric in metrics)


def bound_role(key: str, binding: Mapping[str, Any]) -> str:
    """Return the role of a binding, as templates/rbac.yaml has it."""
    if binding.get("stages"):
        return f"Role/kargo-service-{key}"
    reference = binding.get("roleRef")
    return f"{reference['kind']}/{reference['name']}" if reference else f"Role/kargo-{binding.get('role')}"


def subjects_of(key: str, binding: Mapping[str, Any]) -> list[str]:
    """Return the subjects of a binding, as templates/rbac.yaml has them."""
    found = [f"{kind}/{name}" for kind in ("Group", "User") for name in binding.get(f"{kind.lower()}s") or []]
    accounts = [(one.get("namespace") or OWN_NAMESPACE, one["name"]) for one in binding.get("serviceAccounts") or []]
    if binding.get("claims"):
        accounts.append((OWN_NAMESPACE, f"kargo-service-{key}"))
    return [*found, *(f"ServiceAccount/{namespace}/{name}" for namespace, name in accounts)]


@dataclass(frozen=True)
class Platform:
    """The classes of a fleet by name, USUAL among them, and those of the namespaces that are not of the usual class."""

    classes: Mapping[str, PlatformLayers]
    others: Mapping[str, str]

    def variables(self, name: str, get: Callable[[PlatformLayers], Any]) -> dict[str, str]:
        """Return variables of which `name` is what the class of the object's namespace has."""
        usual = get(self.classes[USUAL])
        found = {of: get(layers) for of, layers in self.classes.items()}
        return lookup(name, {of: value for of, value in found.items() if value != usual}, "variables.group", usual)

    def any(self, get: Callable[[PlatformLayers], Any]) -> bool:
        """Return whether any class has something."""
        return any(get(layers) for layers in self.classes.values())
