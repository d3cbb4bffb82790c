"""Rules that span keys, or need more than a JSON schema: most reject values that Kargo accepts and then never promotes.

The chart has the same rules and messages in templates/_validate.tpl; tests/unit/test_rules.py compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from kargo_fleet.findings import KeyPath, Problem, dotted
from kargo_fleet.fleet.names import FLEET_FILE, NameFault, fault_of, project_of
from kargo_fleet.fleet.pipeline import branch_of, has_default_steps, promotion_of, section, updates_of
from kargo_fleet.text.git_urls import https_url
from kargo_fleet.text.go_regex import compiled
from kargo_fleet.text.semver import is_constraint
from kargo_fleet.text.words import did_you_mean, enumerate_words
from kargo_fleet.unit import kargo_versions, pull_requests, shard_labels

#: Variables that the chart defines for every stage.
RESERVED_VARS = frozenset(["service", "imageRepoURL", "gitRepoURL", "branch", "path", "folder", "application"])
#: Kargo's promotion steps, those of its commercial distributions and of newer versions included: the pages of "Promotion
#: Steps Reference". kargo_versions.json says which are newer.
BUILTIN_STEPS = frozenset(
    """
    argocd-update argocd-wait compose-output copy delete fail file-write get-user-input
    gh-create-issue gh-issue-add-comment gh-issue-delete-comment gh-issue-update-comment gh-search-issues gh-update-issue
    gh-wait-for-issue-state gha-dispatch-workflow gha-wait-for-workflow
    git-clear git-clone git-commit git-merge-pr git-open-pr git-push git-tag git-wait-for-pr github-push
    hcl-update helm-template helm-update-chart http http-download jfrog-evidence jira json-parse json-update
    kustomize-build kustomize-set-image oci-download oci-push record-audit-event send-message set-freight-alias set-metadata
    snow-create snow-delete snow-query-for-records snow-update snow-wait-for-condition
    tar tf-apply tf-output tf-plan toml-parse toml-update untar wait-for-approval yaml-merge yaml-parse yaml-update
    """.split()
)

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_RESERVED_ALIAS = re.compile(r"(step|task)-[0-9]+")
_EXAMPLES = "such as ^1.0.0, ~1.2.0, >=1.2.0 <3.0.0 or *"


def problems(values: Mapping[str, Any]) -> list[Problem]:
    """Return the problems of a unit's complete values, which are valid by the chart's schema; [] if there are none.

    `values` are the chart's defaults with every layer merged over them, service.name included.
    """
    stages = section(values, "stages")
    return [
        *_service(section(values, "service").get("name") or ""),
        *_image(values),
        *_pipeline(stages),
        *_promotion(values, stages),
        *_rbac(section(values, "rbac"), stages),
        *kargo_versions.problems(values),
        *shard_labels.problems(values),
    ]


def _problem(path: KeyPath, code: str, message: str, fix: str = "") -> Problem:
    """Return the problem at a path of the values, in the chart's words: "<path>: <message>". The chart has no fixes."""
    return Problem(code, f"{dotted(path)}: {message}", fix, path=path)


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _service(name: str) -> Iterator[Problem]:
    path = ("service", "name")
    fault = fault_of(name)
    if fault in (NameFault.NOT_A_LABEL, NameFault.TOO_LONG):
        yield _problem(
            path,
            "KF201",
            f"{_quote(name)} is not a DNS label of at most 57 characters (a-z, 0-9 and -); the Project is named kargo-<service>",
            "rename the service",
        )
    elif fault is NameFault.RESERVED:
        yield _problem(
            path,
            "KF202",
            f"{_quote(name)} is reserved; Kargo itself uses the namespace {project_of(name)}",
            "rename the service",
        )


_constraint_ok = lru_cache(maxsize=None)(is_constraint)


def _image(values: Mapping[str, Any]) -> Iterator[Problem]:
    image = section(values, "image")
    strategy = image.get("imageSelectionStrategy") or "SemVer"
    constraint = image.get("constraint") or ""
    if not image.get("repoURL"):
        yield _problem(("image", "repoURL"), "KF104", "is required; for example registry.example.com/nginx")
    if strategy == "SemVer" and constraint and not _constraint_ok(constraint):
        yield _problem(
            ("image", "constraint"),
            "KF302",
            f"{_quote(constraint)} is not a semver constraint {_EXAMPLES}; a mutable tag needs imageSelectionStrategy: Digest",
            "write ^1.0.0 for every 1.x.y, or set imageSelectionStrategy: Digest to follow a tag",
        )
    elif strategy == "Digest" and not _TAG.fullmatch(constraint):
        yield _problem(
            ("image", "constraint"),
            "KF302",
            f"{_quote(constraint)} is not a tag name such as latest, which imageSelectionStrategy: Digest requires",
            "write the tag to follow, or remove imageSelectionStrategy",
        )
    for key in ("allowTagsRegexes", "ignoreTagsRegexes"):
        for index, regex in enumerate(image.get(key) or []):
            if compiled(regex) is None:
                yield _problem(
                    ("image", key, index),
                    "KF303",
                    f"{_quote(regex)} is not a Go regular expression (RE2: no lookarounds, no backreferences)",
                    "correct it, such as ^v[0-9]+$",
                )
    for index, subscription in enumerate(section(values, "warehouse").get("subscriptions") or []):
        yield from _subscription(("warehouse", "subscriptions", index), subscription, image.get("repoURL"))


