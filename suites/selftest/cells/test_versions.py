import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version
from pydantic import ValidationError

from fixtures.cells.case import Case
from fixtures.cells.versions import release_of
from suites.selftest.specimens import a_case

pytestmark = pytest.mark.selftest

RELEASES = st.lists(st.integers(0, 40), min_size=2, max_size=4).map(
    lambda numbers: ".".join(map(str, numbers))
)


def _for(versions: str | None) -> Case:
    return Case.model_validate(a_case().model_dump() | {"versions": versions})


@pytest.mark.parametrize(
    ("version", "release"),
    [
        ("0.29.0", "0.29.0"),
        ("0.29.0+cpu", "0.29.0"),
        ("0.29.0rc2", "0.29.0"),
        ("0.33.1.dev12+gabc", "0.33.1"),
        ("0.6.3.post1", "0.6.3.post1"),
        ("0.6.3.post1.dev3+g0", "0.6.3.post1"),
    ],
)
def test_a_build_counts_as_its_release(version: str, release: str) -> None:
    """What is built on the way to a release counts as it; a post-release is one of its own."""
    assert str(release_of(Version(version))) == release


@given(RELEASES, st.sampled_from(["", "rc1", ".post1", ".dev3", "+cpu", ".post1.dev3+gabc"]))
def test_what_a_build_counts_as_is_a_release(numbers: str, build: str) -> None:
    """It is no pre-release and no local build, and counts as itself."""
    release = release_of(Version(numbers + build))
    assert not release.is_prerelease
    assert release.local is None
    assert release_of(release) == release
    assert release.release == Version(numbers).release


@pytest.mark.parametrize(
    ("versions", "version", "told"),
    [
        (None, "0.5.4", True),
        ("<0.9.1", "0.9.0.1", True),
        ("<0.9.1", "0.9.1", False),
        ("<0.9.1", "0.9.1rc1", False),
        (">=0.9.1", "0.9.1.dev5+gabc", True),
        (">=0.8, <0.9.1", "0.7.3", False),
        ("==0.29.0", "0.29.0+cpu", True),
        ("!=0.31.*", "0.31.0", False),
    ],
)
def test_a_case_is_for_the_versions_that_it_names(
    versions: str | None, version: str, *, told: bool
) -> None:
    """A case without versions is for all; a build on the way to a release counts as it."""
    assert _for(versions).is_for(Version(version)) is told


@pytest.mark.parametrize("versions", ["", " ", ",", "0.9.1", "<0.9.x", "before 0.9.1"])
def test_what_names_no_versions_is_refused(versions: str) -> None:
    """A specifier that cannot be read, or that lets everything pass, is told how to be written."""
    with pytest.raises(ValidationError, match=r'names no versions: write "<0\.9\.1"'):
        _for(versions)
