"""A server in a container, under guard: its processes are a daemon's, and end all the same."""

import http.client
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from fixtures.cells.cards import MIB
from fixtures.memory.witness import TreeWitness, parent_of
from fixtures.runtimes.container import ContainerState, remove, state_of
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
from suites.selftest.standin import local_image
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


class House(NamedTuple):
    """An engine with an image in it, and what that image needs to have a python3."""

    engine: Engine
    image: str
    mounts: tuple[Mount, ...] = ()
    env: dict[str, str] = {}  # noqa: RUF012 - never changed


@pytest.fixture(scope="module")
def real() -> Iterator[House]:
    """The engine of this machine."""
    with local_image.real_engine() as (engine, image):
        yield House(engine, image, local_image.MOUNTS, local_image.ENV)


@pytest.fixture(params=["stand-in", "real"])
def house(request: pytest.FixtureRequest) -> House:
    """The stand-in, and the engine of this machine where it has one that runs containers."""
    if request.param == "real":
        found: House = request.getfixturevalue("real")
        return found
    docker: StandIn = request.getfixturevalue("docker")
    docker.has("vllm:1")
    return House(find_engine(), "vllm:1")


@pytest.fixture
def engine(house: House) -> Iterator[Engine]:
    """The engine; no container of a failed test stays in it."""
    yield house.engine
    remove(house.engine, NAME)


def _order(folder: Path, house: House, port: int) -> LaunchOrder:
    server = folder / "plugins" / "vllm" / "entrypoints" / "openai" / "api_server.py"
    server.parent.mkdir(parents=True)
    server.write_text(SERVES)
    run = ContainerRun(
        image=house.image,
        name=NAME,
        owner=owner_of(os.getpid()),
        arguments=("--model", "/models/tiny", "--host", HOST_INSIDE, "--port", str(PORT_INSIDE)),
        port=port,
        mounts=(Mount(folder, "/models/tiny"), *house.mounts),
        env=house.env,
        plugins=(folder / "plugins",),
    )
    return LaunchOrder(
        argv=run_command(house.engine, run),
        env=dict(os.environ),
        folder=folder,
        log=folder / "server.log",
        at_end=(remove_command(house.engine, NAME),),
    )


@pytest.fixture
def served(launch: Launcher, house: House) -> GuardedProcess:
    """A server in a container that answers on its published port."""
    with ReservedPort() as port:
        process = launch.order(_order(launch.folder, house, port.number))
        wait_until(lambda: _answers(port.number), "the server's answer")
    # By then its command line hands signals on.
    log = launch.folder / "server.log"
    wait_until(lambda: "asked to serve" in log.read_text(), "the server's words")
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


def test_a_dockers_container_is_no_descendant(served: GuardedProcess, engine: Engine) -> None:
    """What the guardian has below it is the command line alone: hence its commands."""
    if engine.name == "podman":
        pytest.skip("podman has no daemon: its containers do descend from the guardian")
    assert len(served.processes()) == 1
    assert _first_process(engine) not in served.processes()


def test_a_container_stops_in_order(
    served: GuardedProcess, engine: Engine, launch: Launcher
) -> None:
    """SIGTERM, log and exit status go through the command line; the container stays to be asked."""
    pid = _first_process(engine)
    served.terminate()
    wait_until(lambda: served.exit_status is not None, "its end")
    assert served.exit_status == 7
    assert not is_alive(pid)
    log = (launch.folder / "server.log").read_text().splitlines()
    assert [line for line in log if line.startswith("asked to")] == [*log[:1], "asked to stop"]
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
    wait_until(lambda: served.exit_status is None and served.pid is not None, "its id")
    assert served.pid is not None
    os.kill(served.pid, signal.SIGKILL)
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


def test_a_killed_suite_leaves_no_container(launch: Launcher, house: House, engine: Engine) -> None:
    """After a SIGKILL of the suite itself the guardian removes the container."""
    with ReservedPort() as port:
        order = _order(launch.folder, house, port.number)
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


@pytest.mark.usefixtures("served")
def test_a_containers_memory_is_recorded(engine: Engine, launch: Launcher) -> None:
    """What is below the container's parent is measured, and the command line is not."""
    witness = TreeWitness(None, launch.folder / "seen", None)
    try:
        pid = _first_process(engine)
        witness.add_root(parent_of(pid))
        wait_until(lambda: bool(witness.recording().marks), "the container's process")
    finally:
        witness.stop()
    (mark,) = witness.recording().marks
    assert mark.pid == pid
    assert mark.hwm_bytes >= 100 * MIB
