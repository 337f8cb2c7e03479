import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.load.generator import OwnTrace, _beat
from fixtures.load.own_share import OwnShare, bottleneck, own_share
from suites.selftest.load.rounds import NOT_SENT, a_load, an_answer

pytestmark = pytest.mark.selftest

HELD_UP = OwnShare(stalled_share=0.0, largest_stall_s=0.0, cpu_share=0.01, lateness_p99_s=0.0)


def test_a_planted_stall_is_caught() -> None:
    """A generator that really stands still for 200 ms of a round of 2 s was the bottleneck."""
    late: list[float] = []

    async def stalled() -> None:
        beating = asyncio.create_task(_beat(late))
        await asyncio.sleep(0.05)
        time.sleep(0.2)  # noqa: ASYNC251 - the stall
        await asyncio.sleep(0.05)
        beating.cancel()

    asyncio.run(stalled())
    own = own_share(a_load(an_answer(), own=OwnTrace(2.0, 0.02, tuple(late))))
    assert own.largest_stall_s > 0.15
    assert "it stood still for" in bottleneck(own, cores=2, ttft_p50_s=1.0)


def test_a_busy_machine_is_no_stall() -> None:
    """Every beat 5 ms late, and now and then one of 19 ms, is what two busy cores look like."""
    trace = OwnTrace(2.0, 0.02, (0.005,) * 150 + (0.019,) * 20)
    own = own_share(a_load(an_answer(), own=trace))
    assert (own.stalled_share, own.largest_stall_s) == (0.0, 0.019)
    assert bottleneck(own, cores=2, ttft_p50_s=1.0) == ""


@given(st.floats(0, 1), st.floats(0.1, 100))
def test_a_stall_counts_by_its_share_of_the_round(stall_s: float, wall_s: float) -> None:
    """One of a twentieth of the round or less is borne, a longer one is not."""
    own = own_share(a_load(an_answer(), own=OwnTrace(wall_s, 0.0, (stall_s,))))
    stalled = stall_s > 0.02 and stall_s / wall_s > 0.05
    assert bool(bottleneck(own, cores=2, ttft_p50_s=None)) == stalled


@pytest.mark.parametrize(
    ("cpu_share", "cores", "said"),
    [
        (0.19, 2, ""),
        (0.25, 2, "it took 25% of a core, of 2: more than 20%"),
        (0.25, 16, ""),
        (0.85, 16, "it took 85% of a core, of 16: more than 80%"),
    ],
)
def test_what_it_computes_is_taken_from_the_server(cpu_share: float, cores: int, said: str) -> None:
    """A tenth of the machine at most, and never a whole core."""
    assert bottleneck(HELD_UP._replace(cpu_share=cpu_share), cores, ttft_p50_s=1.0) == said


@pytest.mark.parametrize(
    ("late_s", "ttft_s", "held_up"),
    [(0.019, 0.01, True), (0.03, 0.1, False), (0.03, 1.0, True), (0.03, None, False)],
)
def test_sending_late_counts_by_what_it_is_part_of(
    late_s: float, ttft_s: float | None, *, held_up: bool
) -> None:
    """30 ms are much of a first token after 100 ms, and little of one after a second."""
    said = bottleneck(HELD_UP._replace(lateness_p99_s=late_s), 2, ttft_s)
    assert (said == "") == held_up


def test_lateness_is_of_what_was_sent() -> None:
    """Requests that were given up unsent do not dilute it."""
    load = a_load(an_answer(late_s=0.25), *[NOT_SENT] * 200)
    assert own_share(load).lateness_p99_s == 0.25
    assert own_share(a_load(NOT_SENT)).lateness_p99_s is None


def test_a_quiet_generator_held_up() -> None:
    """The usual case: a hundredth of a core, and on time."""
    own = own_share(a_load(an_answer()))
    assert own == HELD_UP
    assert bottleneck(own, cores=1, ttft_p50_s=0.1) == ""
