"""The file of spaces: what stands in it is understood, and what is wrong is said."""

from pathlib import Path

import pytest

from fixtures.cells.cards import GIB
from fixtures.frontier.point import Point, knobs_in
from fixtures.frontier.spaces import SpacesError, load_spaces
from fixtures.runtimes.environments import CHECKOUT

pytestmark = pytest.mark.selftest

SPACES = load_spaces(CHECKOUT / "suites" / "frontier" / "spaces.toml")
GOOD = """
[[cpu4]]
model = "wide"
budget_gib = 4.0
max_num_seqs = [1, 2]
max_model_len = [1024]
allocator = ["glibc"]
"""


def written(folder: Path, text: str) -> Path:
    """A file of spaces."""
    path = folder / "spaces.toml"
    path.write_text(text)
    return path


def test_every_card_without_and_with_a_gpu_can_be_searched() -> None:
    """Each size of memory cgroup, and each card of the matrix."""
    cards = {one.card_name for one in SPACES}
    assert {"cpu", "cpu4", "cpu5", "cpu8", "gpu24", "gpu48", "gpu80", "gpu141"} <= cards
    assert len({one.name for one in SPACES}) == len(SPACES)


def test_every_point_is_a_case_of_its_own() -> None:
    """No two have one id; the batched tokens stand among its flags, and come last."""
    for one in SPACES:
        cases = [one.case_at(point) for point in one.space.points()]
        assert len({case.id for case in cases}) == len(cases)
        assert {case.budget_bytes for case in cases} == {one.budget_bytes}
    (wide,) = [one for one in SPACES if one.name == "cpu-wide"]
    case = wide.case_at(Point(2, 4096, "glibc", 16384))
    assert case.cell.extra_flags == ("--max-num-batched-tokens", "16384")


def test_a_space_is_read(tmp_path: Path) -> None:
    """What is left out is vLLM's default."""
    (one,) = load_spaces(written(tmp_path, GOOD))
    assert one.name == "cpu4-wide"
    assert one.budget_bytes == 4 * GIB
    assert one.space.points() == [Point(1, 1024, "glibc"), Point(2, 1024, "glibc")]
    assert one.first.id == "cpu4-wide-seqs=1-len=1024-alloc=glibc"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("cpu4", "cpu3", "no card"),
        ('"wide"', '"wild"', "unknown model 'wild'"),
        ("4.0", "4.5", "above the card"),
        ("[1, 2]", "[2, 1]", "from small to large"),
        ("[1, 2]", "[1, 1]", "from small to large"),
        ("[1, 2]", "[]", "max_num_seqs"),
        ("[1, 2]", "[0, 1]", "max_num_seqs.0"),
        ('"glibc"', '"expandable"', "allocator 'expandable' is not for cpu4"),
        ("max_model_len", "max_len", "max_model_len"),
        ("allocator", "gpu_memory_utilization = [0.9]\nallocator", "without a GPU"),
        ("allocator", "max_num_batched_tokens = [0]\nallocator", "max_num_batched_tokens.0"),
        ("[[cpu4]]", "[[cpu4]", "cannot be read"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(tmp_path: Path, old: str, new: str, said: str) -> None:
    """One sentence names the file and the fault."""
    path = written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(SpacesError) as refused:
        load_spaces(path)
    assert said in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value).strip() or "cannot be read" in said


def test_the_same_twice_is_refused(tmp_path: Path) -> None:
    """A card and model have one space."""
    with pytest.raises(SpacesError, match="cpu4-wide stands twice"):
        load_spaces(written(tmp_path, GOOD + GOOD))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """Where it was looked for."""
    with pytest.raises(SpacesError, match=r"nothing\.toml: cannot be read"):
        load_spaces(tmp_path / "nothing.toml")


def test_knobs_are_read_as_cells_are_named() -> None:
    """Numbers are numbers; a word that is no knob is refused."""
    assert knobs_in("seqs=64-len=8192-alloc=expandable-util=0.9") == {
        "max_num_seqs": 64,
        "max_model_len": 8192,
        "allocator": "expandable",
        "gpu_memory_utilization": 0.9,
    }
    for wrong in ("seqs", "size=4", "seqs=", "seqs=many"):
        with pytest.raises(ValueError, match=r"none of|invalid literal"):
            knobs_in(wrong)
