"""Servers that are small programs: started, and ended, as a real one is."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fixtures.servers.cgroup import MemoryCgroup
from fixtures.servers.port import ReservedPort
from fixtures.servers.server import Server
from suites.selftest.programs import order_of, program

ServerMaker = Callable[..., Server]

_SERVES = """
import http.server, signal
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" and healthy() else 503)
        self.end_headers()
    def log_message(self, *args):
        pass
def healthy():
    return True
def serve():
    http.server.ThreadingHTTPServer.allow_reuse_address = True
    with http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler) as server:
        server.serve_forever()
"""


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[ServerMaker]:
    """Start a program as a server: its code knows `serve`, `healthy` and the number `PORT`."""
    made: list[Server] = []

    def make(code: str, cgroup: MemoryCgroup | None = None) -> Server:
        port = ReservedPort()
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        prelude = _SERVES.replace("PORT", str(port.number))
        order = order_of(
            program(prelude + code.replace("PORT", str(port.number)), tmp_path),
            tmp_path,
            join=(cgroup.procs_file,) if cgroup else (),
            folders_to_remove=(scratch,),
            cgroups_to_remove=(cgroup.path,) if cgroup else (),
        )
        made.append(Server(order, port, cgroup, scratch))
        return made[-1]

    yield make
    for server in made:
        server.kill()
