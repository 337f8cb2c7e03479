import os
import signal
from pathlib import Path

import pytest

from fixtures.cells.cards import MIB
from fixtures.servers.port import is_free
from fixtures.servers.server import Leftovers, Server
from suites.selftest.conftest import CardMaker
from suites.selftest.programs import PATIENCE_S, is_alive, wait_until
from suites.selftest.servers.conftest import ServerMaker

pytestmark = pytest.mark.selftest

CLEAN = Leftovers(1.0, False, (), False, (), False)  # noqa: FBT003 - a tuple of what is seen


def _ready(server: Server) -> Server:
    failure = server.wait_until_ready(PATIENCE_S, lambda *_: None)
    assert failure is None, failure
    return server


def test_a_server_that_stops_when_asked_leaves_nothing(
    make_server: ServerMaker, make_card: CardMaker, tmp_path: Path
) -> None:
    """After an orderly stop no process, port, scratch folder or cgroup is there."""
    card = make_card(512 * MIB)
    server = _ready(make_server("child('time.sleep(0.2)')\nserve()", card))
    pids = server.process.processes()
    port = int(server.base_url.rpartition(":")[2].removesuffix("/v1"))
    leftovers = server.close()
    assert leftovers.complaints == ()
    assert not leftovers.forced
    assert not any(map(is_alive, pids))
    assert is_free(port)
    assert server._port._socket.fileno() == -1, "the suite still holds the port itself"
    assert not card.path.exists()
    assert not (tmp_path / "scratch").exists()


def test_marks_can_be_read_between_end_and_close(
    make_server: ServerMaker, make_card: CardMaker
) -> None:
    """The card outlives the processes: its mark covers the stop too."""
    card = make_card(512 * MIB)
    server = _ready(make_server("serve()", card))
    server.end()
    assert server.process.processes() == []
    assert (card.marks().peak_bytes or 0) > 0
    server.close()
    assert not card.path.exists()


def test_a_server_that_ignores_being_asked_is_forced(make_server: ServerMaker) -> None:
    """A server that does not stop is killed, and the complaint says after how long."""
    server = _ready(make_server("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nserve()"))
    server.end(within_s=0.3)
    leftovers = server.close()
    assert leftovers.forced
    assert leftovers.processes == ()
    assert leftovers.stopped_in_s >= 0.3
    after_s = f"{leftovers.stopped_in_s:.0f}"
    assert leftovers.complaints == (f"did not stop when asked, was killed after {after_s} s",)


def test_a_child_that_stays_behind_is_a_complaint(make_server: ServerMaker) -> None:
    """A main process that ends without its children has not stopped."""
    stays = "os.setsid(); tell('stays'); time.sleep(600)"
    server = _ready(make_server(f"child({stays!r})\nwait_for('stays')\nserve()"))
    server.end(within_s=0.5)
    assert server.close().forced


def test_shared_memory_that_stays_is_a_complaint(make_server: ServerMaker, tmp_path: Path) -> None:
    """A block in /dev/shm that the server had mapped and did not remove is named."""
    server = _ready(
        make_server(
            """
import mmap
with open(f"/dev/shm/selftest-{os.getpid()}", "w+b") as file:
    file.truncate(4096)
    block = mmap.mmap(file.fileno(), 4096)
tell("mapped", file.name)
serve()
"""
        )
    )
    path = Path((tmp_path / "mapped").read_text())
    try:
        leftovers = server.close()
        assert leftovers.shared_memory == (str(path),)
        assert leftovers.complaints == (f"shared memory left: {path}",)
    finally:
        path.unlink()


def test_stopping_twice_tells_the_same(make_server: ServerMaker) -> None:
    """`end` and `close` do their work once, whoever calls them again, and `kill` after them."""
    server = _ready(make_server("serve()"))
    server.end()
    server.end()
    assert server.close() == server.close()
    server.kill()


def test_a_server_that_has_died_can_be_stopped(make_server: ServerMaker) -> None:
    """Closing a server that ended by itself forces nothing, and tells how it had ended."""
    server = make_server("sys.exit(3)")
    failure = server.wait_until_ready(PATIENCE_S, lambda *_: None)
    assert failure is not None
    leftovers = server.close()
    assert not leftovers.forced
    assert leftovers.complaints == (
        "it had ended by itself, with exit status 3, before it was asked to",
    )


def test_kill_asks_for_nothing(
    make_server: ServerMaker, make_card: CardMaker, tmp_path: Path
) -> None:
    """An interrupted run ends its server at once, scratch folder and cgroup included."""
    card = make_card(512 * MIB)
    server = _ready(make_server("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nserve()", card))
    pids = server.process.processes()
    server.kill()
    assert server.process.exit_status == -signal.SIGKILL
    assert not any(map(is_alive, pids))
    assert not card.path.exists()
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize(
    ("left", "complaint"),
    [
        (CLEAN, ()),
        (CLEAN._replace(forced=True), ("did not stop when asked, was killed after 1 s",)),
        (CLEAN._replace(processes=(7, 8)), ("processes still alive: 7, 8",)),
        (CLEAN._replace(port_in_use=True), ("its port is still in use",)),
        (CLEAN._replace(shared_memory=("/dev/shm/a",)), ("shared memory left: /dev/shm/a",)),  # noqa: S108
        (CLEAN._replace(cgroup_left=True), ("its cgroup could not be removed",)),
    ],
)
def test_each_thing_left_is_a_complaint(left: Leftovers, complaint: tuple[str, ...]) -> None:
    """Whatever stays behind is said, and nothing else is."""
    assert left.complaints == complaint


def test_a_server_that_died_while_it_served_is_a_complaint(make_server: ServerMaker) -> None:
    """A server that is gone before it is asked to stop has not stopped in order."""
    server = _ready(make_server("serve()"))
    assert server.process.pid is not None
    os.kill(server.process.pid, signal.SIGKILL)
    wait_until(lambda: server.process.exit_status is not None, "its end")
    assert server.close().complaints == (
        "it had ended by itself, with signal 9, before it was asked to",
    )


def test_a_worker_killed_for_memory_while_serving_is_a_complaint(
    make_server: ServerMaker, make_card: CardMaker, tmp_path: Path
) -> None:
    """The kernel's kill of a worker is told, even where the rest of the server goes on."""
    card = make_card(96 * MIB)
    eats = "wait_for('eat'); block = bytearray(b'x') * (200 << 20)"
    server = _ready(make_server(f"child({eats!r})\nserve()", card))
    (tmp_path / "eat").touch()
    wait_until(lambda: card.marks().oom_kills > 0, "the kernel's kill")
    assert "the kernel killed 1 of its processes for memory" in server.close().complaints
