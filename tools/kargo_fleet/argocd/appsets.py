"""What the units' and the workloads' ApplicationSets have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from kargo_fleet.argocd.settings import LABELS, ArgoFleet
from kargo_fleet.argocd.shares import NO_SHARD, Share
from kargo_fleet.argocd.split import Bucket
from kargo_fleet.fleet.folder_pattern import STAGE, FolderPattern
from kargo_fleet.fleet.names import RESERVED_NAMES
from kargo_fleet.text.yaml_writer import Note

_WHY_FOLDERS = """\
Folders, not files: a `files` generator reads contents, and one broken file stops the whole set. What a service is
comes from the name of its folder alone, so no file can claim another service's name."""

_WHY_LIST = """\
Every service, since the tree has no folder per service. A service is here once, whichever stages it has."""

_WHY_SYNC = """\
Never delete an Application because its folder is gone: a moved `services/`, a wrong branch or a bad merge would take
every Application along. docs/argocd.md says how a service is removed."""

_WHY_PRESERVE = "Applications get no finalizer: deleting one leaves what it deployed."

_WHY_FINALIZER = """\
When this set is deleted, the controller first lets go of its Applications, so another set can take them over."""

_WHY_SHARD = """\
Which shard, computed as kargo-fleet does: of all tickets the one whose SHA-256 with the service's name is the highest.
Services that chose a shard themselves stand in $pinned."""

_WHY_KEEP = 'An Argo CD Application over argocd/ must not prune this set on its own: see docs/argocd.md, "Splits".'


def application_set(
    fleet: ArgoFleet, settings: Mapping[str, Any], name: str, generator: Mapping[str, Any], template: Mapping[str, Any]
) -> dict[str, Any]:
    """Return an ApplicationSet that cannot delete what it made."""
    spec: dict[str, Any] = {
        "goTemplate": True,
        "goTemplateOptions": ["missingkey=error"],
        "generators": [generator],
        "syncPolicy": {
            "applicationsSync": Note(_WHY_SYNC, settings["applicationsSync"]),
            "preserveResourcesOnDeletion": Note(_WHY_PRESERVE, settings["preserveResourcesOnDeletion"]),
        },
    }
    preserved = {key: names for key, names in settings.get("preservedFields", {}).items() if names}
    if preserved:
        spec["preservedFields"] = Note(
            "What people and tools may write on an Application, to pause it for instance.", preserved
        )
    if settings.get("ignoreApplicationDifferences"):
        spec["ignoreApplicationDifferences"] = settings["ignoreApplicationDifferences"]
    metadata = {
        "name": name,
        "namespace": fleet.argocd["namespace"],
        "labels": LABELS,
        "annotations": {"argocd.argoproj.io/sync-options": Note(_WHY_KEEP, "Prune=false,Delete=false")},
        "finalizers": Note(_WHY_FINALIZER, ["resources-finalizer.argocd.argoproj.io"]),
    }
    spec["template"] = template
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": metadata, "spec": spec}


def git_generator(
    fleet: ArgoFleet,
    settings: Mapping[str, Any],
    bucket: Bucket,
    *,
    shard: Share | None = None,
    only: Iterable[str] = (),
    without: Iterable[str] = (),
    revision: str = "",
    values: Mapping[str, Any] | None = None,
    stage: str = STAGE,
) -> dict[str, Any]:
    """Return the generator over the folders of services in `bucket`: those named in `only`, or all but those in `without`.

    With `shard`, only the services of that shard. With `stage`, the folders for it, in an environment-first tree.
    """
    fleet = replace(fleet, layout=FolderPattern.of(fleet.layout.pattern.replace(STAGE, stage)))
    named = list(only)
    folders = [{"path": glob_escape(fleet.folder(service))} for service in named]
    git: dict[str, Any] = {
        "repoURL": fleet.repo_url,
        "revision": revision or fleet.revision,
        "requeueAfterSeconds": settings["requeueAfterSeconds"],
        "directories": Note(_WHY_FOLDERS, folders or [*_every_service(fleet), *_excluded(fleet, without)]),
    }
    own = dict(values or {})
    chosen = []
    if shard:
        own["shard"] = Note(_WHY_SHARD, shard.expression)
        chosen.append({"key": "values.shard", "operator": "In", "values": [shard.name or NO_SHARD]})
    if bucket.prefixes:
        own["bucket"] = Note("Which set: the SHA-256 of the service's name, cut off.", bucket.expression)
        chosen.append({"key": "values.bucket", "operator": "In", "values": list(bucket.prefixes)})
    selector = (
        {"selector": Note("Only this set's share of the services.", {"matchExpressions": chosen})} if chosen else {}
    )
    return {"git": {**git, **({"values": own} if own else {})}, **selector}


