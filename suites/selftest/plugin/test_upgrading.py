import pytest

from fixtures.cells.matrix import load_matrix
from fixtures.plugin.upgrading import CANNOT_TELL, exit_code
from fixtures.runtimes.environments import CHECKOUT
from suites.selftest.plugin.conftest import RunPytest
from suites.selftest.reports.test_upgrade_table import RECORD

pytestmark = pytest.mark.selftest

CASES = load_matrix(CHECKOUT / "suites" / "matrix.toml")
FOLDERS = ("suites/upgrade", "suites/startup")


def test_an_upgrade_runs_only_when_it_is_named(collect: RunPytest) -> None:
    """A run of the card leaves it out, and says how it is asked for."""
    ended = collect("-m", "cpu", *FOLDERS)
    assert not any("suites/upgrade" in test for test in ended.ids)
    assert 'upgrade of cpu cells: it runs with -m "cpu and upgrade"' in ended.out


@pytest.mark.parametrize("arguments", [("-m", "upgrade"), ("-m", "cpu and upgrade")])
def test_without_a_card_it_is_the_cpu_card(collect: RunPytest, arguments: tuple[str, ...]) -> None:
    """On the first cell that can be asked."""
    (test,) = collect(*arguments, *FOLDERS).ids
    first = next(case for case in CASES if case.card_name == "cpu" and case.model.answers)
    assert test.endswith(f"[{first.id}]")


@pytest.mark.parametrize(
    "arguments", [("-m", "upgrade", "--card", "gpu48"), ("-m", "gpu48 and upgrade")]
)
def test_an_absent_card_is_refused(small_suites: RunPytest, arguments: tuple[str, ...]) -> None:
    """Named either way, before a runtime is looked for."""
    text = "import pytest\npytestmark = pytest.mark.upgrade\ndef test_it(case): pass\n"
    named = ("--candidate", "pypi:vllm==0.33.0", *arguments)
    ended = small_suites({"upgrade/test_it.py": text}, *named)
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert "asked for a card that is not here: gpu48" in ended.err


def test_nothing_to_compare_is_refused(small_suites: RunPytest) -> None:
    """With what would name two."""
    text = "import pytest\npytestmark = pytest.mark.upgrade\ndef test_it(case): pass\n"
    ended = small_suites({"upgrade/test_it.py": text}, "-m", "upgrade")
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert "-m upgrade compares two: name --baseline and --candidate" in ended.err


def test_an_unknown_card_is_refused(collect: RunPytest) -> None:
    """With those that there are."""
    ended = collect("-m", "upgrade", "--card", "gpu49", *FOLDERS)
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert "'gpu49' is none of cpu, cpu4" in ended.err


@pytest.mark.parametrize(
    ("failed", "answers", "code"),
    [
        (0, ["ship"], 0),
        (1, ["do not ship"], 1),
        (1, ["cannot tell"], CANNOT_TELL),
        (1, ["ship", "cannot tell"], CANNOT_TELL),
        (2, ["cannot tell", "do not ship"], 1),
        (2, ["cannot tell"], 1),
    ],
)
def test_each_answer_has_its_exit_code(failed: int, answers: list[str], code: int) -> None:
    """What cannot be told is no "do not ship"; any other failed test is one."""
    status = pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.OK
    assert exit_code(status, failed, answers) == code


@pytest.mark.parametrize(
    ("answer", "code"), [("ship", 0), ("do not ship", 1), ("cannot tell", CANNOT_TELL)]
)
def test_a_run_ends_with_the_code_of_its_answer(
    small_suites: RunPytest, answer: str, code: int
) -> None:
    """As pytest itself ends, with the answer on the terminal."""
    record = RECORD.model_copy(update={"answer": answer})
    text = f"""
        from fixtures.plugin.upgrading import ANSWERS
        from fixtures.records.upgrade_schema import UpgradeRecord

        def test_it(pytestconfig, judge_upgrade):
            pytestconfig.stash[ANSWERS] = []
            judge_upgrade(UpgradeRecord.model_validate_json({record.model_dump_json()!r}))
    """
    ended = small_suites({"test_it.py": text}, "-m", "")
    assert ended.code == code, ended.out
    assert f"{answer}: cpu-tiny-seqs=4-len=2048-alloc=glibc" in ended.out
