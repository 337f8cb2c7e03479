import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.memory import allocator
from fixtures.memory.allocator import AllocatorReport, Device, parse_allocator
from fixtures.memory.allocator_folder import emptied, read_allocator
from fixtures.memory.counters import Looks, PeakSeen

pytestmark = pytest.mark.selftest

NAME = "allocator-7.jsonl"
HEADER = {"ns": 0, "pid": 7, "process": "EngineCore: vllm", "torch": "2.11.0", "cuda": "12.8"}
CUDA = {"ns": 0, "cuda": {"title": "VLLM::EngineCore", "settings": {"max_split_size": -1}}}
DEVICE = {"ns": 0, "device": {"index": 0, "uuid": "0f7c1f5e"}}


def _raw(*lines: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def _report(*lines: dict[str, Any], zero_s: float = 0.0) -> AllocatorReport:
    return parse_allocator({NAME: _raw(HEADER, CUDA, DEVICE, *lines)}, zero_s)


def _look(since_s: int, at_s: int, value: int, peak: int, resets: int = 0) -> dict[str, Any]:
    """A look at counters that are alike for what is allocated and what is reserved."""
    return {
        "ns": at_s * 10**9,
        "look": {
            "since": since_s * 10**9,
            "device": 0,
            "allocated": value,
            "allocated_peak": peak,
            "reserved": value,
            "reserved_peak": peak,
            "retries": 0,
            "ooms": 0,
            "resets": resets,
        },
    }


def _looks(report: AllocatorReport) -> Looks:
    (looks,) = report.processes[0].devices.values()
    return looks


# ---- A peak within a window ------------------------------------------------------------------


class Happened(NamedTuple):
    """Second by second what an allocator held at most, and what it then went on with."""

    most: int
    then: int
    looked: bool
    reset: bool


HAPPENED = st.lists(
    st.builds(
        lambda rise, then, looked, reset: Happened(then + rise, then, looked or reset, reset),
        st.integers(0, 5),
        st.integers(0, 5),
        st.booleans(),
        st.booleans(),
    ),
    max_size=20,
)


def _written(seconds: Sequence[Happened], *, tell_resets: bool = True) -> list[dict[str, Any]]:
    """What the witness writes of it: a look at the end of some seconds, resets between two looks.

    The first look is at second 1; nothing was held before.
    """
    lines = []
    peak = resets = value = 0
    since_s = 1
    told: tuple[int, ...] = ()
    for at_s, (most, then, looked, reset) in enumerate(seconds, 2):
        peak, value = max(peak, value, most), then
        if looked:
            if told != (value, peak, resets):
                lines.append(_look(since_s, at_s, value, peak, resets))
            since_s, told = at_s, (value, peak, resets)
        if reset:
            peak = value
            resets += tell_resets
            if tell_resets:
                lines.append(_look(since_s, at_s, value, peak, resets))
                told = (value, peak, resets)
    return lines


def _true_peak(seconds: Sequence[Happened], start_s: int, end_s: int) -> int:
    """The largest value after `start_s` and up to `end_s`; second 2 is the first in `seconds`."""
    before = [0, *(second.then for second in seconds)]
    held = [max(was, second.most) for was, second in zip(before, seconds, strict=False)]
    return max(held[max(0, start_s - 1) : max(0, end_s - 1)], default=0)


@given(HAPPENED)
def test_the_peak_of_all_times_is_exact(seconds: list[Happened]) -> None:
    """However rarely somebody looked, and however often the marks were set back in sight."""
    lines = _written(seconds)
    looked = [at for at, second in enumerate(seconds) if second.looked]
    peak = _report(*lines).peak("reserved")
    if not lines:
        assert peak is None
    else:
        known = seconds[: looked[-1] + 1]
        assert peak
        assert (peak.bytes, peak.exact) == (_true_peak(known, 1, len(known) + 1), True)


@given(HAPPENED, st.integers(1, 22), st.integers(1, 22))
def test_a_peak_in_a_window_is_exact_or_below(
    seconds: list[Happened], one: int, other: int
) -> None:
    """What is called exact is the true peak, and what is not never lies above it."""
    lines = _written(seconds)
    start_s, end_s = sorted((one, other))
    # Half a second past a look, so that what a look shows belongs to one side alone.
    peak = _report(*lines).peak_in("allocated", start_s + 0.5, end_s + 1.5)
    last_s = lines[-1]["ns"] // 10**9 if lines else 0
    if peak is not None and last_s > end_s:
        # What a second held at most may have been in either half of it.
        assert peak.bytes <= _true_peak(seconds, start_s, end_s + 2)
        if peak.exact:
            assert peak.bytes >= _true_peak(seconds, start_s + 1, end_s + 1)


def test_a_rise_within_the_window_is_exact() -> None:
    """The mark rose between two looks in it: it was that much, though no look saw it."""
    report = _report(_look(1, 2, 5, 5), _look(3, 4, 6, 90), _look(5, 6, 6, 90))
    assert report.peak_in("reserved", 2.5, 5.5) == PeakSeen(90, exact=True, by_s=4.0)


def test_a_window_without_a_rise_has_what_was_seen() -> None:
    """Below an older mark anything may have come and gone; the largest that was seen is told."""
    report = _report(_look(1, 2, 5, 90), _look(3, 4, 60, 90), _look(5, 6, 7, 90))
    assert report.peak_in("reserved", 3.5, 5.5) == PeakSeen(60, exact=False, by_s=4.0)
    # Twice the same, and at the mark: nothing can have been above it.
    flat = _report(_look(1, 2, 90, 90), _look(5, 6, 7, 90))
    assert flat.peak_in("reserved", 3.0, 4.0) == PeakSeen(90, exact=True, by_s=3.0)


def test_a_rise_on_a_windows_edge_belongs_to_neither_for_sure() -> None:
    """It came between two looks, one on each side of the edge: neither side is exact."""
    report = _report(_look(1, 2, 5, 5), _look(2, 4, 6, 90))
    assert report.peak_in("reserved", 1.5, 3.0) == PeakSeen(5, exact=False, by_s=2.0)
    assert report.peak_in("reserved", 3.0, 5.0) == PeakSeen(6, exact=False, by_s=4.0)


def test_what_came_just_before_a_reset_is_not_known() -> None:
    """From the last look before it until the mark is set back anything may have come and gone."""
    report = _report(_look(1, 2, 5, 90), _look(2, 3, 6, 6, resets=1))
    assert report.peak_in("reserved", 2.5, 3.5) == PeakSeen(6, exact=False, by_s=3.0)
    assert report.peak("reserved") == PeakSeen(90, exact=True, by_s=2.0)


@pytest.mark.parametrize("window", [(0.0, 0.5), (6.5, 9.0)], ids=["before", "after"])
def test_nothing_is_said_of_times_without_a_look(window: tuple[float, float]) -> None:
    """Before the first look and after the last there is no figure, and none of 0."""
    assert _report(_look(1, 2, 5, 5), _look(5, 6, 5, 5)).peak_in("reserved", *window) is None


def test_a_reset_that_nobody_saw_makes_the_peak_a_sampled_one() -> None:
    """The mark fell by itself: what stood above both looks is lost, and the gap is told."""
    report = _report(_look(1, 2, 50, 50), _look(2, 5, 20, 30))
    assert report.peak("reserved") == PeakSeen(50, exact=False, by_s=2.0)
    word = allocator.testify(report)
    assert (word.exact, word.resolution_s) == (False, 3.0)


def test_a_process_that_was_there_before_its_witness_is_not_exact() -> None:
    """Its marks may have been set back before anybody looked."""
    peak = _report(_look(0, 2, 50, 50)).peak("reserved")
    assert peak == PeakSeen(50, exact=False, by_s=2.0)


def test_a_series_has_what_came_and_went_between_looks() -> None:
    """For the eye: the largest that is known up to each look, in seconds since the zero."""
    lines = (_look(11, 12, 5, 5), _look(13, 14, 6, 90), _look(15, 16, 7, 90))
    series = _looks(_report(*lines, zero_s=10.0)).series("reserved")
    assert list(zip(series.times_s, series.held_bytes, strict=True)) == [(2, 5), (4, 90), (6, 7)]


# ---- Statement -------------------------------------------------------------------------------


def test_the_word_is_the_largest_that_was_reserved() -> None:
    """An exact figure of a part of the device's memory, which a verdict may use."""
    word = allocator.testify(_report(_look(1, 2, 5, 80), zero_s=1.0))
    assert (word.witness, word.sees) == (
        "engine-allocator",
        "reserved by torch's CUDA allocator in the engine",
    )
    assert (word.exact, word.judged) == (True, True)
    assert (word.peak_bytes, word.at_s, word.resolution_s, word.cannot) == (80, 1.0, None, "")


def test_the_largest_of_several_processes_counts() -> None:
    """Their peaks need not have met, so that they are not added up."""
    one, other = (_raw(HEADER, DEVICE, _look(1, 2, size, size)) for size in (50, 70))
    report = parse_allocator({"allocator-7.jsonl": one, "allocator-8.jsonl": other}, 0.0)
    assert allocator.testify(report).peak_bytes == 70


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ([], "the plugin was not loaded, or could not write into its folder"),
        ([_raw(HEADER)[:-1]], "the plugin was not loaded, or could not write into its folder"),
        ([_raw({**HEADER, "cuda": None})], "torch 2.11.0 has no CUDA"),
        ([_raw(HEADER)] * 2, "CUDA was never initialised in any of 2 processes"),
        ([_raw(HEADER, {"ns": 1, "error": "OSError: x"})], "could not be asked: OSError: x"),
        ([_raw(HEADER), _raw(HEADER, CUDA)], "ended before the allocator was asked once"),
    ],
    ids=["no file", "cut in its first line", "no CUDA", "never used", "error", "killed"],
)
def test_a_blind_witness_says_why(files: list[bytes], why: str) -> None:
    """Nothing seen is never a peak of 0."""
    named = {f"allocator-{number}.jsonl": raw for number, raw in enumerate(files)}
    word = allocator.testify(parse_allocator(named, 0.0))
    assert word.peak_bytes is None
    assert why in word.cannot


