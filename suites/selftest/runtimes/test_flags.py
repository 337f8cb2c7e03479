import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from fixtures.cells.versions import release_of
from fixtures.runtimes.flags import FLAGS, OLDEST, Flag, flag_named, lack
from suites.selftest.runtimes.ladder import BETWEEN, RUNGS

pytestmark = pytest.mark.selftest


@pytest.mark.parametrize("flag", FLAGS.values(), ids=lambda flag: flag.name)
def test_a_row_begins_and_ends_at_releases_that_were_read(flag: Flag) -> None:
    """No row names a release that nobody looked at, and none ends before it begins."""
    assert flag.name.startswith("--")
    assert flag.name == flag.name.lower().replace("_", "-")
    assert Version(flag.since) in RUNGS
    if flag.gone is not None:
        assert Version(flag.since) < Version(flag.gone)
        assert Version(flag.gone) in RUNGS


def test_the_oldest_release_is_the_first_rung() -> None:
    """Rows without a first release were there in the first that was read."""
    assert Version(OLDEST) == RUNGS[0]


@given(st.sampled_from(sorted(FLAGS)), st.text("abc=-_1", max_size=5))
def test_a_flag_is_known_however_it_is_written(name: str, value: str) -> None:
    """Dashes, underscores and a value behind an equals sign make no other flag."""
    for written in (name, "--" + name[2:].replace("-", "_")):
        assert flag_named(written) is FLAGS[name]
        assert flag_named(f"{written}={value}") is FLAGS[name]
        assert flag_named(f"{written}-of-ours") is None


@pytest.mark.parametrize(
    ("word", "version", "said"),
    [
        ("--kv-cache-memory-bytes", "0.10.1.1", "--kv-cache-memory-bytes came with 0.10.2"),
        ("--kv_cache_memory_bytes=1", "0.9.2", "--kv-cache-memory-bytes came with 0.10.2"),
        ("--kv-cache-memory-bytes", "0.10.2", None),
        ("--disable-log-requests", "0.16.0", None),
        ("--disable-log-requests", "0.17.1", "--disable-log-requests was removed in 0.17.1"),
        ("--mm-cache-preprocessor", "0.6.4.post1", "--mm-cache-preprocessor came with 0.6.5"),
        ("--mm-cache-preprocessor", "0.6.5", None),
        ("--mm-cache-preprocessor", "1.0", "--mm-cache-preprocessor was removed in 0.6.6.post1"),
        ("--nobody-knows-it", "0.5.4", None),
        ("32", "0.5.4", None),
        ('{"image": 2}', "0.5.4", None),
    ],
)
def test_what_a_version_lacks_is_told_with_the_release(
    word: str, version: str, said: str | None
) -> None:
    """A known flag came with a release or went with one; what is not known is let through."""
    assert lack(word, Version(version)) == said


@given(st.sampled_from(sorted(FLAGS)))
def test_a_flag_comes_once_and_goes_once(name: str) -> None:
    """Over the releases in order a flag is absent, then there, then absent."""
    there = [lack(name, rung) is None for rung in RUNGS]
    first = there.index(True)
    run = there[first : there.index(False, first) if False in there[first:] else None]
    assert sum(there) == len(run)
    assert [FLAGS[name].is_in(rung) for rung in RUNGS] == there


@given(st.sampled_from(sorted(FLAGS)), st.sampled_from(sorted(BETWEEN)))
def test_between_two_releases_the_older_one_holds(name: str, version: Version) -> None:
    """A release that nobody read has the flags of the last one before it."""
    assert FLAGS[name].is_in(release_of(version)) == FLAGS[name].is_in(BETWEEN[version])
