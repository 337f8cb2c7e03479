import pytest

from fixtures.cells.cards import CARDS, MIB, Gpu
from fixtures.deployments.recording import (
    emulation_told,
    memory_back_after,
    memory_record,
    round_record,
    tallied,
)
from fixtures.memory.peak import ProcessMark
from fixtures.memory.recorder import SAMPLE
from fixtures.memory.series import parse_samples
from fixtures.memory.witness import Recording
from fixtures.questions.asking import Answer
from fixtures.questions.catalogue import held_out
from fixtures.records.schema import LatencyRecord, MemoryRecord, Unmeasured
from fixtures.runtimes.launching import Launch
from fixtures.servers.startup_log import SERVING, STOPPING, PhaseSpan
from suites.selftest.specimens import NOT_SEEN

pytestmark = pytest.mark.selftest

ASKED = held_out("colour", "single", 1)[0]
MARKS = (
    ProcessMark(1, "python", hwm_bytes=900 * MIB, sampled_peak_bytes=800 * MIB),
    ProcessMark(2, "sh", hwm_bytes=2 * MIB, sampled_peak_bytes=2 * MIB),
)
SPANS = [
    PhaseSpan("boot", 0.0, 1.5),
    PhaseSpan("weights", 1.5, 1.8),
    PhaseSpan(SERVING, 1.8, 20.0),
    PhaseSpan(STOPPING, 20.0, 21.0),
]


def _recording(*sizes_mib: int) -> Recording:
    """One sample a second."""
    samples = [SAMPLE.pack(i * 10**9, size * MIB, -1, 1) for i, size in enumerate(sizes_mib)]
    return Recording(parse_samples(b"".join(samples), 0.0), MARKS, "realtime")


def _answer(text: str, tokens: int | None = 2, error: str | None = None) -> Answer:
    return Answer(ASKED, text, 0.0, 0.1, 0.5, tokens, tokens, "stop", error)


def test_a_record_has_what_both_witnesses_say() -> None:
    """Sampled peak, what sampling missed, moment and phase make the peak of the record."""
    record = memory_record(_recording(100, 800, 300), SPANS, 5, whole=True)
    assert isinstance(record, MemoryRecord)
    assert record.peak_bytes == 900 * MIB
    assert (record.sampled_peak_bytes, record.missed_bytes) == (800 * MIB, 100 * MIB)
    assert (record.peak_at_s, record.peak_phase) == (1.0, "boot")
    assert (record.samples, record.interval_s, record.largest_gap_s) == (3, 1.0, 1.0)
    assert record.card_mark_bytes == 5


def test_a_phase_that_nobody_saw_is_unmeasured() -> None:
    """A phase between two samples has no figure, and a seen one has its own peak."""
    record = memory_record(_recording(100, 800, 300), SPANS, NOT_SEEN, whole=True)
    assert isinstance(record, MemoryRecord)
    peaks = {phase.name: phase.peak_bytes for phase in record.phases}
    assert peaks["boot"] == 800 * MIB
    assert isinstance(peaks["weights"], Unmeasured)
    assert peaks[SERVING] == 300 * MIB
    assert record.card_mark_bytes == NOT_SEEN


def test_the_steady_state_is_the_last_seconds_of_serving() -> None:
    """The median over the end of serving is taken, not the start and not the stop."""
    sizes = [900, 900, *([700] * 16), 500, 510, 50, 1]
    record = memory_record(_recording(*sizes), SPANS, 5, whole=True)
    assert isinstance(record, MemoryRecord)
    assert record.steady_bytes == 505 * MIB


def test_a_server_that_never_served_has_no_steady_state() -> None:
    """A failed start has a peak, and no figure of serving."""
    record = memory_record(_recording(1, 2), SPANS[:2], 5, whole=True)
    assert isinstance(record, MemoryRecord)
    assert record.steady_bytes == Unmeasured(unmeasured="it never served")


@pytest.mark.parametrize("sizes", [(), (100,)], ids=["none", "one"])
def test_fewer_than_two_samples_are_no_measurement(sizes: tuple[int, ...]) -> None:
    """A single look is no watching, and none is no peak of 0."""
    record = memory_record(_recording(*sizes), SPANS, 5, whole=True)
    assert record == Unmeasured(unmeasured="the recorder took fewer than two samples")


