import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.cells.cards import CARDS, GIB, MIB

pytestmark = pytest.mark.selftest


@given(st.integers(0, 200 * GIB))
def test_a_gpu_is_at_most_one_card(total_bytes: int) -> None:
    """No total that NVML could report belongs to two cards."""
    assert sum(card.is_gpu_of(total_bytes) for card in CARDS.values()) <= 1


@pytest.mark.parametrize(
    ("total_mib", "name"),
    [
        (22_731, "gpu24"),  # A10
        (23_034, "gpu24"),  # L4
        (24_564, "gpu24"),  # RTX 4090
        (45_556, "gpu48"),  # A40 with ECC
        (46_068, "gpu48"),  # L40S
        (49_140, "gpu48"),  # RTX 6000 Ada
        (81_559, "gpu80"),  # H100 SXM
        (143_771, "gpu141"),  # H200
    ],
)
def test_real_totals_are_their_cards(total_mib: int, name: str) -> None:
    """What drivers report for cards that are sold is recognised as the card they are sold as."""
    assert [card.name for card in CARDS.values() if card.is_gpu_of(total_mib * MIB)] == [name]


@pytest.mark.parametrize("total_mib", [15_360, 32_768, 40_960, 97_871], ids=str)
def test_other_gpus_are_none_of_the_cards(total_mib: int) -> None:
    """A GPU of another size is not mistaken for a card whose budget it cannot tell."""
    assert not any(card.is_gpu_of(total_mib * MIB) for card in CARDS.values())


def test_the_cgroup_is_no_gpu() -> None:
    """The cpu card is never found among GPUs, even of its size."""
    assert not CARDS["cpu"].is_gpu_of(CARDS["cpu"].capacity_bytes)
