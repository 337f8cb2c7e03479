import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.cells.cards import CARDS, GIB, MIB, Card, Emulation, Gpu

pytestmark = pytest.mark.selftest

GPU_CARDS = [card for card in CARDS.values() if card.kind == "gpu"]
A10 = Gpu(0, "GPU-a10", "NVIDIA A10", 23_028 * MIB)
L40S = Gpu(1, "GPU-l40s", "NVIDIA L40S", 46_068 * MIB)
H100 = Gpu(2, "GPU-h100", "NVIDIA H100 80GB HBM3", 81_559 * MIB)
H200 = Gpu(3, "GPU-h200", "NVIDIA H200", 143_771 * MIB)


def _gpus(totals_bytes: list[int]) -> list[Gpu]:
    return [Gpu(i, f"GPU-{i}", "some GPU", total) for i, total in enumerate(totals_bytes)]


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
    """A GPU of another size is not mistaken for a card, though it may stand in for one."""
    assert not any(card.is_gpu_of(total_mib * MIB) for card in CARDS.values())


def test_the_cgroup_is_no_gpu() -> None:
    """The cpu card is never found among GPUs, even of its size."""
    assert not CARDS["cpu"].is_gpu_of(CARDS["cpu"].capacity_bytes)
    assert not CARDS["cpu"].fits_into(CARDS["cpu"].capacity_bytes)


@pytest.mark.parametrize("card", GPU_CARDS, ids=lambda card: card.name)
def test_an_emulated_card_is_that_card(card: Card) -> None:
    """A GPU of what is emulated would be taken as it is, and it is less than what is sold."""
    assert card.is_gpu_of(card.emulated_total_bytes)
    assert card.emulated_total_bytes < card.capacity_bytes


def test_a_larger_gpu_emulates_and_the_card_itself_does_not() -> None:
    """On an H100 a 48 GB card is emulated by holding the rest; an L40S is one."""
    assert CARDS["gpu48"].on(L40S) == L40S
    assert L40S.card_bytes == L40S.total_bytes
    emulating = CARDS["gpu48"].on(H100)
    assert emulating.emulation == Emulation("gpu48", 46_068 * MIB, 81_559 * MIB)
    assert emulating.emulation.ballast_bytes == 35_491 * MIB
    assert (emulating.card_bytes, emulating.total_bytes) == (46_068 * MIB, 81_559 * MIB)
    assert emulating._replace(emulation=None) == H100


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpu24", [A10, L40S, H100, H200]),
        ("gpu48", [L40S, H100, H200]),
        ("gpu80", [H100, H200]),
        ("gpu141", [H200]),
        ("cpu", []),
    ],
)
def test_the_card_itself_comes_first_then_the_smallest_larger_one(
    name: str, expected: list[Gpu]
) -> None:
    """Whatever the order of the buses; a smaller GPU is no candidate."""
    for here in ([H200, H100, L40S, A10], [A10, L40S, H100, H200]):
        found = CARDS[name].candidates(here)
        assert [gpu._replace(emulation=None) for gpu in found] == expected
        assert [gpu for gpu in found if gpu.emulation is None] == expected[:1]


@given(st.sampled_from(GPU_CARDS), st.lists(st.integers(1, 300 * GIB), max_size=6))
def test_every_candidate_holds_the_card(card: Card, totals_bytes: list[int]) -> None:
    """What is left of a candidate is a card of the kind, real ones stand before emulated ones."""
    here = _gpus(totals_bytes)
    found = card.candidates(here)
    assert {gpu.uuid for gpu in here} - {gpu.uuid for gpu in found} == {
        gpu.uuid for gpu in here if gpu.total_bytes < card.least_bytes
    }
    for gpu in found:
        assert card.is_gpu_of(gpu.card_bytes)
        assert gpu.card_bytes + (gpu.emulation.ballast_bytes if gpu.emulation else 0) == (
            gpu.total_bytes
        )
    keys = [(gpu.emulation is not None, gpu.emulation and gpu.total_bytes) for gpu in found]
    assert keys == sorted(keys)


def test_a_smaller_gpu_is_refused() -> None:
    """No ballast makes a GPU larger."""
    with pytest.raises(ValueError, match=r"NVIDIA A10 has 22\.5 GiB: too little for gpu48"):
        CARDS["gpu48"].on(A10)
