import pytest

from suites.selftest.plugin.conftest import RunPytest

pytestmark = pytest.mark.selftest

SHOWS = """
import pytest
from fixtures.plugin.progress import Progress

@pytest.mark.selftest
def test_it(pytestconfig):
    with Progress(pytestconfig, "cpu-tiny-x") as progress:
        for second in range(3):
            progress.show("boot", second, second)
        progress.show("weights", 0.2, 3.4)
"""


def test_a_log_gets_a_line_a_phase(small_suites: RunPytest) -> None:
    """Away from a terminal each phase is told once, uncaptured, with seconds, and unstyled."""
    ended = small_suites({"selftest/test_it.py": SHOWS})
    assert ended.code == 0
    told = [line for line in ended.out.splitlines() if line.startswith("starting cpu-tiny-x: ")]
    assert [line.removeprefix("starting cpu-tiny-x: ").split(".")[0].strip() for line in told] == [
        "boot for 0 s, 0 s in all",
        "weights for 0 s, 3 s in all",
    ]
    assert "\x1b" not in ended.out


def test_a_quiet_run_tells_no_progress(small_suites: RunPytest) -> None:
    """With -q only the result is told."""
    ended = small_suites({"selftest/test_it.py": SHOWS}, "-q")
    assert ended.code == 0
    assert "starting" not in ended.out
