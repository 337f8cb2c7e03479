from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.load.rounds import figures_of
from fixtures.questions.asking import Answer
from fixtures.questions.catalogue import held_out

pytestmark = pytest.mark.selftest

QUESTION = held_out("colour", "single", 1)[0]
TIMES_S = st.floats(0.001, 100)


def _answer(
    sent_at_s: float = 0.0,
    e2e_s: float = 1.0,
    tokens: int | None = 2,
    error: str | None = None,
) -> Answer:
    ttft_s = None if error else e2e_s / 2
    return Answer(QUESTION, "red", sent_at_s, ttft_s, e2e_s, 70, tokens, "stop", error)


ANSWERS = st.builds(
    _answer, TIMES_S, TIMES_S, st.integers(0, 100), st.sampled_from([None, None, "Error"])
)


@given(st.lists(ANSWERS, min_size=1), st.randoms())
def test_figures_do_not_depend_on_the_order(answers: list[Answer], random: Random) -> None:
    """A round is a set of answers: shuffling it changes no figure."""
    shuffled = answers[:]
    random.shuffle(shuffled)
    before, after = figures_of(answers), figures_of(shuffled)
    assert before[:4] == after[:4]
    assert before.e2e == after.e2e
    assert before.completion_tokens_per_s == pytest.approx(after.completion_tokens_per_s)


@given(st.lists(ANSWERS, min_size=1))
def test_figures_agree_with_the_answers(answers: list[Answer]) -> None:
    """Counts add up, the wall time covers every answer, and percentiles are in order."""
    figures = figures_of(answers)
    answered = [answer for answer in answers if answer.error is None]
    assert figures.requests == len(answers)
    assert figures.failed == len(answers) - len(answered)
    assert figures.wall_s >= max(answer.e2e_s for answer in answers) * (1 - 1e-9)
    assert figures.requests_per_s * figures.wall_s == pytest.approx(len(answered))
    if figures.e2e is None:
        assert not answered
    else:
        slowest_s = max(answer.e2e_s for answer in answered)
        assert 0 < figures.e2e.p50_s <= figures.e2e.p90_s <= figures.e2e.worst_s == slowest_s


def test_rates_are_over_the_wall_time() -> None:
    """Two overlapping answers of 2 tokens within 3 s are 4/3 tokens per second."""
    figures = figures_of([_answer(10.0, 2.0), _answer(11.0, 2.0)])
    assert figures.wall_s == 3.0
    assert figures.completion_tokens_per_s == pytest.approx(4 / 3)
    assert figures.prompt_tokens_per_s == pytest.approx(140 / 3)
    assert figures.requests_per_s == pytest.approx(2 / 3)


def test_a_missing_count_makes_no_rate() -> None:
    """One answer without token count leaves the rate unknown, not lower."""
    figures = figures_of([_answer(tokens=2), _answer(tokens=None)])
    assert figures.completion_tokens_per_s is None
    assert figures.prompt_tokens_per_s == 140.0


def test_failed_requests_give_no_rate_and_no_latency() -> None:
    """Without an answer there are no tokens per second and no latency: None, not 0."""
    figures = figures_of([_answer(error="Error"), _answer(error="Error")])
    assert (figures.requests, figures.failed, figures.requests_per_s) == (2, 2, 0)
    assert figures.completion_tokens_per_s is figures.prompt_tokens_per_s is None
    assert figures.ttft is figures.e2e is None


def test_a_failed_request_does_not_count_as_fast() -> None:
    """The time of a request that failed at once does not improve the percentiles."""
    figures = figures_of([_answer(e2e_s=2.0), _answer(e2e_s=0.001, error="refused")])
    assert figures.e2e is not None
    assert figures.e2e.p50_s == 2.0


def test_an_empty_round_is_an_error() -> None:
    """Nothing that was asked is nothing that was measured."""
    with pytest.raises(ValueError, match="measured nothing"):
        figures_of([])
