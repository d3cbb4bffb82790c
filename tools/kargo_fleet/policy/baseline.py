"""The shipped rules: what a service's own file may not do, since it would reach beyond the service or weaken its guards.

Each rule looks at what the own file says, or decides. What the platform's layers say is theirs to say. docs/security.md has
the reasons, and what still is possible.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from kargo_fleet.findings import KeyPath, value_at
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.pipeline import Stage, Update, section
from kargo_fleet.fleet.policy_section import cluster_settings
from kargo_fleet.policy.keys import strings
from kargo_fleet.policy.secret_flow import Tainted
from kargo_fleet.policy.step_files import own_steps, written_outside
from kargo_fleet.policy.subject import Breach, Subject
from kargo_fleet.text.durations import seconds
from kargo_fleet.text.image_references import image_of
from kargo_fleet.text.words import enumerate_words

#: Domains of labels and annotations that Kubernetes, Helm, Argo CD, Kargo or this product decide by.
_RESERVED_DOMAINS = ("kubernetes.io", "k8s.io", "helm.sh", "argoproj.io", "akuity.io")
#: Keys of a service's own file that decide what promotions do, and those that decide what stages take as well.
_PROMOTIONS = ("promotion", "promotionTasks", "stages")
_PIPELINE = (*_PROMOTIONS, "warehouses")
#: Keys whose mappings are labels or annotations.
_METADATA = ("labels", "annotations", "commonLabels", "commonAnnotations")
#: Switches of the chart that protect a unit, or others from it.
_SWITCHES: tuple[KeyPath, ...] = (
    *(("deletionProtection", key) for key in ("helm", "argocd", "keepNamespace")),
    ("namespace", "create"),
    ("resourceQuota", "enabled"),
    ("syncWaves",),
)
#: Steps that stay within the clone of a promotion.
LOCAL_STEPS = frozenset(
    "argocd-wait compose-output copy delete fail file-write git-clear git-commit hcl-update helm-template helm-update-chart"
    " json-parse json-update kustomize-build kustomize-set-image set-freight-alias set-metadata tar toml-parse toml-update"
    " untar yaml-merge yaml-parse yaml-update".split()
)
#: How many of a kind one service may have: more than any pipeline, and few enough for a controller.
_MOST: Final = {"subscriptions": 30, "stages": 30, "bindings": 30, "objects": 30}
_WEB = re.compile(r"https?://", re.IGNORECASE)


class Shipped(NamedTuple):
    """A shipped rule: the reason that its violations give, and what finds them."""

    reason: str
    check: Callable[[Subject], Iterator[Breach]]


def _files(subject: Subject) -> Iterator[Breach]:
    if not subject.says(_PROMOTIONS):
        return
    allowed = f"files in {enumerate_words([folder.rstrip('/') for folder in subject.folders])}"
    for stage in subject.stages():
        for update in () if stage.rendering or not stage.has_default_steps else stage.updates:
            path = subject.decided_at(stage, (*update.at, "path"))
            outside = [file for file in _targets(update) if not _is_within(subject, file)]
            if path and outside:
                yield Breach(path, f"promotions to {stage.name} write {outside[0]}", allowed)
        if stage.rendering and (path := _rendered_at(subject, stage)):
            place = f"{stage.rendering.branch}/{stage.rendering.out_path}"
            if subject.service not in place.split("/") or "${{" in place:
                message = f"promotions to {stage.name} replace {stage.rendering.out_path or 'all'} of branch {stage.rendering.branch}"
                yield Breach(
                    path,
                    message,
                    f"a folder or a branch {subject.service}, such as promotion.render.outPath: <service>",
                )
    for path, text in written_outside(subject):
        yield Breach(path, f"a step writes {text}", allowed)


def _targets(update: Update) -> list[str]:
    return [*update.files, update.target]


def _is_within(subject: Subject, file: str) -> bool:
    return "${{" not in file and f"{posixpath.normpath(file)}/".startswith(subject.folders)


def _rendered_at(subject: Subject, stage: Stage) -> KeyPath | None:
    for key in ("outPath", "branch"):
        if path := subject.decided_at(stage, ("render", key)):
            return path
    return None


def _repository(subject: Subject) -> Iterator[Breach]:
    owners: list[tuple[KeyPath, str]] = [(("git",), "")]
    for name in section(subject.said, "stages"):
        owners += [(("stages", name, "git"), name), (("stages", name), name)]
    for owner, name in owners:
        for key in ("repoURL", "branch"):
            value = subject.own_value((*owner, key))
            if not value or (owner[-1] == name and key == "repoURL"):
                continue
            usual = subject.inherited.stages.get(name) or next(iter(subject.inherited.stages.values()), None)
            known = "" if usual is None else usual.repo_url if key == "repoURL" else usual.branch
            if str(value).replace("<stage>", name) != known:
                yield Breach((*owner, key), f"{value} is not where the platform's promotions commit", known or "none")


def _images(subject: Subject) -> Iterator[Breach]:
    registry = registry_of(subject.fleet, subject.service)
    if not registry:
        return
    for subscription in subject.pipeline.subscriptions("image"):
        path = (*subscription.path, "repoURL")
        if subject.decides(path) and not subscription.repo_url.startswith(registry):
            yield Breach(path, f"{subscription.repo_url} is not in the platform's registry", f"images of {registry}")
    for stage in subject.stages() if subject.says(_PROMOTIONS) else ():
        for update in stage.updates:
            name = update.given.get("newName")
            place = subject.decided_at(stage, (*update.at, "newName"))
            if name and place and not str(name).startswith(registry):
                yield Breach(place, f"{name} is not in the platform's registry", f"images of {registry}")


def registry_of(fleet: Fleet, service: str) -> str:
    """Return what the images of the platform's registry begin with for a service, "" where it names none.

    Of a pattern such as ghcr.io/example/<service>-image that is the folder that all images are in.
    """
    groups = [group.registry for group in fleet.groups_of(service) if group.registry]
    registry = groups[-1] if groups else fleet.registry
    if not registry:
        return ""
    before_the_name = image_of(registry, "\0", fleet.team_of(service)).partition("\0")[0]
    folder, slash, _ = before_the_name.rpartition("/")
    return folder + slash


def _metadata(subject: Subject) -> Iterator[Breach]:
    for path, owner in _mappings(subject.said):
        if path[-1:] and path[-1] in _METADATA:
            for key in owner:
                domain, slash, _ = str(key).partition("/")
                if slash and domain.endswith(_RESERVED_DOMAINS):
                    yield Breach(
                        (*path, key), "Kubernetes, Helm, Argo CD or Kargo decides by it", "keys of other domains"
                    )


def _mappings(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    if isinstance(value, dict):
        yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _mappings(inner, (*path, key))


def _subjects(subject: Subject) -> Iterator[Breach]:
    for name, binding in section(section(subject.said, "rbac"), "bindings").items():
        path: KeyPath = ("rbac", "bindings", name)
        given = binding or {}
        if given.get("roleRef"):
            yield Breach(
                (*path, "roleRef"),
                "binds a role that the platform does not know of",
                "role: viewer, or promoter with stages",
            )
        for key in ("groups", "users"):
            for index, one in enumerate(given.get(key) or []):
                if str(one).startswith("system:") or "*" in str(one):
                    yield Breach(
                        (*path, key, index), f"{one} is everybody, or a part of the cluster", "names of people's groups"
                    )
        for claim, values in section(given, "claims").items():
            for one in values if isinstance(values, list) else [values]:
                if str(one).startswith("system:") or "*" in str(one):
                    yield Breach((*path, "claims", claim), f"{one} is not one group", "names of people's groups")
        for index, one in enumerate(given.get("serviceAccounts") or []):
            namespace = str(one.get("namespace") or subject.pipeline.project).replace("<service>", subject.service)
            if namespace != subject.pipeline.project:
                message = f"a ServiceAccount of namespace {namespace} is another's"
                yield Breach((*path, "serviceAccounts", index, "namespace"), message, subject.pipeline.project)


def _roles(subject: Subject) -> Iterator[Breach]:
    for name in section(section(subject.said, "rbac"), "bindings"):
        binding = section(section(subject.pipeline.values, "rbac"), "bindings").get(name) or {}
        path: KeyPath = ("rbac", "bindings", name)
        if binding.get("role") == "admin":
            message = "kargo-admin may do nearly everything in the namespace: read Git credentials, approve Freight, delete the quota"
            yield Breach((*path, "role"), message, "viewer, or promoter with stages")
        elif binding.get("role") == "promoter" and not binding.get("stages"):
            message = (
                "kargo-promoter may promote to every stage, and write the soak time and the approvals of Freight itself"
            )
            yield Breach((*path, "role"), message, "promoter with stages, such as stages: [dev]")
        elif binding.get("role") == "promoter":
            guarded = [stage for stage in binding["stages"] if _is_guarded(subject, stage)]
            if guarded:
                message = f"{enumerate_words(guarded)} is promoted by whom the platform names"
                yield Breach((*path, "stages"), message, "stages that are promoted automatically")


def _is_guarded(subject: Subject, name: str) -> bool:
    stage = subject.inherited.stages.get(name)
    return stage is not None and stage.is_by_hand


def _applications(subject: Subject) -> Iterator[Breach]:
    for stage in subject.stages() if subject.says(_PROMOTIONS) else ():
        own = f"{subject.service}-{stage.name}"
        name, path = stage.application, subject.decided_at(stage, ("argocdUpdate", "name"))
        if name and path and name != own:
            yield Breach(path, f"{name} is not the service's own Application", own)
        path = subject.decided_at(stage, ("argocdUpdate", "namespace"))
        if path and value_at(stage.promotion, ("argocdUpdate", "namespace")):
            yield Breach(path, "is where the platform has its Applications", "no namespace")


def _protection(subject: Subject) -> Iterator[Breach]:
    for path in _SWITCHES:
        is_off = subject.decides(path) and not value_at(subject.pipeline.values, path)
        if is_off and value_at(subject.inherited.values, path):
            yield Breach(path, "switches off what protects the unit, or others from it", "true")
    quota: KeyPath = ("resourceQuota", "hard")
    if subject.decides(quota) and value_at(subject.inherited.values, ("resourceQuota", "enabled")):
        yield Breach(quota, "changes the quota that the platform set", "the platform's quota")
    for path, owner in _mappings(subject.said):
        if owner.get("insecureSkipTLSVerify") is True:
            yield Breach((*path, "insecureSkipTLSVerify"), "credentials would go to whoever answers", "false")


def _gates(subject: Subject) -> Iterator[Breach]:
    """A guard belongs to a stage, and to the files that it writes: another stage that writes them has it, too."""
    if not subject.says(_PIPELINE):
        return
    for stage in subject.stages():
        for before in _guards_of(subject, stage):
            yield from _weakened(subject, stage, before)


def _guards_of(subject: Subject, stage: Stage) -> list[Stage]:
    files = {file for update in stage.updates for file in update.files}
    return [
        one
        for name, one in sorted(subject.inherited.stages.items())
        if name == stage.name or files & {file for update in one.updates for file in update.files}
    ]


def _weakened(subject: Subject, stage: Stage, before: Stage) -> Iterator[Breach]:
    here: KeyPath = ("stages", stage.name)
    of = "" if before.name == stage.name else f" (it writes the file of {before.name})"
    is_automatic = stage.given.get("autoPromotionEnabled") and not stage.is_control_flow
    if is_automatic and before.is_by_hand and subject.decides((*here, "autoPromotionEnabled")):
        yield from _unattended(subject, stage, before, of)
    wanted = max((seconds(one.soak) for one in before.requests if one.soak), default=0.0)
    least = min((seconds(one.soak) if one.soak and not one.direct else 0.0 for one in stage.requests), default=wanted)
    if least < wanted:
        soak = next(one.soak for one in before.requests if one.soak)
        yield Breach(
            _soak_at(subject, stage),
            f"takes Freight that has not soaked for {soak}, as the platform asks{of}",
            f"at least {soak}",
        )
    if before.waits_for_people and not stage.waits_for_people:
        path = subject.decided_at(stage, ("pullRequest", "enabled")) or here
        yield Breach(
            path,
            f"does without the pull request that the platform asks for{of}",
            "pullRequest.enabled: true, without merge",
        )
    if before.given.get("verification") and not stage.given.get("verification"):
        yield Breach(
            (*here, "verification"),
            f"does without the verification that the platform asks for{of}",
            "the platform's verification",
        )


def _unattended(subject: Subject, stage: Stage, before: Stage, of: str) -> Iterator[Breach]:
    """A stage may promote itself behind a gate of the service's own, except where admission decides: it sees no gate."""
    path: KeyPath = ("stages", stage.name, "autoPromotionEnabled")
    message = f"promotes by itself where the platform promotes by hand{of}"
    if not _has_gate(subject, stage):
        yield Breach(path, message, "false")
    elif cluster_settings(subject.fleet.data).enabled and before.name == stage.name and not before.waits_for_people:
        yield Breach(
            path,
            f"{message}; the policy in the cluster sees no pull request and no gate of the service's own file",
            "false, or true with the pull request in fleet.yaml",
        )


