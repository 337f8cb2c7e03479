"""A server in a container, under guard: its processes are a daemon's, and end all the same."""

import http.client
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from fixtures.cells.cards import MIB
from fixtures.memory.witness import TreeWitness, parent_of
from fixtures.runtimes.container import ContainerState, state_of
from fixtures.runtimes.container_command import (
    HOST_INSIDE,
    PORT_INSIDE,
    ContainerRun,
    Mount,
    remove_command,
    run_command,
)
from fixtures.runtimes.engine import Engine, find_engine
from fixtures.runtimes.owner import owner_of
from fixtures.servers.port import HOST, ReservedPort
from fixtures.servers.process import GuardedProcess, LaunchOrder
from suites.selftest.programs import Launcher, is_alive, wait_until
from suites.selftest.standin.engine import StandIn

pytestmark = pytest.mark.selftest

NAME = "a-server"
SERVES = """
import http.server, os, pathlib, signal, sys, time
host, port = (sys.argv[sys.argv.index(option) + 1] for option in ("--host", "--port"))
folder = pathlib.Path(sys.argv[sys.argv.index("--model") + 1])
print("asked to serve", folder.name, flush=True)
def stop(*_):
    print("asked to stop", flush=True)
    sys.exit(7)
signal.signal(signal.SIGTERM, stop)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer((host, int(port)), Handler)
block = bytearray(b"x") * (100 << 20)
server.serve_forever()
"""


@pytest.fixture
def engine(docker: StandIn) -> Engine:
    """The stand-in with an image."""
    docker.has("vllm:1")
    return find_engine()


def _order(folder: Path, engine: Engine, port: int) -> LaunchOrder:
    server = folder / "plugins" / "vllm" / "entrypoints" / "openai" / "api_server.py"
    server.parent.mkdir(parents=True)
    server.write_text(SERVES)
    run = ContainerRun(
        image="vllm:1",
        name=NAME,
        owner=owner_of(os.getpid()),
        arguments=("--model", "/models/tiny", "--host", HOST_INSIDE, "--port", str(PORT_INSIDE)),
        port=port,
        mounts=(Mount(folder, "/models/tiny"),),
        env={},
        plugins=folder / "plugins",
    )
    return LaunchOrder(
        argv=run_command(engine, run),
        env=dict(os.environ),
        folder=folder,
        log=folder / "server.log",
        at_end=(remove_command(engine, NAME),),
    )


@pytest.fixture
def served(launch: Launcher, engine: Engine) -> GuardedProcess:
    """A server in a container that answers on its published port."""
    with ReservedPort() as port:
        process = launch.order(_order(launch.folder, engine, port.number))
        wait_until(lambda: _answers(port.number), "the server's answer")
    return process


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    connection.close()
    return False


def _state(engine: Engine) -> ContainerState:
    state = state_of(engine, NAME)
    assert state is not None
    return state


def _first_process(engine: Engine) -> int:
    pid = _state(engine).pid
    assert pid is not None
    return pid


def _gone(engine: Engine, pid: int) -> None:
    wait_until(lambda: not is_alive(pid), "the end of the container's process")
    assert state_of(engine, NAME) is None


def test_a_container_is_no_descendant(served: GuardedProcess, engine: Engine) -> None:
    """What the guardian has below it is the command line alone: hence its commands."""
    (command_line,) = served.processes()
    assert str(engine.program.parent.parent) in Path(f"/proc/{command_line}/cmdline").read_text()
    assert is_alive(_first_process(engine))


def test_a_container_stops_in_order(
    served: GuardedProcess, engine: Engine, launch: Launcher
) -> None:
    """SIGTERM, log and exit status go through the command line; the container stays to be asked."""
    pid = _first_process(engine)
    served.terminate()
    wait_until(lambda: served.exit_status is not None, "its end")
    assert served.exit_status == 7
    assert not is_alive(pid)
    log = (launch.folder / "server.log").read_text()
    assert log == f"asked to serve {launch.folder.name}\nasked to stop\n"
    assert _state(engine) == (False, 7, False, None)
    served.close()
    assert state_of(engine, NAME) is None


def test_killing_takes_the_container_along(served: GuardedProcess, engine: Engine) -> None:
    """After `kill` neither the command line nor the container is there."""
    pid = _first_process(engine)
    assert served.kill() == []
    _gone(engine, pid)
    assert served.exit_status == 128 + signal.SIGKILL


def test_letting_go_takes_the_container_along(served: GuardedProcess, engine: Engine) -> None:
    """So does closing the guardian while the server runs."""
    pid = _first_process(engine)
    served.close()
    _gone(engine, pid)


def test_a_killed_command_line_does_not_save_the_container(
    served: GuardedProcess, engine: Engine
) -> None:
    """A container outlives its command line, and not the guardian."""
    pid = _first_process(engine)
    (command_line,) = served.processes()
    os.kill(command_line, signal.SIGKILL)
    wait_until(lambda: served.exit_status is not None, "the end of the command line")
    assert is_alive(pid)
    assert _state(engine).running
    served.close()
    _gone(engine, pid)


def test_a_container_that_ended_by_itself_is_told(served: GuardedProcess, engine: Engine) -> None:
    """The kernel's or anybody's SIGKILL of the server is in exit status and state."""
    os.kill(_first_process(engine), signal.SIGKILL)
    wait_until(lambda: served.exit_status is not None, "its end")
    assert served.exit_status == 128 + signal.SIGKILL
    assert _state(engine) == (False, 128 + signal.SIGKILL, False, None)


def test_a_killed_suite_leaves_no_container(launch: Launcher, engine: Engine) -> None:
    """After a SIGKILL of the suite itself the guardian removes the container."""
    with ReservedPort() as port:
        order = _order(launch.folder, engine, port.number)
        suite = launch.suite(
            f"""
            from pathlib import Path, PosixPath
            from fixtures.servers.process import GuardedProcess, LaunchOrder
            tell("guardian", GuardedProcess({order!r}).guardian_pid)
            time.sleep(600)
            """
        )
        guardian = int(launch.told("guardian"))
        wait_until(lambda: _answers(port.number), "the server's answer")
        pid = _first_process(engine)
        suite.kill()
        suite.wait()
        wait_until(lambda: not is_alive(guardian), "the guardian's end")
        _gone(engine, pid)


def test_a_containers_memory_is_recorded(
    served: GuardedProcess, engine: Engine, launch: Launcher
) -> None:
    """What is below the container's parent is measured, and the command line is not."""
    witness = TreeWitness(None, launch.folder / "seen", served.started_at_s, None)
    try:
        pid = _first_process(engine)
        witness.add_root(parent_of(pid))
        wait_until(lambda: bool(witness.recording().marks), "the container's process")
    finally:
        witness.stop()
    (mark,) = witness.recording().marks
    assert mark.pid == pid
    assert mark.hwm_bytes >= 100 * MIB
