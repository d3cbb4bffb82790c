"""Rules that span keys, or need more than a JSON schema: most reject values that Kargo accepts and then never promotes.

The chart has the same rules and messages in templates/_validate.tpl; tests/unit/test_rules.py compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from kargo_fleet.findings import KeyPath, Problem, dotted, problem_at, value_at
from kargo_fleet.fleet.freight import Subscription
from kargo_fleet.fleet.names import FLEET_FILE, PREFIX, NameFault, fault_of
from kargo_fleet.fleet.pipeline import Pipeline, Stage, Update, section, upstream_of
from kargo_fleet.fleet.rendering import Rendering
from kargo_fleet.text.git_urls import https_url, normalized
from kargo_fleet.text.go_regex import compiled
from kargo_fleet.text.semver import MOST_GROUPS, excess_groups, is_constraint
from kargo_fleet.text.words import enumerate_words, quoted
from kargo_fleet.text.yaml_writer import flow
from kargo_fleet.unit import (
    beside,
    freight_rules,
    helm_dependencies,
    kargo_names,
    kargo_versions,
    lengths,
    project_names,
    pull_requests,
    render_rules,
    selections,
    shard_labels,
    step_lists,
)

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_EXAMPLES = "such as ^1.0.0, ~1.2.0, >=1.2.0 <3.0.0 or *"
#: Words of an update that stand for an artifact: the kind of its subscription, what that is called, and the expression for it.
_SOURCES = {
    "chartVersion": ("chart", "chart", '${{ chartFrom("oci://registry.example.com/charts/app").Version }}'),
    "commitID": ("git", "Git repository", '${{ commitFrom("https://github.com/example/config.git").ID }}'),
}


def problems(pipeline: Pipeline) -> list[Problem]:
    """Return the problems of a unit, whose values are valid by the chart's schema; [] if there are none."""
    return [
        *_service(pipeline.service),
        *project_names.problems(pipeline),
        *_image(pipeline),
        *selections.problems(pipeline),
        *_pipeline(pipeline),
        *_promotion(pipeline),
        *_rbac(section(pipeline.values, "rbac"), pipeline.stages),
        *kargo_versions.problems(pipeline),
        *beside.problems(pipeline),
        *shard_labels.problems(pipeline),
        *kargo_names.problems(pipeline),
        *lengths.problems(pipeline),
    ]


def _service(name: str) -> Iterator[Problem]:
    path = ("service", "name")
    fault = fault_of(name)
    if fault in (NameFault.NOT_A_LABEL, NameFault.TOO_LONG):
        yield problem_at(
            path,
            "KF201",
            f"{quoted(name)} is not a DNS label of at most 57 characters (a-z, 0-9 and -); the Project is named kargo-<service>",
            "rename the service",
        )
    elif fault is NameFault.RESERVED:
        yield problem_at(
            path,
            "KF202",
            f"{quoted(name)} is reserved; Kargo itself uses the namespace {PREFIX}{name}",
            "rename the service",
        )


_constraint_ok = lru_cache(maxsize=None)(is_constraint)


def _image(pipeline: Pipeline) -> Iterator[Problem]:
    own = pipeline.image
    if isinstance(pipeline.values.get("image"), dict) and not own:
        yield problem_at(("image", "repoURL"), "KF104", "is required; for example registry.example.com/nginx")
    for warehouse in pipeline.warehouses.values():
        has_own = False
        for subscription in warehouse.subscriptions:
            yield from _subscription(subscription, own if has_own else "")
            is_own = subscription.kind == "image" and kargo_versions.same_image(own, subscription.repo_url)
            has_own = has_own or is_own


