"""Whenever a suite ends, and by whichever signal, nothing of its server outlives it."""

import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from fixtures.runtimes.environments import CHECKOUT
from suites.selftest.programs import program, wait_until

pytestmark = pytest.mark.selftest

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL)
MOMENTS = 15
AT_ONCE = 5
# Python, the suite's imports and the guardian take about that long to bring the server up.
WITHIN_S = 1.2
SEED = 20240801

# A server like vLLM's: a child that the main process waits for, and one in a session of its own
# with a child below it; each writes where the suite tidies up.
SERVER = """
(folder / "scratch").mkdir()
own = "subprocess.Popen([*sys.orig_argv[:4], 'time.sleep(600)'], start_new_session=True)"
child(own + "\\ntime.sleep(600)")
tell("up")
child("time.sleep(600)").wait()
"""

SUITE = """
import sys
from pathlib import Path
from fixtures.servers.process import GuardedProcess
from suites.selftest.programs import order_of
folder = Path(sys.argv[1])
scratch = folder / "scratch"
process = GuardedProcess(order_of(tuple(sys.argv[2:]), folder, folders_to_remove=(scratch,)))
import time
time.sleep(600)
"""


class Little(NamedTuple):
    """A little suite with a server, and the end that waits for it."""

    process: subprocess.Popen[bytes]
    folder: Path
    end: signal.Signals
    after_s: float


def _start(folder: Path, end: signal.Signals, after_s: float) -> Little:
    folder.mkdir()
    command = [sys.executable, "-c", SUITE, str(folder), *program(SERVER, folder)]
    return Little(subprocess.Popen(command, cwd=CHECKOUT), folder, end, after_s)


def _left(folder: Path) -> list[str]:
    """Living processes that name the folder: the suite, the guardian's server and all below."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if str(folder) in words and process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid} {' '.join(words)[:80]}")
    return found


def _end(little: Little, *, serving: bool) -> None:
    """Send the signal, some time after the suite was started or its server was up."""
    if serving:
        wait_until((little.folder / "up").exists, "the server")
    time.sleep(little.after_s)
    little.process.send_signal(little.end)
    little.process.wait()
    scratch = little.folder / "scratch"
    wait_until(lambda: not _left(little.folder), f"the end of {little}")
    wait_until(lambda: not scratch.exists(), f"the tidying up of {little}")


@pytest.mark.parametrize("serving", [False, True], ids=["starting", "serving"])
def test_nothing_outlives_a_suite_at_any_moment(tmp_path: Path, *, serving: bool) -> None:
    """At fifteen random moments of a start, and as many of serving, by each of four signals."""
    drawn = random.Random(SEED)  # noqa: S311 - the same moments in each run
    littles = [
        (tmp_path / str(number), SIGNALS[number % len(SIGNALS)], drawn.uniform(0.0, WITHIN_S))
        for number in range(MOMENTS)
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda each: _end(_start(*each), serving=serving), littles))
