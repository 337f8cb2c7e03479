from pathlib import Path

import pytest

from fixtures.cells.cards import MIB
from fixtures.servers.startup_log import PHASES, phase_opened_by
from suites.selftest.conftest import CardMaker
from suites.selftest.programs import PATIENCE_S, wait_until
from suites.selftest.servers.conftest import ServerMaker
from suites.selftest.servers.logs import PORT_TAKEN, START

pytestmark = pytest.mark.selftest

SAYS = """
def say(lines):
    for line in lines:
        print(line, flush=True)
        time.sleep(0.06)
"""

# Where the machine is busy a short phase is shown to nobody.
SAYS_UNTIL_SHOWN = f"""
wait_for("boot")
for line, phase in {[(line, phase_opened_by(line)) for line in START]!r}:
    print(line, flush=True)
    if phase:
        wait_for(phase)
"""


class Shown:
    """Keeps what a person would be shown, and tells a program in `folder` of each phase."""

    def __init__(self, folder: Path | None = None) -> None:
        self.seen: list[tuple[str, float, float]] = []
        self._folder = folder

    def __call__(self, phase: str, in_phase_s: float, since_start_s: float) -> None:
        """Take it in."""
        self.seen.append((phase, in_phase_s, since_start_s))
        if self._folder:
            (self._folder / phase).touch()

    @property
    def phases(self) -> list[str]:
        """Each phase once, in the order in which they were shown."""
        return list(dict.fromkeys(phase for phase, _, _ in self.seen))


def test_a_server_is_ready_when_it_says_so(make_server: ServerMaker, tmp_path: Path) -> None:
    """Readiness is a 200 on /health, after a start that was followed phase by phase."""
    server = make_server(SAYS_UNTIL_SHOWN + "serve()\n")
    shown = Shown(tmp_path)
    assert server.wait_until_ready(PATIENCE_S, shown) is None
    assert server.health() == 200
    assert shown.phases == ["boot", "weights", "encoder-profile", "kv-cache", "warm"]
    spans = server.phases()
    assert [span.name for span in spans] == shown.phases
    assert (spans[0].start_s, spans[-1].end_s) == (0.0, server.ready_after_s)
    assert all(0 <= in_phase <= since for _, in_phase, since in shown.seen)


def test_words_right_before_it_is_ready_are_a_phase(make_server: ServerMaker) -> None:
    """A phase that begins with the last look of a start is shown, and ends when it is ready."""
    warm_line = next(line for line in START if phase_opened_by(line) == "warm")
    server = make_server(
        f"""
def healthy():
    print({warm_line!r}, flush=True)
    return True
serve()
"""
    )
    shown = Shown()
    assert server.wait_until_ready(PATIENCE_S, shown) is None
    assert shown.phases == ["boot", "warm"]
    warm = server.phases()[-1]
    assert warm.name == "warm"
    assert warm.start_s == warm.end_s == server.ready_after_s


def test_a_server_that_listens_and_is_not_healthy_is_not_ready(make_server: ServerMaker) -> None:
    """A 503 on /health is waited out: listening is not serving."""
    server = make_server(
        """
asked = 0
def healthy():
    global asked
    asked += 1
    return asked > 2
serve()
"""
    )
    assert server.wait_until_ready(PATIENCE_S, Shown()) is None


def test_a_server_that_never_gets_ready_is_told_with_its_phase(
    make_server: ServerMaker, tmp_path: Path
) -> None:
    """After the time allowed the failure names the time and the phase that it is stuck in."""
    server = make_server(SAYS + f"say({START[:5]!r})\ntell('said')\ntime.sleep(600)\n")
    wait_until((tmp_path / "said").exists, "its words")
    failure = server.wait_until_ready(2.0, Shown())
    assert failure is not None
    assert (failure.kind, failure.phase) == ("never-ready", "weights")
    assert failure.detail == "not ready within 2 s, still in weights"
    assert server.ready_after_s is None
    assert failure.last_lines[-1] == START[4]


def test_a_server_that_answers_nothing_does_not_hold_the_wait(make_server: ServerMaker) -> None:
    """A server that accepts and says nothing is given up like any other."""
    server = make_server(
        """
import socket
listener = socket.create_server(("127.0.0.1", PORT))
time.sleep(600)
"""
    )
    failure = server.wait_until_ready(1.0, Shown())
    assert failure is not None
    assert failure.kind == "never-ready"


def test_a_server_that_dies_is_told_with_its_last_words(make_server: ServerMaker) -> None:
    """A death is seen at once, with exit status, phase and the cause from the log."""
    server = make_server(SAYS + f"say({(START[:5] + PORT_TAKEN)!r})\nsys.exit(1)\n")
    failure = server.wait_until_ready(PATIENCE_S, Shown())
    assert failure is not None
    assert failure.kind == "died"
    assert failure.detail == (
        "ended with exit status 1 during weights: OSError: [Errno 98] Address already in use"
    )
    assert server.age_s() < PATIENCE_S


def test_words_written_right_before_the_end_are_not_lost(make_server: ServerMaker) -> None:
    """What a process writes in its last moment still counts for phase and cause."""
    server = make_server(f"os.write(2, {chr(10).join(START).encode()!r} + b'\\n'); os._exit(9)")
    failure = server.wait_until_ready(PATIENCE_S, Shown())
    assert failure is not None
    assert (failure.phase, failure.detail) == ("warm", "ended with exit status 9 during warm")


def test_a_server_that_outgrows_its_card_is_out_of_memory(
    make_server: ServerMaker, make_card: CardMaker
) -> None:
    """A main process killed by the kernel for memory is told as that, in its phase."""
    card = make_card(64 * MIB)
    code = f"say({START[:8]!r})\nblock = bytearray(b'x') * (200 << 20)\n"
    failure = make_server(SAYS + code, card).wait_until_ready(PATIENCE_S, Shown())
    assert failure is not None
    assert (failure.kind, failure.phase) == ("out-of-memory", "encoder-profile")
    assert failure.detail == "the kernel killed 1 process for memory during encoder-profile"
    assert card.marks().oom_kills == 1


def test_a_worker_that_outgrows_the_card_is_out_of_memory(
    make_server: ServerMaker, make_card: CardMaker
) -> None:
    """When only a worker is killed, what the API server then says of it is no other failure."""
    card = make_card(64 * MIB)
    greedy = "block = bytearray(b'x') * (200 << 20)"
    code = f"child({greedy!r}).wait()\nsys.exit('RuntimeError: Engine core initialization failed')"
    failure = make_server(code, card).wait_until_ready(PATIENCE_S, Shown())
    assert failure is not None
    assert failure.kind == "out-of-memory"
    assert card.marks().oom_kills == 1


def test_only_known_phases_are_shown(make_server: ServerMaker) -> None:
    """A server that says nothing of itself is booting until it is ready."""
    shown = Shown()
    assert make_server("serve()").wait_until_ready(PATIENCE_S, shown) is None
    assert shown.phases == ["boot"]
    assert set(shown.phases) <= set(PHASES)