def _subscription(subscription: Subscription, own: str) -> Iterator[Problem]:
    """Yield the problems of one subscription; `own` is the service's image, if an earlier one subscribes to it."""
    kind, given, path, _ = subscription
    if not subscription.repo_url and path != ("image",):
        is_short = not subscription.is_listed and kind != "chart"
        reason = f", as {kind}.repoURL is empty" if is_short else ""
        yield problem_at((*path, "repoURL"), "KF104", f"is required{reason}", "add the repository")
    for setting in ("repoURL", "branch") if kind == "git" and not subscription.is_listed else ():
        if "<stage>" in (given.get(setting) or ""):  # inherited: a Warehouse is not that of a stage
            message = f"is required, as git.{setting} differs between stages"
            yield problem_at((*path, setting), "KF104", message, f"set {setting} of the Warehouse")
    if kind == "image" and own and kargo_versions.same_image(own, subscription.repo_url):
        yield problem_at(
            (*path, "repoURL"),
            "KF304",
            f"{quoted(subscription.repo_url)} is the service's own image, to which the Warehouse already subscribes",
            f"remove this subscription, or give it a Warehouse of its own: {flow(_own_warehouse(subscription))[1:-1]}",
        )
    yield from _constraint(subscription)
    for key in ("allowTagsRegexes", "ignoreTagsRegexes"):
        for index, regex in enumerate(given.get(key) or []):
            if compiled(regex) is None:
                yield problem_at(
                    (*path, key, index),
                    "KF303",
                    f"{quoted(regex)} is not a Go regular expression (RE2: no lookarounds, no backreferences)",
                    "correct it, such as ^v[0-9]+$",
                )
    if kind == "chart":
        if subscription.repo_url.startswith("oci://") and given.get("name"):
            yield problem_at(
                (*path, "name"), "KF103", "must be empty; an oci:// URL already names the chart", "remove it"
            )
        elif subscription.repo_url.startswith("http") and not given.get("name"):
            yield problem_at(
                (*path, "name"),
                "KF104",
                "is required; an https:// URL names a repository, not a chart",
                "add the chart's name",
            )


def _own_warehouse(subscription: Subscription) -> dict[str, Any]:
    """Return the values of a further Warehouse with a subscription to the service's image."""
    given = {key: value for key, value in subscription.given.items() if key != "repoURL"}
    return {"warehouses": {"builds": {"image": given or {"imageSelectionStrategy": "NewestBuild"}}}}


def _constraint(subscription: Subscription) -> Iterator[Problem]:
    kind, given, path, _ = subscription
    key = "constraint" if kind == "image" else "semverConstraint"
    constraint, strategy = given.get(key) or "", given.get("imageSelectionStrategy") or "SemVer"
    if strategy == "SemVer" and constraint and not _constraint_ok(constraint):
        message = f"{quoted(constraint)} is not a semver constraint {_EXAMPLES}"
        fix = "write ^1.0.0 for every 1.x.y"
        if kind == "image" and not subscription.is_listed:
            message += "; a mutable tag needs imageSelectionStrategy: Digest"
            fix += ", or set imageSelectionStrategy: Digest to follow a tag"
        yield problem_at((*path, key), "KF302", message, fix)
    elif strategy == "SemVer" and (groups := excess_groups(constraint)):
        message = f"has {groups} alternatives (||); Kargo 1.11.4 and newer accept at most {MOST_GROUPS}"
        yield problem_at((*path, key), "KF302", message, "write a range instead, such as >=1.2.0 <3.0.0")
    elif strategy == "Digest" and not _TAG.fullmatch(constraint):
        yield problem_at(
            (*path, key),
            "KF302",
            f"{quoted(constraint)} is not a tag name such as latest, which imageSelectionStrategy: Digest requires",
            "write the tag to follow, or remove imageSelectionStrategy",
        )


def _pipeline(pipeline: Pipeline) -> Iterator[Problem]:
    stages = {name: stage.given for name, stage in pipeline.stages.items()}
    if not stages:
        yield problem_at(
            ("stages",), "KF301", "is empty; a pipeline needs at least one stage", "keep one of the stages"
        )
    for name, given in sorted(stages.items()):
        yield from _upstream(("stages", name), name, given.get("upstream"), stages)
        for key, request in sorted(section(given, "requestedFreight").items()):
            here = ("stages", name, "requestedFreight", key)
            yield from _upstream(here, name, (request or {}).get("upstream"), stages)
        for one in pipeline.stages[name].requests:
            if one.selection == "MatchUpstream" and (one.direct or len(one.upstream) != 1):
                yield problem_at(
                    (*one.path, "selectionPolicy"),
                    "KF301",
                    '"MatchUpstream" requires exactly one upstream stage and no direct Freight from the Warehouse',
                    "remove selectionPolicy, or keep one upstream stage and no direct",
                )
    yield from freight_rules.problems(pipeline)
    if cycles := _cycles(stages):
        yield problem_at(
            ("stages",),
            "KF301",
            f"{enumerate_words(cycles)} form a cycle; upstream must not lead back to the same stage",
            "remove one of them from upstream",
        )


