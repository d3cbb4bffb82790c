"""What Kargo v1.11.2 and the API server make of the objects that the chart renders.

`problems(obj)`       everything wrong with one object: what is refused, what would be pruned, and what fails when
it runs. `unit_problems(objs)` everything wrong between the objects of one unit, and with each of them.
`stored(obj)`         the object as it is stored. A rendered object is stored as it is, or Argo CD sees drift.
`promotion(stage, …)` the configs of a Stage's steps with their expressions evaluated, checked as Kargo checks them.

Paths in comments are Kargo's, at the pinned version.
"""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from . import expressions, schemas, upstream

Object = dict[str, Any]

KARGO: Final = "kargo.akuity.io/v1alpha1"
SHARD: Final = "kargo.akuity.io/shard"
PROJECT: Final = "kargo.akuity.io/project"


def schemas_by_kind() -> dict[str, schemas.Schema]:
    """The closed schema of each of Kargo's kinds."""
    return {kind: known.schema for (_, kind), known in schemas.kargo_kinds().items()}


def title(obj: Mapping[str, Any]) -> str:
    """`Stage/prod`."""
    metadata = obj.get("metadata") or {}
    return f"{obj.get('kind')}/{metadata.get('name') or metadata.get('generateName')}"


# -- One object ----------------------------------------------------------------------------------------------------


