"""The Stages of one unit: they promote Freight, their promotions succeed, and they are verified and healthy."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from kargo_fleet.cluster import resources as c
from kargo_fleet.cluster.collect import LONG
from kargo_fleet.cluster.objects import Object, age, condition, dig, name_of, since
from kargo_fleet.cluster.scope import ExpectedUnit
from kargo_fleet.cluster.snapshot import Snapshot
from kargo_fleet.doctor.codes import found
from kargo_fleet.doctor.foundation import deploy_fix
from kargo_fleet.doctor.warehouses import SETTLED
from kargo_fleet.findings import Finding
from kargo_fleet.fleet.freight import Request
from kargo_fleet.text.durations import in_words, seconds
from kargo_fleet.text.words import first_of, one_line


@dataclass(frozen=True)
class _ObservedStage:
    """A Stage in the cluster, with its unit and the other objects that the checks need."""

    cluster: Snapshot
    unit: ExpectedUnit
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
        """Return the time since a condition last changed."""
        return since(self.cluster.now, self.condition(kind).get("lastTransitionTime"))

    @property
    def look(self) -> str:
        return f"run `kubectl describe stage {self.name} -n {self.unit.project}`"

    @property
    def promote(self) -> str:
        first = self.unit.pipeline.warehouses[self.unit.stages[self.name].requests[0].key].name
        return f"`kargo promote --project {self.unit.project} --warehouse {first} --stage {self.name}`"


def find(cluster: Snapshot, unit: ExpectedUnit, *, without_credentials: bool) -> Iterator[Finding]:
    """Check every Stage: its promotions, its verification, its health, and that it promotes available Freight.

    For a unit `without_credentials` for Git, promotions that fail because of that are not reported again.
    """
    for name in unit.order:
        obj = cluster.get(c.STAGES, name, unit.project)
        if obj is None:
            continue
        stage = _ObservedStage(cluster, unit, name, obj)
        yield from _holds(stage)
        step = failed_step(obj)
        is_known = without_credentials and step is not None and step[0].uses in ("git-clone", "git-push")
        yield from (finding for finding in _trouble(stage) if not (is_known and finding.code == "KF734"))


def _trouble(stage: _ObservedStage) -> Iterator[Finding]:
    """Yield the first problem of a Stage only: it causes the others."""
    checks = [_error, _running]
    if not stage.status("currentPromotion"):  # a running promotion may change everything else
        checks += [_last_promotion, _health, _verification, _no_freight_taken]
    findings = (finding for check in checks for finding in check(stage))
    yield from itertools.islice(findings, 1)


def _error(stage: _ObservedStage) -> Iterator[Finding]:
    ready = stage.condition("Ready")
    reasons = ("ReconcileError", "FreightRetrievalFailed", "FreightVerificationFailed")
    if ready.get("status") == "False" and ready.get("reason") in reasons:
        yield stage.finding("KF731", f"Kargo cannot reconcile the Stage: {one_line(ready.get('message'))}", stage.look)


def _running(stage: _ObservedStage) -> Iterator[Finding]:
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
        message = f"promotion {current} has been waiting for its pull request for {in_words(time)}"
        url = _pull_request(promotion)
        yield stage.finding("KFW732", message, f"merge {url or 'it'}, or close it, which fails the promotion")
        return
    behind = len([one for one in _pending(stage) if name_of(one) != current])
    queue = f"; {behind} more {'waits' if behind == 1 else 'wait'} behind it" if behind else ""
    if dig(promotion, "status", "phase") == "Pending":
        message = f"promotion {current} has been pending for {in_words(time)}: no controller has started it{queue}"
        fix = f"run {look} and read the log of Kargo's controller; to abort it, run {abort}"
        yield stage.finding("KF735", message, fix)
        return
    where = f" at step {step}" if step else ""
    reason = one_line(_step_message(promotion, step))
    reason = f": {reason}" if reason else ""
    message = f"promotion {current} has been running for {in_words(time)}{where}{reason}{queue}"
    yield stage.finding("KF735", message, f"run {look}; to abort it, run {abort}")


def _waiting(stage: _ObservedStage) -> Iterator[Finding]:
    """Yield a finding when promotions stay pending although none is running."""
    old = [one for one in _pending(stage) if age(stage.cluster.now, one) > LONG]
    if not old:
        return
    first = min(old, key=name_of)
    message = f"promotion {name_of(first)} has been waiting for {in_words(age(stage.cluster.now, first))}, and none is running"
    verified = stage.condition("Verified")
    if verified.get("status") == "Unknown" and verified.get("reason") != "NoFreight":
        message += f": {one_line(verified.get('message'))}"
    yield stage.finding("KF735", message, f"{stage.look} and read the log of Kargo's controller")


def _pending(stage: _ObservedStage) -> list[Object]:
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


def _step_message(promotion: Mapping[str, Any], step: _Step | None) -> str:
    runs: list[Mapping[str, Any]] = dig(promotion, "status", "stepExecutionMetadata") or []
    return next((run.get("message", "") for run in reversed(runs) if step and run.get("alias") == step.alias), "")


def _pull_request(promotion: Mapping[str, Any]) -> str:
    """Return the URL of the pull request that a promotion opened, from the outputs of its steps."""
    outputs = dig(promotion, "status", "state") or {}
    urls = [dig(output, "pr", "url") for output in outputs.values() if isinstance(output, Mapping)]
    return next((str(url) for url in urls if url), "")


def _last_promotion(stage: _ObservedStage) -> Iterator[Finding]:
    name, status = stage.status("lastPromotion", "name"), stage.status("lastPromotion", "status") or {}
    phase = status.get("phase")
    if phase not in ("Failed", "Errored", "Aborted"):
        return
    if phase == "Aborted":
        yield stage.finding(
            "KFW731", f"the last promotion, {name}, was aborted", f"to promote again, run {stage.promote}"
        )
        return
    step = failed_step(stage.obj)
    where = f" at step {step[0]}" if step else ""
    message = one_line((step[1] if step else "") or status.get("message"))
    ended = status.get("finishedAt")
    ago = f" {in_words(since(stage.cluster.now, ended))} ago" if ended else ""
    text = f"promotion {name} {'failed' if phase == 'Failed' else 'ended in an error'}{ago}{where}: {message}"
    yield stage.finding("KF734", text, f"{_step_fix(step)}; Kargo does not retry it: run {stage.promote}")


def failed_step(obj: Object) -> tuple[_Step, str] | None:
    """Return the step that a Stage's last promotion failed at, with its message."""
    steps = dig(obj, "spec", "promotionTemplate", "spec", "steps") or []
    uses = {step.get("as") or f"step-{index}": step.get("uses", "") for index, step in enumerate(steps, start=1)}
    for run in reversed(dig(obj, "status", "lastPromotion", "status", "stepExecutionMetadata") or []):
        if run.get("status") in ("Failed", "Errored") and not run.get("continueOnError"):
            alias = run.get("alias", "")
            return _Step(alias, uses.get(alias, "")), run.get("message", "")
    return None


