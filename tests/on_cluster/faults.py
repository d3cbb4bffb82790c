"""A proxy in front of the API server that fails some of the writes, as a busy or restarting one does."""

from __future__ import annotations

import http.client
import json
import random
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# As the API server says it.
_STATUS = {
    429: ("TooManyRequests", "the server has received too many requests and has asked us to try again later"),
    500: ("InternalError", "Internal error occurred: injected by the test"),
}


class Faults:
    """What the proxy does: `share` of the writes fail with 429 or 500; `failed` and `writes` count."""

    def __init__(self, share: float, seed: int) -> None:
        self.share, self.dice, self.lock = share, random.Random(seed), threading.Lock()
        self.writes = self.failed = 0

    def next(self, method: str) -> int:
        """The status that the next request fails with; 0 when it goes through."""
        with self.lock:
            if method in ("GET", "HEAD", "OPTIONS"):
                return 0
            self.writes += 1
            if self.dice.random() >= self.share:
                return 0
            self.failed += 1
            return self.dice.choice([429, 500])


@contextmanager
def faulty(kubeconfig: Path, folder: Path, *, share: float, seed: int = 1) -> Iterator[tuple[Path, Faults]]:
    """Yield a kubeconfig that leads through such a proxy, on loopback, to the cluster of another one, and its counts."""
    config = json.loads(kubeconfig.read_text())
    server = urlsplit(config["clusters"][0]["cluster"]["server"])
    tls = ssl.create_default_context(cafile=config["clusters"][0]["cluster"]["certificate-authority"])
    token = config["users"][0]["user"]["token"]
    faults = Faults(share, seed)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if status := faults.next(self.command):
                self.refuse(status)
                return
            headers = {
                key: value for key, value in self.headers.items() if key.lower() not in ("host", "accept-encoding")
            }
            upstream = http.client.HTTPSConnection(server.hostname or "", server.port, context=tls)
            try:
                upstream.request(self.command, self.path, body, {**headers, "Authorization": f"Bearer {token}"})
                response = upstream.getresponse()
                content = response.read()
            finally:
                upstream.close()
            self.answer(response.status, content, response.headers.get("Content-Type", "application/json"))

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

        def refuse(self, status: int) -> None:
            reason, message = _STATUS[status]
            said = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": status}
            self.answer(status, json.dumps(said | {"message": message}).encode(), "application/json")

        def answer(self, status: int, content: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nothing: the tests say what they need."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy.daemon_threads = True
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{proxy.server_address[1]}"}
    path = folder / "faulty.kubeconfig"
    path.write_text(json.dumps(config))
    try:
        yield path, faults
    finally:
        proxy.shutdown()
        proxy.server_close()
