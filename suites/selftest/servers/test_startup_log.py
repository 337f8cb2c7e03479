from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.cells.case import StartPhase
from fixtures.servers.startup_log import PHASES, PhaseSpan, StartupPhases, phase_opened_by
from suites.selftest.servers.logs import START
from suites.selftest.servers.starts import STARTS

pytestmark = pytest.mark.selftest

OPENERS = [line for line in START if phase_opened_by(line)]
LINES = st.lists(st.tuples(st.sampled_from(START) | st.text(), st.floats(0, 10)), max_size=30)


def test_a_recorded_start_has_its_phases_in_order() -> None:
    """A real log goes from boot over weights, encoder profile and KV cache to the API."""
    phases = StartupPhases()
    for second, line in enumerate(START):
        phases.take([line], float(second), float(second))
    assert phases.spans(20.0) == (
        PhaseSpan("boot", 0.0, 4.0, "suite"),
        PhaseSpan("weights", 4.0, 6.0),
        PhaseSpan("encoder-profile", 6.0, 9.0),
        PhaseSpan("kv-cache", 9.0, 11.0),
        PhaseSpan("warm", 11.0, 20.0),
    )
    assert (phases.current, phases.current_since_s) == ("warm", 11.0)


def test_a_line_that_is_new_was_written_since_the_last_look() -> None:
    """What came between two looks belongs to the phase that was opened between them.

    But for the last one, whose line says that all before it is done.
    """
    phases = StartupPhases()
    phases.take(["Loading model weights took 15.8 GB"], 1.0, 1.0)
    phases.take([], 5.0, 5.05)
    phases.take(["GPU KV cache size: 450,816 tokens"], 5.05, 5.1)
    phases.take(["init engine (profile, create kv cache, warmup model) took 9 s"], 5.9, 5.95)
    assert phases.spans(6.0)[-3:] == (
        PhaseSpan("encoder-profile", 1.0, 5.05),
        PhaseSpan("kv-cache", 5.05, 5.95),
        PhaseSpan("warm", 5.95, 6.0),
    )


def test_a_process_that_wrote_nothing_is_booting() -> None:
    """Before the first line a start is in its first phase."""
    assert StartupPhases().spans(3.0) == (PhaseSpan("boot", 0.0, 3.0, "suite"),)


def test_a_graph_capture_is_known() -> None:
    """The phase that only GPUs have is opened by vLLM's progress bar."""
    line = "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):   0%|    | 0/67"
    assert phase_opened_by(line) == "graph-capture"


def test_a_version_tells_of_a_capture_that_is_over() -> None:
    """Where only the end of the graph capture has a line, the phase began so much earlier."""
    phases = StartupPhases()
    phases.take(["Loading model weights took 15.8 GB"], 1.0, 1.0)
    phases.take(["GPU KV cache size: 450,816 tokens"], 5.0, 5.0)
    phases.take(["Graph capturing finished in 22 secs, took 0.49 GiB"], 30.0, 30.0)
    assert phases.spans(31.0)[-2:] == (
        PhaseSpan("kv-cache", 5.0, 8.0),
        PhaseSpan("graph-capture", 8.0, 31.0),
    )


def test_a_capture_within_the_profile_is_no_phase() -> None:
    """Graphs that are captured before there is a KV cache are a sample, for an estimate."""
    phases = StartupPhases()
    for line in STARTS["0.33.0"]:
        if "Available KV cache memory" in line:
            break
        phases.take([line], 1.0, 1.0)
    assert phases.current == "encoder-profile"


@pytest.mark.parametrize("name", STARTS)
def test_every_version_goes_through_its_phases(name: str) -> None:
    """No phase is missing in any version's log, but for those that a CPU or a flag leaves out."""
    missing = {
        "0.8.5.post1-cpu": {"encoder-profile", "graph-capture"},
        "0.16.0-cpu": {"encoder-profile", "graph-capture"},
        "0.29.0-cpu-recorded": {"encoder-profile", "graph-capture"},
        "0.33.0-cpu": {"graph-capture"},
        "0.29.0-kv-bytes": {"graph-capture"},
    }
    phases = StartupPhases()
    phases.take(STARTS[name], 1.0, 1.0)
    assert [span.name for span in phases.spans(2.0)] == [
        phase for phase in PHASES if phase not in missing.get(name, set())
    ]


@given(LINES)
def test_phases_never_go_back(lines: list[tuple[str, float]]) -> None:
    """Whatever the log says, phases come in their order, once each, and leave no gap."""
    phases = StartupPhases()
    now_s = 0.0
    for line, after_s in lines:
        now_s += after_s
        phases.take([line], now_s, now_s)
    spans = phases.spans(now_s)
    indices = [PHASES.index(span.name) for span in spans]
    assert indices == sorted(set(indices))
    assert (spans[0].start_s, spans[-1].end_s) == (0.0, now_s)
    assert all(one.end_s == other.start_s for one, other in pairwise(spans))
    assert all(span.start_s <= span.end_s for span in spans)


@given(st.integers(0, len(START)))
def test_lines_count_the_same_at_once_and_one_by_one(cut: int) -> None:
    """How the log arrives in pieces does not change which phase a start is in."""
    at_once, in_two = StartupPhases(), StartupPhases()
    at_once.take(START, 1.0, 1.0)
    in_two.take(START[:cut], 1.0, 1.0)
    in_two.take(START[cut:], 1.0, 1.0)
    assert at_once.spans(2.0) == in_two.spans(2.0)


def test_every_phase_of_the_matrix_can_come() -> None:
    """A phase that the matrix may expect is one that the log can open."""
    assert set(PHASES) == set(get_args(StartPhase))
    opened = {phase_opened_by(line) for line in OPENERS} | {"boot", "graph-capture"}
    assert opened == set(PHASES)
