"""The shipped rules in the cluster.

Objects do not tell which layer said something: what the platform's layers say is allowed to its services, and nothing else is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from kargo_fleet.policy.admission_rules import CHART_STEPS, Check, InCluster
from kargo_fleet.policy.baseline import LOCAL_STEPS
from kargo_fleet.policy.cel import literal
from kargo_fleet.policy.platform_layers import OWN_NAMESPACE, Platform, PlatformLayers

#: The test that the platform itself binds a subject, `s`, to the role of the object.
BOUND = """\
(variables.role + ' ' + s.kind + '/' + (s.kind == 'ServiceAccount' ? s.?namespace.orValue('') + '/' : '') + s.name)
  in variables.bindings"""
#: Why a rule cannot be held there.
_LEFT: Final = {
    "own-files": "which folder is whose, and what a path with expressions leads to, is not in the object",
    "own-application": "the annotation kargo.akuity.io/authorized-stage of an Application holds it",
    "reserved-metadata": "the chart, Helm, Argo CD and Kargo write labels and annotations of these domains as well",
    "protection": "the fields are many, and objects do not tell what was switched off",
    "secrets": "what reads a Secret takes ways through several objects",
    "limits": "it is about a service's objects together; the resource quota counts them",
}


def held(name: str, platform: Platform) -> InCluster:
    """Return what the cluster holds of the shipped rule `name`."""
    known: dict[str, Callable[[Platform], InCluster]] = {
        "own-repository": _own_repository,
        "own-registry": _own_registry,
        "local-steps": _local_steps,
        "subjects": _subjects,
        "roles": _roles,
        "gates": _gates,
        "web-links": _web_links,
    }
    return known[name](platform) if name in known else InCluster(left=_LEFT[name])


def _own_registry(platform: Platform) -> InCluster:
    if not platform.any(lambda one: one.registry):
        return InCluster(left="image.registry of fleet.yaml names none")
    test = """\
object.spec.subscriptions.all(s, !has(s.image) || s.image.repoURL in variables.images ||
  variables.registries.exists(p, s.image.repoURL.startsWith(p)))"""
    check = Check("Warehouse", test, "an image is not in the platform's registry")
    return InCluster((check,), "newName of kustomizations is not looked at")


def _own_repository(_: Platform) -> InCluster:
    branch = "variables.branches.exists(b, b.replace('<stage>', object.metadata.name) == v.?value.orValue(''))"
    tests = (
        ("gitRepoURL", "Stage PromotionTask", "v.?value.orValue('') == '' || v.value in variables.repositories"),
        ("branch", "Stage", branch),
    )
    checks = []
    for name, kinds, text in tests:
        test = f"v.name != '{name}' || {text}"
        whole = f"variables.vars.all(v, {test}) &&\nvariables.steps.all(s, s.?vars.orValue([]).all(v, {test}))"
        checks.append(Check(kinds, f"({whole})", f"the variable {name} is not where the platform's promotions commit"))
    return InCluster(tuple(checks), "the branches of rendered manifests are not looked at")


def _subjects(_: Platform) -> InCluster:
    role = """\
object.roleRef.kind == 'Role' && (object.roleRef.name == object.metadata.name ||
  object.roleRef.name in ['kargo-viewer', 'kargo-promoter', 'kargo-admin']) || variables.role in variables.roles"""
    test = f"""\
variables.subjects.all(s, {BOUND} || (s.kind == 'ServiceAccount' ?
  s.?namespace.orValue('') == object.metadata.namespace : !s.name.startsWith('system:') && !s.name.contains('*')))"""
    checks = (
        Check("RoleBinding", role, "binds a role that the platform does not know of"),
        Check("RoleBinding", test, "binds a group of the system, a wildcard, or a ServiceAccount of others"),
    )
    return InCluster(checks, "claims of ServiceAccounts are not looked at")


def _roles(_: Platform) -> InCluster:
    powerful = f"""\
!(variables.role in ['Role/kargo-admin', 'Role/kargo-promoter'] ||
  object.roleRef.kind == 'Role' && variables.promoters.exists(p, p.startsWith(object.roleRef.name + '/'))) ||
variables.subjects.all(s, {BOUND})"""
    everything = """\
object.?rules.orValue([]).all(r,
  !('*' in r.?apiGroups.orValue([]) || '*' in r.?resources.orValue([]) || '*' in r.verbs) &&
  (!('rbac.authorization.k8s.io' in r.?apiGroups.orValue([])) || r.verbs.all(v, v in ['get', 'list', 'watch'])))"""
    promotes = """\
object.?rules.orValue([]).all(r, !('promote' in r.verbs) || r.?resourceNames.orValue([]).size() > 0 &&
  r.?resourceNames.orValue([]).all(n,
    !(n in variables.guarded) || (object.metadata.name + '/' + n) in variables.promoters))"""
    named = "who is admin, and who promotes where people decide, is named by the platform"
    return InCluster(
        (
            Check("RoleBinding", powerful, named),
            Check("Role", everything, "a Role of everything, or of rights over RBAC"),
            Check("Role", promotes, "lets others promote where people decide than those whom the platform names"),
        )
    )


def _local_steps(_: Platform) -> InCluster:
    known = (
        "variables.steps.all(s, !has(s.uses) || s.uses in variables.localSteps || s.uses in variables.platformSteps)"
    )
    cloned = """\
