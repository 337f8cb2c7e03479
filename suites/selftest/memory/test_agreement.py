import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.cells.cards import GIB, MIB
from fixtures.memory.agreement import Known, believed, disagreements
from fixtures.memory.testimony import Statement, blind

pytestmark = pytest.mark.selftest

NOTHING = Known(None, None)


def _word(
    name: str,
    peak_bytes: int,
    *,
    judged: bool = True,
    exact: bool = False,
    resolution_s: float | None = None,
) -> Statement:
    return Statement(
        name,
        "bytes",
        exact=exact,
        judged=judged,
        peak_bytes=peak_bytes,
        at_s=1.0,
        resolution_s=resolution_s,
    )


WORDS = st.lists(st.builds(_word, st.just("any"), st.integers(0, 2**50), judged=st.booleans()))


@given(WORDS)
def test_the_largest_that_may_be_judged_is_believed(words: list[Statement]) -> None:
    """No figure that may be judged is above the believed one."""
    judge = believed(words)
    figures = [word.peak_bytes for word in words if word.judged]
    assert (judge.peak_bytes if judge else None) == max(
        (figure for figure in figures if figure is not None), default=None
    )


def test_the_blind_are_not_believed() -> None:
    """A witness that could not see is no witness of 0 bytes."""
    assert believed([blind("a", "bytes", "no driver", exact=True, judged=True)]) is None


def test_of_equal_figures_the_one_with_a_moment_is_believed() -> None:
    """When it happened is worth as much as who says it."""
    mark = _word("mark", GIB)._replace(at_s=None)
    assert believed([mark, _word("samples", GIB)]) == _word("samples", GIB)


@pytest.mark.parametrize(
    ("judged_bytes", "other_bytes", "told"),
    [
        (GIB, GIB - 20 * MIB, False),
        (GIB, GIB - 30 * MIB, True),
        (40 * GIB, 40 * GIB - 200 * MIB, False),
        (40 * GIB, 40 * GIB - 300 * MIB, True),
    ],
    ids=["within 2 %", "above 2 %", "within 256 MiB", "above 256 MiB"],
)
def test_a_disagreement_is_told_from_its_size_on(
    judged_bytes: int, other_bytes: int, *, told: bool
) -> None:
    """More than 2 %, or more than 256 MiB, is a disagreement."""
    found = disagreements([_word("a", judged_bytes), _word("b", other_bytes)], NOTHING)
    assert bool(found) == told


def test_what_nothing_explains_is_called_that() -> None:
    """Exact marks that differ for no known reason are unexplained; samples may have missed it."""
    judge = _word("nvml-device", 2 * GIB)
    (said,) = disagreements([judge, _word("other", GIB, exact=True)], NOTHING)
    assert said == "other (1,024 MiB) is 1,024 MiB below nvml-device (2,048 MiB): unexplained"
    (said,) = disagreements([judge, _word("other", GIB, resolution_s=0.031)], NOTHING)
    assert said.endswith("unexplained, unless by a rise within its largest gap of 0.031 s")


def test_page_cache_explains_no_more_than_it_is() -> None:
    """A cgroup's mark above the processes by more than its page cache stays unexplained."""
    words = [_word("tree-marks", GIB), _word("cgroup-mark", 2 * GIB, judged=False, exact=True)]
    (said,) = disagreements(words, Known(2 * GIB, None))
    assert said.endswith(": up to 2,048 MiB are page cache")
    (said,) = disagreements(words, Known(100 * MIB, 5 * GIB))
    assert said.endswith(": unexplained; up to 100 MiB are page cache")
    (said,) = disagreements(words, NOTHING)
    assert said.endswith(": unexplained")
    assert not disagreements([], NOTHING)


def test_shared_pages_explain_no_more_than_they_are() -> None:
    """A cgroup's mark below the processes is explained as far as they count pages twice."""
    words = [_word("tree-marks", 2 * GIB), _word("cgroup-mark", GIB, judged=False, exact=True)]
    (said,) = disagreements(words, Known(None, GIB))
    assert said.endswith(
        ": up to 1,024 MiB are shared pages counted once a process, and file pages"
    )
    (said,) = disagreements(words, Known(5 * GIB, GIB - 50 * MIB))
    assert ": unexplained; up to" in said


def test_the_hosts_memory_is_not_compared_with_a_gpus() -> None:
    """What a server holds of another memory is no word against its peak on the card."""
    host = _word("tree-samples", GIB, judged=False)
    assert disagreements([_word("nvml-device", 40 * GIB), host], NOTHING)
    assert not disagreements(
        [_word("nvml-device", 40 * GIB), host._replace(of_card=False)], NOTHING
    )
