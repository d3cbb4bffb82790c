"""kargo-fleet: one Kargo project per service, for hundreds and thousands of services, from one GitOps repository."""

__version__ = "0.1.0"
