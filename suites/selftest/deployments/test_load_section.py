import pytest

from fixtures.deployments.load_section import Load, figures_over, load_record, round_of
from fixtures.load.figures import Limits
from fixtures.load.generator import OwnTrace, Round
from fixtures.records.schema import LatencyRecord, ThroughputRecord, Unmeasured
from fixtures.records.throughput_schema import FigureRecord, GoodputLimits, OwnRecord, WarmUpRecord
from fixtures.verdicts.throughput import judge_throughput
from suites.selftest.load.rounds import NOT_SENT, a_failure, a_load, an_answer
from suites.selftest.specimens import NOT_SEEN, a_round, an_answers

pytestmark = pytest.mark.selftest

LOAD = Load(
    concurrency=4,
    pictures=2,
    kind="distinct",
    output_tokens=2,
    limits=Limits(ttft_s=0.6, tpot_s=1.0),
    cores=2,
)
STALL = OwnTrace(wall_s=2.0, cpu_s=0.02, late_s=(0.2,))


def _round(requests: int = 30, took_s: float = 1.0, own: OwnTrace | None = None) -> Round:
    lines = [an_answer(0.0, (took_s / 2, took_s), took_s)] * requests
    return a_load(*lines, own=own) if own else a_load(*lines)


def _figure(section: ThroughputRecord, name: str) -> FigureRecord:
    figure = section.figures[name]
    assert isinstance(figure, FigureRecord)
    return figure


def test_rounds_become_a_section_that_passes() -> None:
    """Rates, percentiles, intervals and goodput are all there, and come back from JSON."""
    rounds = [_round(took_s=took_s) for took_s in (1.0, 1.0, 0.8)]
    section = load_record(LOAD, [_round(), _round()], rounds, an_answers(), 2 << 30)
    assert ThroughputRecord.model_validate_json(section.model_dump_json()) == section
    rate = _figure(section, "requests_per_s")
    assert rate.mean == pytest.approx(32.5)
    assert rate.rounds == 3
    assert isinstance(rate.low, float)
    assert isinstance(rate.high, float)
    assert rate.low < 30 < rate.mean < 37.5 < rate.high
    assert _figure(section, "pictures_per_s").mean == pytest.approx(65)
    assert _figure(section, "ttft.p90_s").mean == pytest.approx(1.4 / 3)
    assert _figure(section, "goodput_per_s").mean == pytest.approx(32.5)
    assert section.limits == GoodputLimits(ttft_s=0.6, tpot_s=1.0)
    assert section.warm_up == WarmUpRecord(requests_per_s=[30.0, 30.0], steady=True)
    assert judge_throughput(section).outcome == "pass"


def test_the_peak_divides_the_output_tokens() -> None:
    """65 tokens a second with 2 GiB are 32.5 for each; an unmeasured peak has its reason."""
    rounds = [_round(took_s=took_s) for took_s in (1.0, 1.0, 0.8)]
    section = load_record(LOAD, [], rounds, an_answers(), 2 << 30)
    tokens = _figure(section, "completion_tokens_per_s")
    assert isinstance(section.per_gib, FigureRecord)
    assert isinstance(tokens.low, float)
    assert (section.per_gib.mean, section.per_gib.low) == (tokens.mean / 2, tokens.low / 2)
    assert load_record(LOAD, [], rounds, an_answers(), NOT_SEEN).per_gib == NOT_SEEN


def test_a_percentile_says_how_many_requests_it_needs() -> None:
    """Of one round of 28; three of them together support a p90, and no p99."""
    section = load_record(LOAD, [], [_round(28)] * 3, an_answers(), NOT_SEEN)
    why = Unmeasured(unmeasured="a p90 needs 29 values or more, and there are 28")
    assert section.figures["e2e.p90_s"] == why
    together = section.over_all["e2e"]
    assert isinstance(together, LatencyRecord)
    assert (together.p90_s, together.values) == (1.0, 84)
    assert isinstance(together.p99_s, Unmeasured)
    assert set(section.over_all) == {"ttft", "tpot", "itl", "e2e"}


