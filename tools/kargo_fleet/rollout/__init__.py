"""Deploying units to a cluster with Helm, and deleting them."""
