"""What stops a build or an audit."""

from __future__ import annotations


class ReleaseError(Exception):
    """A mistake that is told without a traceback."""
