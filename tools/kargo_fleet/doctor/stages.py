"""One unit at work: does its Warehouse find images, do its Stages take them?"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from kargo_fleet.cluster import snapshot as c
from kargo_fleet.cluster.objects import Object, age, condition, dig, listed, name_of, quoted, since, words
from kargo_fleet.cluster.snapshot import LONG, Cluster
from kargo_fleet.doctor.codes import found
from kargo_fleet.doctor.expected import Unit
from kargo_fleet.doctor.foundation import deploy
from kargo_fleet.findings import Finding

_SETTLED = timedelta(minutes=10)  # within which Kargo promotes what it may promote
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}

#: What registries and Git servers say, and what to do then.
_ANSWERS = (
    (
        r"unauthori[sz]ed|\b401\b|\b403\b|denied|forbidden|authenticat|credentials",
        "look at the credentials: `kubectl get secrets -n {shared} -l kargo.akuity.io/cred-type`; docs/credentials.md",
    ),
    (
        r"name_unknown|manifest_unknown|\b404\b|not found|no such repository",
        "correct `image.repoURL`, or push a first image",
    ),
    (
        r"x509|certificate|tls",
        "give Kargo's controller your certificate authority; `image.insecureSkipTLSVerify: true` is the quick test",
    ),
    (
        r"toomanyrequests|\b429\b|rate limit",
        "the registry limits requests: a longer `warehouse.interval`, or a webhook receiver",
    ),
    (
        r"no such host|dial tcp|timeout|timed out|deadline|connection refused|unreachable|\beof\b",
        "the registry does not answer Kargo's controller: check its name, and the network from the namespace of Kargo",
    ),
    (r"unsupported as of", "correct the subscription that the message names, in `warehouse.subscriptions`"),
)


def warehouse(cluster: Cluster, unit: Unit) -> Iterator[Finding]:
    """Check that the Warehouse reads its sources and makes Freight of them."""
    obj = cluster.get(c.WAREHOUSES, unit.warehouse, unit.project)
    if obj is None:
        return
    place, name = f"{unit.project}/Warehouse/{unit.warehouse}", f"warehouse {unit.warehouse} -n {unit.project}"
    healthy, ready = condition(obj, "Healthy"), condition(obj, "Ready")
    message = quoted(healthy.get("message") or ready.get("message")) or healthy.get("reason")
    look = f"`kubectl describe {name}`"
    if healthy.get("status") == "False":
        reason = str(healthy.get("reason"))
        if reason == "MissingArtifacts" or re.fullmatch(r"No\w+Discovered", reason):
            yield found("KF722", place, f"nothing fits: {message}", _no_match(obj, name), unit.service)
        elif reason in ("CriteriaEvaluationFailed", "FreightBuildFailure"):
            fix = f"{look}, and correct `warehouse.freightCreationCriteria.expression`"
            yield found("KF723", place, str(message), fix if reason.startswith("Criteria") else look, unit.service)
        else:
            fix = _answer(str(message), cluster.shared_namespace) or look
            yield found("KF721", place, str(message), f"{fix}. Then {_refresh(name)}", unit.service)
    elif ready.get("status") == "True" and not _has_freight(cluster, unit, obj):
        yield from _no_freight(cluster, unit, obj, place)


def _answer(message: str, shared: str) -> str:
    for pattern, fix in _ANSWERS:
        if re.search(pattern, message, re.IGNORECASE):
            return fix.format(shared=shared)
    return ""


def _refresh(name: str) -> str:
    return f'`kubectl annotate {name} --overwrite kargo.akuity.io/refresh="$(date +%s)"`'


def _no_match(obj: Object, name: str) -> str:
    images = [item["image"] for item in dig(obj, "spec", "subscriptions") or [] if item.get("image")]
    image: Mapping[str, Any] = images[0] if images else {}
    strategy, constraint = image.get("imageSelectionStrategy", "SemVer"), image.get("constraint")
    asked = f"{strategy} {constraint}" if constraint else strategy
    keys = "`image.constraint`, `allowTagsRegexes`, `strictSemvers` and `platform`"
    tags = f" (asked for {asked})" if images else ""
    return f"compare the tags in the registry with {keys}{tags}; then {_refresh(name)}"


def _has_freight(cluster: Cluster, unit: Unit, obj: Object) -> bool:
    if dig(obj, "status", "lastFreightID"):
        return True
    stages = cluster.within(c.STAGES, unit.project).values()
    return any(dig(stage, "status", "freightHistory") or dig(stage, "status", "lastPromotion") for stage in stages)


def _no_freight(cluster: Cluster, unit: Unit, obj: Object, place: str) -> Iterator[Finding]:
    if age(cluster.now, obj) < _SETTLED:
        return
    if condition(obj, "FreightCreationCriteriaSatisfied").get("status") == "False":
        message = "no Freight yet: warehouse.freightCreationCriteria.expression does not hold"
        fix = f"correct the expression; `kubectl get warehouse {unit.warehouse} -n {unit.project} -o yaml` shows what was found"
    elif dig(obj, "spec", "freightCreationPolicy") == "Manual":
        message = "no Freight was promoted yet, and none is made by itself: warehouse.freightCreationPolicy is Manual"
        fix = "make Freight in Kargo's UI, or set the policy to Automatic"
    else:
        message = "the Warehouse is ready, and no Freight was made yet"
        fix = f"`kubectl describe warehouse {unit.warehouse} -n {unit.project}`"
    yield found("KFW721", place, message, fix, unit.service)


@dataclass(frozen=True)
class _Stage:
    """A Stage that is there, with what it takes to judge it."""

    cluster: Cluster
    unit: Unit
    name: str
    obj: Object

    @property
    def place(self) -> str:
        return f"{self.unit.project}/Stage/{self.name}"

    def finding(self, code: str, message: str, fix: str) -> Finding:
        return found(code, self.place, message, fix, self.unit.service)

    def status(self, *path: str) -> Any:
        return dig(self.obj, "status", *path)

    def condition(self, kind: str) -> Mapping[str, Any]:
        return condition(self.obj, kind)

    def lasts(self, kind: str) -> timedelta:
        """How long a condition has been what it is."""
        return since(self.cluster.now, self.condition(kind).get("lastTransitionTime"))

    @property
    def look(self) -> str:
        return f"`kubectl describe stage {self.name} -n {self.unit.project}`"

    @property
    def promote(self) -> str:
        unit = self.unit
        return f"`kargo promote --project {unit.project} --warehouse {unit.warehouse} --stage {self.name}`"


def stages(cluster: Cluster, unit: Unit) -> Iterator[Finding]:
    """Check every Stage: its promotions, its verification, its health, and whether it takes what it could."""
    for name in unit.order:
        obj = cluster.get(c.STAGES, name, unit.project)
        if obj is not None:
            stage = _Stage(cluster, unit, name, obj)
            yield from _holds(stage)
            yield from _trouble(stage)


def _trouble(stage: _Stage) -> Iterator[Finding]:
    """Yield the one thing that is wrong with a Stage; what comes first brings the others about."""
    checks = [_error, _running]
    if not stage.status("currentPromotion"):  # which may change everything else
        checks += [_last_promotion, _health, _verification, _no_freight_taken]
    findings = (finding for check in checks for finding in check(stage))
    yield from itertools.islice(findings, 1)


def _error(stage: _Stage) -> Iterator[Finding]:
    ready = stage.condition("Ready")
    reasons = ("ReconcileError", "FreightRetrievalFailed", "FreightVerificationFailed")
    if ready.get("status") == "False" and ready.get("reason") in reasons:
        yield stage.finding("KF731", f"Kargo cannot handle the Stage: {quoted(ready.get('message'))}", stage.look)


def _running(stage: _Stage) -> Iterator[Finding]:
    current = stage.status("currentPromotion", "name")
    if not current:
        yield from _waiting(stage)
        return
    time = stage.lasts("Promoting")
    if time <= LONG:
        return
    promotion = stage.cluster.get(c.PROMOTIONS, current, stage.unit.project) or {}
    abort = f"`kargo promote --project {stage.unit.project} --name {current} --abort`"
    look = f"`kubectl describe promotion {current} -n {stage.unit.project}`"
    step = _step(dig(promotion, "spec", "steps") or [], dig(promotion, "status", "currentStep") or 0)
    if step and step.uses in ("git-wait-for-pr", "git-merge-pr"):
        message = f"promotion {current} has been waiting for its pull request for {words(time)}"
        url = _pull_request(promotion)
        yield stage.finding("KFW732", message, f"merge {url or 'it'}, or close it, which fails the promotion")
        return
    behind = len([one for one in _pending(stage) if name_of(one) != current])
    queue = f"; {behind} more {'waits' if behind == 1 else 'wait'} behind it" if behind else ""
    if dig(promotion, "status", "phase") == "Pending":
        message = f"promotion {current} has been pending for {words(time)}: no controller has begun it{queue}"
        yield stage.finding("KF735", message, f"{look}, and the log of Kargo's controller; to give up: {abort}")
        return
    where = f" at step {step}" if step else ""
    said = quoted(_said(promotion, step))
    message = f"promotion {current} has been running for {words(time)}{where}{f': {said}' if said else ''}{queue}"
    yield stage.finding("KF735", message, f"{look}; to give up: {abort}")


def _waiting(stage: _Stage) -> Iterator[Finding]:
    """Find promotions that nobody begins although none is running."""
    old = [one for one in _pending(stage) if age(stage.cluster.now, one) > LONG]
    if not old:
        return
    first = min(old, key=name_of)
    message = (
        f"promotion {name_of(first)} has been waiting for {words(age(stage.cluster.now, first))}, and none is running"
    )
    verified = stage.condition("Verified")
    if verified.get("status") == "Unknown" and verified.get("reason") != "NoFreight":
        message += f": {quoted(verified.get('message'))}"
    yield stage.finding("KF735", message, f"{stage.look}, and the log of Kargo's controller")


def _pending(stage: _Stage) -> list[Object]:
    promotions = stage.cluster.within(c.PROMOTIONS, stage.unit.project).values()
    mine = [one for one in promotions if dig(one, "spec", "stage") == stage.name]
    return [one for one in mine if (dig(one, "status", "phase") or "Pending") == "Pending"]


@dataclass(frozen=True)
class _Step:
    alias: str
    uses: str

    def __str__(self) -> str:
        return f"{self.alias} ({self.uses})" if self.uses else self.alias


def _step(steps: list[Mapping[str, Any]], index: int) -> _Step | None:
    if not 0 <= index < len(steps):
        return None
    step = steps[index]
    return _Step(step.get("as") or f"step-{index + 1}", step.get("uses", ""))


def _said(promotion: Mapping[str, Any], step: _Step | None) -> str:
    runs: list[Mapping[str, Any]] = dig(promotion, "status", "stepExecutionMetadata") or []
    return next((run.get("message", "") for run in reversed(runs) if step and run.get("alias") == step.alias), "")


def _pull_request(promotion: Mapping[str, Any]) -> str:
    """Return the URL of the pull request that a promotion opened, from the outputs of its steps."""
    outputs = dig(promotion, "status", "state") or {}
    urls = [dig(output, "pr", "url") for output in outputs.values() if isinstance(output, Mapping)]
    return next((str(url) for url in urls if url), "")


def _last_promotion(stage: _Stage) -> Iterator[Finding]:
    name, status = stage.status("lastPromotion", "name"), stage.status("lastPromotion", "status") or {}
    phase = status.get("phase")
    if phase not in ("Failed", "Errored", "Aborted"):
        return
    if phase == "Aborted":
        yield stage.finding("KFW731", f"the last promotion, {name}, was aborted", f"promote again: {stage.promote}")
        return
    step = failed_step(stage.obj)
    where = f" at step {step[0]}" if step else ""
    message = quoted((step[1] if step else "") or status.get("message"))
    ended = status.get("finishedAt")
    ago = f" {words(since(stage.cluster.now, ended))} ago" if ended else ""
    text = f"promotion {name} {'failed' if phase == 'Failed' else 'ended in an error'}{ago}{where}: {message}"
    yield stage.finding("KF734", text, f"{_step_fix(step)}; it is not repeated by itself: {stage.promote}")


def failed_step(obj: Object) -> tuple[_Step, str] | None:
    """Return the step that a Stage's last promotion failed at, with its message."""
    steps = dig(obj, "spec", "promotionTemplate", "spec", "steps") or []
    uses = {step.get("as") or f"step-{index}": step.get("uses", "") for index, step in enumerate(steps, start=1)}
    for run in reversed(dig(obj, "status", "lastPromotion", "status", "stepExecutionMetadata") or []):
        if run.get("status") in ("Failed", "Errored") and not run.get("continueOnError"):
            alias = run.get("alias", "")
            return _Step(alias, uses.get(alias, "")), run.get("message", "")
    return None


