"""The chart and `deploy` with the oldest Helm that they are for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import samples
from conftest import COMMAND, FLEET, add_chart, service

from .binaries import HELM_3, OLDEST_HELM, binary, version
from .control_plane import Client, tool
from .units import CHART, NGINX, RACE, Units

pytestmark = pytest.mark.cluster

VALUES = [*samples.VALUES, *sorted((CHART / "ci").glob("*-values.yaml"))]
# Built from a Go module, Helm 3 takes itself for Kubernetes 1.20, which is older than the chart's minimum.
KUBERNETES = "--kube-version=1.33.0"


@pytest.fixture(scope="module")
def helm3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `helm` is Helm 3."""
    folder = tmp_path_factory.mktemp("helm3")
    (folder / "helm").symlink_to(binary("helm3"))
    return folder


def objects(cluster: Client, helm: Path, values: Path) -> list[dict[str, Any]]:
    """What a helm renders, sorted: the two print objects of one kind in different orders."""
    printed = cluster.run(helm, "template", "unit", CHART, f"--values={values}", KUBERNETES).stdout
    found = [document for document in yaml.safe_load_all(printed) if document]
    return sorted(found, key=lambda document: (document["kind"], document["metadata"]["name"]))


@pytest.mark.parametrize("values", VALUES, ids=lambda file: file.stem)
def test_both_render_the_same(helm3: Path, values: Path, tmp_path: Path) -> None:
    nowhere = Client(tmp_path / "kubeconfig")
    rendered = objects(nowhere, helm3 / "helm", values)
    assert len(rendered) > 4
    assert rendered == objects(nowhere, tool("helm"), values)


def test_the_oldest_helm_is_the_one_that_the_tool_names() -> None:
    from kargo_fleet.clients.helm import OLDEST, Version

    assert Version.parse(version(HELM_3, OLDEST_HELM)) == OLDEST


def test_a_unit_is_installed_upgraded_and_uninstalled(helm3: Path, cluster: Client, units: Units) -> None:
    units.expect("nginx", "kargo-nginx")
    command = (helm3 / "helm", "upgrade", "--install", "nginx", CHART, f"--values={NGINX}")
    first = cluster.run(*command, check=False)
    if RACE.search(first.stderr):
        first = cluster.run(*command, check=False)
    assert first.returncode == 0, first.stderr
    cluster.run(*command, "--set=warehouse.interval=15m")
    assert cluster.get("warehouses.kargo.akuity.io", "nginx", "-n", "kargo-nginx")["spec"]["interval"] == "15m0s"
    kept = cluster.run(helm3 / "helm", "uninstall", "nginx")
    assert "[Project] kargo-nginx" in kept.stdout + kept.stderr


@pytest.fixture
def fleet(cluster: Client, tmp_path: Path) -> Iterator[Path]:
    for path, text in {"fleet.yaml": FLEET, **service("old-helm")}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(str(text))
    add_chart(tmp_path)
    yield tmp_path
    units = Units(cluster)
    units.expect("old-helm", "kargo-old-helm")
    units.remove()


def test_deploy_with_helm_3_that_is_told_to_wait(helm3: Path, cluster: Client, fleet: Path, tmp_path: Path) -> None:
    """A `helm` that puts options before the tool's own, as wrappers in companies do."""
    wrapper = tmp_path / "bin" / "helm"
    wrapper.parent.mkdir()
    wrapper.write_text(
        f'#!/bin/sh\n[ "$1" = upgrade ] && {{ shift; set -- upgrade --wait --atomic "$@"; }}\nexec {helm3}/helm "$@"\n'
    )
    wrapper.chmod(0o755)
    path = f"{wrapper.parent}{os.pathsep}{binary('kubectl').parent}{os.pathsep}{os.environ['PATH']}"
    command = (*COMMAND, "-C", fleet)
    assert cluster.run(*command, "generate").returncode == 0
    done = cluster.run(*command, "deploy", "old-helm", env={"PATH": path, "HELM_KUBECONTEXT": "elsewhere"})
    assert "1 service: 1 deployed, 0 up to date, 0 failed" in done.stderr
    again = cluster.run(*command, "deploy", "old-helm", env={"PATH": path})
    assert "0 deployed, 1 up to date" in again.stderr
