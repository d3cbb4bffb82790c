"""The cluster that the tests of this folder run on, and units on it.

Starting it takes seconds, building it takes minutes: these tests run only when they are asked for, with `-m cluster` or by
their path.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .control_plane import Client, ControlPlane, control_plane
from .registry import Registry
from .units import Units

# The target, as `make test-cluster KUBECONFIG=… REGISTRY=… GIT_REPO_URL=…` hands it on: see docs/testing.md.
KUBECONFIG = "KARGO_FLEET_TEST_KUBECONFIG"
REGISTRY = "KARGO_FLEET_TEST_REGISTRY"
GIT_REPO_URL = "KARGO_FLEET_TEST_GIT_REPO_URL"
HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if collection_path.name == "conftest.py":
        return None
    by_path = any(Path(arg.partition("::")[0]).resolve().is_relative_to(HERE) for arg in config.args)
    by_marker = "cluster" in str(config.option.markexpr).replace("not cluster", "")
    return None if by_path or by_marker else True


@pytest.fixture(scope="session")
def cluster() -> Iterator[Client]:
    """The cluster that KARGO_FLEET_TEST_KUBECONFIG names, or one that is started here and stopped at the end."""
    given = os.environ.get(KUBECONFIG)
    if given:
        yield Client(Path(given).resolve())
        return
    with control_plane("test") as started:
        yield started


@pytest.fixture(scope="session")
def own_cluster(cluster: Client) -> ControlPlane:
    """The cluster, if it is one of ours: with the stand-in for Kargo, which can be told to misbehave."""
    if not isinstance(cluster, ControlPlane):
        pytest.skip("needs the stand-in for Kargo, which can be told to misbehave: KUBECONFIG names another cluster")
    return cluster


@pytest.fixture(scope="session")
def real_kargo(cluster: Client) -> Client:
    """The cluster, if it is one with Kargo itself: one that promotes."""
    if isinstance(cluster, ControlPlane):
        pytest.skip("needs Kargo itself, the stand-in promotes nothing: make test-cluster KUBECONFIG=…")
    return cluster


@pytest.fixture(scope="session")
def registry() -> Registry:
    """A registry that this process and Kargo can use."""
    return Registry(_given(REGISTRY, "a registry that takes images without a password: REGISTRY=localhost:5000"))


@pytest.fixture(scope="session")
def git_repo_url() -> str:
    """The URL of a Git repository that this process and Kargo can push to."""
    return _given(GIT_REPO_URL, "a Git repository that takes commits without a password: GIT_REPO_URL=…")


def _given(variable: str, what: str) -> str:
    return os.environ.get(variable) or pytest.skip(f"needs {what}")


@pytest.fixture
def units(cluster: Client) -> Iterator[Units]:
    """Units of one test: taken away after it, with their releases, Projects and namespaces."""
    units = Units(cluster)
    yield units
    units.remove()


@pytest.fixture(scope="module")
def lasting_units(cluster: Client) -> Iterator[Units]:
    """Units of one module's tests."""
    units = Units(cluster)
    yield units
    units.remove()
