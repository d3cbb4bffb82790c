"""`make try`: the product on a control plane of its own. Every command is printed before it runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from . import binaries
from .control_plane import ControlPlane, control_plane, tool

ABOUT: Final = """\
kargo-fleet on a control plane of its own: etcd and a Kubernetes API server on the loopback interface, with a stand-in for Kargo.
Needs no cluster, touches none, and neither services/ nor values/. Takes a minute; stops everything at the end, also after Ctrl-C.
"""
BUILD: Final = "Building first, once: {}. On two processors this takes {}.\n"
#: Those that take minutes to build.
LARGE: Final = {"helm", "kube-apiserver", "kube-controller-manager", "kubectl"}
FLEET: Final = {
    "fleet.yaml": "image: {registry: registry.example.com}\ngit: {repoURL: https://git.example.com/platform.git}\n",
    "services/api/kargo.yaml": "stages:\n  prod: {requiredSoakTime: 1h}\n",
    **{
        f"services/{service}/values-{stage}.yaml": "image:\n  tag: 1.0.0\n"
        for service in ("web", "api")
        for stage in ("dev", "staging", "prod")
    },
}
LAST: Final = """
Nothing was promoted, and nothing can be here: the stand-in checks objects as Kargo's webhooks do, but it reads no registry and
makes no commits. For promotions install Kargo, then this repository's own services: see README.md.
To try more: `make cluster-up` starts the same control plane and leaves it running, `make cluster-down` stops it.
"""


def announce() -> int:
    """Print what will happen, and what has to be built before."""
    names = [name for name in binaries.CONTROL_PLANE if not binaries.path(name).exists()]
    if not (binaries.ROOT / ".tools" / "bin" / "helm").exists():
        names.append("helm")
    time = "about 10 minutes, and may be interrupted" if LARGE & set(names) else "less than a minute"
    print(ABOUT + (BUILD.format(", ".join(names), time) if names else ""), end="", flush=True)
    return 0


def run() -> int:
    """Start the control plane, show what the product does on it, and stop it."""
    try:
        with control_plane("try") as cluster, tempfile.TemporaryDirectory(prefix="kargo-fleet-try.") as folder:
            _show(Trial(cluster, Path(folder)))
    except KeyboardInterrupt:  # its logs, which a failure leaves, are for nobody then
        shutil.rmtree(binaries.HOME / f"try.{os.getpid()}", ignore_errors=True)
        raise
    print(LAST, end="", flush=True)
    return 0


def _show(trial: Trial) -> None:
    for path, text in FLEET.items():
        trial.write(path, text)
    trial.installs()
    trial.refuses()
    trial.changes()


class UnexpectedError(RuntimeError):
    """A command of the trial ended in another way than it should."""


class Trial:
    """A fleet of two services in a folder, and the commands that people run there."""

    def __init__(self, cluster: ControlPlane, folder: Path) -> None:
        self.folder = folder
        path = [binaries.ROOT / ".venv" / "bin", tool("helm").parent, binaries.binary("kubectl").parent]
        hidden = ("KARGO_FLEET_RUN_BY", "GITHUB_ACTIONS", "MAKEFLAGS", "MAKELEVEL")
        self.environment = {name: value for name, value in os.environ.items() if name not in hidden}
        self.environment["KUBECONFIG"] = str(cluster.kubeconfig)
        self.environment["PATH"] = os.pathsep.join([*map(str, path), os.environ["PATH"]])

    def installs(self) -> None:
        say("1. Two services become two isolated units")
        self.run("ls services/*")
        self.run("kargo-fleet chart vendor --quiet")
        self.run("kargo-fleet generate")
        self.run("kargo-fleet deploy --yes")
        self.run("kubectl get projects.kargo.akuity.io")
        self.run("kubectl get stages -n kargo-api")

    def refuses(self) -> None:
        say(
            "2. A change that is refused: a constraint that no version can match, and a stage after one that does not exist"
        )
        broken = "image: {constraint: one}\nstages:\n  prod: {upstream: [stagin]}\n"
        self.write("services/web/kargo.yaml", broken, show=True)
        self.run("kargo-fleet check", status=1)
        print(
            "\nWithout the tool, the API server says this of the constraint. Kargo accepts the other and never promotes to prod."
        )
        patch = '[{"op": "replace", "path": "/spec/subscriptions/0/image/constraint", "value": "one"}]'
        self.run(f"kubectl patch warehouse web -n kargo-web --type json -p '{patch}'", status=1)

    def changes(self) -> None:
        say("3. A change that is generated, and one unit that is upgraded")
        self.write("services/web/kargo.yaml", "image: {constraint: ^2.0.0}\n", show=True)
        self.run("kargo-fleet generate --diff")
        self.run("kargo-fleet deploy --yes")
        self.run(
            "kubectl get warehouse web -n kargo-web -o jsonpath='{.spec.subscriptions[0].image.constraint}{\"\\n\"}'"
        )

    def write(self, path: str, text: str, *, show: bool = False) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if show:
            self.run(f"cat {path}")

    def run(self, command: str, *, status: int = 0) -> None:
        """Print and run a command as a shell does. Raises UnexpectedError when it ends with another status."""
        print(f"$ {command}", flush=True)
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode != status:
            raise UnexpectedError(f"`{command}` ended with status {done.returncode}, not {status}")


def say(text: str) -> None:
    print(f"\n== {text}", flush=True)
