"""`python -m on_cluster up|down|build|status`: a control plane that stays until it is stopped. `measure`, `try`: one that does not."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from . import binaries, processes, trial
from .control_plane import ControlPlane, clean_up

FOLDER = binaries.HOME / "up"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m on_cluster", description=__doc__)
    parser.add_argument("command", choices=list(COMMANDS))
    command = parser.parse_args(argv).command
    try:
        return COMMANDS[command]()
    except (binaries.BuildError, processes.ProcessError, trial.UnexpectedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def up() -> int:
    clean_up()
    running = processes.alive(FOLDER)
    if running and set(running) >= {"etcd", "kube-apiserver", "kube-controller-manager", "standin"}:
        _say("already running")
        _export(FOLDER / "kubeconfig")
        return 0
    processes.stop_all(FOLDER)
    shutil.rmtree(FOLDER, ignore_errors=True)
    cluster = ControlPlane(FOLDER, tied=False)
    cluster.start()
    cluster.processes.release()
    _say("etcd, kube-apiserver, kube-controller-manager and the stand-in for Kargo run; `make cluster-down` stops them")
    _export(cluster.kubeconfig)
    return 0


def down() -> int:
    clean_up()
    stopped = processes.stop_all(FOLDER)
    shutil.rmtree(FOLDER, ignore_errors=True)
    _say(f"stopped {', '.join(stopped)}" if stopped else "nothing is running")
    return 0


def status() -> int:
    running = processes.alive(FOLDER)
    _say(f"running: {', '.join(running)}" if running else "nothing is running")
    return 0 if running else 1


def build() -> int:
    binaries.build()
    return 0


def measure() -> int:
    from .measure import STORED, measured

    STORED.write_text(measured())
    _say(f"wrote {STORED.relative_to(binaries.ROOT)}")
    return 0


COMMANDS = {
    "up": up,
    "down": down,
    "build": build,
    "status": status,
    "measure": measure,
    "announce": trial.announce,
    "try": trial.run,
}


def _export(kubeconfig: Path) -> None:
    print(f"export KUBECONFIG='{kubeconfig}'")
    print(f"export PATH='{binaries.binary('kubectl').parent}':\"$PATH\"")


def _say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
