"""What the start-up profile encodes, on the incident's figures and on real logs."""

from typing import Literal

import pytest
from packaging.version import Version

from fixtures.cells.cards import GIB
from fixtures.frontier.dummy_items import DummyItems, Encoder, default_batched_tokens, dummy_items
from fixtures.frontier.point import Point
from fixtures.records.part import Unmeasured
from fixtures.servers.expected_facts import StartedAs

pytestmark = pytest.mark.selftest

V2_6 = Encoder()


def started(
    version: str, kind: Literal["cgroup", "gpu"] = "gpu", *, eager: bool = False
) -> StartedAs:
    """As that version, on such a card."""
    return StartedAs(Version(version), kind, eager)


def at(seqs: int, length: int, batched: int | None = None) -> Point:
    """A point whose allocator does not matter."""
    return Point(seqs, length, "default", batched)


def encoded(
    point: Point, start: StartedAs, encoder: Encoder = V2_6
) -> tuple[int, str, int] | Unmeasured:
    """Items, their kind, and the pictures in them."""
    found = dummy_items(point, encoder, start)
    return found[:3] if isinstance(found, DummyItems) else found


@pytest.mark.parametrize(
    ("seqs", "length", "pictures"),
    [(256, 32768, 256), (256, 4096, 64), (32, 4096, 32), (256, 2048, 32)],
)
def test_the_incident_encodes_as_many_dummy_pictures_as_its_source_says(
    seqs: int, length: int, pictures: int
) -> None:
    """At 0.5.4 the defaults encode 256, a length of 4096 encodes 64, and the fix 32."""
    assert encoded(at(seqs, length), started("0.5.4")) == (pictures, "image", pictures)


def test_several_pictures_a_request_share_the_tokens_of_a_dummy_sequence() -> None:
    """With four pictures a request there are fewer dummy sequences, of four pictures each."""
    four = Encoder(images_per_prompt=4)
    assert encoded(at(256, 4096), started("0.6.3"), four) == (64, "image", 64)
    assert encoded(at(8, 4096), started("0.6.3"), four) == (32, "image", 32)


@pytest.mark.parametrize(("seqs", "length", "items"), [(1, 2048, 2), (2, 4096, 8), (4, 4096, 16)])
def test_the_wide_cells_encode_what_their_logs_said(seqs: int, length: int, items: int) -> None:
    """0.29.0 on the CPU said 2, 8 and 16 video items in a budget of 16384 tokens."""
    found = dummy_items(at(seqs, length, 16384), V2_6, started("0.29.0", "cgroup"))
    assert found == DummyItems(items, "video", items * 16, 16384)


@pytest.mark.parametrize(
    "version", ["0.8.5.post1", "0.9.2", "0.10.2", "0.16.0", "0.29.0", "0.33.0"]
)
def test_engine_v1_encodes_two_videos_in_its_default_budget(version: str) -> None:
    """Of 2,048 tokens, whatever max_num_seqs."""
    assert encoded(at(256, 4096, 2048), started(version)) == (2, "video", 32)


def test_a_length_that_holds_no_long_video_profiles_pictures() -> None:
    """At 1024 tokens six frames are left beside a picture: ten slices are more."""
    start = started("0.29.0")
    assert encoded(at(4, 1024, 16384), start) == (4, "image", 40)
    assert encoded(at(64, 1024, 16384), start) == (25, "image", 250)


def test_a_request_without_videos_profiles_pictures() -> None:
    """A limit of no video leaves ten slices an item; a model without video has none anyway."""
    start = started("0.29.0")
    no_video = Encoder(videos_per_prompt=0)
    assert encoded(at(256, 4096, 2048), start, no_video) == (3, "image", 30)
    assert encoded(at(256, 4096, 2048), start, Encoder(96, video=False)) == (2, "image", 20)


def test_a_limit_of_one_counts_once_a_request() -> None:
    """Eight requests of one picture are eight items, where the budget holds more."""
    one = Encoder(images_per_prompt=1, videos_per_prompt=0)
    assert encoded(at(8, 8192, 16384), started("0.29.0"), one) == (8, "image", 80)


def test_a_budget_below_one_item_is_raised_to_it() -> None:
    """One video of 1,024 tokens is profiled although a step has 512."""
    assert encoded(at(16, 4096, 512), started("0.29.0")) == (1, "video", 16)


def test_before_0_10_2_the_budget_is_rounded_up_and_the_length_not_asked() -> None:
    """2,500 tokens are three videos at 0.9.2, and two later; so is a short length."""
    assert encoded(at(1, 2048, 2500), started("0.9.2")) == (3, "video", 48)
    assert encoded(at(1, 2048, 2500), started("0.29.0")) == (2, "video", 32)


def test_starts_that_profile_no_encoder_encode_nothing() -> None:
    """The runner V2 of 0.25 and 0.26, an eager CPU build from 0.27, and who was told to skip it."""
    point = at(32, 4096, 8192)
    skipping = started("0.29.0")._replace(skipped=frozenset({"encoder_profile"}))
    for start in (started("0.26.0"), started("0.29.0", "cgroup", eager=True), skipping):
        assert encoded(point, start) == (0, "image", 0)


def test_what_was_not_read_is_not_guessed() -> None:
    """Engine V0 of 0.7 added up pictures and videos somehow."""
    assert isinstance(encoded(at(32, 4096), started("0.7.3")), Unmeasured)


def test_default_budgets_are_those_of_the_card_and_version() -> None:
    """V0 takes the length; V1 what the card's size gives, and no more than the requests hold."""
    point = at(256, 4096)
    assert default_batched_tokens(point, started("0.5.4")) == 4096
    assert default_batched_tokens(point, started("0.29.0")) == 2048
    assert default_batched_tokens(point, started("0.29.0"), 80 * GIB) == 8192
    assert default_batched_tokens(point, started("0.29.0"), 180 * GIB) == 16384
    assert default_batched_tokens(at(1, 1024), started("0.29.0")) == 1024
