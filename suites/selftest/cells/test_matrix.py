import itertools
from pathlib import Path

import pytest
from packaging.version import Version

from fixtures.cells.cards import CARDS, GIB, MIB
from fixtures.cells.case import Case
from fixtures.cells.matrix import lines_of_cells, load_matrix
from fixtures.frontier.spaces import load_spaces
from fixtures.runtimes.environments import CHECKOUT

pytestmark = pytest.mark.selftest

MATRIX = CHECKOUT / "suites" / "matrix.toml"
CASES = load_matrix(MATRIX)
SPACES = load_spaces(CHECKOUT / "suites" / "frontier" / "spaces.toml")
GPU_CARDS = [name for name, card in CARDS.items() if card.kind == "gpu"]


def _of(card: str, model: str) -> list[Case]:
    return [case for case in CASES if (case.card_name, case.model_name) == (card, model)]


def test_every_card_has_cells() -> None:
    """No marker of a card selects nothing; on those of other sizes a frontier is searched."""
    of_other_sizes = {"cpu4", "cpu5", "cpu8", "cpu12"}
    assert {case.card_name for case in CASES} == set(CARDS) - of_other_sizes
    assert {one.card_name for one in SPACES} == set(CARDS)


def test_ids_are_unique() -> None:
    """No two cases write the same record."""
    assert len({case.id for case in CASES}) == len(set(CASES)) == len(CASES)


def test_each_cell_has_its_line() -> None:
    """A cell of its own stands where it is written, one of a product where its axes are."""
    text = MATRIX.read_text("utf-8").splitlines()
    lines = lines_of_cells(MATRIX)
    assert list(lines) == [case.id for case in CASES]
    own = {case.id for case in CASES if "{" in text[lines[case.id] - 1].partition("axes")[0]}
    assert len(own) == sum(line.startswith("  {") for line in text)
    for case in CASES:
        line = text[lines[case.id] - 1]
        if case.id in own:
            assert f"max_num_seqs = {case.cell.max_num_seqs}, " in line
            assert f'"{case.cell.allocator}"' in line
        else:
            assert line.startswith("axes = ")
            assert f'"{case.cell.allocator}"' in line


def test_tiny_is_the_whole_product_of_three_axes() -> None:
    """The tiny model has eight cells: two values on each of three axes."""
    points = {(c.cell.max_num_seqs, c.cell.max_model_len, c.cell.allocator) for c in _of_tiny()}
    assert len(points) == 8
    assert points == set(itertools.product(*map(set, zip(*points, strict=True))))


def _of_tiny() -> list[Case]:
    return _of("cpu", "tiny")


def test_every_run_takes_half_of_tiny_with_each_pair_once() -> None:
    """Of the four that always run, each value of an axis meets each of every other once."""
    chosen = [
        (c.cell.max_num_seqs, c.cell.max_model_len, c.cell.allocator)
        for c in _of_tiny()
        if c.every_run
    ]
    assert len(chosen) == 4
    for one, other in itertools.combinations(range(3), 2):
        assert len({(point[one], point[other]) for point in chosen}) == 4


def test_wide_repeats_the_incident_and_its_fix() -> None:
    """The wide model has three cells: one small, one fix, one that must not fit and says where."""
    small, fix, incident = _of("cpu", "wide")
    assert (small.expect, small.role) == ("fits", None)
    assert (fix.expect, fix.role) == ("fits", "fix")
    assert (incident.expect, incident.role) == ("out-of-memory", "incident")
    assert incident.in_phase == "encoder-profile"
    assert all(case.every_run for case in (small, fix, incident))


@pytest.mark.parametrize("name", [name for name in GPU_CARDS if name != "gpu24"])
def test_gpu_cards_have_the_incident_and_a_fix_in_every_run(name: str) -> None:
    """The configuration of the incident and what cured it run on each card that can hold it."""
    roles = {case.role for case in CASES if case.card_name == name and case.every_run}
    assert roles >= {"incident", "fix"}


def test_the_incidents_profile_is_over_a_budget_of_its_own_on_48_gb() -> None:
    """29 GB were under the budget of the whole; 18,586 MiB are what an H200 measured of 0.24.0."""
    usual = [case for case in CASES if case.card_name == "gpu48" and case.versions is None]
    assert len(usual) == 27
    for case in usual:
        profile_bytes = dict(case.phase_budgets_bytes)["encoder-profile"]
        assert 1.2 * 18_586 * MIB < profile_bytes < 29e9 < case.budget_bytes


def test_the_whole_card_is_asked_for_only_where_vllm_can_start_so() -> None:
    """The fix as it was found stands on the cards that it was for, before 0.9.1."""
    found = [case for case in CASES if case.cell.gpu_memory_utilization == 1]
    assert {case.card_name for case in found} == {"gpu24", "gpu48", "gpu80"}
    for case in found:
        assert (case.role, case.cell.max_num_seqs, case.cell.max_model_len) == ("fix", 32, 4096)
        assert case.is_for(Version("0.5.4"))
        assert case.is_for(Version("0.9.0.1"))
        assert not case.is_for(Version("0.9.1"))


def test_budgets_leave_room_below_the_gpu() -> None:
    """A budget on a GPU is at least a GiB below what the card is sold as."""
    for case in CASES:
        if case.card.kind == "gpu":
            assert case.budget_bytes <= case.card.capacity_bytes - GIB


def test_loading_again_gives_the_same_cases_in_the_same_order(tmp_path: Path) -> None:
    """Cases depend on the text of the file alone: they are the parameters of every suite."""
    copy = tmp_path / "copy.toml"
    copy.write_bytes(MATRIX.read_bytes())
    assert load_matrix(copy) == CASES