#: What to do when a step failed, by step and by what it said.
_STEPS = (
    (
        "argocd-update",
        r"not authorized|does not permit",
        "annotate the Application: docs/troubleshooting.md has the command",
    ),
    ("argocd-update", r"unable to find|not found", "correct `promotion.argocdUpdate.name`, or deploy the Application"),
    (
        "argocd-update",
        r"",
        "look at the Application; for slow rollouts raise `promotion.retry: {argocd-update: {timeout: …}}`",
    ),
    ("git-clone", r"branch", "create the branch that `git.branch` or `stages.<stage>.branch` names"),
    (
        "git-clone|git-push",
        r"auth|denied|40[13]|not found|permission",
        "check the Git credentials, docs/credentials.md",
    ),
    ("git-push", r"", "let Kargo's user push to the branch, or set `promotion.pullRequest.enabled`"),
    (
        "yaml-update",
        r"no such file",
        "push the stage's values file; `kargo-fleet check` says whether it is in the checkout",
    ),
    ("yaml-update", r"", "give the file the key that promotions write; `kargo-fleet check` finds this as KF402"),
    ("git-wait-for-pr", r"without being merged", "find out why the pull request was closed"),
    ("git-open-pr", r"provider", "set `promotion.pullRequest.provider`"),
)


def _step_fix(step: tuple[_Step, str] | None) -> str:
    for uses, pattern, fix in _STEPS:
        if step and step[0].uses in uses.split("|") and re.search(pattern, step[1], re.IGNORECASE):
            return fix
    return "remove the cause"


