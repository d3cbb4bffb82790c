"""Names and values of labels that become too long when placeholders are replaced: before that, the schema cannot know.

The chart has the same rule in templates/_validate_lengths.tpl, in the same words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kargo_fleet.findings import KeyPath, Problem, problem_at, value_at
from kargo_fleet.fleet.freight import MAIN
from kargo_fleet.fleet.pipeline import Pipeline, section
from kargo_fleet.text.words import quoted

_LABEL, _OBJECT = 63, 253
#: helm-template refuses longer ones, as Helm does (ValidateReleaseName of its pkg/chart/common/util).
_RELEASE = 53


def problems(pipeline: Pipeline) -> Iterator[Problem]:
    """Yield a problem for each name and each value of a label that is too long."""
    for path, given, most in _limited(pipeline):
        found = sorted(given.items()) if isinstance(given, dict) else [("", given)]
        for key, text in found:
            if isinstance(text, str) and len(text) > most:
                place: KeyPath = (*path, key) if key else path
                message = f"{quoted(text)} is {len(text)} characters long; at most {most} are allowed"
                yield problem_at(place, "KF103", message, f"use at most {most} characters")


def _limited(pipeline: Pipeline) -> Iterator[tuple[KeyPath, Any, int]]:
    """Yield texts, and mappings of texts: where they are, and how many characters each may have."""
    values = pipeline.values
    of_unit: list[KeyPath] = [
        ("commonLabels",),
        ("namespace", "labels"),
        ("project", "labels"),
        ("warehouse", "labels"),
    ]
    for path in (*of_unit, ("shard",), ("warehouse", "name"), ("warehouse", "shard")):
        yield path, value_at(values, path), _LABEL
    for key in sorted(pipeline.warehouses.keys() - {MAIN}):
        for name in ("labels", "name", "shard"):
            yield ("warehouses", key, name), pipeline.warehouses[key].given.get(name), _LABEL
    for warehouse in pipeline.warehouses.values():
        for one in warehouse.subscriptions:
            yield (*one.path[:-1], "name"), one.name, _LABEL
    yield from _of_stages(pipeline)
    for key, binding in sorted(section(section(values, "rbac"), "bindings").items()):
        for index, account in enumerate((binding or {}).get("serviceAccounts") or []):
            for name, most in (("name", _OBJECT), ("namespace", _LABEL)):
                yield ("rbac", "bindings", key, "serviceAccounts", index, name), account.get(name), most
    for key, given in sorted(section(values, "extraObjects").items()):
        for name, most in (("labels", _LABEL), ("name", _OBJECT)):
            yield ("extraObjects", key, "metadata", name), value_at(given, ("metadata", name)), most


def _of_stages(pipeline: Pipeline) -> Iterator[tuple[KeyPath, Any, int]]:
    for name, stage in sorted(pipeline.stages.items()):
        path: KeyPath = ("stages", name)
        own = stage.shard if stage.shard != pipeline.shard else ""
        yield (*path, "labels"), stage.given.get("labels"), _LABEL
        yield (*path, "shard"), own, _LABEL
        labels = ("verification", "analysisRunMetadata", "labels")
        yield (*path, *labels), value_at(stage.given, labels), _LABEL
        for index, template in enumerate(section(stage.given, "verification").get("analysisTemplates") or []):
            yield (*path, "verification", "analysisTemplates", index, "name"), template.get("name"), _OBJECT
        update, task = section(stage.promotion, "argocdUpdate"), section(stage.promotion, "task")
        yield (*path, "promotion", "argocdUpdate", "name"), update.get("name"), _OBJECT
        yield (*path, "promotion", "argocdUpdate", "namespace"), update.get("namespace"), _LABEL
        yield (*path, "promotion", "task", "name"), task.get("name"), _OBJECT
        if stage.rendering and stage.rendering.kind == "helm":
            helm, here = stage.rendering.given, (*path, "promotion", "render", "helm")
            yield (*here, "namespace"), helm.get("namespace") or f"{pipeline.service}-{name}", _LABEL
            yield (*here, "releaseName"), helm.get("releaseName") or pipeline.service, _RELEASE