def _has_gate(subject: Subject, stage: Stage) -> bool:
    """Return whether a person decides right before a stage, by promoting to gates or by merging a pull request."""
    names = [name for one in stage.requests for name in one.upstream]
    before = [subject.pipeline.stages.get(name) for name in names]
    gates = [one for one in before if one and one.is_control_flow and not one.given.get("autoPromotionEnabled")]
    is_direct = any(one.direct for one in stage.requests)
    return stage.waits_for_people or (len(gates) == len(before) > 0 and not is_direct)


def _soak_at(subject: Subject, stage: Stage) -> KeyPath:
    for one in stage.requests:
        if subject.decides((*one.path, "requiredSoakTime")):
            return (*one.path, "requiredSoakTime")
    return ("stages", stage.name)


def _steps(subject: Subject) -> Iterator[Breach]:
    for path, step in own_steps(subject):
        uses = step.get("uses")
        if uses and uses not in LOCAL_STEPS and uses not in subject.fleet.custom_steps:
            message = f"{uses} reaches beyond the clone of a promotion"
            yield Breach((*path, "uses"), message, "steps that change files of the clone, such as yaml-update")
    for name, spec in section(subject.said, "analysisTemplates").items():
        for index, metric in enumerate((spec or {}).get("metrics") or []):
            if "job" in section(metric, "provider"):
                path = ("analysisTemplates", name, "metrics", index, "provider", "job")
                yield Breach(path, "runs containers of its own with what the namespace has", "another provider")


