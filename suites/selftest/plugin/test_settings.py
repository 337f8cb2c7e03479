import pytest

from fixtures.plugin.options import OPTIONS
from suites.selftest.plugin.conftest import RunPytest

pytestmark = pytest.mark.selftest

TELLS = """
import pytest
from fixtures.plugin.options import value_of

pytestmark = pytest.mark.selftest

def test_it(pytestconfig):
    print("\\nTOLD", value_of(pytestconfig, "questions"), value_of(pytestconfig, "runtime"))
"""


def _told(ended_out: str) -> str:
    (line,) = [line for line in ended_out.splitlines() if line.startswith("TOLD")]
    return line


@pytest.mark.parametrize(
    ("arguments", "variables", "told"),
    [
        ([], {}, "TOLD 75 None"),
        (["-o", "minicpmv_questions=5"], {}, "TOLD 5 None"),
        (["-o", "minicpmv_questions=5"], {"MINICPMV_QUESTIONS": "6"}, "TOLD 6 None"),
        (["--questions=7"], {"MINICPMV_QUESTIONS": "6"}, "TOLD 7 None"),
        ([], {"MINICPMV_RUNTIME": "pypi:vllm==0.33.0"}, "TOLD 75 pypi:vllm==0.33.0"),
    ],
    ids=["default", "ini", "environment over ini", "command line over all", "runtime"],
)
def test_an_option_can_be_given_in_three_places(
    small_suites: RunPytest, arguments: list[str], variables: dict[str, str], told: str
) -> None:
    """The command line counts before the environment, and that before pytest's ini file."""
    ended = small_suites({"selftest/test_it.py": TELLS}, "-s", *arguments, env=variables)
    assert ended.code == 0
    assert _told(ended.out) == told


@pytest.mark.parametrize(
    ("arguments", "variables", "named"),
    [
        ([], {"MINICPMV_QUESTIONS": "many"}, "MINICPMV_QUESTIONS: 'many'"),
        ([], {"MINICPMV_RUNTIME": "vllm"}, "MINICPMV_RUNTIME: 'vllm'"),
        (["-o", "minicpmv_ready_timeout=0"], {}, "minicpmv_ready_timeout"),
    ],
)
def test_a_bad_value_is_refused_wherever_it_stands(
    small_suites: RunPytest, arguments: list[str], variables: dict[str, str], named: str
) -> None:
    """The place and the value are named, before anything is collected."""
    ended = small_suites({}, *arguments, env=variables)
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert named in ended.err


def test_help_names_all_three_places(small_suites: RunPytest) -> None:
    """Each option is listed with its variable and its ini name."""
    ended = small_suites({}, "--help")
    said = " ".join(ended.out.split())
    for option in OPTIONS:
        assert option.flag in said
        assert f"also {option.variable}, and {option.ini} in pytest's ini" in said


def test_a_cell_that_is_not_there_is_refused_with_those_that_are(small_suites: RunPytest) -> None:
    """A glob that matches no cell is an error, not an empty run."""
    ended = small_suites({}, "--cell=cpu-tiny-seqs=5-*")
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert "--cell 'cpu-tiny-seqs=5-*' matches none of: cpu-tiny-seqs=4-len=2048" in ended.err
