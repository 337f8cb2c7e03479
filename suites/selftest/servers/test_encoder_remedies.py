import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fixtures.cells.cards import GIB, MIB
from fixtures.cells.cell import Cell
from fixtures.servers.encoder_remedies import dummy_pictures, encoder_remedy, that_fit
from fixtures.servers.facts import EncoderProfile

pytestmark = pytest.mark.selftest

INCIDENT = Cell(max_num_seqs=256, max_model_len=8192, allocator="default")
WIDE = Cell(max_num_seqs=4, max_model_len=4096, allocator="glibc")
SIXTEEN_VIDEOS = EncoderProfile(at_s=9, budget_tokens=16384, items=16, modality="video")


@pytest.mark.parametrize(
    ("seqs", "length", "pictures"),
    [(256, 32768, 256), (256, 4096, 64), (32, 4096, 32), (256, 2048, 32), (256, 512, 32)],
)
def test_a_v0_profile_is_bounded_by_both_knobs(seqs: int, length: int, pictures: int) -> None:
    """The incident's 256 pictures, and what its fixes made of them, come of two flags."""
    assert dummy_pictures(seqs, length) == pictures


def test_the_incident_of_0_5_4_is_told_with_its_knobs() -> None:
    """Without a word of the profile in the log, the old formula says what to lower, and to what."""
    remedy = encoder_remedy(INCIDENT, None, 8 * GIB, 6 * GIB)
    assert remedy.startswith("the encoder profile asked for 8.00 GiB with 6.00 GiB free: lower ")
    assert "max_num_seqs from 256 to 64 or max_model_len from 8192 to 4096;" in remedy
    assert "min(max_num_seqs, max(max_model_len, 2048) / 64) = 128 dummy pictures" in remedy


def test_a_length_that_would_not_help_is_not_named() -> None:
    """Below 2048 tokens of max_model_len a V0 engine's batch does not get smaller."""
    remedy = encoder_remedy(INCIDENT, None, 8 * GIB, 1 * GIB)
    assert "lower max_num_seqs from 256 to 16; " in remedy
    assert "max_model_len from" not in remedy


def test_the_wide_models_incident_is_told_with_its_fix() -> None:
    """For the cell that the matrix expects to be killed, its fix in the matrix is proposed."""
    remedy = encoder_remedy(WIDE, SIXTEEN_VIDEOS, None, None)
    assert "lower max_num_seqs from 4 to 2 or --max-num-batched-tokens from 16384 to 8192" in remedy
    assert "16 video items in a budget of 16384 tokens" in remedy
    assert "max_num_batched_tokens and limit-mm-per-prompt govern" in remedy


def test_a_profile_that_no_number_of_sequences_shrinks_enough_is_told_with_a_length() -> None:
    """Where one sequence alone brings too many items, its length is what has to go down."""
    remedy = encoder_remedy(WIDE, SIXTEEN_VIDEOS, 8 * GIB, GIB)
    assert "lower max_num_seqs to 1 with max_model_len to 2048 or" in remedy


def test_one_picture_that_does_not_fit_needs_another_card() -> None:
    """With nothing left to lower, a larger card is what remains."""
    one = Cell(max_num_seqs=1, max_model_len=2048, allocator="default")
    assert "a card with more memory is needed" in encoder_remedy(one, None, 96 * MIB, MIB)
    image = EncoderProfile(at_s=9, budget_tokens=640, items=1, modality="image")
    assert "a card with more memory is needed" in encoder_remedy(one, image, 96 * MIB, MIB)


def test_without_a_cell_the_knobs_are_named() -> None:
    """Who does not know the flags is still told which ones to look at."""
    remedy = encoder_remedy(None, None, None, None)
    assert remedy.endswith("lower max_num_seqs, max_model_len or --max-num-batched-tokens")


@given(st.integers(1, 4096), st.integers(1, 1 << 50), st.integers(0, 1 << 50))
def test_what_is_proposed_fits_and_is_less(pictures: int, asked: int, free: int) -> None:
    """The proposal is a power of two below what failed, and the step that failed would fit."""
    fits = that_fit(pictures, asked, free)
    assert fits & (fits - 1) == 0
    assert fits < pictures
    assert fits * asked <= pictures * free


@given(st.integers(1, 512), st.integers(1, 65536), st.integers(1, 512))
def test_a_v0_proposal_gives_no_more_pictures_than_fit(seqs: int, length: int, gib: int) -> None:
    """Whoever sets max_num_seqs as proposed gets a profile that the arithmetic says fits."""
    cell = Cell(max_num_seqs=seqs, max_model_len=length, allocator="default")
    fits = that_fit(dummy_pictures(seqs, length), 512 * GIB, gib * GIB)
    assume(fits)
    assert f"max_num_seqs from {seqs} to {fits}" in encoder_remedy(cell, None, 512 * GIB, gib * GIB)
    assert dummy_pictures(fits, length) <= fits