# ---- Files -----------------------------------------------------------------------------------

OOM = {
    "ns": 3 * 10**9,
    "oom": {
        "device": 0,
        "asked": 700,
        "limit": 1000,
        "free": 100,
        "thread": "MainThread",
        "stack": ["a.py:1 f"],
        "allocated": 300,
        "reserved": 900,
        "inactive_split": 600,
        "largest_unused": [400, 200],
        "settings": {"expandable_segments": False},
    },
}
WHOLE = _raw(HEADER, CUDA, DEVICE, _look(1, 2, 5, 80), OOM)


def test_everything_that_is_written_is_told() -> None:
    """Process, device, allocator settings and out-of-memory events come through."""
    report = parse_allocator({NAME: WHOLE}, 1.0)
    (process,) = report.processes
    assert (process.pid, process.process, process.title) == (
        7,
        HEADER["process"],
        "VLLM::EngineCore",
    )
    assert (process.cuda_at_s, process.settings) == (-1.0, {"max_split_size": -1})
    assert list(process.devices) == [Device(0, "GPU-0f7c1f5e")]
    (oom,) = report.ooms
    assert (oom.pid, oom.at_s, oom.unused_bytes) == (7, 2.0, 600)
    assert (oom.largest_unused_bytes, oom.stack) == ((400, 200), ("a.py:1 f",))


