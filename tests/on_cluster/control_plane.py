"""The control plane: etcd, kube-apiserver, kube-controller-manager, Kargo's CRDs and its stand-in.

There are no nodes and no scheduler, because nothing in the chart is a Pod. Of kube-controller-manager's controllers run those
without which deleting and RBAC are not what they are in a cluster:

- namespace: empties and removes a namespace that is deleted;
- garbage-collector: what is owned by an object goes with it (an ApplicationSet's Applications);
- clusterrole-aggregation: without it the ClusterRoles admin, edit and view are empty, and a test of what they do not give
  would prove nothing;
- serviceaccount, root-ca-certificate-publisher: what every namespace holds from its first second;
- resourcequota: counts what the chart's quota limits.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from contract import upstream

from . import binaries, processes

CONTROLLERS: Final = (
    "namespace-controller",
    "garbage-collector-controller",
    "clusterrole-aggregation-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
    "resourcequota-controller",
)

Object = dict[str, Any]


class CommandError(RuntimeError):
    """A command failed that was expected to succeed."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        super().__init__(f"{' '.join(map(str, done.args))}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        self.status, self.stdout, self.stderr = done.returncode, done.stdout, done.stderr


class Client:
    """A cluster, by its kubeconfig, and the commands that people use on it."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    @property
    def target(self) -> tuple[str, str]:
        """The current context and its API server, as commands print them."""
        view = json.loads(self.kubectl("config", "view", "--minify", "-o", "json").stdout)
        return view["current-context"], view["clusters"][0]["cluster"]["server"]

    def run(
        self,
        *argv: str | Path,
        stdin: str = "",
        check: bool = True,
        env: dict[str, str] | None = None,
        cwd: Path = binaries.ROOT,
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(argument) for argument in argv],
            input=stdin,
            text=True,
            capture_output=True,
            check=False,
            cwd=cwd,
            env=os.environ | {"KUBECONFIG": str(self.kubeconfig)} | (env or {}),
        )
        if check and done.returncode:
            raise CommandError(done)
        return done

    def kubectl(self, *arguments: str | Path, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run(binaries.binary("kubectl"), *arguments, stdin=stdin, check=check)

    def helm(self, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run(tool("helm"), *arguments, check=check)

    def get(self, *arguments: str) -> Object:
        """What `kubectl get … -o json` prints."""
        found: Object = json.loads(self.kubectl("get", *arguments, "-o", "json").stdout)
        return found

    def find(self, *arguments: str) -> Object | None:
        """The same, or None if there is no such object."""
        out = self.kubectl("get", *arguments, "-o", "json", "--ignore-not-found").stdout
        return json.loads(out) if out.strip() else None

    def names(self, *arguments: str) -> list[str]:
        """The names of the objects that `kubectl get …` finds."""
        return sorted(item["metadata"]["name"] for item in self.get(*arguments)["items"])

    def apply(self, *objects: Object) -> None:
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(list_of(objects)))

    def install_crds(self, *files: Path) -> None:
        """Create CustomResourceDefinitions and wait until their kinds are there."""
        flags = [f"--filename={file}" for file in files]
        self.kubectl("apply", "--server-side", *flags)
        # A definition that is a moment old has no conditions yet, which `kubectl wait` takes for an error.
        deadline = time.monotonic() + 60
        while (
            done := self.kubectl("wait", "--for=condition=Established", "--timeout=30s", *flags, check=False)
        ).returncode:
            if time.monotonic() > deadline:
                raise CommandError(done)
            time.sleep(0.2)

    def create(self, *objects: Object, check: bool = True) -> subprocess.CompletedProcess[str]:
        # One object as people write it: of a List kubectl validates the items itself, and wants a Promotion to have steps.
        written = objects[0] if len(objects) == 1 else list_of(objects)
        return self.kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(written), check=check)


def list_of(objects: Sequence[Object]) -> Object:
    return {"apiVersion": "v1", "kind": "List", "items": list(objects)}


def tool(name: str) -> Path:
    """One of the tools that make builds, or else the one on PATH."""
    built = binaries.ROOT / ".tools" / "bin" / name
    found = str(built) if built.exists() else shutil.which(name)
    if found is None:
        raise processes.ProcessError(f"{name} is neither in .tools/bin nor on PATH (`make tools` builds it)")
    return Path(found)


class ControlPlane(Client):
    """A control plane in a folder, on free ports of the loopback interface."""

    def __init__(self, folder: Path, *, tied: bool) -> None:
        super().__init__(folder / "kubeconfig")
        self.folder = folder
        self.certificates = folder / "certificates"
        self.processes = processes.Group(folder, tied=tied)
        self.etcd = ""  # its address, once it runs

    def start(self) -> None:
        """Build, start, and wait until it answers; what was started is stopped if that fails."""
        binaries.build(*binaries.CONTROL_PLANE)
        try:
            self._start()
        except BaseException:
            self.processes.stop()
            raise

    def stop(self) -> None:
        self.processes.stop()

    def _start(self) -> None:
        start, wait = self.processes.start, self.processes.wait
        subprocess.run([binaries.binary("certs"), self.certificates], check=True)
        etcd, peer = (f"http://127.0.0.1:{processes.free_port()}" for _ in range(2))
        self.etcd = etcd
        start(
            "etcd",
            [
                binaries.binary("etcd"),
                f"--data-dir={self.folder / 'etcd'}",
                f"--listen-client-urls={etcd}",
                f"--advertise-client-urls={etcd}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
                "--unsafe-no-fsync",
                "--log-level=warn",
            ],
        )
        wait("etcd", lambda: _answers(f"{etcd}/health"))

        token = secrets.token_urlsafe(32)
        (self.folder / "tokens.csv").write_text(f'{token},admin,1,"system:masters"\n')
        url = f"https://127.0.0.1:{processes.free_port()}"
        self._write_kubeconfig(url, token)
        start("kube-apiserver", [binaries.binary("kube-apiserver"), *self._apiserver(url, etcd)])
        context = ssl.create_default_context(cafile=str(self.certificates / "ca.crt"))
        wait("kube-apiserver", lambda: _answers(f"{url}/readyz", token, context))

        start(
            "kube-controller-manager",
            [
                binaries.binary("kube-controller-manager"),
                f"--kubeconfig={self.kubeconfig}",
                f"--controllers={','.join(CONTROLLERS)}",
                f"--root-ca-file={self.certificates / 'ca.crt'}",
                f"--service-account-private-key-file={self.certificates / 'service-account.key'}",
                "--leader-elect=false",
                "--bind-address=127.0.0.1",
                f"--secure-port={processes.free_port()}",
                f"--cert-dir={self.folder / 'controller-manager'}",
                "--kube-api-qps=200",
                "--kube-api-burst=400",
            ],
        )
        self.install_crds(
            upstream.module(upstream.KARGO) / "charts/kargo/resources/crds",
            upstream.module(upstream.ARGO_ROLLOUTS) / "manifests/crds/analysis-template-crd.yaml",
        )
        self._start_standin()

    def restart_standin(self, *, race: int) -> None:
        """Let Kargo's stand-in overlook the namespace of every nth new Project, or (0) of none."""
        self.processes.stop("standin")
        self._start_standin(race)

    def _start_standin(self, race: int = 0) -> None:
        address = f"127.0.0.1:{processes.free_port()}"
        self.processes.start(
            "standin",
            [
                binaries.binary("standin"),
                f"--kubeconfig={self.kubeconfig}",
                f"--address={address}",
                f"--certificates={self.certificates}",
                f"--race={race}",
            ],
        )
        context = ssl.create_default_context(cafile=str(self.certificates / "ca.crt"))
        self.processes.wait("standin", lambda: _answers(f"https://{address}/validate-projects", context=context))

    def _apiserver(self, url: str, etcd: str) -> list[str]:
        certificates = self.certificates
        return [
            f"--etcd-servers={etcd}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={url.rpartition(':')[2]}",
            f"--tls-cert-file={certificates / 'server.crt'}",
            f"--tls-private-key-file={certificates / 'server.key'}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={certificates / 'service-account.key'}",
            f"--service-account-signing-key-file={certificates / 'service-account.key'}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--endpoint-reconciler-type=none",
            "--shutdown-send-retry-after=false",
            # Many clients at once, none of them in need of fairness.
            "--max-requests-inflight=2000",
            "--max-mutating-requests-inflight=1000",
        ]

    def _write_kubeconfig(self, url: str, token: str) -> None:
        name = "kargo-fleet-test"
        cluster = {"server": url, "certificate-authority": str(self.certificates / "ca.crt")}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": "admin"}}],
            "current-context": name,
        }
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(json.dumps(config, indent=2))  # JSON is YAML


@contextmanager
def control_plane(name: str) -> Iterator[ControlPlane]:
    """A control plane of this process's own, in `.tools/cluster/NAME.<pid>`; stopped and removed at the end.

    After a failure its folder stays, with the logs, until the next one is started.
    """
    clean_up()
    folder = binaries.HOME / f"{name}.{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    cluster = ControlPlane(folder, tied=True)
    with _stopped_by_signals():
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
    shutil.rmtree(folder, ignore_errors=True)


def clean_up() -> None:
    """Stop and remove what killed processes left: their clusters, tied to them or not."""
    for state in binaries.HOME.glob("*.*/processes.json"):
        if processes.abandoned(state.parent):
            processes.stop_all(state.parent)
            shutil.rmtree(state.parent, ignore_errors=True)


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end a Python process without its `finally`; here they do not."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt  # which pytest does not take for a test that failed

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _answers(url: str, token: str = "", context: ssl.SSLContext | None = None) -> bool:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), *([urllib.request.HTTPSHandler(context=context)] if context else [])
    )
    try:
        with opener.open(request, timeout=5) as response:
            return bool(response.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
        # A webhook that is asked without a question answers with 400 or more; it is there.
        return "/validate-" in url
    except OSError:
        return False
