import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.runtimes.setup.versions import is_same, nearest, numbers_of, release_of

pytestmark = pytest.mark.selftest

OFFERED = ["0.9.2", "0.10.2.post2", "0.8.5", "0.29.0", "0.31.0", "0.32.0", "0.30.0"]

releases = st.lists(st.integers(0, 40), min_size=1, max_size=4).map(
    lambda numbers: ".".join(map(str, numbers))
)


@pytest.mark.parametrize(
    ("version", "release"),
    [
        ("0.6.3.post1", (0, 6, 3)),
        ("0.29.0", (0, 29)),
        ("2.13.0+cpu", (2, 13)),
        ("0.10.0rc1", (0, 10)),
    ],
)
def test_release_is_what_all_its_builds_share(version: str, release: tuple[int, ...]) -> None:
    """Post-releases, candidates, local builds and zeros at the end make no other release."""
    assert release_of(version) == release


@pytest.mark.parametrize(
    ("asked", "found"),
    [("0.29", "0.29.0"), ("0.33.0", "0.33.0+cu130"), ("0.9.0RC1", "0.9.0rc1")],
)
def test_one_version_may_be_spelt_in_two_ways(asked: str, found: str) -> None:
    """What pip installs for a pin is recognised as what was asked for."""
    assert is_same(asked, found)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("0.29.0", "0.29.1"),
        ("0.9.2", "0.9.2.post2"),
        ("0.33.0+cu130", "0.33.0"),
        ("0.33.0+cu130", "0.33.0+cu129"),
    ],
)
def test_another_version_is_not_taken_for_it(asked: str, found: str) -> None:
    """A post-release, or a build other than the one that was named, is another runtime."""
    assert not is_same(asked, found)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("9.9.9", ["0.29.0", "0.30.0", "0.31.0", "0.32.0"]),
        ("0.10.0", ["0.8.5", "0.9.2", "0.10.2.post2", "0.29.0"]),
        ("0.1.0", ["0.8.5", "0.9.2", "0.10.2.post2", "0.29.0"]),
    ],
)
def test_nearest_versions_stand_on_both_sides(version: str, expected: list[str]) -> None:
    """Versions are compared as numbers: 0.9 comes before 0.10."""
    assert nearest(version, OFFERED) == expected


@given(version=releases, offered=st.lists(releases, unique_by=numbers_of, max_size=12))
def test_no_version_stands_between_the_nearest(version: str, offered: list[str]) -> None:
    """The nearest are a stretch of what is on offer, with the neighbours of the version in it."""
    found = nearest(version, offered)
    ordered = sorted(offered, key=numbers_of)
    assert len(found) == min(len(ordered), 4)
    assert any(ordered[start:][: len(found)] == found for start in range(len(ordered) + 1))
    below = [one for one in ordered if numbers_of(one) < numbers_of(version)]
    above = [one for one in ordered if numbers_of(one) >= numbers_of(version)]
    assert {*below[-1:], *above[:1]} <= set(found)


def test_nothing_on_offer_is_nothing_near() -> None:
    """Without any version there is none to propose."""
    assert nearest("0.29.0", []) == []
