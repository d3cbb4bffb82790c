"""`ct install` over the scenarios in ci/, as chart developers run it before a release."""

from __future__ import annotations

import re

import pytest

from .binaries import ROOT, binary
from .control_plane import Client, tool
from .units import CHART, Units

pytestmark = pytest.mark.cluster


def test_ct_installs_every_scenario(units: Units, cluster: Client) -> None:
    """Each scenario without its name: ct's releases have names of their own, and the unit of a scenario stays behind."""
    path = f"{binary('kubectl').parent}:{tool('helm').parent}:/usr/bin:/bin"
    done = cluster.run(
        tool("ct"), "install", "--config=ct.yaml", f"--charts={CHART.relative_to(ROOT)}", "--helm-extra-set-args=--set=service.name=",
        # Not a namespace of its own for each, which takes six seconds to go.
        "--namespace=default", "--release-label=app.kubernetes.io/instance",
        env={"PATH": path}, check=False,
    )  # fmt: skip
    for release in re.findall(r'^Deleting release "(.*)"', done.stdout, re.MULTILINE):
        units.expect(release, f"kargo-{release}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All charts installed successfully" in done.stdout
    assert len(units.releases) == len(list((CHART / "ci").glob("*-values.yaml")))
