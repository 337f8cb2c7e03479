"""A small model hub: a real socket, and the few answers that the hub's library asks for."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from suites.selftest.programs import PATIENCE_S

NAME = "openbmb/MiniCPM-V-tiny"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Asked(NamedTuple):
    """A request that came."""

    method: str
    file: str
    """Empty when the list of files was asked for."""
    range: str | None
    authorization: str | None


class Refusal(NamedTuple):
    """An answer that is an error."""

    status: int
    code: str = ""
    message: str = ""


class Hub:
    """What the hub has of one model, and how it misbehaves."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.sizes: dict[str, int | None] = {}
        """What it says of files' sizes, where that is not the truth."""
        self.revisions = {"main": COMMIT, COMMIT: COMMIT}
        self.no_listing: Refusal | None = None
        self.no_file: dict[str, Refusal] = {}
        """Refusals of GET, by file; of HEAD too under the name "*"."""
        self.cut: dict[str, int] = {}
        """Bytes after which the connection breaks, once."""
        self.held: dict[str, threading.Event] = {}
        """Files of which the second half waits for an event."""
        self.asked: list[Asked] = []
        self.endpoint = ""

    def fetched(self) -> list[str]:
        """Files that were asked for, without the rest of them."""
        return [asked.file for asked in self.asked if asked.method == "GET" and asked.file]

    def listing(self, revision: str) -> bytes | Refusal:
        """The model's files, as of a revision."""
        if revision not in self.revisions:
            return Refusal(404, "RevisionNotFound")
        siblings = [
            {"rfilename": name, "size": self.sizes.get(name, len(content))}
            for name, content in self.files.items()
        ]
        told = {"id": NAME, "sha": self.revisions[revision], "siblings": siblings}
        return json.dumps(told).encode()


class _HubHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _HubServer

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hub, path = self.server.hub, unquote(urlsplit(self.path).path)
        listing, files = f"/api/models/{NAME}/revision/", f"/{NAME}/resolve/{COMMIT}/"
        name = path.removeprefix(files) if path.startswith(files) else ""
        hub.asked.append(
            Asked(self.command, name, self.headers["Range"], self.headers["Authorization"])
        )
        if path.startswith(listing):
            answer = hub.no_listing or hub.listing(path.removeprefix(listing))
            self._refuse(answer) if isinstance(answer, Refusal) else self._send(answer)
        elif name not in hub.files:
            self._refuse(Refusal(404, "EntryNotFound" if name else "RepoNotFound"))
        elif "*" in hub.no_file:
            self._refuse(hub.no_file["*"])
        elif name in hub.no_file and self.command == "GET":
            self._refuse(hub.no_file[name])
        else:
            self._send_file(name, hub.files[name])

    def _refuse(self, refusal: Refusal) -> None:
        self.send_response(refusal.status)
        self.send_header("X-Error-Code", refusal.code)
        self.send_header("X-Error-Message", refusal.message)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send_file(self, name: str, content: bytes) -> None:
        asked = self.headers["Range"]
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self._send_body(name, content[start:])

    def _send_body(self, name: str, body: bytes) -> None:
        hub = self.server.hub
        if name in hub.cut:
            self.wfile.write(body[: hub.cut.pop(name)])
            self.close_connection = True
        elif name in hub.held:
            half = len(body) // 2
            self.wfile.write(body[:half])
            self.wfile.flush()
            hub.held[name].wait(PATIENCE_S)
            self.wfile.write(body[half:])
        else:
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class _HubServer(ThreadingHTTPServer):
    daemon_threads = True
    hub: Hub

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that went away are what some tests are about."""


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve on a free port until the block ends."""
    with _HubServer(("127.0.0.1", 0), _HubHandler) as server:
        server.hub = hub
        hub.endpoint = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield hub
        finally:
            for event in hub.held.values():
                event.set()
            server.shutdown()
            thread.join()