@given(st.integers(0, len(WHOLE)))
def test_a_file_that_a_kill_cut_short_is_read_up_to_there(cut: int) -> None:
    """Whatever was written whole counts, and what was not is left out."""
    report = parse_allocator({NAME: WHOLE[:cut]}, 1.0)
    ends = WHOLE[:cut].count(b"\n")
    assert len(report.processes) == (ends > 0)
    assert len(report.ooms) == (ends > 4)
    assert (report.peak("reserved") is not None) == (ends > 3)


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=4))
def test_damage_is_an_error_and_nothing_worse(at: int, garbage: bytes) -> None:
    """Bytes in the middle of a file make another file, or an error that names it."""
    damaged = WHOLE[:at] + garbage + WHOLE[at + len(garbage) :]
    try:
        parse_allocator({NAME: damaged}, 1.0)
    except ValueError as error:
        assert NAME in str(error)  # noqa: PT017 - that nothing else is raised is the test


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([HEADER, {**HEADER}], "line 2 is damaged"),
        ([CUDA], "line 1 is damaged"),
        ([HEADER, DEVICE, _look(1, 3, 1, 1), _look(1, 2, 1, 1)], "order of time"),
        ([HEADER, _look(1, 2, 1, 1)], "a look at device 0 from nowhere"),
        ([HEADER, DEVICE, _look(3, 2, 1, 1)], "a look at device 0 from nowhere"),
        ([HEADER, DEVICE, _look(1, 2, -1, 1)], "look.allocated"),
    ],
    ids=["two headers", "no header", "backwards", "no device", "since later", "negative"],
)
def test_what_no_witness_writes_is_refused(lines: list[dict[str, Any]], said: str) -> None:
    """The file and what is wrong with it are named."""
    with pytest.raises(ValueError, match=f"{NAME}: .*{said}"):
        parse_allocator({NAME: _raw(*lines)}, 0.0)


def test_a_folder_is_emptied_for_the_next_server(tmp_path: Path) -> None:
    """What an earlier server wrote is no word on this one; nobody else's folder is opened up."""
    folder = emptied(tmp_path / "allocator", for_anybody=False)
    (folder / NAME).write_bytes(WHOLE)
    assert len(read_allocator(folder, 0.0).processes) == 1
    assert emptied(folder, for_anybody=False) == folder
    assert read_allocator(folder, 0.0).processes == ()
    assert folder.stat().st_mode & 0o7777 == 0o755
    assert emptied(folder, for_anybody=True).stat().st_mode & 0o7777 == 0o1777


def test_a_folder_that_was_never_made_has_no_word(tmp_path: Path) -> None:
    """Where the witness was not brought in there is nothing to read, and that is no error."""
    report = read_allocator(tmp_path / "allocator", 0.0)
    assert report.peak_in("reserved", -math.inf, math.inf) is None
