"""The plugin as vLLM finds it."""

import subprocess
import sys
from pathlib import Path

import pytest

from suites.canary.bench import ORDER, PLANTS, counted, plugin_env
from suites.canary.plants import minicpmv_canary
from suites.canary.plants.minicpmv_canary import report

pytestmark = pytest.mark.selftest
# As vLLM does: by the entry points of its group.
_LOAD = """
import multiprocessing, sys
from importlib.metadata import entry_points
multiprocessing.current_process().name = sys.argv.pop()
for found in entry_points(group="vllm.general_plugins"):
    found.load()()
print(*sorted(name for name in sys.modules if name.startswith("minicpmv_canary")))
"""


def _loaded(env: dict[str, str], process: str = "MainProcess") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _LOAD, "--port", "1", process],
        env={"PYTHONPATH": str(PLANTS), **env},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_an_order_nothing_is_loaded() -> None:
    """A server that has the plugin and no order is the one that it is without."""
    assert _loaded(plugin_env("")).stdout.split() == ["minicpmv_canary"]


def test_an_order_that_is_not_understood_ends_the_process() -> None:
    """So that no run is taken for one with a fault; it says what is wrong."""
    ended = _loaded(plugin_env("decode:five"))
    assert ended.returncode == 1
    assert "ValueError: 'decode:five': 'five' is no size of decode" in ended.stderr


def test_a_planted_fault_says_so(tmp_path: Path) -> None:
    """By its file of counts, from the process where it belongs and from no other."""
    env = plugin_env("log-line", tmp_path)
    for process in ("MainProcess", "VllmWorker-0", "Process-1"):
        assert _loaded(env, process).returncode == 0
        assert counted(tmp_path) == {}
    assert _loaded(env, "EngineCore").returncode == 0
    assert counted(tmp_path) == {"log-line": {}}


def test_counts_of_processes_are_added(tmp_path: Path) -> None:
    """Each fault's files are one sum."""
    (tmp_path / "slow-start-1.json").write_text('{"took_s": 1.5}   ')
    (tmp_path / "slow-start-22.json").write_text('{"took_s": 2, "waited_s": 1}   ')
    (tmp_path / "kv-1.json").write_text("{}")
    assert counted(tmp_path) == {"kv": {}, "slow-start": {"took_s": 3.5, "waited_s": 1}}


def test_the_variables_have_the_names_that_the_plugin_reads() -> None:
    """The bench does not import what goes into servers; their words must agree."""
    assert plugin_env("crash", Path("/r")) == {
        minicpmv_canary.VARIABLE: "crash",
        report.VARIABLE: "/r",
    }
    assert minicpmv_canary.VARIABLE == ORDER
