"""kargo-fleet delete: delete units from the cluster, in the order that works although Project and namespace are kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from kargo_fleet.argocd.settings import argo_fleet
from kargo_fleet.clients.kube import Kube
from kargo_fleet.files.writing import unwritable
from kargo_fleet.fleet import scan
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.load import load_sound
from kargo_fleet.fleet.names import values_path
from kargo_fleet.generate.listed import listed
from kargo_fleet.rollout import deletion
from kargo_fleet.terminal.confirm import confirm
from kargo_fleet.terminal.output import tell
from kargo_fleet.terminal.reporters import TEXT, Change, Report, Reporter
from kargo_fleet.text.words import plural


def delete(
    root: Path,
    services: Sequence[str],
    *,
    everything: bool = False,
    context: str = "",
    yes: bool = False,
    reporter: Reporter = TEXT,
) -> int:
    """Delete the units of `services`, or of all services with `everything`; return 1 when something is left, else 0.

    Lists the units and asks for confirmation. Then deletes, for each unit: its Argo CD Application, its Helm release, its
    Project, its namespace with all promotions and their history, and its values file unless the service still has a
    folder. Only objects with the chart's labels are deleted. Raises FleetError without a cluster or without confirmation.
    """
    kube = Kube(context)
    target = kube.target()
    _, fleet, _ = load_sound(root)

    def choose(known: Collection[str]) -> list[str]:
        if everything:
            return sorted(known)
        # A name without a unit is a finding; a pattern that matches none is wrong usage.
        return scan.chosen(fleet, services, known, where="the cluster", also=lambda name: not scan.is_glob(name))

    with kube.answering():
        planned = deletion.prepare(kube, argo_fleet(fleet.data).argocd["namespace"], choose, fleet.project_of)
    tell(f"units to delete from context {target.context} ({target.server}), with their history:")
    for unit in planned.units:
        counts = f"{plural(unit.promotions, 'promotion')}, {unit.freight} Freight"
        what = "Project and namespace" if unit.owns_namespace else "Project"
        tell(f"  {unit.service}: {what} {unit.project}, {counts}")
    if planned.units:
        confirm(len(planned.units), yes=yes, always=True)
    findings, changes, gone = list(planned.findings), list[Change](), 0
    for unit, finding in reporter.bar(deletion.remove(planned), len(planned.units), "deleting"):
        if finding is not None:
            findings.append(finding)
            continue
        gone += 1
        changes.append(Change("deleted", unit.project))
        try:
            if path := deletion.remove_values(root, fleet, unit.service):
                changes.append(Change("removed", path))
        except OSError as error:
            findings.append(unwritable(values_path(unit.service), error, unit.service, what="removed"))
    if planned.has_argocd and (hint := again(fleet, [unit.service for unit in planned.units])):
        reporter.note(f"note: {hint}")
    summary = f"{plural(len(planned.units), 'unit')}: {gone} deleted, {len(planned.units) - gone} left"
    reporter.show(Report(sorted(findings), sorted(changes, key=lambda change: change.path), summary))
    return 1 if findings else 0


def again(fleet: Fleet, services: Sequence[str]) -> str:
    """Return why Argo CD installs deleted units again, "" when it does not."""
    if fleet.layout.has_stages and set(services) & listed(fleet.root):
        return "the ApplicationSet installs a unit again while it lists it: run `kargo-fleet generate`, commit and push"
    if any(fleet.has(service) for service in services):
        return f"the ApplicationSet installs a unit again while {fleet.layout.pattern} is on the branch"
    return ""
