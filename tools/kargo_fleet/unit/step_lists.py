"""Lists of steps that people wrote: which steps there are, and by which aliases others refer to them.

The chart has the same rules in `kargo-service.validate.stepList`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from kargo_fleet.findings import KeyPath, Problem, problem_at
from kargo_fleet.text.words import did_you_mean, quoted

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
#: Variables that the chart defines for every stage.
RESERVED_VARS = frozenset(["service", "imageRepoURL", "gitRepoURL", "branch", "path", "folder", "application"])
_RESERVED_ALIAS = re.compile(r"(step|task)-[0-9]+")


def problems(
    path: KeyPath, steps: Sequence[Mapping[str, Any]], known: Set[str], aliases: set[str]
) -> Iterator[Problem]:
    """Yield the problems of the steps at `path`; `known` are the names of steps.

    `aliases` are those of the steps that run before them; those of the steps themselves are added.
    """
    for index, step in enumerate(steps):
        here = (*path, index)
        uses, alias = step.get("uses"), step.get("as")
        if uses and uses not in known:
            message = f"{quoted(uses)} is not a promotion step of Kargo; if this installation has it, add it to promotion.customSteps"
            fix = did_you_mean(uses, sorted(known), f"correct it, or set promotion.customSteps: [{uses}]")
            yield problem_at((*here, "uses"), "KF306", message, fix)
        if step.get("task"):
            for field in ("if", "continueOnError", "retry", "config"):
                if step.get(field):
                    message = "is not allowed in a step that runs a task; only as and vars are allowed"
                    yield problem_at((*here, field), "KF306", message, "remove it")
        if alias and _RESERVED_ALIAS.fullmatch(alias):
            yield problem_at((*here, "as"), "KF306", f"{quoted(alias)} is reserved by Kargo", "use another alias")
        elif alias and alias in aliases:
            yield problem_at(
                (*here, "as"), "KF306", f"{quoted(alias)} is the alias of another step", "use another alias"
            )
        aliases.add(alias or "")
