import importlib.util
from pathlib import Path

import pytest

from fixtures.cells.cards import CARDS
from fixtures.cells.matrix import load_matrix
from fixtures.plugin.stages import STAGES
from fixtures.runtimes.environments import CHECKOUT
from fixtures.servers.devices import absent_cards
from suites.selftest.plugin.conftest import RunPytest

pytestmark = pytest.mark.selftest

CPU = [case for case in load_matrix(CHECKOUT / "suites" / "matrix.toml") if case.card_name == "cpu"]
# Latest stage first: the order on the command line is not the order of a server's life.
FOLDERS = [f"suites/{stage}" for stage in reversed(STAGES) if stage != "selftest"]
LOOKS = "def test_it(case): pass\n"


def _cases_in(ids: list[str]) -> list[str]:
    return [test.partition("[")[2].removesuffix("]") for test in ids]


def test_the_cpu_marker_selects_what_always_runs(collect: RunPytest) -> None:
    """Four tiny and three wide cells run without being asked for, each through each stage."""
    ended = collect("-m", "cpu", *FOLDERS)
    assert ended.code == 0
    always = [case.id for case in CPU if case.every_run]
    assert list(dict.fromkeys(_cases_in(ended.ids))) == always
    assert len(always) == 4 + 3
    assert '4 further cpu cells: they run with -m "cpu and nightly"' in ended.out


def test_nightly_adds_the_rest_of_the_matrix(collect: RunPytest) -> None:
    """All eight tiny cells and the three wide ones run when the night is asked for."""
    ended = collect("-m", "cpu and nightly", *FOLDERS)
    assert ended.code == 0
    assert list(dict.fromkeys(_cases_in(ended.ids))) == [case.id for case in CPU]
    assert len(CPU) == 8 + 3
    assert "further cpu cells" not in ended.out


def test_the_tests_of_a_cell_stand_together_in_the_order_of_its_life(collect: RunPytest) -> None:
    """No cell is gone back to, and within one the stages follow each other."""
    ids = collect("-m", "cpu", *FOLDERS).ids
    cases = _cases_in(ids)
    first = [cases.index(case) for case in dict.fromkeys(cases)]
    assert cases == [case for case in dict.fromkeys(cases) for _ in range(cases.count(case))]
    stages = [STAGES.index(test.split("/")[1]) for test in ids]
    for start, end in zip(first, [*first[1:], len(ids)], strict=True):
        assert stages[start:end] == sorted(stages[start:end])
        assert stages[start] == STAGES.index("startup")
        assert stages[end - 1] == STAGES.index("shutdown")


def test_a_model_without_answers_is_not_asked(collect: RunPytest) -> None:
    """Cells of an untrained model are measured, and neither questioned nor loaded."""
    ids = collect("-m", "cpu", *FOLDERS).ids
    wide = {test.split("/")[1] for test in ids if "cpu-wide" in test}
    tiny = {test.split("/")[1] for test in ids if "cpu-tiny" in test}
    assert {"startup", "memory", "shutdown"} <= wide - {"incident"} < tiny
    assert not {"answers", "throughput"} & wide


def test_without_arguments_selftests_and_the_cpu_card_run(collect: RunPytest) -> None:
    """What every machine can run is the default, and each card left out is told with the reason."""
    ended = collect("suites/startup", "suites/selftest/verdicts")
    assert ended.code == 0
    assert any("suites/selftest/" in test for test in ended.ids)
    assert any("suites/startup/" in test for test in ended.ids)
    assert not any("[gpu" in test for test in ended.ids)
    for name, card in CARDS.items():
        if card.kind == "gpu":
            (line,) = [x for x in ended.out.splitlines() if x.startswith(f"all {name} cells: ")]
            assert line.endswith(f"(-m {name})")


def test_an_absent_card_that_is_asked_for_is_refused(collect: RunPytest) -> None:
    """A marker of a GPU that is not here is an error with the card, never an empty success."""
    absent = absent_cards(name for name, card in CARDS.items() if card.kind == "gpu")
    if not absent:
        pytest.skip("every GPU card of the matrix is in this machine")
    name = min(absent)
    ended = collect("-m", name, "suites/startup")
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert f"asked for a card that is not here: {name}: needs {CARDS[name].what}" in ended.err


def test_a_selection_of_nothing_fails(collect: RunPytest) -> None:
    """A run in which no test is left is not green."""
    assert collect("-m", "cpu", "-k", "no_such_test", "suites/startup").code == (
        pytest.ExitCode.NO_TESTS_COLLECTED
    )


def test_a_missing_runtime_names_the_remedy(small_suites: RunPytest, tmp_path: Path) -> None:
    """Where no vLLM for the card can be made the run ends before any test, and says why."""
    if importlib.util.find_spec("vllm") is not None:
        pytest.skip("a vLLM stands beside pytest here: it is never missing")
    (tmp_path / "file").touch()
    ended = small_suites(
        {"startup/test_it.py": LOOKS}, "-m", "cpu", env={"XDG_CACHE_HOME": str(tmp_path / "file")}
    )
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert "no vLLM for the cpu card" in ended.err
    assert str(tmp_path / "file") in ended.err
    assert "set XDG_CACHE_HOME to a folder that can be written" in ended.err


def test_a_test_of_a_case_outside_of_the_stages_is_refused(small_suites: RunPytest) -> None:
    """A test that looks at a server must say when in its life, by its folder."""
    ended = small_suites({"elsewhere/test_it.py": LOOKS}, "-m", "cpu", "--collect-only")
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert "stands in none of: startup, memory, incident, answers" in ended.err


def test_a_selftest_of_one_case_gets_that_case_as_a_selftest(small_suites: RunPytest) -> None:
    """`only_case` picks one case, whichever card it is of."""
    ended = small_suites({"selftest/test_it.py": _only(CPU[0].id)}, "--collect-only", "-q")
    assert _cases_in(ended.ids) == [CPU[0].id]


def test_a_selftest_of_a_case_that_is_not_there_is_refused(small_suites: RunPytest) -> None:
    """An id that the matrix does not have makes no green skip."""
    ended = small_suites({"selftest/test_it.py": _only("cpu-tiny-gone")}, "--collect-only")
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert "has no case for it" in ended.err


def _only(case_id: str) -> str:
    marks = f"[pytest.mark.selftest, pytest.mark.only_case({case_id!r})]"
    return f"import pytest\npytestmark = {marks}\n{LOOKS}"
