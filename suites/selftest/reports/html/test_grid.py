import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.cells.cards import GIB
from fixtures.cells.case import Case
from fixtures.cells.cell import Cell
from fixtures.cells.cell_name import CellName, parsed
from fixtures.reports.html.anchors import anchors
from fixtures.reports.html.grid import Matrix, matrix
from fixtures.reports.html.states import states_of
from suites.selftest.reports.html.pages import a_run, judged
from suites.selftest.specimens import OUT_OF_MEMORY, a_memory

pytestmark = pytest.mark.selftest

PLAIN = "cpu-tiny-seqs=4-len=2048-alloc=glibc"
FLAGGED = "cpu-tiny-seqs=4-len=2048-alloc=glibc-util=0.9-flags=enforce-eager"


def _matrix(*ids: str) -> Matrix:
    return matrix(states_of(a_run(planned=ids)), anchors(ids))


def test_a_grid_a_card_model_and_allocator() -> None:
    """Rows and columns are in the order of their numbers, and each cell is in its own."""
    found = _matrix(
        "cpu-tiny-seqs=16-len=4096-alloc=glibc", PLAIN, "cpu-wide-seqs=1-len=2048-alloc=glibc"
    )
    tiny, wide = found.grids
    assert (tiny.model, wide.model, tiny.allocator) == ("tiny", "wide", "glibc")
    assert tiny.max_model_lens == (2048, 4096)
    assert [line.max_num_seqs for line in tiny.lines] == [4, 16]
    places = [[len(squares) for squares in line.squares] for line in tiny.lines]
    assert places == [[1, 0], [0, 1]]


def test_cells_that_differ_in_no_axis_stand_side_by_side() -> None:
    """What tells them apart is written into them."""
    (grid,) = _matrix(PLAIN, FLAGGED).grids
    ((squares,),) = [line.squares for line in grid.lines]
    assert [square.note for square in squares] == ["", "util=0.9-flags=enforce-eager"]
    assert len({square.anchor for square in squares}) == 2


def test_a_cell_with_an_odd_id_is_shown_all_the_same() -> None:
    """It has no place in a grid, and a square."""
    found = _matrix("cpu-of-another-form")
    assert found.grids == ()
    assert [square.case_id for square in found.others] == ["cpu-of-another-form"]


@pytest.mark.parametrize(
    ("part", "step"), [(0.2, 0), (0.5, 1), (0.899, 4), (0.9, 5), (1.0, 5), (1.001, 6)]
)
def test_colours_are_by_share_of_the_budget(part: float, step: int) -> None:
    """What exactly fills the budget is not above it."""
    record = judged(budget_bytes=GIB, memory=a_memory(round(part * GIB)))
    run = a_run(record)
    (grid,) = matrix(states_of(run), anchors([record.case_id])).grids
    assert grid.lines[0].squares[0][0].step == step


def test_a_death_that_was_expected_says_so() -> None:
    """A figure above the budget that passes explains itself."""
    record = judged(expect="out-of-memory", start=OUT_OF_MEMORY)
    (grid,) = matrix(states_of(a_run(record)), anchors([record.case_id])).grids
    assert grid.lines[0].squares[0][0].note == "out-of-memory, as expected"


@given(
    st.sampled_from(["cpu", "gpu48"]),
    st.sampled_from(["tiny", "2.6", "minicpmv-4.5"]),
    st.integers(1, 512),
    st.integers(1, 1 << 17),
    st.sampled_from(["arena1", "gc0.8"]),
    st.none() | st.floats(0.01, 1).map(lambda share: round(share, 2)),
    st.sampled_from([(), ("--enforce-eager",), ("--kv-cache-dtype", "fp8-seqs=3")]),
)
def test_an_id_is_read_back(  # noqa: PLR0913, PLR0917 - the parts of a cell
    card: str,
    model: str,
    seqs: int,
    length: int,
    allocator: str,
    share: float | None,
    flags: tuple[str, ...],
) -> None:
    """What `Case.id` joins, `parsed` takes apart."""
    cell = Cell(
        max_num_seqs=seqs,
        max_model_len=length,
        allocator=allocator,
        gpu_memory_utilization=share,
        extra_flags=flags,
    )
    case = Case(card_name=card, model_name=model, cell=cell, budget_bytes=1)
    base = cell.model_copy(update={"gpu_memory_utilization": None, "extra_flags": ()})
    further = cell.id.removeprefix(base.id).removeprefix("-")
    assert parsed(case.id, card) == CellName(card, model, seqs, length, allocator, further)


@given(st.lists(st.text(), max_size=20))
def test_anchors_are_unique_and_plain(ids: list[str]) -> None:
    """Whatever an id is made of, a URL's fragment holds its anchor as it is."""
    found = anchors(ids)
    assert len(set(found.values())) == len(set(ids)) == len(found)
    assert all(one.isascii() and not set(one) & set(" \"'<>&%#?") for one in found.values())
