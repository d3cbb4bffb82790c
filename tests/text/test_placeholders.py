"""Placeholders that nothing replaces: an error in a name, a warning in a text if it was probably meant as one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from helm import CHART, template
from kargo_fleet.findings import dotted
from kargo_fleet.fleet.sections import fleet_schema
from kargo_fleet.text import placeholders, yaml_writer

CHART_SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
FLEET_SCHEMA = fleet_schema(CHART_SCHEMA)
MINIMAL: dict[str, Any] = {
    "service": {"name": "nginx"},
    "image": {"repoURL": "registry.example.com/nginx"},
    "git": {"repoURL": "https://github.com/example/gitops.git"},
}


def said(data: Any, schema: Mapping[str, Any] = CHART_SCHEMA) -> list[tuple[str, str, str]]:
    return [problem[:3] for problem in placeholders.problems(schema, data)]


def _nested(path: str, value: Any) -> Any:
    for part in reversed(path.split(".")):
        value = [value] if part == "[]" else {part: value}
    return value


@pytest.mark.parametrize(
    ("path", "value", "message", "fix"),
    [
        (
            "promotion.path",
            "services/<svc>/values-<stage>.yaml",
            "promotion.path: <svc> is not replaced here; <service> and <stage> are",
            "did you mean <service>?",
        ),
        (
            "stages.prod.promotion.path",
            "services/<Service>/values.yaml",
            "stages.prod.promotion.path: <Service> is not replaced here; <service> and <stage> are",
            "did you mean <service>?",
        ),
        (
            "promotion.argocdUpdate.name",
            "<service-name>-<stage>",
            "promotion.argocdUpdate.name: <service-name> is not replaced here; <service> and <stage> are",
            "did you mean <service>?",
        ),
        (
            "promotion.path",
            "services/<service>/<version>.yaml",
            "promotion.path: <version> is not replaced here; <service> and <stage> are",
            "remove it, or write the value itself",
        ),
        (
            "rbac.bindings.team.groups.[]",
            "<service>-<stage>",
            "rbac.bindings.team.groups[0]: <stage> is not replaced here; <service> is",
            "remove it, or write the value itself",
        ),
    ],
)
def test_in_a_name(path: str, value: str, message: str, fix: str) -> None:
    assert said(_nested(path, value)) == [("KF309", message, fix)]


@pytest.mark.parametrize(
    ("path", "value", "word", "fix"),
    [
        ("promotion.message", "<servcie>: <stage>", "<servcie>", "did you mean <service>?"),
        ("promotion.message", "<svc>: <stage>", "<svc>", "did you mean <service>?"),
        ("promotion.message", "<service>: <tag>", "<tag>", "did you mean <version>?"),
        ("promotion.pullRequest.title", "<env>", "<env>", "did you mean <stage>?"),
        ("project.description", "All about <svc>", "<svc>", "did you mean <service>?"),
        ("stages.dev.vars.a", "<env>", "<env>", "did you mean <stage>?"),
        ("commonAnnotations.a", "<stage>", "<stage>", "remove it, or write the value itself"),
        ("projectConfig.freightLinks.[].url", "https://<stage>", "<stage>", "remove it, or write the value itself"),
        ("stages.dev.vars.a", "<version>", "<version>", "remove it, or write the value itself"),
    ],
)
def test_in_a_text(path: str, value: str, word: str, fix: str) -> None:
    ((code, message, given),) = said(_nested(path, value))
    assert (code, given) == ("KFW309", fix)
    assert message.startswith(f"{path.replace('.[]', '[0]')}: {word} is not replaced here")


def test_a_tag_that_would_be_replaced() -> None:
    body = {"body": "<a><stage>dev</stage></a>"}
    ((code, message, fix),) = said({"promotion": {"steps": {"after": [{"uses": "http", "config": body}]}}})
    assert (code, fix) == ("KFW309", r"write \<stage> to keep it")
    assert message.startswith("promotion.steps.after[0].config.body: <stage> is replaced, although")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("promotion.path", "services/<service>/values-<stage>.yaml"),
        ("promotion.message", "<service>: promote <stage> to <version>"),
        ("promotion.message", "<service>: see <https://example.com> <jira> <kargo@example.com> a < b > c"),
        ("promotion.message", "${{ vars.x < vars.y ? '<tag>' : '' }}"),
        ("project.description", "uses <page> and <crew>"),
        ("image.allowTagsRegexes.[]", "^(?P<stage>dev)-(?<service>.*)$"),
        ("promotion.steps.after.[].config.body", r"\<stage>dev</stage> of <service>"),
        ("projectConfig.stageLinks.[].url", "https://<service>.<stage>.example.com"),
        ("rbac.bindings.team.groups.[]", "team-<service>"),
        ("git.branch", "env/<stage>"),
        ("image.repoURL", "registry.example.com/<service>-web"),
        ("imagee", "<service>"),
        ("imagee.repo", "<service>"),
    ],
)
def test_what_is_none_of_this_products_business(path: str, value: str) -> None:
    assert said(_nested(path, value)) == []


@pytest.mark.parametrize(
    ("path", "value", "word"),
    [
        ("argocd.units.applicationName", "kargo-<service>-<stage>", "<stage>"),
        ("argocd.workloads.applicationName", "<svc>-<stage>", "<svc>"),
        ("argocd.workloads.destination.namespace", "<service>-<env>", "<env>"),
        ("argocd.workloads.destination.name", "cluster-<stage>", "<stage>"),
        ("argocd.workloads.stages.prod.destination.server", "https://<stage>", "<stage>"),
        ("argocd.workloads.valueFiles.[]", "/<services>/<service>/<env>.yaml", "<env>"),
        ("argocd.units.labels.team", "<stage>", "<stage>"),
        ("argocd.targetRevision", "<stage>", "<stage>"),
        ("git.branch", "<stage>", "<stage>"),
        ("values.git.branch", "<tag>", "<tag>"),
        ("groups.web.values.promotion.path", "<svc>", "<svc>"),
    ],
)
def test_in_fleet_yaml(path: str, value: str, word: str) -> None:
    ((code, message, _),) = said(_nested(path, value), FLEET_SCHEMA)
    assert code == "KF309"
    assert f": {word} is not replaced here" in message


def test_what_argocd_replaces() -> None:
    workloads = {
        "applicationName": "<service>-<stage>",
        "valueFiles": ["/<services>/<service>/values-<stage>.yaml"],
        "destination": {"namespace": "<service>-<stage>"},
        "stages": {"prod": {"destination": {"namespace": "<service>"}}},
    }
    assert (
        said({"argocd": {"units": {"applicationName": "kargo-<service>"}, "workloads": workloads}}, FLEET_SCHEMA) == []
    )


# --- The chart refuses the same, also without the tool ---


def _names(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every key that the chart's schema marks as a name; `x` and `[]` stand for any key and item."""
    while "$ref" in node:
        found: Any = CHART_SCHEMA
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = {**found, **{key: value for key, value in node.items() if key != "$ref"}}
    if node.get("names"):
        yield path
    for key, inner in node.get("properties", {}).items():
        yield from _names(inner, (*path, key))
    if isinstance(node.get("additionalProperties"), dict):
        yield from _names(node["additionalProperties"], (*path, "x"))
    if isinstance(node.get("items"), dict):
        yield from _names(node["items"], (*path, "[]"))


