"""Argo CD on the test cluster: its ApplicationSet controller, its repo-server and its application controller.

No API server and no UI: everything here goes through the custom resources. Argo CD's controllers run outside of the cluster,
as in its own development setup (its Procfile).
"""

from __future__ import annotations

import base64
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import yaml

from contract import upstream

from . import binaries
from .control_plane import Client, Object, tool
from .processes import Group, free_port

NAMESPACE: Final = "argocd"
#: docs/argocd.md, "Large fleets".
_LARGE: Final = {"ARGOCD_K8S_CLIENT_QPS": "500", "ARGOCD_K8S_CLIENT_BURST": "1000"}
CONTROLLERS: Final = ("argocd-repo-server", "argocd-applicationset-controller", "argocd-application-controller")


class ArgoCD:
    def __init__(self, cluster: Client, folder: Path, *, tied: bool = True, large: bool = False) -> None:
        """`large` is for a thousand Applications: more at once, and none looked at without a reason."""
        self.cluster = cluster
        self.folder = folder
        self.large = large
        self.processes = Group(folder, tied=tied)

    def start(self) -> None:
        binaries.build(*binaries.ARGO)
        try:
            self._install()
            self._start()
        except BaseException:
            self.processes.stop()
            raise

    def stop(self) -> None:
        self.processes.stop()

    def _install(self) -> None:
        """What Argo CD's manifests put there, of which these controllers take notice."""
        crds = upstream.module(upstream.ARGO_CD) / "manifests" / "crds"
        self.cluster.install_crds(
            *(crds / f"{kind}-crd.yaml" for kind in ("application", "applicationset", "appproject"))
        )
        metadata = {"namespace": NAMESPACE, "labels": {"app.kubernetes.io/part-of": "argocd"}}
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        self.cluster.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata | {"name": "argocd-cm"}},
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": metadata | {"name": "argocd-secret"},
                "data": {"server.secretkey": key},
            },
        )

    def _start(self) -> None:
        temporary, data = self.folder / "tmp", self.folder / "data"
        for path in (temporary, data / "tls", data / "ssh", data / "gpg", self.folder / "home"):
            path.mkdir(parents=True, exist_ok=True)
        # repo-server wants this script of its image, signatures or not.
        wrapper = self.folder / "bin" / "git-verify-wrapper.sh"
        wrapper.parent.mkdir(exist_ok=True)
        wrapper.write_bytes((upstream.module(upstream.ARGO_CD) / "hack" / wrapper.name).read_bytes())
        wrapper.chmod(0o755)
        redis, repo_server = (f"127.0.0.1:{free_port()}" for _ in range(2))
        environment = {
            "KUBECONFIG": str(self.cluster.kubeconfig),
            "ARGOCD_FAKE_IN_CLUSTER": "true",  # https://kubernetes.default.svc is the cluster of KUBECONFIG
            "ARGOCD_TLS_DATA_PATH": str(data / "tls"),
            "ARGOCD_SSH_DATA_PATH": str(data / "ssh"),
            "ARGOCD_GNUPGHOME": str(data / "gpg"),
            "ARGOCD_GPG_ENABLED": "false",
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(temporary),
            "PATH": f"{wrapper.parent}:{tool('helm').parent}:{os.environ['PATH']}",
            **(_LARGE if self.large else {}),
        }
        resync, processors = (3600, 20) if self.large else (10, 4)
        argocd = binaries.binary("argocd")

        def start(name: str, *arguments: str) -> None:
            self.processes.start(name, [argocd, *arguments], environment | {"ARGOCD_BINARY_NAME": name})

        self.processes.start("redis", [binaries.binary("redis"), redis])
        self.processes.wait("redis", lambda: _listens(redis))
        start(
            "argocd-repo-server",
            "--disable-tls",
            "--client-ca-path=",  # its default and --disable-tls exclude each other
            "--address=127.0.0.1",
            f"--port={repo_server.rpartition(':')[2]}",
            "--metrics-address=127.0.0.1",
            f"--metrics-port={free_port()}",
            f"--redis={redis}",
            # A push is seen at once.
            "--revision-cache-expiration=1s",
        )
        self.processes.wait("argocd-repo-server", lambda: _listens(repo_server))
        start(
            "argocd-applicationset-controller",
            f"--namespace={NAMESPACE}",
            f"--argocd-repo-server={repo_server}",
            "--repo-server-plaintext",
            f"--metrics-addr=127.0.0.1:{free_port()}",
            f"--probe-addr=127.0.0.1:{free_port()}",
            f"--webhook-addr=127.0.0.1:{free_port()}",
        )
        start(
            "argocd-application-controller",
            f"--namespace={NAMESPACE}",
            f"--repo-server={repo_server}",
            "--repo-server-plaintext",
            f"--redis={redis}",
            f"--metrics-port={free_port()}",
            f"--app-resync={resync}",
            "--app-resync-jitter=0",
            "--repo-error-grace-period-seconds=0",
            "--self-heal-timeout-seconds=1",
            "--persist-resource-health",  # what `argocd app get` would show
            f"--status-processors={processors}",
            f"--operation-processors={processors}",
        )

    # -- What people do ----------------------------------------------------------------------------------------------

    def configure(self, folder: Path) -> None:
        """The two commands of docs/argocd.md, "Install"."""
        patch = folder / "argocd" / "patches" / "argocd-cm.yaml"
        self.cluster.kubectl("-n", NAMESPACE, "patch", "configmap", "argocd-cm", "--type=merge", "--patch-file", patch)
        self.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", folder / "argocd")

    def look(self) -> None:
        """Let every ApplicationSet look for services now."""
        self.cluster.kubectl(
            "-n",
            NAMESPACE,
            "annotate",
            "applicationset",
            "--all",
            "--overwrite",
            "argocd.argoproj.io/application-set-refresh=true",
        )

    def looking(self) -> bool:
        """Has a set not looked yet that was told to?"""
        sets = self.cluster.get("applicationsets.argoproj.io", "-n", NAMESPACE)["items"]
        return any("argocd.argoproj.io/application-set-refresh" in s["metadata"].get("annotations", {}) for s in sets)

    def refresh(self, *names: str, hard: bool = False) -> None:
        """Let Applications look at the repository now, and wait until they have."""
        annotation = "argocd.argoproj.io/refresh"
        value = f"{annotation}={'hard' if hard else 'normal'}"
        self.cluster.kubectl("-n", NAMESPACE, "annotate", "applications.argoproj.io", *names, "--overwrite", value)
        self.wait_for(
            lambda: all(annotation not in self.application(name)["metadata"].get("annotations", {}) for name in names),
            f"{', '.join(names)} to be refreshed",
        )

    # -- What there is -----------------------------------------------------------------------------------------------

    def applications(self) -> dict[str, Object]:
        found = self.cluster.get("applications.argoproj.io", "-n", NAMESPACE)["items"]
        return {item["metadata"]["name"]: item for item in found}

    def application(self, name: str) -> Object:
        return self.cluster.get("applications.argoproj.io", name, "-n", NAMESPACE)

    def sync(self, name: str) -> str:
        """`Synced`, `OutOfSync` or `Unknown`."""
        status: str = self.application(name).get("status", {}).get("sync", {}).get("status", "")
        return status

    def wait_until_synced(self, names: Iterable[str], seconds: float = 120) -> None:
        """Until these Applications have synced what they compare with now."""
        waiting = set(names)

        def synced() -> bool:
            found = self.applications()
            waiting.difference_update([name for name in waiting if name in found and is_synced(found[name])])
            return not waiting

        self.wait_for(synced, f"{sorted(waiting)} to be synced", seconds)

    def messages(self, name: str) -> str:
        """All that an Application says of what is wrong with it."""
        status = self.application(name).get("status", {})
        conditions = [condition["message"] for condition in status.get("conditions", [])]
        operation = status.get("operationState", {})
        results = [result.get("message", "") for result in operation.get("syncResult", {}).get("resources", [])]
        return "\n".join([*conditions, operation.get("message", ""), *results])

    def set_conditions(self, name: str) -> dict[str, tuple[str, str]]:
        conditions = self.cluster.get("applicationset", name, "-n", NAMESPACE).get("status", {}).get("conditions", [])
        return {condition["type"]: (condition["status"], condition.get("message", "")) for condition in conditions}

    def wait_for(self, done: Callable[[], object], what: str, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {seconds:.0f} s for {what}\n{self.describe()}")
            time.sleep(0.3)

    def describe(self) -> str:
        """Where everything is, for a test that failed."""
        lines = []
        for name, application in self.applications().items():
            status = application.get("status", {})
            sync, health = (status.get(key, {}).get("status", "?") for key in ("sync", "health"))
            lines.append(f"{name}: {sync}, {health}: {self.messages(name)[:600]}")
        logs = {name: self.processes.tail(name, 5) for name in CONTROLLERS if self.processes.log(name).exists()}
        return "\n".join([*lines, *(f"--- {name}\n{text}" for name, text in logs.items())])

    def health(self, obj: Object, settings: Path) -> tuple[str, str]:
        """An object's health, by Argo CD's own command."""
        file = self.folder / "health.yaml"
        file.write_text(yaml.safe_dump(obj))
        done = self.cluster.run(
            binaries.binary("argocd"), "admin", "settings", "resource-overrides", "health", file, "--argocd-cm-path", settings,
            env={"ARGOCD_BINARY_NAME": "argocd", "HOME": str(self.folder)},
        )  # fmt: skip
        found = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
        return found.get("STATUS", done.stdout + done.stderr), found.get("MESSAGE", "")


def is_synced(application: Object) -> bool:
    status = application.get("status", {})
    operation = status.get("operationState", {})
    return (
        status.get("sync", {}).get("status") == "Synced"
        and "operation" not in application
        and operation.get("phase", "Succeeded") == "Succeeded"
    )


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=1):
            return True
    except OSError:
        return False
