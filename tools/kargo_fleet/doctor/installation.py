"""Kargo itself: it is installed, new enough, and every shard has a controller that is alive."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from enum import Enum

from kargo_fleet.cluster import resources as c
from kargo_fleet.cluster.objects import Object, age, dig, instant, label
from kargo_fleet.cluster.scope import ExpectedUnit
from kargo_fleet.cluster.snapshot import KargoController, Snapshot
from kargo_fleet.doctor.codes import CLUSTER, found
from kargo_fleet.findings import Finding
from kargo_fleet.fleet.names import CONTROLLER_LABEL
from kargo_fleet.text.words import first_of

OLDEST = (1, 11)
GRACE = timedelta(minutes=5)  # within which a controller has looked at an object
#: Fields that came with v1.11, by the CRD that has them.
_FIELDS = {"stages.kargo.akuity.io": "status.effectiveAutoPromotionHolds"}
_INSTALL = "install Kargo v1.11 or newer: https://docs.kargo.io/operator-guide/basic-installation"
_UPGRADE = "upgrade Kargo to v1.11 or newer: `helm list --all-namespaces --filter kargo` shows the release"


class Life(Enum):
    """The state of the controller of a shard, as far as it is known."""

    ALIVE = "alive"
    DEAD = "dead"
    MISSING = "missing"
    UNKNOWN = "unknown"


def installed(cluster: Snapshot) -> Iterator[Finding]:
    """Check that the cluster has Kargo's kinds."""
    kinds = [resource.plural for resource in (c.PROJECTS, c.WAREHOUSES, c.STAGES) if resource.plural in cluster.missing]
    if kinds:
        message = f"Kargo is not installed in this cluster: it has no {first_of(kinds)} of kargo.akuity.io"
        fix = f"{_INSTALL}; or choose another cluster with --context"
        yield found("KF701", f"{CLUSTER}/CustomResourceDefinition", message, fix)


def new_enough(cluster: Snapshot) -> Iterator[Finding]:
    """Check the version, by the fields of the CRDs and by the image of the controllers."""
    if c.CONFIGS.plural in cluster.missing:
        message = "Kargo is older than v1.5: it has no projectconfigs, which hold the promotion policies"
        yield found("KF702", f"{CLUSTER}/CustomResourceDefinition", message, _UPGRADE)
        return
    for name, field in _FIELDS.items():
        crd = cluster.get(c.CRDS, name)
        if crd is not None and (fields := crd["spec"]["fields"]) and field not in fields:
            message = f"the CRDs are older than Kargo v1.11: {name} has no {field}"
            yield found("KF702", f"{CLUSTER}/CustomResourceDefinition/{name}", message, _UPGRADE)
    for one in cluster.controllers:
        if (version := _version(one)) and version < OLDEST:
            message = f"the controller runs {one.image}; the chart is made for v1.11"
            yield found("KF702", f"{one.namespace}/Deployment/{one.name}", message, _UPGRADE)


def _version(controller: KargoController) -> tuple[int, int] | None:
    match = re.search(r":v?(\d+)\.(\d+)\.[^:/]*$", controller.image.partition("@")[0])
    return (int(match[1]), int(match[2])) if match else None


def life(cluster: Snapshot, shard: str) -> Life:
    """Return whether the controller of a shard, "" for the default controller, is alive."""
    leases = {label(lease, CONTROLLER_LABEL): lease for lease in cluster.all(c.LEASES)}
    names = {shard} if shard else {one.shard for one in cluster.controllers if one.is_default} or {""}
    if leases and names & leases.keys():
        alive = any(_is_alive(cluster, leases[name]) for name in names & leases.keys())
        return Life.ALIVE if alive else Life.DEAD
    started = [one for one in cluster.controllers if one.settings]
    if not shard and not any(one.is_default for one in started):
        return Life.UNKNOWN  # it may run elsewhere
    if leases:
        return Life.MISSING
    if any(one.shard in names for one in started):
        return Life.UNKNOWN
    return Life.MISSING if started else Life.UNKNOWN


def _is_alive(cluster: Snapshot, lease: Object) -> bool:
    renewed = instant(dig(lease, "spec", "renewTime"))
    seconds = dig(lease, "spec", "leaseDurationSeconds") or 0
    # The clocks of this machine and of the cluster may differ.
    return renewed is not None and cluster.now - renewed < timedelta(seconds=seconds) + GRACE


def unhandled(cluster: Snapshot, units: Sequence[ExpectedUnit]) -> tuple[list[Finding], set[str]]:
    """Return findings about units that no controller reconciles, and their services."""
    findings, services = [], set()
    by_shard: dict[str, list[ExpectedUnit]] = {}
    for unit in units:
        for shard in sorted(unit.shards):
            by_shard.setdefault(shard, []).append(unit)
    for shard, members in sorted(by_shard.items()):
        state = life(cluster, shard)
        if state in (Life.DEAD, Life.MISSING):
            affected = members
        elif state is Life.UNKNOWN:
            affected = [unit for unit in members if _is_untouched(cluster, unit)]
        else:
            affected = []
        if affected:
            findings.append(_unhandled(shard, state, [unit.service for unit in affected]))
            services |= {unit.service for unit in affected}
    return findings, services


def _is_untouched(cluster: Snapshot, unit: ExpectedUnit) -> bool:
    """Return whether Kargo has never reconciled a unit."""
    objects = [*cluster.within(c.WAREHOUSES, unit.project).values(), *cluster.within(c.STAGES, unit.project).values()]
    return bool(objects) and all(
        not dig(obj, "status", "conditions") and age(cluster.now, obj) > GRACE for obj in objects
    )


def _unhandled(shard: str, state: Life, services: list[str]) -> Finding:
    where = f"shard {shard}" if shard else "units without a shard"
    what = {
        Life.DEAD: f"the controller of {where} has stopped: its Lease has expired",
        Life.MISSING: f"no controller was started for {where}",
    }.get(state, f"no controller of {where} has reconciled these units")
    message = f"{what}; affected: {first_of(services)}"
    option = f"controller.shardName={shard}" if shard else "controller.isDefault=true or without controller.shardName"
    fix = f"install a controller with {option}"
    if shard:
        fix += ", or correct `shard` in the values"
    fix += "; `kubectl get leases --all-namespaces -l {CONTROLLER_LABEL}` lists the controllers"
    if state is not Life.MISSING:
        pods = "`kubectl get pods --all-namespaces -l app.kubernetes.io/component=controller`"
        fix = f"run {pods}, then `kubectl logs` for the pod"
    place = f"{CLUSTER}/controller/{shard}" if shard else f"{CLUSTER}/controller"
    return found("KF703", place, message, fix, services[0] if len(services) == 1 else "")