def _upstream(path: KeyPath, name: str, upstream: Sequence[str] | None, stages: Collection[str]) -> Iterator[Problem]:
    """Yield the problems of a list of upstream stages, which is below `path`."""
    for index, source in enumerate(upstream or []):
        place = (*path, "upstream", index)
        if source == name:
            yield problem_at(place, "KF301", f"{quoted(source)} is the stage itself", "remove it")
        elif source not in stages:
            known = enumerate_words(sorted(stages))
            yield problem_at(place, "KF301", f"{quoted(source)} is not a stage of this service; it has {known}")


def _cycles(stages: Mapping[str, Any]) -> list[str]:
    """Return the stages on cycles and between cycles: those left after removing all without upstream or downstream stages."""
    waiting = {name: [s for s in upstream_of(stage) if s != name and s in stages] for name, stage in stages.items()}
    while True:
        waited_for = {source for sources in waiting.values() for source in sources}
        free = [
            name
            for name, sources in waiting.items()
            if name not in waited_for or not any(s in waiting for s in sources)
        ]
        if not free:
            return sorted(waiting)
        for name in free:
            del waiting[name]


def _promotion(pipeline: Pipeline) -> Iterator[Problem]:
    writers: list[_Writer] = []
    for name, stage in sorted(pipeline.stages.items()):
        path = ("stages", name, "promotion")
        for variable in sorted(section(stage.given, "vars")):
            if variable in step_lists.RESERVED_VARS:
                yield problem_at(
                    ("stages", name, "vars", variable), "KF306", "is set by the chart; use another name", "rename it"
                )
        if section(stage.promotion, "steps").get("replace") and stage.task:
            yield problem_at(path, "KF306", "steps.replace and task.name are mutually exclusive", "remove one of them")
        if stage.has_default_steps:
            if _says_no_repository(stage):
                message = "is required; for example https://github.com/example/gitops.git"
                yield problem_at(("stages", name, "git", "repoURL"), "KF104", message, "set it, or remove it")
            yield from _updates(pipeline, stage, writers)
            yield from _pull_request((*path, "pullRequest"), pipeline, stage)
        if section(stage.given, "git").get("author"):
            yield from _author(("stages", name, "git", "author"), section(stage.git, "author"))
        yield from _steps(path, stage)
    stages = [stage for stage in pipeline.stages.values() if not _says_no_repository(stage)]
    if any(stage.has_default_steps and not stage.repo_url for stage in stages):
        yield problem_at(("git", "repoURL"), "KF104", "is required; for example https://github.com/example/gitops.git")
    yield from _author(("git", "author"), section(section(pipeline.values, "git"), "author"))


class _Writer(NamedTuple):
    """A stage that writes `target`; `place` is that with repository and branch, and ends with a slash."""

    stage: str
    place: str
    target: str
    is_folder: bool


def _says_no_repository(stage: Stage) -> bool:
    """Return whether a stage itself says that it has no repository."""
    return not stage.repo_url and "repoURL" in section(stage.given, "git")


