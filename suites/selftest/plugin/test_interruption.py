import signal
import subprocess
from pathlib import Path

import pytest

from suites.selftest.plugin.conftest import environment, small_command, write
from suites.selftest.programs import PATIENCE_S, wait_until

pytestmark = pytest.mark.selftest

HOLDS = """
import time
from pathlib import Path
import pytest

pytestmark = pytest.mark.selftest

@pytest.fixture
def held():
    yield
    Path("torn-down").touch()

def test_it(held):
    Path("running").touch()
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_with_teardown(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C, a cancelled job and a closed terminal all give back what was held."""
    write(tmp_path, {"selftest/test_it.py": HOLDS})
    run = subprocess.Popen(
        small_command(tmp_path), cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL
    )
    try:
        wait_until((tmp_path / "running").exists, "the test")
        run.send_signal(number)
        assert run.wait(PATIENCE_S) == pytest.ExitCode.INTERRUPTED
    finally:
        run.kill()
        run.wait()
    assert (tmp_path / "torn-down").exists()
