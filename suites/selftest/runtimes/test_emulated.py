from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from fixtures.cells.cards import CARDS, GIB, MIB, Card, Emulation, Gpu
from fixtures.cells.cell import Cell
from fixtures.runtimes.emulated import batched_tokens, rescaled_share
from suites.selftest.runtimes.ladder import RUNGS

pytestmark = pytest.mark.selftest

ON_H100 = Emulation("gpu48", 46_068 * MIB, 81_559 * MIB)
ON_H200 = ON_H100._replace(real_total_bytes=143_771 * MIB)
GPU_CARDS = [card for card in CARDS.values() if card.kind == "gpu"]
COUNTED_ALL = [rung for rung in RUNGS if Version("0.8.3") <= rung < Version("0.9.1")]
CELL = Cell(max_num_seqs=256, max_model_len=8192, allocator="default")


@st.composite
def emulations(draw: st.DrawFn) -> Emulation:
    """Any card on any GPU that is larger."""
    card: Card = draw(st.sampled_from(GPU_CARDS))
    total_bytes = draw(st.integers(card.most_bytes + 1, 300 * GIB))
    emulation = card.on(Gpu(0, "GPU-0", "some GPU", total_bytes)).emulation
    assert emulation is not None
    return emulation


@pytest.mark.parametrize(
    ("share", "version", "rescaled"),
    [
        (0.95, "0.29.0", "0.5366"),
        (0.9, "0.5.4", "0.5083"),
        (None, "0.19.1", "0.5083"),
        (None, "0.20.2", "0.5196"),
        (1.0, "0.6.3", "0.5648"),
        (0.9, "0.8.0", "0.5083"),
        (0.9, "0.8.3", "0.9435"),
        (None, "0.9.0", "0.9435"),
        (1.0, "0.9.0", "1.0000"),
        (0.9, "0.9.1", "0.5083"),
    ],
)
def test_a_share_of_48_gb_is_rescaled_to_an_h100(
    share: float | None, version: str, rescaled: str
) -> None:
    """It follows the default of the release, and what the release takes for its own memory."""
    assert rescaled_share(share, ON_H100, Version(version)) == rescaled


@given(st.integers(1, 10_000), emulations(), st.sampled_from(RUNGS))
def test_never_more_is_planned_with_than_on_the_card(
    share: int, emulation: Emulation, release: Version
) -> None:
    """Less than a ten-thousandth of the GPU is lost to rounding, and nothing is gained."""
    planned = Fraction(rescaled_share(share / 10_000, emulation, release))
    planned_bytes = planned * emulation.real_total_bytes
    if release in COUNTED_ALL:
        planned_bytes -= emulation.ballast_bytes
    wanted_bytes = Fraction(share, 10_000) * emulation.total_bytes
    assert 0 <= wanted_bytes - planned_bytes < Fraction(emulation.real_total_bytes, 10_000)


@pytest.mark.parametrize(
    ("card_name", "real_mib", "version", "tokens"),
    [
        ("gpu48", 81_559, "0.29.0", 2048),
        ("gpu48", 81_559, "0.8.3", 2048),
        ("gpu24", 143_771, "0.33.0", 2048),
        # The profile of the V0 engine does not depend on the size of the GPU.
        ("gpu48", 81_559, "0.8.0", None),
        ("gpu48", 81_559, "0.5.4", None),
        # Both count as small, or both as large.
        ("gpu24", 49_140, "0.29.0", None),
        ("gpu80", 143_771, "0.29.0", None),
        # A B200 is told apart since 0.29.
        ("gpu80", 183_359, "0.28.0", None),
        ("gpu80", 183_359, "0.29.0", 8192),
        ("gpu48", 183_359, "0.29.0", 2048),
    ],
)
def test_the_profile_has_the_tokens_of_the_card(
    card_name: str, real_mib: int, version: str, tokens: int | None
) -> None:
    """Where a larger GPU would schedule more tokens at once, those of the card are said."""
    emulation = Emulation(card_name, CARDS[card_name].emulated_total_bytes, real_mib * MIB)
    assert batched_tokens(CELL, emulation, Version(version)) == tokens


def test_no_more_tokens_are_said_than_the_cell_can_schedule() -> None:
    """vLLM cuts its default to what all sequences hold together, and would not cut what is said."""
    one = CELL.model_copy(update={"max_num_seqs": 1, "max_model_len": 1024})
    assert batched_tokens(one, ON_H200, Version("0.29.0")) == 1024