def _health(stage: _Stage) -> Iterator[Finding]:
    healthy = stage.condition("Healthy")
    issues = listed([quoted(issue) for issue in stage.status("health", "issues") or []], most=3)
    what = issues or quoted(healthy.get("message")) or "it does not say why"
    fix = f"look at the Application that the issue names, then at {stage.look}" if issues else stage.look
    if healthy.get("status") == "False":
        yield stage.finding("KF732", f"the Stage is unhealthy: {what}", fix)
    elif healthy.get("reason") in ("Progressing", "Unknown") and stage.lasts("Healthy") > LONG:
        state = str(healthy["reason"]).lower()
        yield stage.finding("KF732", f"the Stage has been {state} for {words(stage.lasts('Healthy'))}: {what}", fix)


def _verification(stage: _Stage) -> Iterator[Finding]:
    verified = stage.condition("Verified")
    reason, said = str(verified.get("reason")), quoted(verified.get("message"))
    runs = f"`kubectl get analysisruns -n {stage.unit.project} -l kargo.akuity.io/stage={stage.name}`"
    again = f"`kargo verify stage --project {stage.unit.project} {stage.name}` repeats it"
    if verified.get("status") == "False" or reason == "VerificationInconclusive":
        how = {"VerificationAborted": "was aborted", "VerificationInconclusive": "was inconclusive"}.get(
            reason, "failed"
        )
        message = f"the verification {how}{f': {said}' if said else ''}"
        yield stage.finding("KF733", message, f"{runs}; {again}")
    elif reason in ("VerificationPending", "VerificationRunning") and stage.lasts("Verified") > LONG:
        message = f"the verification has been running for {words(stage.lasts('Verified'))}"
        yield stage.finding("KF733", message, runs)