NAMES = sorted({".".join(path) for path in _names(CHART_SCHEMA)})
#: What has to stand beside a key, so that the value is valid but for the placeholder.
BESIDE: dict[str, dict[str, Any]] = {
    "git": MINIMAL["git"],
    "image": MINIMAL["image"],
    "git.author": {"name": "x", "email": "x@example.com"},
    "projectConfig.webhookReceivers.[]": {"name": "x"},
    "rbac.bindings.x": {"users": ["x"]},
    "rbac.bindings.x.roleRef": {"kind": "Role"},
    "warehouse.subscriptions.[].chart": {"repoURL": "https://example.com/charts"},
    "warehouse.subscriptions.[].git": {"repoURL": "https://example.com/a.git"},
    "warehouse.subscriptions.[].image": {"repoURL": "registry.example.com/a"},
}


def _with(path: str, word: str) -> dict[str, Any]:
    """Return values with the key at `path`, as valid as they can be with a placeholder in it."""
    parts = path.split(".")
    value: Any = {"repoURL": f"https://example.com/{word}", "email": f"{word}@example.com"}.get(parts[-1], word)
    for index in range(len(parts) - 1, -1, -1):
        beside = BESIDE.get(".".join(parts[:index]), {})
        value = [value] if parts[index] == "[]" else {**beside, parts[index]: value}
    return {**MINIMAL, **value}


@pytest.mark.parametrize("path", NAMES)
def test_every_name_is_refused_by_the_tool_and_by_the_chart(path: str, tmp_path: Path) -> None:
    values = _with(path, "<nothing>")
    for owner in (values, *(stage or {} for stage in values.get("stages", {}).values())):
        for update in owner.get("promotion", {}).get("updates", {}).values():  # what is required beside it
            (given,) = update.values()
            given |= {key: value for key, value in {"path": "a", "keys": {"a": "tag"}}.items() if key not in given}
            for kind in ("kustomize", "helmDependency"):
                update.get(kind, {}).pop("keys", None)
    (problem,) = placeholders.problems(CHART_SCHEMA, values)
    assert problem.code == "KF309"
    (tmp_path / "values.yaml").write_text(yaml_writer.document(values))
    result = template("nginx", CHART, tmp_path / "values.yaml")
    by_schema = f"at '/{dotted(problem.path).replace('.', '/').replace('[', '/').replace(']', '')}': '" in result.stderr
    assert by_schema or f"\n  {problem.message}\n" in result.stderr


def test_the_chart_says_the_same(tmp_path: Path) -> None:
    values = {
        **MINIMAL,
        "git": {"repoURL": "https://example.com/<svc>.git", "branch": "<stage>-<env>"},
        "image": {**MINIMAL["image"], "allowTagsRegexes": ["^(?P<stage>a)", "^<stage>"]},
        "promotion": {"path": "a/<svc>/<tag>/<stage>.yaml", "message": "<svc>"},
        "stages": {"prod": {"promotion": {"path": "b/<service>/${{ x }}"}, "branch": "a/<stage>/<tag>"}},
        "warehouses": {
            "a": {
                "git": {"includePaths": ["<stage>"]},
                "subscriptions": [{"git": {"repoURL": "https://example.com/<tag>"}}],
            }
        },
        "commonLabels": {"a": "<stage>", "b": "<service>"},
    }
    values["stages"]["prod"]["promotion"]["path"] = "b/<service>/<version>.yaml"
    (tmp_path / "values.yaml").write_text(yaml_writer.document(values))
    lines = template("nginx", CHART, tmp_path / "values.yaml").stderr.splitlines()
    by_chart = sorted(line[2:] for line in lines if "is not replaced here" in line)
    by_tool = sorted(message for code, message, _ in said(values) if code == "KF309")
    assert by_chart == by_tool
    assert len(by_tool) == 9