def _subscription(path: KeyPath, subscription: Mapping[str, Any], own: str | None) -> Iterator[Problem]:
    subscribed = section(subscription, "image").get("repoURL")
    if own and subscribed and kargo_versions.same_image(own, subscribed):
        yield _problem(
            (*path, "image", "repoURL"),
            "KF304",
            f"{_quote(subscribed)} is the service's own image, to which the Warehouse already subscribes",
            "remove this subscription",
        )
    for kind, key in (("chart", "semverConstraint"), ("git", "semverConstraint"), ("image", "constraint")):
        given = section(subscription, kind)
        constraint = given.get(key)
        is_semver = (given.get("imageSelectionStrategy") or "SemVer") == "SemVer"
        if constraint and is_semver and not _constraint_ok(constraint):
            yield _problem(
                (*path, kind, key),
                "KF302",
                f"{_quote(constraint)} is not a semver constraint {_EXAMPLES}",
                "write ^1.0.0 for every 1.x.y",
            )
    if chart := section(subscription, "chart"):
        is_oci = chart["repoURL"].startswith("oci://")
        if is_oci and chart.get("name"):
            yield _problem(
                (*path, "chart", "name"), "KF103", "must be empty; an oci:// URL already names the chart", "remove it"
            )
        elif not is_oci and not chart.get("name"):
            yield _problem(
                (*path, "chart", "name"),
                "KF104",
                "is required; an https:// URL names a repository, not a chart",
                "add the chart's name",
            )


def _pipeline(stages: Mapping[str, Any]) -> Iterator[Problem]:
    names = sorted(stages)
    has_start = False
    if not names:
        yield _problem(("stages",), "KF301", "is empty; a pipeline needs at least one stage", "keep one of the stages")
    for name in names:
        stage = stages[name]
        upstream = stage.get("upstream") or []
        has_start = has_start or bool(stage.get("direct")) or not upstream
        for index, source in enumerate(upstream):
            path = ("stages", name, "upstream", index)
            if source == name:
                yield _problem(path, "KF301", f"{_quote(source)} is the stage itself", "remove it")
            elif source not in stages:
                yield _problem(
                    path, "KF301", f"{_quote(source)} is not a stage of this service; it has {enumerate_words(names)}"
                )
        if stage.get("selectionPolicy") == "MatchUpstream" and (stage.get("direct") or len(upstream) != 1):
            yield _problem(
                ("stages", name, "selectionPolicy"),
                "KF301",
                '"MatchUpstream" requires exactly one upstream stage and no direct Freight from the Warehouse',
                "remove selectionPolicy, or keep one upstream stage and no direct",
            )
    if names and not has_start:
        yield _problem(
            ("stages",),
            "KF301",
            "no stage takes Freight directly from the Warehouse; a stage without upstream, or with direct: true, is required",
            "set direct: true on the first stage, or remove its upstream",
        )
    if cycles := _cycles(stages):
        yield _problem(
            ("stages",),
            "KF301",
            f"{enumerate_words(cycles)} form a cycle; upstream must not lead back to the same stage",
            "remove one of them from upstream",
        )


def _cycles(stages: Mapping[str, Any]) -> list[str]:
    """Return the stages on cycles and between cycles: those left after removing all without upstream or downstream stages."""
    waiting = {
        name: [s for s in stage.get("upstream") or [] if s != name and s in stages] for name, stage in stages.items()
    }
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


