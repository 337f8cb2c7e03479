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


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def test_a_signal_ends_the_run_with_teardown(tmp_path: Path) -> None:
    """Ctrl-C, a cancelled job and a closed terminal all give back what was held."""
    folders = {number: tmp_path / number.name for number in SIGNALS}
    runs: dict[signal.Signals, subprocess.Popen[bytes]] = {}
    try:
        for number, folder in folders.items():
            folder.mkdir()
            write(folder, {"selftest/test_it.py": HOLDS})
            runs[number] = subprocess.Popen(
                small_command(folder), cwd=folder, env=environment(), stdout=subprocess.DEVNULL
            )
        for number, run in runs.items():
            wait_until((folders[number] / "running").exists, "the test")
            run.send_signal(number)
        for run in runs.values():
            assert run.wait(PATIENCE_S) == pytest.ExitCode.INTERRUPTED
    finally:
        for run in runs.values():
            run.kill()
            run.wait()
    assert all((folder / "torn-down").exists() for folder in folders.values())
