"""The programs of a test cluster, built from modules in `tests/upstream` at the versions that their go.mod files pin."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from builds import one_at_a_time

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = ROOT / "tests" / "upstream" / "cluster"
REGISTRY: Final = ROOT / "tests" / "upstream" / "registry"
HOME: Final = ROOT / ".tools" / "cluster"

OLDEST_HELM: Final = ROOT / "tests" / "upstream" / "helm3"

KUBERNETES: Final = "k8s.io/kubernetes"
ARGO_CD: Final = "github.com/argoproj/argo-cd/v3"
HELM_3: Final = "helm.sh/helm/v3"


class BuildError(RuntimeError):
    """A program of the test cluster cannot be built."""


@dataclass(frozen=True)
class Program:
    """What is built: a package of the module in `folder` (`./etcd`) or of one that it requires."""

    name: str
    package: str
    module: str = ""
    folder: Path = SOURCE

    @property
    def sources(self) -> list[Path]:
        return sorted((self.folder / self.package).glob("*.go")) if self.package.startswith(".") else []


#: The order is that of the builds: the small ones, then Kubernetes, then Argo CD, which has much in common with it.
PROGRAMS: Final = {
    program.name: program
    for program in (
        Program("certs", "./certs"),
        Program("etcd", "./etcd"),
        Program("kube-apiserver", f"{KUBERNETES}/cmd/kube-apiserver", KUBERNETES),
        Program("kubectl", f"{KUBERNETES}/cmd/kubectl", KUBERNETES),
        Program("kube-controller-manager", f"{KUBERNETES}/cmd/kube-controller-manager", KUBERNETES),
        Program("standin", "./standin"),
        Program("redis", "./redis"),
        Program("registry", ".", folder=REGISTRY),
        # All of Argo CD is one program; how it is called says which part it is.
        Program("argocd", f"{ARGO_CD}/cmd", ARGO_CD),
        Program("helm3", f"{HELM_3}/cmd/helm", HELM_3, OLDEST_HELM),
    )
}
CONTROL_PLANE: Final = ("certs", "etcd", "kube-apiserver", "kubectl", "kube-controller-manager", "standin")
ARGO: Final = ("redis", "argocd")


def version(module: str, folder: Path = SOURCE) -> str:
    """The version of a module in go.mod."""
    found = re.search(rf"^\s*{re.escape(module)} (v\S+)", (folder / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise BuildError(f"{folder / 'go.mod'} does not require {module}")
    return found[1]


def binary(name: str) -> Path:
    """The path of a program, built if it is not there yet: once for each state of its sources."""
    target = path(name)
    if target.exists():
        return target
    with one_at_a_time(HOME / "bin"):
        if not target.exists():
            _build(PROGRAMS[name], target)
    return target


def path(name: str) -> Path:
    """The path of a program, whether it is there or not."""
    program = PROGRAMS[name]
    digest = hashlib.sha256("\0".join([program.package, *_flags(program)]).encode())
    for file in (program.folder / "go.mod", program.folder / "go.sum", *program.sources):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return HOME / "bin" / digest.hexdigest()[:16] / name


def build(*names: str) -> None:
    """Build what is missing of these programs, or of all."""
    for name in names or PROGRAMS:
        binary(name)


def _flags(program: Program) -> list[str]:
    return ["-mod=readonly", f"-ldflags={_linker(program)}"]


def _linker(program: Program) -> str:
    """Flags of the linker: no debug information, and, as in a release, the version (Helm asks the API server for it)."""
    flags = ["-s", "-w"]
    if program.module == KUBERNETES:
        major, minor, _ = version(KUBERNETES).removeprefix("v").split(".")
        values = {"gitVersion": version(KUBERNETES), "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
            flags += [f"-X={package}.{key}={value}" for key, value in values.items()]
    if program.module == ARGO_CD:
        flags.append(f"-X={ARGO_CD}/common.version={version(ARGO_CD).removeprefix('v')}")
    if program.module == HELM_3:
        flags.append(f"-X={HELM_3}/internal/version.version={version(HELM_3, OLDEST_HELM)}")
    return " ".join(flags)


def _build(program: Program, target: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise BuildError("go is not on PATH (`make test-cluster` brings its own)")
    folder = HOME / "bin"
    for leftover in folder.glob("building.*"):  # of a build that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    number = version(program.module, program.folder) if program.module else ""
    _say(f"{program.name} {number}".strip() + ": building")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder, prefix="building.") as scratch:
        built = Path(scratch) / program.name
        # Without -trimpath, as the other programs under tests/upstream that need Argo CD: what they share is compiled once.
        done = subprocess.run(
            [go, "build", *_flags(program), "-o", str(built), program.package],
            cwd=program.folder,
            env=os.environ | {"GOWORK": "off", "GOFLAGS": "-buildvcs=false", "GOTOOLCHAIN": "local"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BuildError(f"{program.name} does not build:\n{done.stdout.strip()}")
        target.parent.mkdir(parents=True, exist_ok=True)
        built.replace(target)
    for old in folder.glob(f"*/{program.name}"):
        if old != target:
            shutil.rmtree(old.parent, ignore_errors=True)
    _say(f"{program.name}: {time.monotonic() - started:.0f} s")


def _say(text: str) -> None:
    print(f".tools/cluster: {text}", file=sys.stderr, flush=True)