def _promotion(values: Mapping[str, Any], stages: Mapping[str, Any]) -> Iterator[Problem]:
    git = section(values, "git")
    writers: dict[str, str] = {}
    needs_repository = False
    for name in sorted(stages):
        promotion = promotion_of(values, name)
        path = ("stages", name, "promotion")
        for variable in sorted(section(stages[name], "vars")):
            if variable in RESERVED_VARS:
                yield _problem(
                    ("stages", name, "vars", variable),
                    "KF306",
                    "is set by the chart; use another name",
                    "rename it",
                )
        if section(promotion, "steps").get("replace") and section(promotion, "task").get("name"):
            yield _problem(path, "KF306", "steps.replace and task.name are mutually exclusive", "remove one of them")
        if has_default_steps(promotion):
            needs_repository = True
            updates = updates_of(values, name, promotion)
            for update in updates:
                target = f"{update.path} on branch {branch_of(values, name)}"
                if writers.setdefault(target, name) == name:
                    continue
                yield _problem(
                    (*path, *update.at, "path"),
                    "KF305",
                    f"stage {writers[target]} also writes {target}; each stage needs its own file or branch",
                    f"put <stage> into promotion.{dotted((*update.at, 'path'))}, or set stages.<name>.branch",
                )
            if not (updates or section(promotion, "steps").get("beforeCommit")):
                yield _problem(
                    (*path, "tagKey"),
                    "KF306",
                    "is empty, and so are digestKey and updates; at least one is required, or a step in steps.beforeCommit",
                    "set tagKey: image.tag",
                )
            yield from _pull_request(
                (*path, "pullRequest"), section(promotion, "pullRequest"), git.get("repoURL") or ""
            )
        yield from _steps(path, promotion)
    if needs_repository and not git.get("repoURL"):
        yield _problem(("git", "repoURL"), "KF104", "is required; for example https://github.com/example/gitops.git")
    author = section(git, "author")
    if bool(author.get("name")) != bool(author.get("email")):
        has, lacks = ("name", "email") if author.get("name") else ("email", "name")
        yield _problem(
            ("git", "author"),
            "KF104",
            f"has a {has} but no {lacks}; set both or neither",
            f"add {lacks}, or remove {has}",
        )
    elif author.get("signingKey") and not author.get("name"):
        yield _problem(
            ("git", "author", "signingKey"),
            "KF104",
            "requires git.author.name and git.author.email",
            "add them, or remove it",
        )


def _pull_request(path: KeyPath, pull_request: Mapping[str, Any], repo_url: str) -> Iterator[Problem]:
    if not (pull_request.get("enabled") and repo_url):
        return
    if not repo_url.startswith("http"):
        yield _problem(
            (*path, "enabled"),
            "KF306",
            "requires git.repoURL with https://; pull requests use the provider's API, which does not accept SSH keys",
            f"set git.repoURL: {https_url(repo_url) or 'https://…'} in {FLEET_FILE}",
        )
    else:
        yield from pull_requests.problems(path, pull_request, repo_url)


def _steps(path: KeyPath, promotion: Mapping[str, Any]) -> Iterator[Problem]:
    steps = section(promotion, "steps")
    known = BUILTIN_STEPS.union(promotion.get("customSteps") or [])
    aliases: set[str] = set()
    if has_default_steps(promotion):
        aliases = {"update", "commit", "push", *(f"update-{name}" for name in section(promotion, "updates"))}
        pull_request = section(promotion, "pullRequest")
        if pull_request.get("enabled"):
            aliases |= {"open-pr", "merge-pr" if pull_request.get("merge") else "wait-for-pr"}
    for key in ("replace",) if steps.get("replace") else ("before", "beforeCommit", "after"):
        for index, step in enumerate(steps.get(key) or []):
            here = (*path, "steps", key, index)
            uses, alias = step.get("uses"), step.get("as")
            if uses and uses not in known:
                yield _problem(
                    (*here, "uses"),
                    "KF306",
                    f"{_quote(uses)} is not a promotion step of Kargo; if this installation has it, add it to promotion.customSteps",
                    did_you_mean(uses, sorted(known), f"correct it, or set promotion.customSteps: [{uses}]"),
                )
            if step.get("task"):
                for field in ("if", "continueOnError", "retry", "config"):
                    if step.get(field):
                        yield _problem(
                            (*here, field),
                            "KF306",
                            "is not allowed in a step that runs a task; only as and vars are allowed",
                            "remove it",
                        )
            if alias and _RESERVED_ALIAS.fullmatch(alias):
                yield _problem((*here, "as"), "KF306", f"{_quote(alias)} is reserved by Kargo", "use another alias")
            elif alias and alias in aliases:
                yield _problem(
                    (*here, "as"), "KF306", f"{_quote(alias)} is the alias of another step", "use another alias"
                )
            aliases.add(alias or "")


def _rbac(rbac: Mapping[str, Any], stages: Mapping[str, Any]) -> Iterator[Problem]:
    for key, binding in sorted(section(rbac, "bindings").items()):
        path = ("rbac", "bindings", key)
        if binding.get("role") and binding.get("roleRef"):
            yield _problem(path, "KF307", "role and roleRef are mutually exclusive", "remove one of them")
        elif not (binding.get("role") or binding.get("roleRef")):
            yield _problem(path, "KF307", "requires role (admin, promoter or viewer) or roleRef", "add role: promoter")
        if not any(binding.get(subjects) for subjects in ("groups", "users", "serviceAccounts", "claims")):
            yield _problem(
                path, "KF307", "has no subjects; set groups, users, serviceAccounts or claims", "add groups: [team]"
            )
        if binding.get("stages") and binding.get("role") != "promoter":
            yield _problem(
                (*path, "stages"), "KF307", "requires role: promoter", "set role: promoter, or remove stages"
            )
        for index, stage in enumerate(binding.get("stages") or []):
            if stage not in stages:
                yield _problem(
                    (*path, "stages", index),
                    "KF307",
                    f"{_quote(stage)} is not a stage of this service; it has {enumerate_words(sorted(stages))}",
                )
