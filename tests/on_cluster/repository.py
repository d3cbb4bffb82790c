"""A platform's Git repository: a working copy that tests change as people do, and a server that Argo CD reads it from."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import yaml

import samples
from bench.fleet import write

from .binaries import ROOT, binary
from .units import CHART

#: Git as on any machine: without the settings of whoever runs the tests.
GIT: Final = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "someone",
    "GIT_AUTHOR_EMAIL": "someone@example.com",
    "GIT_COMMITTER_NAME": "someone",
    "GIT_COMMITTER_EMAIL": "someone@example.com",
}


class GitServer:
    """The bare repositories of a folder over HTTP, as `git http-backend` serves them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        answer = self.answer

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.backend()

            def do_POST(self) -> None:
                self.backend()

            def log_message(self, *_: object) -> None:
                pass

            def backend(self) -> None:
                url = urlsplit(self.path)
                body = self._body()
                answered = answer(self.command, url.path, body)
                if answered is not None:
                    self._send(*answered)
                    return
                done = subprocess.run(
                    ["git", "http-backend"],
                    input=body,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    check=False,
                    env=os.environ
                    | GIT
                    | {
                        "GIT_PROJECT_ROOT": str(folder),
                        "GIT_HTTP_EXPORT_ALL": "1",
                        "PATH_INFO": url.path,
                        "QUERY_STRING": url.query,
                        "REQUEST_METHOD": self.command,
                        "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                        "CONTENT_LENGTH": str(len(body)),
                        "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                        "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                        "REMOTE_ADDR": "127.0.0.1",
                    },
                )
                head, _, content = done.stdout.partition(b"\r\n\r\n")
                headers = [line.decode().split(": ", 1) for line in head.split(b"\r\n") if b": " in line]
                status = next((value for name, value in headers if name == "Status"), "200 OK")
                self.send_response(int(status.split()[0]))
                for name, value in headers:
                    if name != "Status":
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def _send(self, status: int, answered: object) -> None:
                content = json.dumps(answered).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def answer(self, _method: str, _path: str, _body: bytes) -> tuple[int, object] | None:
        """Answer a request otherwise than by Git, with a status and JSON. None leaves it to Git."""
        return None

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Platform:
    """The platform's repository, with this chart and some of the sample's services."""

    def __init__(self, folder: Path, server: GitServer, services: tuple[str, ...] = (), *, fleet: int = 0) -> None:
        """`fleet` services of a generated fleet stand beside the samples named in `services`."""
        bare = folder / "served" / "platform.git"
        self.tree = folder / "platform"
        self.url = f"{server.url}/platform.git"
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", bare], check=True, env=os.environ | GIT)
        subprocess.run(["git", "init", "-q", "-b", "main", self.tree], check=True, env=os.environ | GIT)
        self.git("remote", "add", "origin", str(bare))
        shutil.copytree(CHART, self.tree / "charts" / "kargo-service")
        for service in services:
            shutil.copytree(samples.FLEET / "services" / service, self.tree / "services" / service)
        if fleet:
            write(self.tree, fleet)
        settings = yaml.safe_load((self.tree / "fleet.yaml" if fleet else samples.FLEET / "fleet.yaml").read_text())
        settings["git"]["repoURL"] = self.url
        # Of this URL nobody can tell what serves it.
        settings["values"].setdefault("promotion", {})["pullRequest"] = {"provider": "github"}
        self.write("fleet.yaml", yaml.safe_dump(settings))
        self.generate()
        self.push("The platform")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.tree, env=os.environ | GIT, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fleet(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run kargo-fleet in this repository."""
        command = [ROOT / ".venv" / "bin" / "kargo-fleet", "-C", self.tree, *arguments]
        return subprocess.run([str(argument) for argument in command], text=True, capture_output=True, check=False)

    def generate(self, *arguments: str) -> str:
        done = self.fleet("generate", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def handover(self, kubeconfig: Path) -> None:
        """Generate and push what changed the sets, then run the commands that `generate` prints for it, as they are."""
        found = re.search(r"after the push: (kubectl .*)", self.generate())
        assert found, "generate named no handover"
        self.push("Other sets")
        path = f"{binary('kubectl').parent}:{os.environ['PATH']}"
        environment = os.environ | {"KUBECONFIG": str(kubeconfig), "PATH": path}
        done = subprocess.run(
            ["sh", "-ec", found[1]], cwd=self.tree, env=environment, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def push(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        self.git("push", "-q", "origin", "main")

    @contextmanager
    def passing(self) -> Iterator[None]:
        """What is changed meanwhile is changed back, by another commit; also after a failure."""
        before = self.git("rev-parse", "HEAD").strip()
        try:
            yield
        finally:
            self.git("add", "-A")
            self.git("read-tree", "-u", "--reset", before)
            self.push("Change it back")

    def write(self, path: str, text: str) -> None:
        file = self.tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def add_service(self, name: str, kargo: str = "", *, push: bool = True) -> None:
        """A new service's folder, as people make it, and what is generated for it."""
        for stage in ("dev", "staging", "prod"):
            self.write(f"services/{name}/values-{stage}.yaml", "image:\n  tag: 1.0.0\n")
        if kargo:
            self.write(f"services/{name}/kargo.yaml", kargo)
        self.generate()
        if push:
            self.push(f"Add {name}")
