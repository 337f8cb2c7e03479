"""What `-m frontier` selects and refuses, before anything starts."""

import pytest

from suites.selftest.plugin.conftest import RunPytest

pytestmark = pytest.mark.selftest

LOOKS = {
    "frontier/spaces.toml": """
        [[cpu]]
        model = "wide"
        budget_gib = 6.0
        max_num_seqs = [1, 2]
        max_model_len = [1024, 2048]
        allocator = ["glibc"]

        [[cpu]]
        model = "tiny"
        budget_gib = 4.5
        max_num_seqs = [1]
        max_model_len = [1024]
        allocator = ["glibc"]

        [[gpu48]]
        model = "minicpmv-2.6"
        budget_gib = 44.0
        max_num_seqs = [1]
        max_model_len = [2048]
        allocator = ["default"]
    """,
    "frontier/test_it.py": (
        "import pytest\n@pytest.mark.frontier\ndef test_it(case): raise AssertionError(case.id)\n"
    ),
    "startup/test_it.py": "def test_it(case): raise AssertionError\n",
}


def test_a_search_runs_only_when_it_is_named(collect: RunPytest) -> None:
    """A run of the card leaves it out, and says how it is asked for."""
    ended = collect("-m", "cpu", "suites/frontier", "suites/startup")
    assert not any("suites/frontier" in test for test in ended.ids)
    assert 'frontier of cpu cells: it runs with -m "cpu and frontier"' in ended.out


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("-m", "frontier"), "cpu-wide"),
        (("-m", "cpu8 and frontier"), "cpu8-wide"),
        (("-m", "frontier", "--card=cpu4"), "cpu4-wide"),
        (("-m", "frontier", "--cell=*-tiny"), "cpu-tiny"),
    ],
)
def test_each_space_is_a_test(collect: RunPytest, arguments: tuple[str, ...], name: str) -> None:
    """Of a card the first one, unless another is named."""
    (test,) = collect(*arguments, "suites/frontier", "suites/startup").ids
    assert test.endswith(f"[{name}]")


def test_a_plan_tells_how_many_cells_there_are(small_suites: RunPytest) -> None:
    """Without starting anything."""
    ended = small_suites(LOOKS, "-m", "frontier", "--dry-run")
    assert ended.code == 0, ended.out + ended.err
    assert "cpu-wide: a search among 4 cells" in ended.out
    assert " -m frontier" in ended.out.partition("all of them:")[2]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--shard=1/2",), "each start of a search depends on those before"),
        (("--resume=nothing",), "--resume: no run 'nothing'"),
        (("--cell=cpu-large",), "--cell 'cpu-large' matches none of: cpu-wide, cpu-tiny"),
        (("--card=gpu48",), "asked for a card that is not here: gpu48"),
        (("--card=gpu80",), "has no case for it"),
        (("--along=allocator",), "'allocator' is none of max_num_seqs"),
        (("--along=gpu_memory_utilization",), "cpu-wide has no values of it: put some into"),
        (("--search-minutes=0",), "is no length of time"),
        (("--spaces=none.toml",), "none.toml: cannot be read"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    small_suites: RunPytest, arguments: tuple[str, ...], why: str
) -> None:
    """In one sentence, with exit code 4."""
    ended = small_suites(LOOKS, "-m", "frontier", *arguments)
    assert ended.code == pytest.ExitCode.USAGE_ERROR, ended.out
    assert why in ended.err + ended.out


def test_spaces_that_are_wrong_stop_no_other_run(small_suites: RunPytest) -> None:
    """They are read when a search is collected, and by nothing else."""
    looks = {"startup/test_it.py": LOOKS["startup/test_it.py"]}
    ended = small_suites(looks, "-m", "cpu", "--spaces=none.toml", "--dry-run")
    assert ended.code == 0, ended.out + ended.err
