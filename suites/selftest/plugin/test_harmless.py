import re

import pytest

from suites.selftest.plugin.conftest import WORDS, Ended, RunPytest

pytestmark = pytest.mark.selftest

# As a verdict on a dead server is told, with the log around the cause; as a plain failure of what
# a model said; as what a test printed.
SAYS = f"""
import pytest
from fixtures.verdicts.verdict import Verdict

WORDS = "\\n".join({WORDS!r})

def test_judged(deployment, judge):
    judge(Verdict("start", "fail", WORDS))

def test_failed(deployment):
    print(WORDS)
    pytest.fail(WORDS, pytrace=False)

def test_broken(deployment):
    raise ValueError(WORDS)

def test_not_serving(serving):
    pass
"""


def _obeyed(ended: Ended) -> list[str]:
    """Lines that a terminal or GitHub's runner would obey, of all that was printed."""
    lines = re.split(r"\r\n|\r|\n", ended.out + ended.err)
    return [
        line
        for line in lines
        if line.lstrip().startswith("::")
        or "##[" in line
        or re.search(r"[\x00-\x08\x0e-\x1f]", line)
    ]


@pytest.mark.parametrize("arguments", [(), ("-v", "--tb=short"), ("--tb=native",), ("--tb=line",)])
def test_nothing_that_a_server_says_is_obeyed(
    small_run: RunPytest, arguments: tuple[str, ...]
) -> None:
    """Nowhere in the output, which has all of it to be read."""
    ended = small_run({"startup/test_it.py": SAYS}, *arguments, env={"CI": "true"})
    assert ended.code == pytest.ExitCode.TESTS_FAILED
    assert _obeyed(ended) == []
    for shown in (r"\x1b[2J", "| ::error::planted", r"##\x5berror]planted", r"\u202eplanted"):
        assert shown in ended.out
    assert "log|    ::add-mask::planted" in ended.out
    assert "<script>planted()</script>" in ended.out


def test_what_is_planted_would_be_obeyed() -> None:
    """Each of the words, but the one that is HTML's, is found where nothing is done about it."""
    assert len(_obeyed(Ended(0, "\n".join(WORDS), ""))) == len(WORDS) - 1
