"""What stands beside the pipeline: AnalysisTemplates, PromotionTasks, and extra objects of kinds that the platform allows.

The chart has the rules of `problems` in templates/_validate_beside.tpl, in the same words; which kinds are allowed it does
not know.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from kargo_fleet.findings import KeyPath, Problem, dotted, problem_at
from kargo_fleet.fleet.names import FLEET_FILE
from kargo_fleet.fleet.object_kinds import FORBIDDEN, GroupKind
from kargo_fleet.fleet.pipeline import Pipeline, Stage, section
from kargo_fleet.text.patterns import linear
from kargo_fleet.text.words import similar
from kargo_fleet.unit import step_lists
from kargo_fleet.unit.step_lists import RESERVED_VARS

_METRIC = '[{name: health, provider: {web: {url: "https://nginx.example.com"}}}]'
_STEP = '[{uses: http, config: {url: "https://example.com"}}]'
#: How close the name of a template or task is to another one's that it was meant to be: smoke-tset to smoke-test (0.9).
_CLOSE = 0.85
_EXPRESSION = linear(r"(?s)\$\{\{(.*?)\}\}")
_VARIABLE = re.compile(r"\bvars\.([A-Za-z_]\w*)")
_IN_STEPS = "use ${{{{ vars.{} }}}} in the config or in the vars of the task's steps instead"


def problems(pipeline: Pipeline) -> Iterator[Problem]:
    """Yield the problems with the objects beside a unit's pipeline that can be told without the platform's rules."""
    values = pipeline.values
    for name, spec in _named(values, "analysisTemplates"):
        yield from _metrics(("analysisTemplates", name, "metrics"), spec)
    for name, spec in _named(values, "promotionTasks"):
        yield from _task(("promotionTasks", name, "steps"), spec, section(values, "promotion").get("customSteps") or [])
    for _, stage in sorted(pipeline.stages.items()) if section(values, "promotionTasks") else ():
        yield from _task_runs(stage, section(values, "promotionTasks"))
    yield from _extra_objects(values, pipeline.project)


def not_allowed(values: Mapping[str, Any], allowed: Collection[GroupKind]) -> Iterator[Problem]:
    """Yield a problem for each extra object of a kind that the platform does not allow."""
    for key, given in _named(values, "extraObjects"):
        kind = _kind_of(given)
        if kind is None or kind in allowed or str(kind) in FORBIDDEN:
            continue
        path = ("extraObjects", key, "kind")
        message = f'{dotted(path)}: "{kind.kind}" is not in extraObjects.allowedKinds of {FLEET_FILE}'
        entry = f'{{group: "{kind.group}", kind: {kind.kind}}}'
        yield Problem("KF208", message, f"remove the object, or add {entry} to extraObjects.allowedKinds", path)


def warnings(pipeline: Pipeline) -> Iterator[Problem]:
    """Yield a problem for each reference to a template or task that is probably one of the unit's, with another name.

    A name of no similar one is left alone: objects in the namespace may come from elsewhere. Yield a problem, too, for each
    default of a task's variable that Kargo computes before what it uses is known.
    """
    for path, key, name in _references(pipeline):
        known = [other for other, _ in _named(pipeline.values, key)]
        if name not in known and (close := similar(name, known, _CLOSE)):
            message = f'{dotted(path)}: "{name}" is not in {key}'
            fix = f"did you mean {close}? If an object of this name comes from elsewhere, rename {close}"
            yield Problem("KFW208", message, fix, path)
    yield from _late_variables(pipeline)


def _named(values: Mapping[str, Any], key: str) -> list[tuple[str, dict[str, Any]]]:
    """Return what a map of the values holds by name, sorted, without what a layer removed."""
    return sorted((name, given) for name, given in section(values, key).items() if given is not None)


def _metrics(path: KeyPath, spec: Mapping[str, Any]) -> Iterator[Problem]:
    metrics = spec.get("metrics") or []
    if not metrics:
        yield problem_at(path, "KF104", f"is required; for example {_METRIC}", "add metrics")
    names: set[str] = set()
    for index, metric in enumerate(metrics):
        if metric["name"] in names:
            place = (*path, index, "name")
            yield problem_at(place, "KF103", f'"{metric["name"]}" is the name of another metric', "use another name")
        names.add(metric["name"])


def _task(path: KeyPath, spec: Mapping[str, Any], custom: Collection[str]) -> Iterator[Problem]:
    steps = spec.get("steps") or []
    if not steps:
        yield problem_at(path, "KF104", f"is required; for example {_STEP}", "add steps")
    for index, step in enumerate(steps):
        if step.get("task"):
            message = "is not allowed; a task cannot run another one"
            yield problem_at((*path, index, "task"), "KF306", message, "replace it by the steps of that task")
    yield from step_lists.problems(path, steps, step_lists.BUILTIN_STEPS.union(custom), set())


def _task_runs(stage: Stage, tasks: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each variable without a default that a stage does not give to one of the unit's tasks."""
    given = {*RESERVED_VARS, *(name for name, value in section(stage.given, "vars").items() if value)}
    for path, task, own in _runs(stage):
        for name, default in _variables((tasks.get(task) or {}).get("vars")):
            if not (default or own.get(name) or name in given):
                message = f"is required by the PromotionTask {task}, which has no default for it"
                fix = f"add vars: {{{name}: VALUE}}, or give the task a default"
                yield problem_at((*path, "vars", name), "KF104", message, fix)


