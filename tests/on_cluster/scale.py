"""A large fleet on the test cluster, and how long it takes: `make measure-cluster [SERVICES=1000]`.

First through the ApplicationSet: created, synced, split, with every Application the same object before and after. Then, on
a new control plane, through `kargo-fleet deploy`. Nothing is asserted of times; they are printed as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .argocd import NAMESPACE, ArgoCD
from .binaries import binary
from .control_plane import Client, control_plane, tool
from .repository import GitServer, Platform

_UNTIL = 3600  # seconds
_COLUMNS = (
    "NAME:.metadata.name,UID:.metadata.uid,OWNER:.metadata.ownerReferences[0].name,SYNC:.status.sync.status,"
    "PHASE:.status.operationState.phase"
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--only", choices=["argocd", "deploy"])
    arguments = parser.parse_args()
    figures: dict[str, Any] = {"services": arguments.services, "processors": os.cpu_count()}
    with tempfile.TemporaryDirectory() as folder:
        if arguments.only != "deploy":
            figures["argocd"] = through_argocd(Path(folder), arguments.services)
        if arguments.only != "argocd":
            figures["deploy"] = through_deploy(Path(folder), arguments.services)
    print(json.dumps(figures, indent=2))
    return 0


def through_argocd(folder: Path, count: int) -> dict[str, Any]:
    """Install a fleet by its ApplicationSet, then split the set; return seconds by what was waited for."""
    server = GitServer(folder / "git" / "served")
    platform = Platform(folder / "git", server, fleet=count)
    figures: dict[str, Any] = {}
    with control_plane("scale") as cluster:
        argocd = ArgoCD(cluster, cluster.folder / "argocd", large=True)
        argocd.start()
        try:
            with _taken(figures, "until every Application exists"):
                argocd.configure(platform.tree)
                _wait(lambda: len(_applications(cluster)) == count)
            with _taken(figures, "until every Application is synced, after that"):
                _wait(lambda: all(row[3:] == ["Synced", "Succeeded"] for row in _applications(cluster)))
            with _taken(figures, "the set looks again, nothing to do"):
                argocd.look()
                _wait(lambda: not argocd.looking())
            before = {name: uid for name, uid, *_ in _applications(cluster)}
            settings = (platform.tree / "fleet.yaml").read_text() + "argocd: {units: {minSets: 4}}\n"
            platform.write("fleet.yaml", settings)
            with _taken(figures, "split into four sets, until all have their Applications"):
                platform.handover(cluster.kubeconfig)
                _wait(lambda: all(row[2].startswith("kargo-units-") for row in _applications(cluster)))
            figures["Applications that are the same objects after the split"] = sum(
                before[name] == uid for name, uid, *_ in _applications(cluster)
            )
            figures["objects"] = _objects(cluster)
        finally:
            argocd.stop()
            server.close()
    return figures


def through_deploy(folder: Path, count: int) -> dict[str, Any]:
    """Install a fleet by `kargo-fleet deploy`, and again; return seconds."""
    server = GitServer(folder / "deploy" / "served")
    platform = Platform(folder / "deploy", server, fleet=count)
    server.close()
    figures: dict[str, Any] = {}
    with control_plane("scale") as cluster:
        environment = os.environ | {
            "KUBECONFIG": str(cluster.kubeconfig),
            "PATH": f"{binary('kubectl').parent}:{tool('helm').parent}:{os.environ['PATH']}",
        }
        for what in ("deploy", "deploy again, nothing to do"):
            with _taken(figures, what):
                command = [sys.executable, "-m", "kargo_fleet", "-C", str(platform.tree), "deploy", "--yes"]
                done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            figures[f"{what}: said"] = done.stderr.strip().splitlines()[-1]
        figures["objects"] = _objects(cluster)
    return figures


def _applications(cluster: Client) -> list[list[str]]:
    out = cluster.kubectl(
        "get", "applications.argoproj.io", "-n", NAMESPACE, "-o", f"custom-columns={_COLUMNS}", "--no-headers"
    ).stdout
    return [line.split() for line in out.splitlines()]


def _objects(cluster: Client) -> int:
    kinds = "namespaces,projects.kargo.akuity.io,projectconfigs.kargo.akuity.io,warehouses.kargo.akuity.io"
    kinds += ",stages.kargo.akuity.io,roles,rolebindings,serviceaccounts,resourcequotas"
    selector = "app.kubernetes.io/part-of=kargo-fleet"
    return len(cluster.kubectl("get", kinds, "-A", "-l", selector, "-o", "name").stdout.splitlines())


@contextmanager
def _taken(figures: dict[str, Any], what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    figures[what] = round(time.monotonic() - started, 1)
    print(f"{what}: {figures[what]} s", file=sys.stderr, flush=True)


def _wait(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + _UNTIL
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not done after {_UNTIL} s")
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
