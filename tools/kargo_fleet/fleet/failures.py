"""The error that a finding becomes for a command that cannot work with it."""

from __future__ import annotations

from kargo_fleet.errors import FleetError
from kargo_fleet.findings import Finding


def failure(finding: Finding) -> FleetError:
    """Return the error that ends a command because of a finding, with its fix."""
    return FleetError(f"{finding.place}: {finding.message}\n{finding.fix}")


def unusable(finding: Finding) -> FleetError:
    """Return the error that ends a command because fleet.yaml is unusable. `check` shows all findings about it."""
    return FleetError(f"{finding.place}: {finding.message}\nRun `kargo-fleet check`.")