variables.steps.all(s, !s.?uses.orValue('').startsWith('git-') ||
  s.?config.repoURL.orValue('${{ vars.gitRepoURL }}') == '${{ vars.gitRepoURL }}' ||
  s.config.repoURL in variables.repositories)"""
    job = """\
object.metadata.name in variables.jobs ||
object.spec.metrics.all(m, !has(m.provider) || !has(m.provider.job))"""
    checks = (
        Check("Stage PromotionTask", known, "a step reaches beyond the clone of a promotion"),
        Check("Stage PromotionTask", cloned, "a step uses a Git repository other than the platform's"),
        Check("AnalysisTemplate", job, "runs containers of its own with what the namespace has"),
    )
    return InCluster(checks, "the steps of the chart's own promotions are allowed to all, git-push among them")


def _gates(platform: Platform) -> InCluster:
    checks = []
    if platform.any(lambda one: one.by_hand):
        message = (
            "promotes by itself where the platform promotes by hand, or selects stages other than by one exact name"
        )
        test = exact_policies("!(n in variables.byHand)", " variables.byHand.size() == 0 ||")
        checks.append(Check("ProjectConfig", test, message))
    if platform.any(lambda one: one.soaks):
        test = """\
!(object.metadata.name in variables.soaks) ||
object.spec.requestedFreight.all(r, !r.sources.?direct.orValue(false) &&
  duration(r.sources.?requiredSoakTime.orValue('0s')) >= duration(variables.soaks[object.metadata.name]))"""
        checks.append(Check("Stage", test, "takes Freight that has not soaked as long as the platform asks"))
    if platform.any(lambda one: one.pull_requests):
        test = """\
!(object.metadata.name in variables.pullRequests) ||
variables.steps.exists(s, s.?uses.orValue('') == 'git-wait-for-pr')"""
        checks.append(Check("Stage", test, "does without the pull request that the platform asks for"))
    if platform.any(lambda one: one.verified):
        test = "!(object.metadata.name in variables.verified) || has(object.spec.verification)"
        checks.append(Check("Stage", test, "does without the verification that the platform asks for"))
    if not checks:
        return InCluster(left="the platform gives no stage a guard")
    left = "guards belong to stages by name, not to files; gates and pull requests of a service's own do not count"
    return InCluster(tuple(checks), left)


def exact_policies(name_test: str, no_stages: str = "") -> str:
    """Return the test of the promotion policies that are on: each names one stage, `n`, exactly, for which `name_test` holds.

    `no_stages` is a test, followed by ||, that no stage is meant.
    """
    return f"""\
object.?spec.promotionPolicies.orValue([]).all(p, !p.?autoPromotionEnabled.orValue(false) ||{no_stages}
  [has(p.stageSelector) ? p.stageSelector.?name.orValue('') : p.?stage.orValue('')].all(n,
    n != '' && !n.contains(':') && {name_test}))"""


def _web_links(_: Platform) -> InCluster:
    test = """\
(object.?spec.freightLinks.orValue([]) + object.?spec.stageLinks.orValue([])).all(l,
  l.url.matches('(?i)^https?://') || l.url in variables.links)"""
    return InCluster((Check("ProjectConfig", test, "a link in Kargo's UI has to lead to a web page"),))


def variables(platform: Platform, custom_steps: Iterable[str]) -> dict[str, str]:
    """Return the variables with what the platform's layers say, by name."""
    usual = sorted({*LOCAL_STEPS, *CHART_STEPS, *custom_steps})
    lists: dict[str, Callable[[PlatformLayers], Any]] = {
        "registries": lambda one: [one.registry],
        "images": lambda one: one.images,
        "repositories": lambda one: one.repositories,
        "branches": lambda one: one.branches,
        "bindings": lambda one: one.bindings,
        "roles": lambda one: one.roles,
        "promoters": lambda one: one.promoters,
        "guarded": lambda one: one.guarded,
        "allGuarded": lambda one: one.all_guarded,
        "platformSteps": lambda one: sorted(set(one.steps) - set(usual)),
        "jobs": lambda one: one.jobs,
        "byHand": lambda one: one.by_hand,
        "pullRequests": lambda one: one.pull_requests,
        "verified": lambda one: one.verified,
        "links": lambda one: one.links,
    }
    found = {"localSteps": literal(usual), **platform.variables("soaks", lambda one: one.soaks or {"": "0s"})}
    for name, get in lists.items():
        made = platform.variables(name, get)
        found |= {**made, name: _filled(made[name], "".join(made.values()))}
    return found


def _filled(items: str, texts: str) -> str:
    """Return the expression for a list with what stands in its texts for a service and its Project filled in."""
    known = {"<service>": "variables.service", OWN_NAMESPACE: "object.metadata.namespace"}
    calls = "".join(f".replace('{word}', {value})" for word, value in known.items() if word in texts)
    return f"{items}.map(i, i{calls})" if calls else items
