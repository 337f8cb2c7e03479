import pytest

from suites.selftest.runtimes.golden import FOLDER, VERSIONS, text_of

pytestmark = pytest.mark.selftest


@pytest.mark.parametrize("version", VERSIONS)
def test_the_words_are_those_that_are_written_out(version: str) -> None:
    """Every flag and every variable that a version is told stands in its file, and no other."""
    assert text_of(version) == (FOLDER / f"{version}.txt").read_text("utf-8")


def test_every_file_is_of_a_version() -> None:
    """No file is left over that nothing compares."""
    assert {path.name for path in FOLDER.iterdir()} == {f"{version}.txt" for version in VERSIONS}
