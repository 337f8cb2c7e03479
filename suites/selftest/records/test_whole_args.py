import pytest

from fixtures.records.whole_args import of_the_user, whole_args
from fixtures.runtimes.setup.entry import NAMED

pytestmark = pytest.mark.selftest


@pytest.mark.parametrize("given", [[], ["-m", "cpu"], ["-c", "other.toml", "-m", "cpu"]])
def test_what_the_program_adds_is_not_the_users(given: list[str]) -> None:
    """With `ci/suite` and without it the same is kept, and can be run again."""
    assert of_the_user([*NAMED, *given]) == of_the_user(given) == given


def test_shards_are_alike_but_for_what_is_their_own() -> None:
    """Their number, where they write and how much they say, and nothing else."""
    first = ["-m", "cpu", "--shard=1/3", "--records", "a", "-v", "--questions=75"]
    second = ["-m", "cpu", "--shard", "2/3", "--records=b", "--questions=75"]
    assert whole_args(first) == whole_args(second) == ["-m", "cpu", "--questions=75"]
