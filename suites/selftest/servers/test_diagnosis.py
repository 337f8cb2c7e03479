import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.servers.causes import root_cause_in
from fixtures.servers.diagnosis import Sighting, StartFailure, diagnose
from fixtures.servers.speech import lines_of
from suites.selftest.servers import logs

pytestmark = pytest.mark.selftest

LOGS = st.lists(
    st.one_of(
        st.sampled_from(logs.START + logs.PORT_TAKEN + logs.CUDA_MEMORY + logs.TOO_LONG),
        st.text(),
        st.builds("{}ValueError: {}".format, st.sampled_from(["", "\x1b[31m"]), st.text()),
    ),
    max_size=40,
)


@pytest.mark.parametrize(
    ("lines", "status", "detail"),
    [
        (logs.PORT_TAKEN, 1, "status 1 during boot: OSError: [Errno 98] Address already in use"),
        (logs.BAD_FLAG, 2, "error: unrecognized arguments: --no-such-flag"),
        (logs.TOO_LONG, 1, "boot: Value error, User-specified max_model_len (999999) is greater"),
        ([], -11, "ended with signal 11 during boot"),
        (["cannot start /rt/python: [Errno 2] No such file"], 127, "boot: cannot start /rt/python"),
    ],
    ids=["port", "flag", "length", "signal", "no-python"],
)
def test_a_death_is_told_with_the_logs_own_cause(
    lines: list[str], status: int, detail: str
) -> None:
    """How it ended, in which phase, and the line that names the cause make one sentence."""
    failure = _diagnose(lines, status)
    assert failure.kind == "died"
    assert detail in failure.detail


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (logs.CUDA_MEMORY, "out of GPU memory during boot: 9.00 GiB asked"),
        (logs.CPU_MEMORY, "DefaultCPUAllocator: can't allocate memory: you tried to allocate 943"),
    ],
    ids=["cuda", "cpu"],
)
@pytest.mark.parametrize("status", [None, 1])
def test_an_allocation_that_failed_is_out_of_memory(
    lines: list[str], cause: str, status: int | None
) -> None:
    """A server that could not get its memory is told as such, whether it has ended yet or not."""
    failure = _diagnose(lines, status)
    assert failure.kind == "out-of-memory"
    assert cause in failure.detail


def test_a_server_that_still_runs_never_got_ready() -> None:
    """Without an end and without an error in the log, time and phase are all that is known."""
    failure = _diagnose(logs.START, None)
    assert (failure.kind, failure.detail) == (
        "never-ready",
        "not ready within 300 s, still in boot",
    )


def _diagnose(lines: list[str], status: int | None, oom_kills: int = 0) -> StartFailure:
    return diagnose(Sighting("boot", 300.2, 300, status, oom_kills, lines))


@pytest.mark.parametrize(("kills", "said"), [(1, "1 process"), (2, "2 processes")])
def test_the_kernels_word_counts_more_than_the_logs(kills: int, said: str) -> None:
    """Where the kernel killed for memory, what the survivors wrote is no cause."""
    failure = _diagnose(logs.PORT_TAKEN, 1, kills)
    assert failure.kind == "out-of-memory"
    assert failure.detail == f"the kernel killed {said} for memory during boot"


@given(LOGS, st.none() | st.integers(-64, 255), st.integers(0, 3), st.floats(0, 1e4))
def test_any_log_gives_one_sentence(
    lines: list[str], status: int | None, oom_kills: int, waited_s: float
) -> None:
    """No log makes the diagnosis fail, and the sentence is one printable line."""
    failure = diagnose(Sighting("weights", waited_s, 600, status, oom_kills, lines))
    assert failure.detail.isprintable()
    assert 0 < len(failure.detail) < 500
    assert "weights" in failure.detail
    assert failure.phase == "weights"
    assert len(failure.last_lines) <= 25


def test_the_end_of_the_log_is_kept() -> None:
    """The last lines that hold anything are there for people to read."""
    lines = [f"line {i}" for i in range(40)] + ["", "  "]
    failure = _diagnose(lines, 1)
    assert failure.last_lines[-1] == "line 39"
    assert all(line.strip() for line in failure.last_lines)


def test_a_log_without_a_cause_has_none() -> None:
    """A healthy start names no cause, and neither does an empty log."""
    assert root_cause_in(lines_of(logs.START)) is None
    assert root_cause_in([]) is None