def _updates(pipeline: Pipeline, stage: Stage, writers: list[_Writer]) -> Iterator[Problem]:
    """Yield the problems with what a stage writes, which no other stage may; `writers` are those before it."""
    path = ("stages", stage.name, "promotion")
    for name, given in sorted(section(stage.promotion, "updates").items()):
        kinds = sorted(kind for kind, update in (given or {}).items() if isinstance(update, dict))
        if len(kinds) > 1:  # each layer has one
            message = f"has {enumerate_words(kinds)}; only one is allowed"
            yield problem_at(
                (*path, "updates", name), "KF306", message, "use another name for the one that this stage adds"
            )
    for update in stage.updates:
        yield from _words(pipeline, stage, update)
    yield from _written_twice(stage)
    branch, rendering = stage.target_branch, stage.rendering
    targets: list[tuple[KeyPath, str]] = [((*update.at, "path"), update.target) for update in stage.updates]
    if rendering:
        targets = [(("render", "outPath"), rendering.out_path or ".")]
        yield from render_rules.problems(pipeline, stage, rendering)
        if rendering.kind == "helm":
            yield from _set_values(pipeline, stage, rendering)
    for at, target in targets:
        place = f"{normalized(stage.repo_url)} {branch} /{target}/".replace("/./", "/")
        writer = _Writer(stage.name, place, target, rendering is not None)
        other = _other_writer(writers, writer)
        if other is None:
            writers.append(writer)
            continue
        noun = "folder" if writer.is_folder or other.is_folder else "file"
        own_branch = "promotion.render.branch" if rendering else "stages.<name>.branch"
        yield problem_at(
            (*path, *at),
            "KF305",
            f"stage {other.stage} also writes {other.target} on branch {branch}; each stage needs its own {noun} or branch",
            f"put <stage> into promotion.{dotted(at)}, or set {own_branch}",
        )
    if rendering:
        return
    if stage.requests and not (stage.updates or section(stage.promotion, "steps").get("beforeCommit")):
        if stage.image_of:
            yield problem_at(
                (*path, "tagKey"),
                "KF306",
                "is empty, and so are digestKey and updates; at least one is required, or a step in steps.beforeCommit",
                "set tagKey: image.tag",
            )
        else:
            yield problem_at(
                (*path, "updates"),
                "KF306",
                "is empty, and the stage has no image to write; something to write is required, or a step in steps.beforeCommit",
                f"set {_updates_example(pipeline, stage)}",
            )


def _updates_example(pipeline: Pipeline, stage: Stage) -> str:
    """Return a setting with which a stage without an image writes something of its Freight."""
    words = [word for word, (kind, _, _) in _SOURCES.items() if pipeline.provides(stage, kind)]
    what = words[0] if words else "${{ ctx.targetFreight.name }}"
    updates = {"updates": {"version": {"yaml": {"keys": {"version": what}}}}}
    return flow({"stages": {stage.name: {"promotion": updates}}})[1:-1]


def _other_writer(writers: Sequence[_Writer], one: _Writer) -> _Writer | None:
    """Return the first of the other stages that writes the same file, or one of them where the other puts its manifests."""
    others = [
        other
        for other in writers
        if other.stage != one.stage
        and (
            other.place == one.place
            or (other.is_folder and one.place.startswith(other.place))
            or (one.is_folder and other.place.startswith(one.place))
        )
    ]
    return min(others, key=lambda other: other.stage, default=None)


def _set_values(pipeline: Pipeline, stage: Stage, rendering: Rendering) -> Iterator[Problem]:
    """Yield a problem for each value of a chart that stands for something that the stage does not get."""
    given = {key: what for key, what in section(rendering.given, "setValues").items() if what}
    yield from _words(pipeline, stage, Update(rendering.path, given, ("render", rendering.kind)), "setValues")


def _written_twice(stage: Stage) -> Iterator[Problem]:
    """Yield a problem for each key of a file that two updates of a stage write: the last one would win."""
    written: set[tuple[str, str]] = set()
    for update in stage.updates:
        for key in sorted(update.keys) if update.kind == "yaml" else ():
            if (update.path, key) in written:
                path = ("stages", stage.name, "promotion", *update.at, "keys", key)
                message = f"is written twice in {update.path}; keep one of the two"
                is_own = value_at(stage.given, ("promotion", *update.at[:2])) is not None
                owner = f"stages.{stage.name}.promotion" if is_own else "promotion"
                fix = f'remove it, or set {owner}.tagKey: "" if that writes it, too'
                yield problem_at(path, "KF306", message, fix)
            written.add((update.path, key))


def _words(pipeline: Pipeline, stage: Stage, update: Update, among: str = "keys") -> Iterator[Problem]:
    """Yield a problem for each word of an update that stands for something that the stage does not get."""
    path = ("stages", stage.name, "promotion", *update.at)
    words: list[tuple[KeyPath, str]] = [((among, key), what) for key, what in update.keys.items()]
    if update.kind == "kustomize":
        words = [(("path",), "tag")]
    elif update.kind == "helmDependency":
        words = [(("version",), update.given.get("version") or "chartVersion")]
        yield from helm_dependencies.problems(pipeline, stage, update)
    for place, what in sorted(words):
        if what in ("tag", "digest", "image", "imageDigest") and not stage.image_of:
            message = "needs the service's image, which no Warehouse of this stage has"
            yield problem_at(
                (*path, *place), "KF306", message, "write something else there, or take Freight with the image"
            )
        elif what in _SOURCES:
            kind, noun, expression = _SOURCES[what]
            if not pipeline.provides(stage, kind):
                message = (
                    f"needs exactly one {noun} that the stage's Warehouses subscribe to; else use an expression such as"
                    f" {expression}"
                )
                yield problem_at((*path, *place), "KF306", message, "use an expression, or one subscription")