def _late_variables(pipeline: Pipeline) -> Iterator[Problem]:
    """Yield a problem for each default that uses a variable of the task which is evaluated after it.

    Kargo evaluates the Stage's variables, then the task's defaults in their order, then what the run of the task sets
    (inflateTaskSteps of pkg/api/promotion.go and Vars of pkg/promotion/evaluator.go). What is not there yet is null.
    """
    stages = pipeline.stages.values()
    before = RESERVED_VARS.union(*(section(stage.given, "vars") for stage in stages))
    runs = [(task, own) for stage in stages for _, task, own in _runs(stage)]
    for task, spec in _named(pipeline.values, "promotionTasks"):
        variables = _variables(spec.get("vars"))
        names = [name for name, _ in variables]
        later = {name for name, default in variables if not default}.union(*(own for name, own in runs if name == task))
        for index, (name, default) in enumerate(variables):
            used = [one for part in _EXPRESSION.findall(default) for one in _VARIABLE.findall(part)]
            for other in (one for one in used if one in names and one not in before):
                path = (
                    "promotionTasks",
                    task,
                    "vars",
                    *((index, "value") if isinstance(spec["vars"], list) else (name,)),
                )
                if other in later:
                    why = "whoever runs the task sets that, and Kargo evaluates it after the defaults"
                    yield Problem("KFW209", f"{dotted(path)}: uses vars.{other}; {why}", _IN_STEPS.format(other), path)
                elif other == name:
                    yield Problem(
                        "KFW209", f"{dotted(path)}: uses vars.{other}, which it defines", "write a value", path
                    )
                elif names.index(other) > index:
                    why = f"Kargo evaluates that after {name}"
                    fix = f"write vars as a list of name and value, with {other} before {name}"
                    yield Problem("KFW209", f"{dotted(path)}: uses vars.{other}; {why}", fix, path)


def _variables(given: Mapping[str, str | None] | Sequence[Mapping[str, str | None]] | None) -> list[tuple[str, str]]:
    """Return name and default of the variables of a task, in the order in which the chart writes them."""
    if isinstance(given, Mapping):
        return [(name, value or "") for name, value in sorted(given.items())]
    return [(str(one["name"]), one.get("value") or "") for one in given or ()]


def _extra_objects(values: Mapping[str, Any], project: str) -> Iterator[Problem]:
    seen: dict[tuple[str, str], str] = {}
    for key, given in _named(values, "extraObjects"):
        path: KeyPath = ("extraObjects", key)
        for field, example in (("apiVersion", "v1"), ("kind", "ConfigMap")):
            if not given.get(field):
                yield problem_at((*path, field), "KF104", f"is required; for example {example}", f"add {field}")
        metadata = section(given, "metadata")
        namespace = metadata.get("namespace") or project
        if namespace != project:
            message = f'"{namespace}" is not allowed; the chart sets {project}'
            yield problem_at((*path, "metadata", "namespace"), "KF209", message, "remove it")
        if (kind := _kind_of(given)) is None:
            continue
        if reason := FORBIDDEN.get(str(kind)):
            yield problem_at((*path, "kind"), "KF208", f'"{kind.kind}" is not allowed; {reason}', "remove the object")
        name = metadata.get("name") or key
        other = seen.setdefault((str(kind), name), key)
        if other != key:
            message = f"is the same object as extraObjects.{other}, {kind.kind} {name}"
            yield problem_at(path, "KF209", message, "remove one of them, or set another metadata.name")


def _kind_of(given: Mapping[str, Any]) -> GroupKind | None:
    if not (given.get("apiVersion") and given.get("kind")):
        return None
    return GroupKind(given["apiVersion"].rpartition("/")[0], given["kind"])


def _references(pipeline: Pipeline) -> Iterator[tuple[KeyPath, str, str]]:
    """Yield where a stage names an object of its namespace, the key of the values that may have it, and the name."""
    for name, stage in sorted(pipeline.stages.items()):
        path: KeyPath = ("stages", name)
        for index, one in enumerate(section(stage.given, "verification").get("analysisTemplates") or []):
            if (one.get("kind") or "AnalysisTemplate") == "AnalysisTemplate":
                place = (*path, "verification", "analysisTemplates", index, "name")
                yield place, "analysisTemplates", one["name"]
        for where, task, _ in _runs(stage):
            place = (*where, "name") if where[-1] == "task" else (*where, "task", "name")
            yield place, "promotionTasks", task


def _runs(stage: Stage) -> Iterator[tuple[KeyPath, str, Mapping[str, Any]]]:
    """Yield where a stage runs a PromotionTask of its namespace: `promotion.task` or a step, the name, and the variables."""
    path: KeyPath = ("stages", stage.name, "promotion")
    task = section(stage.promotion, "task")
    found: list[tuple[KeyPath, Mapping[str, Any], Mapping[str, Any]]] = [((*path, "task"), task, task)]
    for key, steps in stage.own_steps.items():
        for index, step in enumerate(steps):
            found.append(((*path, "steps", key, index), section(step, "task"), step))
    for place, one, owner in found if not stage.is_control_flow else ():
        if one.get("name") and one.get("kind") != "ClusterPromotionTask":
            yield place, one["name"], section(owner, "vars")
