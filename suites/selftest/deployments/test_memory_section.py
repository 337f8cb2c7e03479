import pytest

from fixtures.cells.cards import MIB
from fixtures.deployments.memory_section import Seen, memory_back_after, memory_record, still_held
from fixtures.memory.host_testimony import host_testimonies
from fixtures.memory.peak import ProcessMark
from fixtures.memory.recorder import SAMPLE
from fixtures.memory.series import SampleSeries, parse_samples
from fixtures.memory.witness import Recording, Share
from fixtures.records.schema import MemoryRecord, PhaseRecord, Unmeasured
from fixtures.servers.startup_log import SERVING, STOPPING, PhaseSpan
from suites.selftest.specimens import NOT_SEEN

pytestmark = pytest.mark.selftest

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


def _series(sizes_mib: tuple[int, ...], start_s: float = 0.0) -> SampleSeries:
    """One sample a second."""
    raw = [SAMPLE.pack(i * 10**9, size * MIB, -1, 1) for i, size in enumerate(sizes_mib)]
    return parse_samples(b"".join(raw), -start_s).resident


def _seen(
    *sizes_mib: int,
    marks: tuple[ProcessMark, ...] = MARKS,
    mark: int | Unmeasured = 5,
    lost: str = "",
    start_s: float = 0.0,
    cache_mib: int = 0,
) -> Seen:
    series = _series(sizes_mib, start_s)
    shares = (Share(1.0, 480 * MIB, 400 * MIB, 20 * MIB, cache_mib * MIB),)
    recording = Recording(series, _series(()), shares, marks, "realtime", 0.1)
    told = mark.unmeasured if isinstance(mark, Unmeasured) else mark
    return Seen(
        card=series,
        lost=lost,
        testimonies=host_testimonies(recording, told, is_card=True),
        host=recording,
        card_mark=mark,
        baseline=NOT_SEEN,
        recorders="realtime",
        cpu_share=0.01,
        engine=NOT_SEEN,
    )


def _record(seen: Seen, spans: list[PhaseSpan] = SPANS) -> MemoryRecord:
    record = memory_record(seen, spans)
    assert isinstance(record, MemoryRecord)
    return record


def _phase(record: MemoryRecord, name: str) -> PhaseRecord:
    return next(phase for phase in record.phases if phase.name == name)


def test_a_record_is_judged_by_the_largest_figure() -> None:
    """The samples with what sampling missed are above the samples alone; both are told."""
    record = _record(_seen(100, 800, 300))
    assert (record.peak_bytes, record.judged_by) == (900 * MIB, "tree-marks")
    assert (record.peak_at_s, record.peak_phase) == (1.0, "boot")
    assert (record.samples, record.interval_s, record.largest_gap_s) == (3, 1.0, 1.0)
    assert record.card_mark_bytes == 5
    told = {word.witness: word.peak_bytes for word in record.witnesses}
    assert told["tree-samples"] == 800 * MIB
    assert told["tree-shares"] == 400 * MIB
    assert told["cgroup-mark"] == 5


def test_memory_that_only_the_cgroup_saw_is_judged() -> None:
    """What is charged beyond the page cache is the server's, though no process showed it."""
    record = _record(_seen(100, 800, 300, mark=1500 * MIB, cache_mib=200))
    assert (record.peak_bytes, record.judged_by) == (1300 * MIB, "cgroup-own")
    assert isinstance(record.peak_at_s, Unmeasured)
    assert record.peak_phase == "unknown"


def test_witnesses_that_disagree_are_told() -> None:
    """The cgroup's mark above the processes is explained by the page cache in it."""
    record = _record(_seen(100, 800, 300, mark=1000 * MIB, cache_mib=120))
    (said,) = [text for text in record.disagreements if text.startswith("cgroup-mark ")]
    assert said == (
        "cgroup-mark (1,000 MiB) is 100 MiB above tree-marks (900 MiB): "
        "up to 120 MiB are page cache"
    )


def test_a_phase_that_nobody_saw_is_unmeasured() -> None:
    """A phase between two samples has no figure, and a seen one has its own peak."""
    record = _record(_seen(100, 800, 300, mark=NOT_SEEN))
    assert _phase(record, "boot").peak_bytes == 800 * MIB
    assert isinstance(_phase(record, "weights").peak_bytes, Unmeasured)
    assert _phase(record, SERVING).peak_bytes == 300 * MIB
    assert record.card_mark_bytes == NOT_SEEN


def test_a_phase_without_an_edge_is_told() -> None:
    """A start that came to its KV cache had a profile, whoever failed to say when."""
    spans = [PhaseSpan("weights", 0.0, 1.5), PhaseSpan("kv-cache", 1.5, 9.0)]
    record = _record(_seen(100, 100, 100), spans)
    assert [phase.name for phase in record.phases] == ["weights", "encoder-profile", "kv-cache"]
    profile = _phase(record, "encoder-profile")
    assert profile.told_by == "nobody"
    assert isinstance(profile.peak_bytes, Unmeasured)


