"""What promotions commit: Git subscriptions that see it, and steps that need more than the clone has."""

from __future__ import annotations

import pytest
from test_warnings import find

URL = "https://example.com/a/b"


def loop(git: str, rest: str = "") -> str:
    """Return the fix of the warning about a Git subscription beside git.repoURL, "" without a warning."""
    text = f"warehouse: {{subscriptions: [{{git: {{repoURL: '{URL}'{git}}}}}]}}\n{rest}"
    return "".join(finding.fix for finding in find("service: {name: nginx}", text) if finding.code == "KFW316")


FILES = ", ".join(f"services/nginx/values-{stage}.yaml" for stage in ("dev", "prod", "staging"))


@pytest.mark.parametrize(
    "git",
    [
        "",
        ", branch: main",
        ", includePaths: [services/nginx]",
        ", includePaths: ['glob:services/**']",
        ", includePaths: ['regex:^services/nginx/']",
    ],
)
def test_a_subscription_that_sees_promotions(git: str) -> None:
    assert loop(git) == f"set excludePaths: [{FILES}]"


def test_the_fix_ends_it() -> None:
    assert loop(f", excludePaths: [{FILES}]") == ""
    assert loop(", excludePaths: [docs]") == f"set excludePaths: [docs, {FILES}]"
    assert loop(", excludePaths: ['glob:services/*/values-{dev,prod}.yaml']").endswith("values-staging.yaml]")


@pytest.mark.parametrize(
    "git",
    [
        ", branch: other",
        ", includePaths: [services/nginx/config]",
        ", includePaths: [services/nginx-other]",
        ", excludePaths: ['regex:values-.*yaml$']",
        ", commitSelectionStrategy: NewestTag",
        ", expressionFilter: 'author != \"x\"'",
    ],
)
def test_a_subscription_that_does_not(git: str) -> None:
    assert loop(git) == ""


def test_other_files_branches_and_repositories() -> None:
    own = "promotion: {steps: {beforeCommit: [{uses: file-write, config: {path: ./src/services/nginx/config/x, contents: a}}]}}"
    assert loop(", includePaths: [services/nginx/config]", own) == "set excludePaths: [services/nginx/config/x]"
    assert loop("", "promotion: {pullRequest: {enabled: true, provider: gitea}}") == f"set excludePaths: [{FILES}]"
    assert loop(", branch: main", "git: {branch: gitops}") == ""
    assert loop("", "git: {repoURL: 'https://example.com/a/c'}") == ""
    assert loop("", "git: {repoURL: 'https://example.com/a/B.git'}") != ""
    assert loop("", "promotion: {steps: {replace: [{uses: http}]}}") == ""


def outside(path: str, rest: str = "") -> list[str]:
    text = f"promotion: {{steps: {{beforeCommit: [{{uses: copy, config: {{inPath: x, outPath: '{path}'}}}}]}}}}\n{rest}"
    return [finding.fix for finding in find("service: {name: nginx}", text) if finding.code == "KFW317"]


@pytest.mark.parametrize(
    "path",
    [
        "./src/clusters/b/x.yaml",
        "src/clusters/b/x.yaml",
        "./src/clusters/b/${{ ctx.stage }}.yaml",
        "./src/clusters/b/${{ vars.mine }}.yaml",
        "./src/services/nginx/../../clusters/b/x",
    ],
)
def test_a_step_outside_the_clone(path: str) -> None:
    assert outside(path) == ["set git.sparse: [clusters/b], or false for the whole repository"]
    assert outside(path, "git: {sparse: [charts]}") == [
        "set git.sparse: [charts, clusters/b], or false for the whole repository"
    ]
    assert outside(path, "git: {sparse: false}") == outside(path, "git: {sparse: [clusters]}") == []


@pytest.mark.parametrize(
    "path",
    [
        "./src/services/nginx/x.yaml",
        "./src/${{ vars.path }}",
        "./src/${{ vars.folder }}/x",
        "./src/services/${{ vars.service }}/x",
        "./src/services/README.md",  # a sparse clone has the files of the folders above
        "./src/README.md",
        "./src",
        "./out/x",
        "./src/${{ vars.mine }}/x",
        "${{ vars.mine }}",
    ],
)
def test_a_step_inside_it(path: str) -> None:
    assert outside(path) == []


def test_placeholders_in_further_folders() -> None:
    assert outside("./src/clusters/nginx/dev/x", "git: {sparse: ['clusters/<service>/<stage>']}") == [
        "set git.sparse: [clusters/nginx/staging, clusters/nginx/dev], or false for the whole repository"
    ]  # of the stages staging and prod


def test_a_dependency_of_a_chart_is_three_files() -> None:
    own = "promotion: {tagKey: '', updates: {redis: {helmDependency: {path: charts/app, version: '${{ 1 }}'}}}}"
    written = "charts/app/Chart.lock, charts/app/Chart.yaml, charts/app/charts"
    assert loop(", includePaths: [charts]", own) == f"set excludePaths: [{written}]"
    assert loop(f", excludePaths: [{written}]", own) == ""


def test_what_is_rendered_is_committed_elsewhere() -> None:
    own = "promotion: {updates: {a: {yaml: {path: a.yaml, keys: {b: tag}}}}, render: {helm: {path: charts/app}}}"
    assert loop("", own) == ""
    assert loop(", branch: stage/dev", own) == "set excludePaths: [nginx]"


def test_steps_after_rendering_in_both_clones() -> None:
    step = "promotion: {render: {%s}, steps: {beforeCommit: [{uses: copy, config: {inPath: ./src/%s, outPath: ./out/%s}}]}}"

    def said(*words: str) -> list[tuple[str, str]]:
        found = [finding for finding in find(step % words) if finding.code == "KFW317"]
        return [(finding.message.partition(": ")[2], finding.fix) for finding in found]

    helm = "helm: {path: charts/app, valuesFiles: [values/a.yaml]}"
    assert said(helm, "charts/app/README.md", "nginx/README.md") == []
    assert said(helm, "values/README.md", "README.md") == []
    assert said(f"{helm}, outPath: .", "values/README.md", "docs/README.md") == []
    assert said(helm, "docs/README.md", "other/README.md") == [
        (
            "./src/docs is not checked out; the clone has charts/app and values only",
            "set git.sparse: [docs], or false for the whole repository",
        ),
        (
            "./out/other is not checked out; the clone has nginx only",
            "set git.sparse: [other], or false for the whole repository",
        ),
    ]