#: The fix for a failed step, by step and by a pattern of its message.
_STEPS = (
    (
        "argocd-update",
        r"not authorized|does not permit",
        "annotate the Application, see docs/troubleshooting.md for the command",
    ),
    ("argocd-update", r"unable to find|not found", "correct `promotion.argocdUpdate.name`, or deploy the Application"),
    (
        "argocd-update",
        r"",
        "check the Application; for slow rollouts raise `promotion.retry: {argocd-update: {timeout: 15m}}`",
    ),
    ("git-clone", r"branch", "create the branch that `git.branch` or `stages.<stage>.branch` names"),
    (
        "git-clone|git-push",
        r"auth|denied|40[13]|not found|permission",
        "check the Git credentials, see docs/credentials.md",
    ),
    ("git-push", r"", "allow Kargo's user to push to the branch, or set `promotion.pullRequest.enabled`"),
    (
        "yaml-update",
        r"no such file",
        "push the stage's values file; `kargo-fleet check` shows whether it is in the checkout",
    ),
    ("yaml-update", r"", "add the key that promotions write to the file; `kargo-fleet check` reports it as KF402"),
    (
        "helm-template|kustomize-build",
        r"no such file|not found|missing chart dependencies",
        "push what is rendered; `kargo-fleet check` shows what the clone of the sources lacks",
    ),
    (
        "helm-template|kustomize-build",
        r"",
        "render it locally with `helm template` or `kustomize build`, and fix the cause",
    ),
    (
        "helm-update-chart",
        r"no dependency in Chart.yaml",
        "correct name and repository of the dependency; `kargo-fleet check` reports it as KF402",
    ),
    ("git-wait-for-pr", r"without being merged", "find out why the pull request was closed"),
    ("git-open-pr", r"provider", "set `promotion.pullRequest.provider`"),
)


def _step_fix(step: tuple[_Step, str] | None) -> str:
    for uses, pattern, fix in _STEPS:
        if step and step[0].uses in uses.split("|") and re.search(pattern, step[1], re.IGNORECASE):
            return fix
    return "fix the cause"