def _holds(stage: _Stage) -> Iterator[Finding]:
    for hold in (stage.status("effectiveAutoPromotionHolds") or {}).values():
        actor = f" by {hold['actor']}" if hold.get("actor") else ""
        message = f"auto-promotion is on hold: {hold.get('freightName')}, not the newest Freight, was promoted{actor}"
        fix = f"when it shall go on, promote the newest: {stage.promote}"
        yield stage.finding("KFW733", message, fix)


def _no_freight_taken(stage: _Stage) -> Iterator[Finding]:
    """Find a Stage that promotes by itself, never had Freight, and could have some."""
    if stage.status("freightHistory") or stage.status("lastPromotion"):
        return
    if stage.status("effectiveAutoPromotionHolds") or age(stage.cluster.now, stage.obj) < _SETTLED:
        return
    wanted = stage.unit.stages[stage.name].get("autoPromotionEnabled") is True
    source = _source(stage) if wanted else ""
    if not source:
        return
    message = f"the Stage has no Freight, although {source} and it promotes by itself"
    fix = f"{stage.look}; by hand: {stage.promote}"
    if not stage.status("autoPromotionEnabled"):
        project = stage.unit.project
        message += "; Kargo says that auto-promotion is off"
        fix = f"`kubectl get projectconfig {project} -n {project} -o yaml` lacks the policy: {deploy(stage.unit.service, again=True)}"
    yield stage.finding("KF736", message, fix)