def _author(path: KeyPath, author: Mapping[str, Any]) -> Iterator[Problem]:
    if bool(author.get("name")) != bool(author.get("email")):
        has, lacks = ("name", "email") if author.get("name") else ("email", "name")
        yield problem_at(
            path, "KF104", f"has a {has} but no {lacks}; set both or neither", f"add {lacks}, or remove {has}"
        )
    elif author.get("signingKey") and not author.get("name"):
        yield problem_at(
            (*path, "signingKey"), "KF104", "requires git.author.name and git.author.email", "add them, or remove it"
        )


def _pull_request(path: KeyPath, pipeline: Pipeline, stage: Stage) -> Iterator[Problem]:
    repo_url = stage.repo_url
    if not (stage.has_pull_request and repo_url):
        return
    if not repo_url.startswith("http"):
        yield problem_at(
            (*path, "enabled"),
            "KF306",
            "requires git.repoURL with https://; pull requests use the provider's API, which does not accept SSH keys",
            _https_fix(stage),
        )
    else:
        of_all = {one.repo_url for one in pipeline.stages.values() if one.has_pull_request} == {repo_url}
        owner: KeyPath = ("promotion", "pullRequest") if of_all else path
        yield from pull_requests.problems(path, section(stage.promotion, "pullRequest"), repo_url, owner)


def _https_fix(stage: Stage) -> str:
    """Return the fix for a repository with an SSH URL, where it is set: for the stage, or for all."""
    url = https_url(stage.repo_url) or "https://git.example.com/platform.git"
    if section(stage.given, "git").get("repoURL"):
        return f"set stages.{stage.name}.git.repoURL: {url}"
    return f"set git.repoURL: {url} in {FLEET_FILE}"


def _steps(path: KeyPath, stage: Stage) -> Iterator[Problem]:
    promotion = stage.promotion
    known = step_lists.BUILTIN_STEPS.union(promotion.get("customSteps") or [])
    aliases: set[str] = set()
    if stage.has_default_steps:
        aliases = {
            "update",
            "commit",
            "push",
            *(["render"] if stage.rendering else []),
            *(f"update-{name}" for name in section(promotion, "updates")),
        }
        pull_request = section(promotion, "pullRequest")
        if pull_request.get("enabled"):
            aliases |= {"open-pr", "merge-pr" if pull_request.get("merge") else "wait-for-pr"}
    for key, steps in stage.own_steps.items():
        yield from step_lists.problems((*path, "steps", key), steps, known, aliases)


def _rbac(rbac: Mapping[str, Any], stages: Collection[str]) -> Iterator[Problem]:
    for key, binding in sorted(section(rbac, "bindings").items()):
        path = ("rbac", "bindings", key)
        if binding.get("role") and binding.get("roleRef"):
            yield problem_at(path, "KF307", "role and roleRef are mutually exclusive", "remove one of them")
        elif not (binding.get("role") or binding.get("roleRef")):
            yield problem_at(
                path, "KF307", "requires role (admin, promoter or viewer) or roleRef", "add role: promoter"
            )
        has_claims = any(section(binding, "claims").values())  # null claims bind nobody
        if not has_claims and not any(binding.get(subjects) for subjects in ("groups", "users", "serviceAccounts")):
            yield problem_at(
                path, "KF307", "has no subjects; set groups, users, serviceAccounts or claims", "add groups: [team]"
            )
        if binding.get("stages") and binding.get("role") != "promoter":
            yield problem_at(
                (*path, "stages"), "KF307", "requires role: promoter", "set role: promoter, or remove stages"
            )
        for index, stage in enumerate(binding.get("stages") or []):
            if stage not in stages:
                yield problem_at(
                    (*path, "stages", index),
                    "KF307",
                    f"{quoted(stage)} is not a stage of this service; it has {enumerate_words(sorted(stages))}",
                )