def problems(obj: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with one object; empty for one that Kargo accepts, keeps whole, and can run."""
    known = schemas.kind_of(obj)
    if known is None:
        return [f"{title(obj)}: nothing is known of {obj.get('apiVersion')} {obj.get('kind')}"]
    found = schemas.findings(known.validator, obj)
    if not found:
        # From here on the shape is right.
        found += schemas.broken_rules(known.source, obj)
        found += _scope_problems(obj, known)
        if obj["apiVersion"] == KARGO and obj["kind"] in _CHECKS:
            found += _CHECKS[obj["kind"]](obj)
    return [f"{title(obj)}: {problem}" for problem in found]


def _scope_problems(obj: Mapping[str, Any], known: schemas.Kind) -> Iterator[str]:
    namespace = obj["metadata"].get("namespace")
    if known.namespaced and not namespace:
        yield "metadata.namespace: is missing, so the object goes wherever its release goes"
    if not known.namespaced and namespace:
        yield f"metadata.namespace: {obj['kind']} has none"


def _project_problems(obj: Mapping[str, Any]) -> Iterator[str]:
    """A Project's name is that of a namespace."""
    if len(obj["metadata"]["name"]) > 63 or "." in obj["metadata"]["name"]:
        yield f"metadata.name: {obj['metadata']['name']!r} is no name for a namespace"


def _project_config_problems(obj: Mapping[str, Any]) -> Iterator[str]:
    """pkg/webhook/kubernetes/projectconfig/webhook.go, pkg/webhook/kubernetes/external/validation.go."""
    metadata, spec = obj["metadata"], obj.get("spec") or {}
    if metadata["name"] != metadata.get("namespace"):
        yield f"metadata.name: {metadata['name']!r} must match project name {metadata.get('namespace')!r}"
    seen: dict[str, int] = {}
    for i, policy in enumerate(spec.get("promotionPolicies") or ()):
        path = f"spec.promotionPolicies[{i}]"
        name = (policy.get("stageSelector") or {}).get("name", policy.get("stage", ""))
        identifier, colon, pattern = name.partition(":")
        if colon:
            if identifier not in {"glob", "regex", "regexp"}:
                yield f"{path}.stageSelector.name: invalid pattern identifier {identifier!r}"
            elif identifier != "glob" and (error := upstream.ask_one("regexp", pattern).get("error")):
                yield f"{path}.stageSelector.name: {error}"
        elif name:
            if name in seen:
                yield f"{path}: stage {name!r} is already defined at [{seen[name]}]"
            seen.setdefault(name, i)
        if "stage" in policy:
            yield f"{path}.stage: is deprecated, use stageSelector.name"
    names: set[str] = set()
    for i, receiver in enumerate(spec.get("webhookReceivers") or ()):
        path = f"spec.webhookReceivers[{i}]"
        if receiver["name"] in names:
            yield f"{path}.name: {receiver['name']!r} is already defined"
        names.add(receiver["name"])
        kinds = sorted(receiver.keys() - {"name"})
        if len(kinds) != 1:
            yield f"{path}: is of {len(kinds)} types ({', '.join(kinds)}), it must be of one"
        for j, action in enumerate((receiver.get("generic") or {}).get("actions") or ()):
            for k, target in enumerate(action.get("targetSelectionCriteria") or ()):
                if not any(target.get(key) for key in ("name", "labelSelector", "indexSelector")):
                    yield f"{path}.generic.actions[{j}].targetSelectionCriteria[{k}]: selects nothing"


def _warehouse_problems(obj: Mapping[str, Any]) -> Iterator[str]:
    """pkg/webhook/kubernetes/warehouse/webhook.go and pkg/subscription/*.go."""
    spec = obj["spec"]
    yield from _duration_problems("spec.interval", spec.get("interval"))
    seen: set[tuple[str, ...]] = set()
    for i, subscription in enumerate(spec["subscriptions"]):
        path = f"spec.subscriptions[{i}]"
        if not isinstance(subscription, dict) or len(subscription) != 1:
            yield f"{path}: must be an object with exactly one key"
            continue
        ((kind, sub),) = subscription.items()
        known = schemas.subscription_validators()
        if kind not in known:
            yield f"{path}.{kind}: no such subscription, there are {', '.join(sorted(known))}"
            continue
        found = schemas.findings(known[kind], sub, f"{path}.{kind}")
        yield from found
        if found:
            continue
        yield from (f"{path}.{kind}{problem}" for problem in _subscription_problems(kind, sub))
        key = (kind, sub["repoURL"].lower().removesuffix("/").removesuffix(".git"), sub.get("name", ""))
        if key in seen:
            yield f"{path}.{kind}.repoURL: {sub['repoURL']!r} is already subscribed to"
        seen.add(key)


def _subscription_problems(kind: str, sub: Mapping[str, Any]) -> Iterator[str]:
    key = "constraint" if kind == "image" else "semverConstraint"
    constraint = sub.get(key, "")
    if kind == "image":
        strategy = sub.get("imageSelectionStrategy", "SemVer")
        if strategy == "Digest" and not constraint:
            yield ".constraint: must be set when imageSelectionStrategy is Digest"
        semver = strategy == "SemVer"
    else:
        semver = True
    if semver and constraint and (error := upstream.ask_one("constraint", {"constraint": constraint}).get("error")):
        yield f".{key}: {constraint!r}: {error}"
    for key in ("allowTagsRegexes", "ignoreTagsRegexes"):
        for i, expression in enumerate(sub.get(key) or ()):
            if error := upstream.ask_one("regexp", expression).get("error"):
                yield f".{key}[{i}]: {error}"
    for key in ("allowTags", "ignoreTags"):
        # Accepted, and then discovery fails: pkg/image/tag_based_selector.go,
        # pkg/controller/git/commit/tag_based_selector.go.
        if sub.get(key):
            yield f".{key}: is unsupported as of v1.11.0, use {key}Regexes"
    if kind == "chart":
        if sub["repoURL"].startswith("oci://") and sub.get("name"):
            yield ".name: must be empty if repoURL starts with oci://"
        if sub["repoURL"].startswith("http") and not sub.get("name"):
            yield ".name: must be non-empty if repoURL starts with http:// or https://"


def _stage_problems(obj: Mapping[str, Any]) -> Iterator[str]:
    """pkg/webhook/kubernetes/stage/webhook.go, and what Kargo finds out only when a promotion runs."""
    spec = obj["spec"]
    origins = Counter((r["origin"]["kind"], r["origin"]["name"]) for r in spec["requestedFreight"])
    for (kind, name), times in origins.items():
        if times > 1:
            yield f"spec.requestedFreight: freight with origin {kind}/{name} is requested {times} times"
    for i, request in enumerate(spec["requestedFreight"]):
        path, sources = f"spec.requestedFreight[{i}].sources", request["sources"]
        yield from _duration_problems(f"{path}.requiredSoakTime", sources.get("requiredSoakTime"))
        if not sources.get("direct") and not sources.get("stages"):
            yield f"{path}: neither direct nor stages, no freight ever comes"
        if (sources.get("autoPromotionOptions") or {}).get("selectionPolicy") == "MatchUpstream" and (
            sources.get("direct") or len(sources.get("stages") or ()) != 1
        ):
            yield f"{path}.autoPromotionOptions.selectionPolicy: MatchUpstream needs one upstream Stage, no direct"
        if obj["metadata"]["name"] in (sources.get("stages") or ()):
            yield f"{path}.stages: the Stage is its own upstream"
    template = (spec.get("promotionTemplate") or {}).get("spec")
    if template is not None:
        yield from _steps_problems("spec.promotionTemplate.spec.steps", template.get("steps") or [])
    yield from expressions.stage_problems(obj)


def _task_problems(obj: Mapping[str, Any]) -> Iterator[str]:
    yield from _steps_problems("spec.steps", obj["spec"]["steps"])


def _steps_problems(path: str, steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    aliases: dict[str, int] = {}
    for i, step in enumerate(steps):
        here = f"{path}[{i}]"
        # pkg/webhook/kubernetes/promotion_steps.go
        alias = step.get("as", "").strip()
        if alias and alias in aliases:
            yield f"{here}.as: step alias {alias!r} duplicates that of steps[{aliases[alias]}]"
        aliases.setdefault(alias, i)
        if re.search(r"^(step|task)-[0-9]+$", alias):
            yield f"{here}.as: step alias {alias!r} is reserved"
        # pkg/api/promotion.go: the separator between a task's alias and those of its steps
        if "::" in alias:
            yield f"{here}.as: step alias {alias!r} must not contain '::'"
        yield from _duration_problems(f"{here}.retry.timeout", (step.get("retry") or {}).get("timeout"))
        if step.get("task"):
            for key in ("if", "config"):
                if step.get(key) is not None and step.get(key) != "":
                    yield f"{here}.{key}: a step referencing a task cannot have one"
            continue
        uses = step.get("uses", "")
        if uses not in schemas.steps():
            yield f"{here}.uses: {uses!r} is no built-in step of Kargo"
        else:
            yield from schemas.findings(schemas.step_validator(uses), step.get("config"), f"{here}.config")


def _duration_problems(path: str, value: str | None) -> Iterator[str]:
    if value is not None and (error := upstream.ask_one("duration", value).get("error")):
        yield f"{path}: {error}"


_CHECKS: Final = {
    "Project": _project_problems,
    "ProjectConfig": _project_config_problems,
    "PromotionTask": _task_problems,
    "ClusterPromotionTask": _task_problems,
    "Stage": _stage_problems,
    "Warehouse": _warehouse_problems,
}


# -- One unit ------------------------------------------------------------------------------------------------------


def unit_problems(objects: Sequence[Mapping[str, Any]]) -> list[str]:
    """Everything that is wrong with a unit: with each object, and with what they say of each other.

    Kargo accepts a Stage whose Warehouse or upstream is not there, and a policy for no Stage. It then never promotes.
    """
    found = [problem for obj in objects for problem in problems(obj)]
    return found or list(_between(objects))


def _between(objects: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    identities = Counter(
        (o["apiVersion"], o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in objects
    )
    for (_, kind, namespace, name), times in identities.items():
        if times > 1:
            yield f"{kind}/{name}: is there {times} times in namespace {namespace}"
    kargo: dict[str, dict[str, Mapping[str, Any]]] = {}
    for obj in objects:
        if obj["apiVersion"] == KARGO:
            kargo.setdefault(obj["kind"], {})[obj["metadata"]["name"]] = obj
    stages, warehouses = kargo.get("Stage", {}), kargo.get("Warehouse", {})
    projects = list(kargo.get("Project", {}))
    if len(projects) != 1:
        yield f"there are {len(projects)} Projects in one unit"
        return
    (project,) = projects
    for obj in objects:
        metadata = obj["metadata"]
        if metadata.get("namespace", project) != project:
            yield f"{title(obj)}: metadata.namespace: {metadata['namespace']!r} is not the Project's, {project!r}"
        if obj["kind"] == "Namespace":
            if metadata["name"] != project:
                yield f"{title(obj)}: metadata.name: is not the Project's, {project!r}"
            # pkg/webhook/kubernetes/project/webhook.go, ensureNamespace
            if (metadata.get("labels") or {}).get(PROJECT) != "true":
                yield f"{title(obj)}: metadata.labels: without {PROJECT}: 'true' Kargo does not adopt it"
        if obj["kind"] == "RoleBinding":
            for i, subject in enumerate(obj.get("subjects") or ()):
                if subject["kind"] == "ServiceAccount" and not subject.get("namespace"):
                    yield f"{title(obj)}: subjects[{i}].namespace: a ServiceAccount needs one"
    for name, stage in stages.items():
        for i, request in enumerate(stage["spec"]["requestedFreight"]):
            path = f"Stage/{name}: spec.requestedFreight[{i}]"
            if request["origin"]["name"] not in warehouses:
                yield f"{path}.origin.name: there is no Warehouse {request['origin']['name']!r}"
            for upstream_stage in request["sources"].get("stages") or ():
                if upstream_stage not in stages:
                    yield f"{path}.sources.stages: there is no Stage {upstream_stage!r}"
    for config in kargo.get("ProjectConfig", {}).values():
        for i, policy in enumerate((config.get("spec") or {}).get("promotionPolicies") or ()):
            name = (policy.get("stageSelector") or {}).get("name", policy.get("stage", ""))
            if name and ":" not in name and name not in stages:
                yield f"{title(config)}: spec.promotionPolicies[{i}]: there is no Stage {name!r}"


# -- What is stored ------------------------------------------------------------------------------------------------


def stored(obj: Mapping[str, Any]) -> Object:
    """The object as the API server stores it, for the keys that it was given.

    Left out is what a server adds to every object and no diff looks at: `status`, `metadata.uid` and its like, and
    the label `kubernetes.io/metadata.name` and `spec.finalizers` of a Namespace.

    The rules, with where they come from:

    1. CRD defaults: every `default:` in the CRD, below objects that are there.
    2. Empty `metadata.labels` and `metadata.annotations` go: ObjectMeta is marshalled with `omitempty`.
    3. Warehouse and Stage have a mutating webhook (charts/kargo/templates/kubernetes-webhooks-server/webhooks.yaml;
       Project, ProjectConfig and tasks have none). It decodes the object into Go, sets defaults, encodes it, and
       the difference is the patch:
       - durations get Go's form: metav1.Duration marshals as time.Duration.String() (`interval`, `requiredSoakTime`,
         `retry.timeout`); a Git subscription's `since` gets UTC and whole seconds (metav1.Time);
       - the label `kargo.akuity.io/shard` follows `spec.shard`, and is removed without it
         (pkg/webhook/kubernetes/{warehouse,stage}/webhook.go, Default);
       - subscriptions get their defaults (pkg/subscription/{image,git,chart}.go, ApplySubscriptionDefaults); zero
         counts as unset.
       Explicit zero values of `omitempty` fields (`cacheByTag: false`, `vars: []`) and unknown fields are lost when
       the object is encoded, but they are not removed from what is stored: since v0.20 controller-runtime takes
       removals that only come from decoding and encoding out of the patch (sigs.k8s.io/controller-runtime v0.22.4,
       pkg/webhook/admission/defaulter_custom.go, dropSchemeRemovals; Kargo does not ask for
       DefaulterRemoveUnknownOrOmitableFields).
    4. Quantities get their canonical form (`1000` → `1k`), a RoleBinding's roleRef and subjects their apiGroup
       (k8s.io/apimachinery pkg/api/resource; k8s.io/kubernetes pkg/apis/rbac/v1/defaults.go).
    """
    result: Object = copy.deepcopy(dict(obj))
    known = schemas.kind_of(obj)
    if known is None:
        raise ValueError(f"nothing is known of {obj.get('apiVersion')} {obj.get('kind')}")
    _set_defaults(known.source, result)
    metadata = result["metadata"]
    for key in ("labels", "annotations", "finalizers"):
        if not metadata.get(key, True):
            del metadata[key]
    if result["apiVersion"] == KARGO and result["kind"] in {"Warehouse", "Stage"}:
        _store_shard(result)
        if result["kind"] == "Warehouse":
            _store_warehouse(result["spec"])
        else:
            _store_stage(result["spec"])
    elif result["kind"] == "ResourceQuota" and result["apiVersion"] == "v1":
        hard = (result.get("spec") or {}).get("hard") or {}
        hard.update({key: canonical_quantity(str(value)) for key, value in hard.items()})
    elif result["kind"] in {"RoleBinding", "ClusterRoleBinding"}:
        _store_binding(result)
    return result


def _set_defaults(schema: schemas.Schema, value: Any) -> None:
    if isinstance(value, dict):
        for name, inner in schema.get("properties", {}).items():
            if "default" in inner and value.get(name) is None:
                value[name] = copy.deepcopy(inner["default"])
            if name in value:
                _set_defaults(inner, value[name])
        if isinstance(schema.get("additionalProperties"), dict):
            for name in value.keys() - schema.get("properties", {}).keys():
                _set_defaults(schema["additionalProperties"], value[name])
    elif isinstance(value, list):
        for item in value:
            _set_defaults(schema.get("items") or {}, item)


def _store_shard(obj: Object) -> None:
    metadata, shard = obj["metadata"], obj["spec"].get("shard", "")
    if shard:
        metadata.setdefault("labels", {})[SHARD] = shard
    elif SHARD in metadata.get("labels", {}):
        del metadata["labels"][SHARD]
        if not metadata["labels"]:
            del metadata["labels"]


def _store_duration(obj: Object, key: str) -> None:
    if isinstance(obj.get(key), str):
        answer = upstream.ask_one("duration", obj[key])
        obj[key] = answer.get("value", obj[key])


def _store_warehouse(spec: Object) -> None:
    _store_duration(spec, "interval")
    for subscription in spec.get("subscriptions") or ():
        for kind, defaults in _SUBSCRIPTION_DEFAULTS.items():
            sub = subscription.get(kind)
            if not isinstance(sub, dict):
                continue
            for key, default in defaults.items():
                # strictSemvers is a pointer: false is a value. The others are not: their zero is not.
                if sub.get(key) is None or (not sub[key] and not isinstance(default, bool)):
                    sub[key] = default
            if isinstance(sub.get("since"), str):
                sub["since"] = _rfc3339(sub["since"])


_SUBSCRIPTION_DEFAULTS: Final[dict[str, Object]] = {
    "image": {"imageSelectionStrategy": "SemVer", "strictSemvers": True, "discoveryLimit": 20},
    "git": {"commitSelectionStrategy": "NewestFromBranch", "strictSemvers": True, "discoveryLimit": 20},
    "chart": {"discoveryLimit": 20},
}


def _rfc3339(text: str) -> str:
    from datetime import UTC, datetime

    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _store_stage(spec: Object) -> None:
    for request in spec.get("requestedFreight") or ():
        _store_duration(request.get("sources") or {}, "requiredSoakTime")
    for step in ((spec.get("promotionTemplate") or {}).get("spec") or {}).get("steps") or ():
        _store_duration(step.get("retry") or {}, "timeout")


def _store_binding(obj: Object) -> None:
    group = "rbac.authorization.k8s.io"
    if not obj["roleRef"].get("apiGroup"):
        obj["roleRef"]["apiGroup"] = group
    for subject in obj.get("subjects") or ():
        if subject["kind"] in {"User", "Group"}:
            subject["apiGroup"] = subject.get("apiGroup") or group
        elif not subject.get("apiGroup", True):
            del subject["apiGroup"]


def canonical_quantity(text: str) -> str:
    """A Kubernetes quantity as it is stored: no fraction, and the largest suffix that has none."""
    match = re.fullmatch(r"([+-]?[0-9.]+)([a-zA-Z]?i?|[eE][+-]?[0-9]+)", text)
    if match is None:
        raise ValueError(f"{text!r} is no quantity")
    number, suffix = Decimal(match[1]), match[2]
    if suffix.endswith("i"):
        value, base, names = number * 1024 ** _BINARY.index(suffix), Decimal(1024), _BINARY
    else:
        exponent = _DECIMAL.index(suffix) * 3 - 9 if suffix in _DECIMAL else int(suffix[1:])
        value, base, names = number.scaleb(exponent), Decimal(1000), _DECIMAL[3:]
        if re.match(r"[eE][+-]?[0-9]", suffix):
            names = ["", *(f"e{3 * i}" for i in range(1, 7))]
    if value == 0:
        return "0"
    if value != value.to_integral_value():
        scaled = value * 1000
        return f"{scaled.to_integral_value():f}m" if scaled == scaled.to_integral_value() else text
    best = 0
    while best + 1 < len(names) and value % base ** (best + 1) == 0:
        best += 1
    return f"{(value / base**best).to_integral_value():f}{names[best]}"


_DECIMAL: Final = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"]
_BINARY: Final = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]


# -- A promotion ---------------------------------------------------------------------------------------------------


class PromotionError(ValueError):
    """A promotion would fail, and why."""


def promotion(
    stage: Mapping[str, Any],
    functions: Mapping[str, Mapping[str, Any]],
    outputs: Mapping[str, Any] | None = None,
    ctx: Mapping[str, Any] | None = None,
) -> list[Any]:
    """The configs of a Stage's steps as the steps get them: evaluated by Kargo's code, valid by Kargo's schemas.

    `functions` are results by function and first argument, `"*"` for any: `{"imageFrom": {"*": {"tag": "1.2.3"}}}`;
    `outputs` are those of the steps by alias. A step that delegates to a task, or that an `if` skips, has the
    config None. A control flow Stage has no steps.
    """
    spec = stage["spec"]
    template = spec.get("promotionTemplate", {}).get("spec", {"steps": []})
    project, name = stage["metadata"]["namespace"], stage["metadata"]["name"]
    origin = spec["requestedFreight"][0]["origin"]["name"]
    context = {
        "uiBaseUrl": "https://kargo.example.com",
        "project": project,
        "stage": name,
        "promotion": f"{name}.01k0000000000000000000000.0123456",
        "targetFreight": {
            "name": "0123456789abcdef0123456789abcdef01234567",
            "alias": "fancy-fox",
            "origin": {"name": origin},
        },
        "meta": {"promotion": {"actor": "email:someone@example.com", "rollback": False}, "step": {"alias": ""}},
    } | dict(ctx or {})

    def evaluate(text: str, place: str, env: Mapping[str, Any], where: str) -> Any:
        question = {"template": text, "place": place, "env": {"ctx": context} | dict(env), "functions": functions}
        answer = upstream.ask_one("expression", question)
        if "error" in answer:
            raise PromotionError(f"{title(stage)}: {where}: {answer['error']}")
        return answer["value"]

    def whole(value: Any, env: Mapping[str, Any], where: str) -> Any:
        if isinstance(value, str):
            return evaluate(value, expressions.CONFIG, env, where)
        if isinstance(value, dict):
            return {key: whole(inner, env, f"{where}.{key}") for key, inner in value.items()}
        return [whole(v, env, f"{where}[{i}]") for i, v in enumerate(value)] if isinstance(value, list) else value

    variables: dict[str, Any] = {}
    for variable in [*(spec.get("vars") or ()), *(template.get("vars") or ())]:
        where = f"vars.{variable['name']}"
        variables[variable["name"]] = evaluate(variable.get("value", ""), expressions.VARS, {"vars": variables}, where)
    configs: list[Any] = []
    for i, step in enumerate(template.get("steps") or ()):
        where, env = f"steps[{i}]", {"vars": dict(variables), "outputs": dict(outputs or {})}
        for variable in step.get("vars") or ():
            env["vars"][variable["name"]] = evaluate(variable.get("value", ""), expressions.VARS, env, f"{where}.vars")
        if step.get("task") or (
            step.get("if") and evaluate(step["if"], expressions.IF, env, f"{where}.if") is not True
        ):
            configs.append(None)
            continue
        config = whole(step.get("config"), env, f"{where}.config")
        if found := schemas.findings(schemas.strict_step_validator(step["uses"]), config, f"{where}.config"):
            raise PromotionError(f"{title(stage)}: {'; '.join(found)}")
        configs.append(config)
    return configs
