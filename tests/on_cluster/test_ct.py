"""`ct install` over the scenarios in ci/, as chart developers run it before a release."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from .binaries import ROOT, binary
from .control_plane import Client, tool
from .units import CHART, Done, Units

pytestmark = pytest.mark.cluster

SCENARIOS = sorted((CHART / "ci").glob("*-values.yaml"))
SETTINGS = yaml.safe_load((ROOT / "ct.yaml").read_text())


def install(cluster: Client, units: Units, chart: Path) -> Done:
    """Install a chart's scenarios without their names: ct's releases have names of their own, and each unit stays behind."""
    path = f"{binary('kubectl').parent}:{tool('helm').parent}:/usr/bin:/bin"
    done = cluster.run(
        tool("ct"), "install", "--config=ct.yaml", f"--charts={chart}",
        f"--helm-extra-set-args=--set=service.name= {SETTINGS['helm-extra-set-args']}",
        # Not a namespace of its own for each, which takes six seconds to go.
        "--namespace=default", "--release-label=app.kubernetes.io/instance",
        env={"PATH": path}, check=False,
    )  # fmt: skip
    for release in re.findall(r'^Deleting release "(.*)"', done.stdout, re.MULTILINE):
        units.expect(release, f"kargo-{release}")
    return done


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda file: file.stem.removesuffix("-values"))
def test_ct_installs_every_scenario(units: Units, cluster: Client, scenario: Path, tmp_path: Path) -> None:
    """One at a time, so that Kargo's race with new namespaces, of which ct shows nothing, costs another try and not everything."""
    chart = tmp_path / "kargo-service"
    shutil.copytree(CHART, chart, ignore=shutil.ignore_patterns("ci", "tests"))
    (chart / "ci").mkdir()
    shutil.copy(scenario, chart / "ci")
    for _ in range(3):
        done = install(cluster, units, chart)
        if "failed waiting for process" not in done.stdout:
            break
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All charts installed successfully" in done.stdout
    assert units.releases
