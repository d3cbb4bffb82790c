"""kargo-fleet adopt: move manual edits of values/<service>.yaml into the service's kargo.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from kargo_fleet.edits.adoption import adopted
from kargo_fleet.errors import FleetError
from kargo_fleet.files.generated import State
from kargo_fleet.files.reading import is_absent
from kargo_fleet.files.writing import FileWriter, unwritable
from kargo_fleet.findings import Finding, has_errors
from kargo_fleet.fleet import scan
from kargo_fleet.fleet.config import Fleet
from kargo_fleet.fleet.names import FLEET_FILE, VALUES, values_path
from kargo_fleet.fleet.service_file import EXAMPLE
from kargo_fleet.generate.desired import desired_state
from kargo_fleet.terminal.reporters import TEXT, Change, Report, Reporter
from kargo_fleet.unit.build import Inputs


def adopt(root: Path, services: Sequence[str], *, reporter: Reporter = TEXT) -> int:
    """Move the edits of each service's values file into its kargo.yaml; return 1 if an edit cannot be moved, else 0.

    Afterwards the values file is generated again, with the same values. Comments, order and quotes of kargo.yaml are
    kept. Raises FleetError for a service whose values file was not edited.
    """
    desired = desired_state(root, services)
    edited = {item.service: item for item in desired.outputs if item.state in (State.EDITED, State.FOREIGN)}
    untouched = sorted(set(desired.services or services) - set(edited))
    if untouched and not (edited and any(scan.is_glob(name) for name in services)):
        if has_errors(desired.findings):
            reporter.show(Report(desired.findings, [], "nothing was adopted; fix these errors first"))
            return 1
        names = ", ".join(values_path(name) for name in untouched)
        raise FleetError(f"nothing to adopt: {names} was not edited")
    _require_own_files(desired.fleet, edited)
    inputs = Inputs(desired.fleet, desired.chart)
    findings: list[Finding] = []
    changes: list[Change] = []
    with FileWriter(root) as writer:
        writer.sweep([VALUES])
        for item in edited.values():
            found, files = adopted(inputs, item)
            findings += found
            findings += _write(writer, root, files, item.service, changes)
    reporter.show(Report(sorted(findings), changes, ""))
    return 1 if has_errors(findings) else 0


def _write(
    writer: FileWriter, root: Path, files: Mapping[str, str], service: str, changes: list[Change]
) -> Iterator[Finding]:
    """Write the files of one service and record the changes; yield why the next one cannot be written.

    The values file is the last: until kargo.yaml is on the disk, the edit is nowhere else. The temporary files are in values/,
    which is swept, since nobody lists the folders of thousands of services.
    """
    for path, text in files.items():
        try:
            change = Change("created" if is_absent(root / path) else "updated", path)
            writer.write(path, text, staged=VALUES, durable=True)
        except OSError as error:
            yield unwritable(path, error, service)
            return
        changes.append(change)


def _require_own_files(fleet: Fleet, services: Iterable[str]) -> None:
    """Raise FleetError when services have no file of their own that edits could be moved to."""
    for service in services:
        if not fleet.own_file(service):
            raise FleetError(
                f"services in {fleet.layout.pattern} have no file of their own to move the edits of {values_path(service)} to\n"
                f"Set `serviceFile: {EXAMPLE}` in {FLEET_FILE}, or move them to a group there."
            )
