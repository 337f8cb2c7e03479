import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fixtures.cells.allocators import ALLOCATORS, CUDA_ALLOCATORS, HOST_ALLOCATORS
from fixtures.cells.cell import Cell

pytestmark = pytest.mark.selftest

CELLS = st.builds(
    Cell,
    max_num_seqs=st.integers(1, 20),
    max_model_len=st.integers(1, 20),
    allocator=st.sampled_from(sorted(ALLOCATORS)),
    gpu_memory_utilization=st.none() | st.integers(1, 100).map(lambda percent: percent / 100),
    extra_flags=st.sampled_from([(), ("--enforce-eager",), ("--enforce-eager", "--kv=1")]),
)
GOOD = {"max_num_seqs": 4, "max_model_len": 2048, "allocator": "glibc"}


@given(CELLS, CELLS)
def test_equal_cells_have_equal_ids_and_hashes(one: Cell, other: Cell) -> None:
    """Two cells share their id exactly when they are equal, and then their hash too."""
    assert (one == other) == (one.id == other.id)
    assert len({one, other}) == len({one.id, other.id})


@given(CELLS)
def test_an_id_fits_a_file_name_and_a_test_id(cell: Cell) -> None:
    """An id has no character that a shell, a path or pytest's brackets would mind."""
    assert not set(cell.id) & set(" /[]'\"")


def test_an_id_names_every_axis() -> None:
    """What a cell says beyond its defaults stands in its id."""
    cell = Cell.model_validate(GOOD | {"gpu_memory_utilization": 0.85, "extra_flags": ("--x=1",)})
    assert cell.id == "seqs=4-len=2048-alloc=glibc-util=0.85-flags=x=1"


def test_a_cell_does_not_change() -> None:
    """A cell is a key: it cannot be given another value."""
    with pytest.raises(ValidationError):
        Cell.model_validate(GOOD).max_num_seqs = 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_num_seqs": 0},
        {"max_num_seqs": "4"},
        {"max_num_seqs": 4.0},
        {"max_num_seqs": True},
        {"max_model_len": -1},
        {"gpu_memory_utilization": 0.0},
        {"gpu_memory_utilization": 1.01},
        {"max_num_sequences": 4},
    ],
    ids=str,
)
def test_a_wrong_value_is_refused(wrong: dict[str, object]) -> None:
    """Numbers out of range, of another type, and unknown names make no cell."""
    with pytest.raises(ValidationError):
        Cell.model_validate(GOOD | wrong)


def test_an_unknown_allocator_is_told_the_known_ones() -> None:
    """A mistyped allocator is refused with all that there are."""
    with pytest.raises(ValidationError, match="glibc, arena1, default, expandable"):
        Cell.model_validate(GOOD | {"allocator": "jemalloc"})


@pytest.mark.parametrize(
    "word", ["--max-num-seqs", "--max_model_len=1", "--gpu-memory_utilization"]
)
def test_a_key_is_not_said_again_as_a_flag(word: str) -> None:
    """A flag that vLLM would take instead of the cell's own figure is refused with its key."""
    with pytest.raises(ValidationError, match=r"write (max_|gpu_memory_util)\w+ = "):
        Cell.model_validate(GOOD | {"extra_flags": ("--enforce-eager", word, "4")})


def test_every_allocator_is_for_one_kind_of_card() -> None:
    """Host and CUDA allocators share no name, and there are no others."""
    assert not HOST_ALLOCATORS & CUDA_ALLOCATORS
    assert set(ALLOCATORS) == HOST_ALLOCATORS | CUDA_ALLOCATORS


def test_allocators_of_a_kind_differ_in_what_they_set() -> None:
    """No two names of a kind stand for the same variables: they would be the same cell twice."""
    for names in (HOST_ALLOCATORS, CUDA_ALLOCATORS):
        settings = [tuple(sorted(ALLOCATORS[name].items())) for name in names]
        assert len(set(settings)) == len(settings)