def list_generator(services: Iterable[str]) -> dict[str, Any]:
    """Return the generator that lists these services."""
    elements = [{"service": service} for service in sorted(services)]
    return {"list": {"elements": Note(_WHY_LIST, elements)}}


class ChartOrigin(NamedTuple):
    """The fields of an Argo CD source that say where a chart is: a `path` in a Git repository, or else a `chart` in another."""

    repo_url: str
    revision: str
    path: str = ""
    chart: str = ""


def source(
    fleet: ArgoFleet, origin: ChartOrigin, revision: str, value_files: Iterable[str], helm: Mapping[str, Any]
) -> tuple[dict[str, Any], str]:
    """Return `source`, or `sources` when chart and values files are not in one checkout; and manifest-generate-paths.

    Those are the paths that an Application depends on, `.` being the chart's folder. `revision` is that of the values files.
    """
    files = list(value_files)
    chart: dict[str, Any] = {
        "repoURL": origin.repo_url,
        "targetRevision": origin.revision,
        **({"path": origin.path} if origin.path else {"chart": origin.chart}),
    }
    here = literal(fleet.repo_url), literal(revision)
    if origin.path and (origin.repo_url, origin.revision) == here:
        return {"source": {**chart, "helm": {**helm, "valueFiles": files}}}, ";".join([".", *files])
    chart["helm"] = {**helm, "valueFiles": [f"$values{file}" for file in files]}
    values = {"repoURL": here[0], "targetRevision": here[1], "ref": "values"}
    paths = ([f"/{origin.path.strip('/')}"] if origin.path else []) + files
    return {"sources": [chart, Note("The values files.", values)]}, ";".join(paths)


def sync_policy(settings: Mapping[str, Any], why_manual: str = "") -> dict[str, Any]:
    """Return `syncPolicy`; without `automated` where that is switched off."""
    automated = dict(settings.get("automated") or {})
    policy: dict[str, Any] = {}
    if automated.pop("enabled", True):
        policy["automated"] = automated
    options = settings.get("syncOptions")
    if options:
        policy["syncOptions"] = options
    if settings.get("retry"):
        policy["retry"] = settings["retry"]
    if "automated" not in policy and why_manual and policy:
        first = next(iter(policy))
        policy[first] = Note(why_manual, policy[first])
    return policy


def app_project_of(settings: Mapping[str, Any]) -> str:
    """Return the name of the AppProject of these Applications."""
    return str(settings.get("project") or settings["appProject"]["name"])


def literal(text: str) -> str:
    """Return `text` such that a Go template leaves it as it is."""
    return text.replace("{{", '{{ "{{" }}')


def glob_escape(text: str) -> str:
    """Return `text` as a pattern of Go's path.Match that matches nothing else."""
    return "".join(f"\\{char}" if char in "*?[\\" else char for char in text)


def _folder(fleet: ArgoFleet, pattern: str) -> str:
    return FolderPattern(glob_escape(fleet.layout.pattern)).folder(pattern, "*")


def _every_service(fleet: ArgoFleet) -> list[Any]:
    def leave_out(pattern: str) -> dict[str, Any]:
        return {"path": _folder(fleet, pattern), "exclude": True}

    first, *others = sorted(RESERVED_NAMES)
    longest = fleet.projects.longest_service
    too_long = "?" * (longest + 1) + "*"
    return [
        {"path": _folder(fleet, "*")},
        Note("No service: a name that is no DNS label, as hidden and `_` folders have,", leave_out(r"*[^a-z0-9\-]*")),
        *_hidden_teams(fleet),
        leave_out("-*"),
        leave_out("*-"),
        Note(f"a name whose namespace would be too long (over {longest} characters),", leave_out(too_long)),
        Note("a name whose namespace is Kargo's own.", leave_out(first)),
        *(leave_out(name) for name in others),
    ]


def _hidden_teams(fleet: ArgoFleet) -> list[Any]:
    if not fleet.layout.has_teams:
        return []
    return [{"path": FolderPattern(glob_escape(fleet.layout.pattern)).folder("*", "[._]*"), "exclude": True}]


def _excluded(fleet: ArgoFleet, services: Iterable[str]) -> list[Any]:
    folders = (glob_escape(fleet.folder(service)) for service in sorted(services))
    left_out: list[Any] = [{"path": folder, "exclude": True} for folder in folders]
    if left_out:
        left_out[0] = Note("Services whose pipeline has no such stage.", left_out[0])
    return left_out