def _secrets(subject: Subject) -> Iterator[Breach]:
    tainted = None
    for path, text in strings(subject.said):
        if "${{" not in text or path[-2:] == ("author", "signingKey"):
            continue
        tainted = tainted or Tainted(subject.pipeline)
        if tainted.reads(text):
            yield Breach(path, "reads a Secret, or what holds its content", "git.author.signingKey only")


def _links(subject: Subject) -> Iterator[Breach]:
    for key in ("freightLinks", "stageLinks"):
        for index, link in enumerate(section(subject.said, "projectConfig").get(key) or []):
            url = str(link.get("url") or "")
            if not _WEB.match(url):
                path: KeyPath = ("projectConfig", key, index, "url")
                yield Breach(path, "a link in Kargo's UI has to lead to a web page", "https://… at its beginning")


def _limits(subject: Subject) -> Iterator[Breach]:
    objects = [
        key for part in ("analysisTemplates", "promotionTasks", "extraObjects") for key in section(subject.said, part)
    ]
    counted: list[tuple[str, KeyPath, int]] = [
        ("subscriptions", ("warehouse", "subscriptions"), len(subject.pipeline.subscriptions())),
        ("stages", ("stages",), len(subject.pipeline.stages)),
        ("bindings", ("rbac", "bindings"), len(section(section(subject.said, "rbac"), "bindings"))),
        ("objects", ("extraObjects",), len(objects)),
    ]
    for what, path, number in counted:
        if number > _MOST[what]:
            yield Breach(path, f"the service has {number} {what}", f"at most {_MOST[what]}")


#: The shipped rules by name.
BASELINE: Final = {
    "own-files": Shipped(
        "promotions of a service write its own files; the shared credential could write everybody's", _files
    ),
    "own-repository": Shipped("promotions commit where the platform says", _repository),
    "own-registry": Shipped("images come from the platform's registry", _images),
    "own-application": Shipped("a service syncs its own Applications", _applications),
    "reserved-metadata": Shipped(
        "labels and annotations of these domains decide about deletion, ownership and hooks", _metadata
    ),
    "subjects": Shipped("a service gives access to people's groups and to its own ServiceAccounts", _subjects),
    "roles": Shipped("who promotes where people decide is named by the platform", _roles),
    "protection": Shipped("what protects units stays on", _protection),
    "gates": Shipped("guards that the platform gave a stage hold for whatever writes its file", _gates),
    "local-steps": Shipped("steps of a service change files of the clone, and nothing else", _steps),
    "secrets": Shipped("Secrets do not come into commits, pull requests or requests", _secrets),
    "web-links": Shipped("links lead to web pages", _links),
    "limits": Shipped("one service does not take what all others need", _limits),
}