def test_a_round_of_a_stalled_generator_does_not_count() -> None:
    """It is kept with the reason, and in no figure over the rounds."""
    rounds = [_round(), _round(), _round(), _round(took_s=9.0, own=STALL)]
    section = load_record(LOAD, [], rounds, an_answers(), NOT_SEEN)
    assert isinstance(section.rounds[3].own, OwnRecord)
    assert section.rounds[3].own.bottleneck.startswith("it stood still for 10%")
    rate = _figure(section, "requests_per_s")
    assert (rate.mean, rate.rounds) == (30.0, 3)
    together = section.over_all["e2e"]
    assert isinstance(together, LatencyRecord)
    assert (together.values, together.worst_s) == (90, 1.0)
    nothing = figures_over(section.rounds[3:])["requests_per_s"]
    assert nothing == Unmeasured(unmeasured="the load generator held up in no round")


def test_a_warm_up_that_did_not_settle_is_told() -> None:
    """The last two rounds decide; without any nothing is known."""
    warm_up = [_round(), _round(took_s=0.5)]
    section = load_record(LOAD, warm_up, [_round()], an_answers(), NOT_SEEN)
    assert section.warm_up == WarmUpRecord(requests_per_s=[30.0, 60.0], steady=False)
    bare = load_record(LOAD, [], [_round()], an_answers(), NOT_SEEN)
    assert bare.warm_up == Unmeasured(unmeasured="no round was run to warm up")


def test_failed_requests_are_kept_with_the_first_reason() -> None:
    """And without an answer there is no figure that could be read as fast."""
    record = round_of(a_load(a_failure(), NOT_SENT), LOAD)
    assert (record.failed, record.first_failure) == (2, "HTTP 500: no")
    untold = (record.ttft, record.tpot, record.itl, record.e2e, record.completion_tokens_per_s)
    assert all(isinstance(figure, Unmeasured) for figure in untold)


def test_without_limits_there_is_no_goodput() -> None:
    """It is unmeasured because nothing was asked, not because a count was missing."""
    record = round_of(_round(), LOAD._replace(limits=None))
    assert record.goodput_per_s == Unmeasured(unmeasured="no limits were set")


def test_a_figure_missing_in_one_round_is_unmeasured() -> None:
    """The reason is that of the round."""
    figures = figures_over([a_round(), a_round(tokens_per_s=NOT_SEEN), a_round()])
    assert figures["completion_tokens_per_s"] == NOT_SEEN
    assert isinstance(figures["requests_per_s"], FigureRecord)


def test_two_rounds_have_a_mean_and_no_interval() -> None:
    """The bounds say what they would need."""
    figure = figures_over([a_round(requests_per_s=40.0), a_round(requests_per_s=50.0)])[
        "requests_per_s"
    ]
    assert isinstance(figure, FigureRecord)
    assert figure.mean == 45.0
    assert figure.low == figure.high == Unmeasured(unmeasured="an interval needs 3 rounds or more")


def test_an_interval_tells_whether_it_is_of_one_start_alone() -> None:
    """What is known of starts widens it; where nothing is known, that is said."""
    rounds = [_round(took_s=took_s) for took_s in (1.0, 1.0, 0.8)]
    alone = _figure(load_record(LOAD, [], rounds, an_answers(), 2 << 30), "requests_per_s")
    known = LOAD._replace(between_starts=0.1)
    wider = _figure(load_record(known, [], rounds, an_answers(), 2 << 30), "requests_per_s")
    assert isinstance(alone.between_starts, Unmeasured)
    assert wider.between_starts == 0.1
    assert isinstance(alone.high, float)
    assert isinstance(wider.high, float)
    assert wider.high > alone.high
