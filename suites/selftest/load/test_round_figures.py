from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.load.figures import Limits, figures_of, latencies_of, per_gib, tpot_s
from fixtures.load.generator import Timeline
from suites.selftest.load.rounds import ANY_REQUEST, NOT_SENT, a_failure, a_load, an_answer

pytestmark = pytest.mark.selftest


@given(st.lists(ANY_REQUEST, min_size=1, max_size=20), st.randoms())
def test_figures_do_not_depend_on_the_order(lines: list[Timeline], random: Random) -> None:
    """A round is a set of requests: in another order it has the same figures."""
    shuffled = lines[:]
    random.shuffle(shuffled)
    before, after = figures_of(a_load(*lines), 1), figures_of(a_load(*shuffled), 1)
    assert before[:10] == after[:10]
    assert before.latencies == after.latencies


@given(st.lists(ANY_REQUEST, min_size=1, max_size=20))
def test_figures_agree_with_the_requests(lines: list[Timeline]) -> None:
    """Counts add up, the time covers every answer, and no rate is made of nothing."""
    figures = figures_of(a_load(*lines), 2)
    answered = [line for line in lines if line.reply.error is None]
    assert figures.requests == len(lines)
    assert figures.failed == len(lines) - len(answered)
    assert figures.wall_s >= max((line.e2e_s for line in answered), default=0.0) * (1 - 1e-9)
    assert figures.requests_per_s * figures.wall_s == pytest.approx(len(answered))
    assert figures.pictures_per_s == pytest.approx(2 * figures.requests_per_s)
    assert (figures.completion_tokens_per_s is None) == (not answered)
    assert (figures.first_failure == "") == (figures.failed == 0)


@given(st.lists(ANY_REQUEST, min_size=1, max_size=20), st.floats(0, 5), st.floats(0, 5))
def test_goodput_is_a_part_of_throughput(
    lines: list[Timeline], ttft_s: float, each_s: float
) -> None:
    """It is never above the answered requests, and rises with the limits."""
    load = a_load(*lines)
    tight = figures_of(load, 1, Limits(ttft_s, each_s))
    loose = figures_of(load, 1, Limits(2 * ttft_s, 2 * each_s))
    if tight.goodput_per_s is not None and loose.goodput_per_s is not None:
        assert 0 <= tight.goodput_per_s <= loose.goodput_per_s <= loose.requests_per_s


def test_rates_are_from_the_first_due_to_the_last_byte() -> None:
    """Two answers of 2 tokens to 70 within 3 s, the sending of which does not count."""
    figures = figures_of(
        a_load(
            an_answer(1.0, (2.0, 3.0), 3.0, late_s=0.5), an_answer(2.0, (3.0, 4.0), 4.0, late_s=0.5)
        ),
        pictures=2,
    )
    assert figures.wall_s == 3.0
    assert figures.requests_per_s == pytest.approx(2 / 3)
    assert figures.completion_tokens_per_s == pytest.approx(4 / 3)
    assert figures.prompt_tokens_per_s == pytest.approx(140 / 3)
    assert figures.total_tokens_per_s == pytest.approx(48)
    assert figures.pictures_per_s == pytest.approx(4 / 3)


def test_a_request_that_was_sent_late_is_late() -> None:
    """Times are from when it was due, and the lateness is told beside them."""
    late = an_answer(1.0, (2.0, 3.0), 3.0, late_s=0.75)
    latencies = latencies_of([late])
    assert latencies.ttft is not None
    assert latencies.e2e is not None
    assert latencies.lateness is not None
    assert (latencies.ttft.worst_s, latencies.e2e.worst_s) == (1.0, 2.0)
    assert latencies.lateness.worst_s == 0.75


def test_one_answer_without_usage_leaves_the_tokens_unknown() -> None:
    """A missing count makes no rate lower, and no goodput."""
    load = a_load(an_answer(), an_answer(tokens=None))
    figures = figures_of(load, 1, Limits(9.0, 9.0))
    assert figures.completion_tokens_per_s is figures.total_tokens_per_s is None
    assert figures.tokens_per_arrival is figures.goodput_per_s is None
    assert figures.requests_per_s == 2.0