def _source(stage: _Stage) -> str:
    """Say where a Stage could take Freight from, "" when there is none yet."""
    settings = stage.unit.stages[stage.name]
    upstream: list[str] = settings.get("upstream") or []
    if settings.get("direct") or not upstream:
        warehouse = stage.cluster.get(c.WAREHOUSES, stage.unit.warehouse, stage.unit.project) or {}
        created = condition(warehouse, "FreightCreated")
        if (
            dig(warehouse, "status", "lastFreightID")
            and since(stage.cluster.now, created.get("lastTransitionTime")) > _SETTLED
        ):
            return f"Warehouse {stage.unit.warehouse} has made some"
    soak = _duration(settings.get("requiredSoakTime") or "")
    verified = [name for name in upstream if _has_verified(stage, name, soak)]
    if verified and (len(verified) == len(upstream) or settings.get("availabilityStrategy") != "All"):
        return f"{listed(verified)} {'has' if len(verified) == 1 else 'have'} verified some"
    return ""


def _has_verified(stage: _Stage, upstream: str, soak: timedelta) -> bool:
    """Say whether an upstream Stage verified what it runs, long enough ago for others to take it."""
    obj = stage.cluster.get(c.STAGES, upstream, stage.unit.project) or {}
    verified = condition(obj, "Verified")
    if not dig(obj, "status", "freightHistory") or verified.get("status") != "True":
        return False
    now = stage.cluster.now
    promoted = dig(obj, "status", "lastPromotion", "status", "finishedAt")
    times = [since(now, text) for text in (verified.get("lastTransitionTime"), promoted) if text]
    return bool(times) and min(times) > soak + _SETTLED


def _duration(text: str) -> timedelta:
    """Return a duration of Go, such as 1h30m."""
    parts = re.findall(r"([\d.]+)(ms|h|m|s)", text)
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
