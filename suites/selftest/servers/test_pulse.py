import os
import signal
from collections.abc import Sequence

import pytest

from fixtures.servers.pulse import Liveness, Pulse, read_pulse
from suites.selftest.programs import Launcher, wait_until

pytestmark = pytest.mark.selftest

STILL = Pulse(1.0, 1000, ())


def _silent(looks: Sequence[tuple[Pulse, list[str]]]) -> float:
    """Seconds of silence after looks that are a second apart."""
    liveness = Liveness()
    for at_s, (pulse, lines) in enumerate(looks):
        liveness.take(at_s, pulse, lines)
    return liveness.silent_s(len(looks) - 1)


def test_a_server_that_does_nothing_is_silent() -> None:
    """Without a line, a computation or a byte, silence grows from the first look on."""
    assert _silent([(STILL, [])] * 61) == 60


@pytest.mark.parametrize(
    ("pulse", "lines"),
    [
        (STILL, ["INFO Starting to load model"]),
        (Pulse(1.2, 1000, ()), []),
        (Pulse(1.0, 1000 + (1 << 20), ()), []),
        (Pulse(0.4, 1000, ()), []),
    ],
    ids=["a line", "computing", "moving bytes", "a process ended"],
)
def test_each_sign_of_life_ends_the_silence(pulse: Pulse, lines: list[str]) -> None:
    """A line, a fifth of a core, a MiB a second, or the end of a process is progress."""
    assert _silent([(STILL, []), (STILL, []), (pulse, lines)]) == 0


@pytest.mark.parametrize(
    ("pulse", "lines"),
    [
        (STILL, ["  ", ""]),
        (STILL, ["INFO [shm_broadcast.py:467] No available shared memory broadcast block found"]),
        (Pulse(1.01, 1000 + 512, ()), []),
    ],
    ids=["empty lines", "the line of a wait", "polling"],
)
def test_waiting_is_no_sign_of_life(pulse: Pulse, lines: list[str]) -> None:
    """Lines that only say that nothing happens, and a poll now and then, are silence."""
    assert _silent([(STILL, []), (STILL, []), (pulse, lines)]) == 2


def test_a_glance_at_a_stopped_process_is_no_stop() -> None:
    """Only what stays stopped over several looks is told as stopped."""
    stopped = Pulse(1.0, 1000, ("7 (worker)",))
    liveness = Liveness()
    for at_s, pulse in enumerate((STILL, stopped, stopped, STILL, stopped, stopped)):
        liveness.take(at_s, pulse, [])
        assert liveness.stopped == ()
    liveness.take(6, stopped, [])
    assert liveness.stopped == ("7 (worker)",)


def test_real_processes_are_read(launch: Launcher) -> None:
    """Processor time and bytes of a living process are counted, and a stopped one is named."""
    process = launch(
        "tell('ready')\nwait_for('work')\nend = time.process_time() + 0.3\n"
        "while time.process_time() < end: os.stat('.')\n"
        "(folder / 'big').write_bytes(b'x' * (1 << 20))\ntell('worked')\ntime.sleep(600)\n"
    )
    launch.told("ready")
    before = read_pulse(process.processes())
    launch.tell("work")
    launch.told("worked")
    after = read_pulse(process.processes())
    assert after.cpu_s - before.cpu_s >= 0.2
    assert after.io_bytes - before.io_bytes >= 1 << 20
    assert after.stopped == ()

    (pid,) = process.processes()
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: bool(read_pulse([pid]).stopped), "the stop")
    (named,) = read_pulse([pid]).stopped
    assert named.startswith(f"{pid} (")


def test_the_dead_count_as_nothing() -> None:
    """A process that is gone between listing and reading makes no error."""
    assert read_pulse([2**22 + 1]) == Pulse(0.0, 0, ())