def test_a_failed_request_is_neither_fast_nor_good() -> None:
    """It counts as failed, with its reason, and improves no figure."""
    load = a_load(an_answer(), a_failure(done_s=0.001))
    figures = figures_of(load, 1, Limits(9.0, 9.0))
    assert (figures.failed, figures.first_failure) == (1, "HTTP 500: no")
    assert figures.requests_per_s == figures.goodput_per_s == 1.0
    assert figures.latencies.e2e is not None
    assert figures.latencies.e2e.worst_s == 1.0


def test_what_was_never_sent_was_not_in_time() -> None:
    """It has failed, and is not among those that were sent without delay."""
    figures = figures_of(a_load(an_answer(2.0, (2.5, 3.0), 3.0, late_s=0.5), NOT_SENT), 1)
    assert (figures.failed, figures.wall_s) == (1, 1.0)
    assert figures.latencies.lateness is not None
    assert figures.latencies.lateness.values == 1


def test_a_round_that_all_failed_has_no_times() -> None:
    """None, and no 0 that could be read as fast."""
    figures = figures_of(a_load(NOT_SENT, NOT_SENT), 1)
    assert (figures.failed, figures.requests_per_s) == (2, 0.0)
    assert figures.completion_tokens_per_s is None
    assert set(figures.latencies) == {None}


def test_an_empty_round_is_an_error() -> None:
    """Nothing that was asked is nothing that was measured."""
    with pytest.raises(ValueError, match="measured nothing"):
        figures_of(a_load(), 1)


@pytest.mark.parametrize(
    ("line", "each_s"),
    [
        (an_answer(0.0, (1.0, 1.5, 2.0), 2.0, tokens=3), 0.5),
        # The end of an answer is a token without text.
        (an_answer(0.0, (1.0,), 1.5, tokens=2), 0.5),
        (an_answer(0.0, (1.0, 1.5), 2.0, tokens=3), 0.5),
        # Four tokens in two arrivals of two.
        (an_answer(0.0, (1.0, 2.0), 2.0, tokens=4), 1 / 3),
        (an_answer(0.0, (1.0,), 1.0, tokens=3), None),
        (an_answer(0.0, (1.0,), 1.0, tokens=1), None),
        (an_answer(0.0, (1.0, 2.0), 2.0, tokens=None), None),
        (an_answer(0.0, (), 2.0, tokens=5), None),
        (a_failure(), None),
    ],
)
def test_the_pace_of_an_answer(line: Timeline, each_s: float | None) -> None:
    """It is known where the answer came in more than one part and told its tokens."""
    assert tpot_s(line) == (None if each_s is None else pytest.approx(each_s))


def test_gaps_are_between_arrivals_of_one_answer() -> None:
    """Never from one answer to another; what an arrival carries is told beside them."""
    load = a_load(
        an_answer(0.0, (1.0, 1.25, 2.0), 2.0, tokens=6), an_answer(0.0, (5.0,), 5.0, tokens=2)
    )
    figures = figures_of(load, 1)
    assert figures.latencies.itl is not None
    assert (figures.latencies.itl.values, figures.latencies.itl.worst_s) == (2, 0.75)
    assert figures.tokens_per_arrival == 2.0


def test_goodput_asks_for_both_limits() -> None:
    """One is in time with the first token, one with the others, one with both."""
    load = a_load(
        an_answer(0.0, (0.1, 2.0), 2.0),
        an_answer(0.0, (1.9, 2.0), 2.0),
        an_answer(0.0, (0.5, 0.6), 0.6),
        an_answer(0.0, (0.5,), 0.5, tokens=1),
    )
    assert figures_of(load, 1, Limits(1.0, 0.2)).goodput_per_s == 1.0
    assert figures_of(load, 1).goodput_per_s is None


def test_throughput_of_each_gib() -> None:
    """Half of the peak is twice the figure; no peak is an error."""
    assert per_gib(100.0, 4 << 30) == 25.0
    assert per_gib(100.0, 2 << 30) == 50.0
    with pytest.raises(ValueError, match="0 bytes"):
        per_gib(100.0, 0)
