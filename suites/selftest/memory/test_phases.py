from itertools import pairwise

import numpy as np
import pytest

from fixtures.cells.cards import GIB
from fixtures.memory.phases import missing, with_missing
from fixtures.memory.series import SampleSeries
from fixtures.servers.startup_log import PhaseSpan

pytestmark = pytest.mark.selftest

# The incident: 2 s of nothing, 16 GiB of weights until 8 s, a profile that peaks at 29 GiB and is
# over at 10 s, and a KV cache that fills up to 19 GiB.
SHAPE = [(0.0, 0.3), (2.0, 8.0), (3.0, 16.0), (8.0, 29.0), (10.0, 17.0), (11.0, 19.0), (14.0, 19.0)]
LOGGED = [
    PhaseSpan("boot", 0.0, 2.0, "suite"),
    PhaseSpan("weights", 2.0, 8.0),
    PhaseSpan("encoder-profile", 8.0, 10.0),
    PhaseSpan("kv-cache", 10.0, 12.0),
    PhaseSpan("warm", 12.0, 14.0),
]


def _incident() -> SampleSeries:
    times_s = np.arange(0, 14, 0.01)
    edges = np.array([at_s for at_s, _ in SHAPE])
    levels = np.array([gib for _, gib in SHAPE])
    held = levels[np.searchsorted(edges, times_s + 1e-9, side="right") - 1]
    return SampleSeries(times_s, (held * GIB).astype(np.int64))


def _without(*names: str) -> list[PhaseSpan]:
    """The log without the lines of some phases: the phase before swallows them."""
    spans: list[PhaseSpan] = []
    for span in LOGGED:
        if span.name in names:
            spans[-1] = spans[-1]._replace(end_s=span.end_s)
        else:
            spans.append(span)
    return spans


def test_what_the_log_tells_is_not_touched() -> None:
    """Where every line came, the series is not asked."""
    assert with_missing(_incident(), LOGGED) == tuple(LOGGED)


@pytest.mark.parametrize(
    "names",
    [
        ("weights",),
        ("encoder-profile",),
        ("kv-cache",),
        ("weights", "encoder-profile"),
        ("encoder-profile", "kv-cache"),
        ("weights", "encoder-profile", "kv-cache"),
    ],
    ids="+".join,
)
def test_a_phase_without_a_line_is_found_in_the_series(names: tuple[str, ...]) -> None:
    """Its edge is where memory shows it, and it says that memory told it."""
    found = {span.name: span for span in with_missing(_incident(), _without(*names))}
    for span in LOGGED:
        assert found[span.name].start_s == pytest.approx(span.start_s, abs=0.02)
        assert found[span.name].told_by == ("series" if span.name in names else span.told_by)


def test_spans_still_meet() -> None:
    """However many phases are cut out, each begins where the one before ends."""
    spans = with_missing(_incident(), _without("weights", "encoder-profile", "kv-cache"))
    assert [span.name for span in spans] == [span.name for span in LOGGED]
    for earlier, later in pairwise(spans):
        assert earlier.end_s == later.start_s


def test_a_flat_series_shows_no_phase() -> None:
    """Memory without an edge tells nothing, and nothing is made up."""
    flat = SampleSeries(np.arange(0, 14, 0.01), np.full(1400, GIB))
    spans = _without("encoder-profile", "kv-cache")
    assert with_missing(flat, spans) == tuple(spans)
    assert missing(spans) == ("encoder-profile", "kv-cache")


def test_a_start_that_ended_early_misses_nothing_later() -> None:
    """A start that died with its weights had no profile to miss."""
    assert missing(LOGGED[:2]) == ()
    assert missing([*LOGGED[:1], *LOGGED[3:4]]) == ("weights", "encoder-profile")
    assert missing([]) == ()
