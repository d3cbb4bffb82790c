"""`make try`, whose control plane is its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import binaries

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("own_cluster")]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The command, running, with temporary folders in `tmp_path`."""
    command = [sys.executable, "-m", "on_cluster", "try"]
    environment = os.environ | {"PYTHONPATH": "tests", "TMPDIR": str(tmp_path)}
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=binaries.ROOT, env=environment, start_new_session=True, **output) as process:
        yield process
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def left(process: subprocess.Popen[str], folder: Path) -> list[str]:
    """What a trial has left behind: its data, its fleet, and processes with either in their arguments."""
    data = binaries.HOME / f"try.{process.pid}"
    listed = subprocess.run(["ps", "-A", "-o", "args="], capture_output=True, text=True, check=True).stdout
    running = [line for line in listed.splitlines() if f"{data}/" in line]
    return [*running, *(str(path) for path in (data, *folder.iterdir()) if path.exists())]


def test_all_of_it(started: subprocess.Popen[str], tmp_path: Path) -> None:
    said, _ = started.communicate(timeout=180)
    assert started.returncode == 0, said
    steps = [
        "$ kargo-fleet generate\n",
        "2 services: 2 deployed, 0 up to date, 0 failed",
        'services/web/kargo.yaml:1:21: error KF302: image.constraint: "one"',
        "error KF301: stages.prod.upstream[0]",
        "$ kubectl patch warehouse web -n kargo-web --type json",
        'spec.subscriptions[0].image.constraint: Invalid value: "one"',
        "+  constraint: ^2.0.0",
        "2 services: 1 deployed, 1 up to date, 0 failed",
        "Nothing was promoted",
    ]
    places = [said.find(step) for step in steps]
    assert places == sorted(places), said
    assert -1 not in places, said
    assert len(said.splitlines()) < 100, "two screens"
    assert left(started, tmp_path) == []


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_interrupted(started: subprocess.Popen[str], tmp_path: Path, sent: signal.Signals) -> None:
    assert started.stdout
    for line in started.stdout:
        if re.match(r"\$ kargo-fleet deploy", line):
            break
    time.sleep(0.5)
    os.killpg(started.pid, sent)  # as a terminal does: to everything in the foreground
    assert started.wait(timeout=60) == 130
    assert left(started, tmp_path) == []


def test_it_says_beforehand_what_is_built(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from . import trial

    trial.announce()
    assert "Building" not in capsys.readouterr().out
    monkeypatch.setattr(binaries, "HOME", Path(tempfile.gettempdir()) / "nothing-is-built-here")
    trial.announce()
    assert re.search(r"Building first, once: certs, etcd, kube-apiserver, .* about 10 minutes", capsys.readouterr().out)
