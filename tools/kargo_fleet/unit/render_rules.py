"""What a stage renders, held to the rules that templates/_validate_render.tpl has, too."""

from __future__ import annotations

from collections.abc import Iterator

from kargo_fleet.findings import KeyPath, Problem, problem_at
from kargo_fleet.fleet.freight import Subscription
from kargo_fleet.fleet.pipeline import Pipeline, Stage, section
from kargo_fleet.fleet.rendering import Rendering, kinds_of
from kargo_fleet.text.git_urls import normalized


def problems(pipeline: Pipeline, stage: Stage, rendering: Rendering) -> Iterator[Problem]:
    """Yield the problems of what a stage renders."""
    path: KeyPath = ("stages", stage.name, "promotion", "render")
    kind = rendering.kind
    if len(kinds_of(stage.promotion)) > 1:
        yield problem_at(path, "KF306", "helm and kustomize are mutually exclusive", "remove one of them")
    if not rendering.path:
        example = "charts/app" if kind == "helm" else "overlays/<stage>"
        yield problem_at((*path, kind, "path"), "KF104", f"is required; for example {example}", f"set path: {example}")
    if rendering.branch == stage.branch:
        message = f'"{rendering.branch}" is the branch of the sources, git.branch; rendered manifests need another one'
        yield problem_at((*path, "branch"), "KF306", message, "remove it: the default is stage/<stage>")
    if stage.requests and not _renders_freight(pipeline, stage, rendering):
        further = ", helm.setValues" if kind == "helm" else ""
        message = (
            "renders the same for each Freight; something of it is required: an image, a commit of git.repoURL, updates"
            f"{further} or a step in steps.beforeCommit"
        )
        yield problem_at(path, "KF306", message, "subscribe to the repository, such as warehouses: {config: {git: {}}}")


def _renders_freight(pipeline: Pipeline, stage: Stage, rendering: Rendering) -> bool:
    """Return whether what a stage renders depends on its Freight."""
    given = [stage.own_keys, stage.updates, rendering.given.get("setValues")]
    return any(given) or bool(source_of(pipeline, stage) or section(stage.promotion, "steps").get("beforeCommit"))


def source_of(pipeline: Pipeline, stage: Stage) -> list[Subscription]:
    """Return the subscriptions to the stage's own repository: it renders the commit of the Freight then, and not a branch."""
    own = normalized(stage.repo_url)
    return [one for one in pipeline.subscribed(stage, "git") if normalized(one.repo_url) == own]
