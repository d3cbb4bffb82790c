"""`python -m kargo_fleet` is `kargo-fleet`."""

from kargo_fleet.cli.main import entry_point

entry_point()
