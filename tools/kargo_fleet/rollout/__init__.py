"""Bringing units into a cluster with Helm, and taking them out of it."""