def _health(stage: _ObservedStage) -> Iterator[Finding]:
    healthy = stage.condition("Healthy")
    issues = first_of([one_line(issue) for issue in stage.status("health", "issues") or []], most=3)
    what = issues or one_line(healthy.get("message")) or "no reason given"
    fix = f"check the Application that the issue names, then {stage.look}" if issues else stage.look
    if healthy.get("status") == "False":
        yield stage.finding("KF732", f"the Stage is unhealthy: {what}", fix)
    elif healthy.get("reason") in ("Progressing", "Unknown") and stage.lasts("Healthy") > LONG:
        state = str(healthy["reason"]).lower()
        yield stage.finding("KF732", f"the Stage has been {state} for {in_words(stage.lasts('Healthy'))}: {what}", fix)


def _verification(stage: _ObservedStage) -> Iterator[Finding]:
    verified = stage.condition("Verified")
    reason, cause = str(verified.get("reason")), one_line(verified.get("message"))
    runs = f"run `kubectl get analysisruns -n {stage.unit.project} -l kargo.akuity.io/stage={stage.name}`"
    again = f"to repeat it, run `kargo verify stage --project {stage.unit.project} {stage.name}`"
    if verified.get("status") == "False" or reason == "VerificationInconclusive":
        how = {"VerificationAborted": "was aborted", "VerificationInconclusive": "was inconclusive"}.get(
            reason, "failed"
        )
        message = f"the verification {how}{f': {cause}' if cause else ''}"
        yield stage.finding("KF733", message, f"{runs}; {again}")
    elif reason in ("VerificationPending", "VerificationRunning") and stage.lasts("Verified") > LONG:
        message = f"the verification has been running for {in_words(stage.lasts('Verified'))}"
        yield stage.finding("KF733", message, runs)


def _holds(stage: _ObservedStage) -> Iterator[Finding]:
    for hold in (stage.status("effectiveAutoPromotionHolds") or {}).values():
        actor = f" by {hold['actor']}" if hold.get("actor") else ""
        message = f"auto-promotion is on hold: {hold.get('freightName')}, not the newest Freight, was promoted{actor}"
        fix = f"to resume it, promote the newest Freight: run {stage.promote}"
        yield stage.finding("KFW733", message, fix)


def _no_freight_taken(stage: _ObservedStage) -> Iterator[Finding]:
    """Yield a finding for a Stage with auto-promotion that never had Freight although some is available."""
    if stage.status("freightHistory") or stage.status("lastPromotion"):
        return
    if stage.status("effectiveAutoPromotionHolds") or age(stage.cluster.now, stage.obj) < SETTLED:
        return
    wanted = stage.unit.stages[stage.name].given.get("autoPromotionEnabled") is True
    source = _source(stage) if wanted else ""
    if not source:
        return
    message = f"the Stage has no Freight, although {source} and auto-promotion is on"
    fix = f"{stage.look}; to promote by hand, run {stage.promote}"
    if not stage.status("autoPromotionEnabled"):
        project = stage.unit.project
        message += " in the values; in the cluster it is off"
        config = f"`kubectl get projectconfig {project} -n {project} -o yaml`"
        fix = f"{deploy_fix(stage.unit.service, again=True)}; {config} lacks the policy"
    yield stage.finding("KF736", message, fix)


def _source(stage: _ObservedStage) -> str:
    """Return which Warehouse or Stages have Freight for a Stage, "" when none is available yet."""
    return next(filter(None, (_provided(stage, request) for request in stage.unit.stages[stage.name].requests)), "")


def _provided(stage: _ObservedStage, request: Request) -> str:
    """Return which Warehouse or Stages have Freight of one Warehouse for a Stage, "" when none is available yet."""
    if request.direct:
        name = stage.unit.pipeline.warehouses[request.key].name
        warehouse = stage.cluster.get(c.WAREHOUSES, name, stage.unit.project) or {}
        created = condition(warehouse, "FreightCreated")
        if (
            dig(warehouse, "status", "lastFreightID")
            and since(stage.cluster.now, created.get("lastTransitionTime")) > SETTLED
        ):
            return f"Warehouse {name} has created some"
    soak = timedelta(seconds=seconds(request.soak))
    verified = [name for name in request.upstream if _has_verified(stage, name, soak)]
    if verified and (len(verified) == len(request.upstream) or request.availability != "All"):
        return f"{first_of(verified)} {'has' if len(verified) == 1 else 'have'} verified some"
    return ""


def _has_verified(stage: _ObservedStage, upstream: str, soak: timedelta) -> bool:
    """Return whether an upstream Stage verified its Freight, long enough ago to be promoted further."""
    obj = stage.cluster.get(c.STAGES, upstream, stage.unit.project) or {}
    verified = condition(obj, "Verified")
    if not dig(obj, "status", "freightHistory") or verified.get("status") != "True":
        return False
    now = stage.cluster.now
    promoted = dig(obj, "status", "lastPromotion", "status", "finishedAt")
    times = [since(now, text) for text in (verified.get("lastTransitionTime"), promoted) if text]
    return bool(times) and min(times) > soak + SETTLED