def test_a_recorder_that_died_is_no_measurement() -> None:
    """However much it had seen, the rest is not known."""
    record = memory_record(_recording(1, 2, 3), SPANS, 5, whole=False)
    assert isinstance(record, Unmeasured)


def test_samples_of_nothing_are_no_measurement() -> None:
    """A recorder that was led to no process of the server has not measured a peak of 0."""
    nothing = _recording(0, 0, 0)._replace(marks=())
    assert isinstance(memory_record(nothing, SPANS, NOT_SEEN, whole=True), Unmeasured)
    assert isinstance(memory_back_after(nothing.series, 1.0), Unmeasured)


def test_memory_is_back_with_the_last_sample_that_shows_some() -> None:
    """Counted from the request to stop; nobody having looked since is no figure."""
    series = _recording(500, 500, 200, 100, 0, 0).series
    assert memory_back_after(series, 1.5) == 1.5
    assert isinstance(memory_back_after(series, 9.0), Unmeasured)


def test_small_processes_fill_no_record() -> None:
    """A shell counts in the sum and is not listed."""
    record = memory_record(_recording(1, 2), SPANS, 5, whole=True)
    assert isinstance(record, MemoryRecord)
    assert [process.name for process in record.processes] == ["python"]


def test_answers_are_graded_and_wrong_ones_kept() -> None:
    """Right, wrong and failed are counted by skill; what was not right can be looked at."""
    answers = [_answer(ASKED.answer), _answer("mauve"), _answer("", error="APITimeoutError: x")]
    record = tallied(answers, concurrency=4)
    skill = record.skills["colour"]
    assert (record.concurrency, skill.asked, skill.correct, skill.failed) == (4, 3, 1, 1)
    assert [wrong.reason for wrong in record.wrong] == [
        f"expected {ASKED.answer!r}, got 'mauve'",
        "APITimeoutError: x",
    ]
    assert record.wrong[0].seed == ASKED.seed


def test_an_answer_that_failed_is_not_right_by_what_came_before() -> None:
    """A stream that broke off after the right word is a failed request."""
    record = tallied([_answer(ASKED.answer, error="broke off")], concurrency=1)
    assert record.skills["colour"].correct == 0
    assert record.skills["colour"].failed == 1


def test_a_flood_of_wrong_answers_stays_readable() -> None:
    """All are counted, and only so many kept as a person would look at."""
    record = tallied([_answer("mauve")] * 500, concurrency=1)
    assert record.skills["colour"].asked == 500
    assert len(record.wrong) == 20


def test_a_round_without_counts_has_no_rate() -> None:
    """A missing token count is unmeasured with its reason; latency is still known."""
    record = round_record([_answer("red"), _answer("red", tokens=None)])
    assert isinstance(record.completion_tokens_per_s, Unmeasured)
    assert isinstance(record.prompt_tokens_per_s, Unmeasured)
    assert isinstance(record.e2e, LatencyRecord)


def test_a_round_without_answers_has_no_latency() -> None:
    """Requests that all failed were not fast."""
    record = round_record([_answer("", error="refused")])
    assert (record.requests, record.failed) == (1, 1)
    assert record.ttft == record.e2e == Unmeasured(unmeasured="no request was answered")


def test_an_emulated_card_is_told_with_gpu_ballast_and_share() -> None:
    """What the server is told to plan with is read from its command line."""
    h100 = CARDS["gpu48"].on(Gpu(0, "GPU-0", "NVIDIA H100 80GB HBM3", 81_559 * MIB))
    launch = Launch(("python", "--gpu-memory-utilization", "0.5083", "--seed", "0"), {})
    held = "on NVIDIA H100 80GB HBM3 (81,559 MiB): 35,491 MiB held by a ballast"
    assert emulation_told(h100, launch) == f"{held}, utilization rescaled to 0.5083"
    assert emulation_told(h100, NOT_SEEN) == held


def test_a_card_that_is_not_emulated_is_told_as_that() -> None:
    """A GPU that is the card, and a card that is no GPU."""
    l40s = CARDS["gpu48"].on(Gpu(0, "GPU-0", "NVIDIA L40S", 46_068 * MIB))
    assert emulation_told(l40s, NOT_SEEN) is False
    assert emulation_told(None, NOT_SEEN) is False