def test_the_gaps_of_the_start_are_told_apart() -> None:
    """A gap that begins before the start, or ends after it, is one of the start's."""
    spans = [PhaseSpan("boot", 0.5, 0.9), PhaseSpan(SERVING, 0.9, 9.0)]
    assert _record(_seen(1, 2, 3), spans).starting_gap_s == 1.0
    late = [PhaseSpan("boot", 50.0, 60.0)]
    assert isinstance(_record(_seen(1, 2, 3), late).starting_gap_s, Unmeasured)
    assert _record(_seen(1, 2, 3)).gaps["longer than 500 ms"] == 2


def test_the_steady_state_is_the_last_seconds_of_serving() -> None:
    """The median over the end of serving is taken, not the start and not the stop."""
    sizes = [900, 900, *([700] * 16), 500, 510, 50, 1]
    assert _record(_seen(*sizes)).steady_bytes == 505 * MIB


def test_a_server_that_never_served_has_no_steady_state() -> None:
    """A failed start has a peak, and no figure of serving."""
    record = _record(_seen(1, 2), SPANS[:2])
    assert record.steady_bytes == Unmeasured(unmeasured="it never served")


@pytest.mark.parametrize("sizes", [(), (100,)], ids=["none", "one"])
def test_fewer_than_two_samples_are_no_measurement(sizes: tuple[int, ...]) -> None:
    """A single look is no watching, and none is no peak of 0."""
    record = memory_record(_seen(*sizes), SPANS)
    assert record == Unmeasured(unmeasured="the recorder took fewer than two samples")


def test_what_broke_off_is_no_measurement() -> None:
    """However much was seen, the rest is not known."""
    record = memory_record(_seen(1, 2, 3, lost="the recorder ended"), SPANS)
    assert record == Unmeasured(unmeasured="the recorder ended")


def test_a_card_that_no_longer_answers_was_not_looked_at() -> None:
    """From the last answer on it counts as a gap, of the start too, though no sample follows."""
    spans = [PhaseSpan("boot", 0.5, 9.0)]
    record = _record(_seen(1, 2, 3)._replace(looked_until_s=5.5), spans)
    assert (record.starting_gap_s, record.largest_gap_s) == (3.5, 3.5)


def test_why_a_recording_broke_off_goes_before_what_it_lacks() -> None:
    """Of a recorder that died early the reason is told, and not that it saw nothing."""
    record = memory_record(_seen(0, marks=(), mark=NOT_SEEN, lost="the recorder ended"), SPANS)
    assert record == Unmeasured(unmeasured="the recorder ended")


def test_samples_of_nothing_are_no_measurement() -> None:
    """A recorder that was led to no process of the server has not measured a peak of 0."""
    nothing = _seen(0, 0, 0, marks=(), mark=NOT_SEEN)
    assert isinstance(memory_record(nothing, SPANS), Unmeasured)
    assert isinstance(memory_back_after(nothing.card, 1.0), Unmeasured)


def test_memory_is_back_with_the_last_sample_that_shows_some() -> None:
    """Counted from the request to stop; nobody having looked since is no figure."""
    series = _series((500, 500, 200, 100, 0, 0))
    assert memory_back_after(series, 1.5) == 1.5
    assert memory_back_after(series, 1.5, 150 * MIB) == 0.5
    assert isinstance(memory_back_after(series, 9.0), Unmeasured)


def test_memory_that_does_not_come_back_is_told() -> None:
    """What the last sample still shows is no memory that came back."""
    series = _series((500, 500, 200, 100))
    assert still_held(series, 1.5) == "100 MiB were still held 2 s after it was asked to stop"
    assert isinstance(memory_back_after(series, 1.5), Unmeasured)
    assert not still_held(series, 1.5, 100 * MIB)


def test_small_processes_fill_no_record() -> None:
    """A shell counts in the sum and is not listed."""
    assert [process.name for process in _record(_seen(1, 2)).processes] == ["python"]


def test_the_engines_own_levels_stand_beside_each_phase() -> None:
    """What the allocator says of a phase is kept, and its silence too."""

    def levels(start_s: float, _end_s: float) -> tuple[int | None, int | None]:
        return (1, 2) if start_s < 1 else (None, None)

    record = _record(_seen(1, 2, 3)._replace(engine=levels))
    boot, serving = _phase(record, "boot"), _phase(record, SERVING)
    assert (boot.allocated_peak_bytes, boot.reserved_peak_bytes) == (1, 2)
    assert isinstance(serving.reserved_peak_bytes, Unmeasured)
