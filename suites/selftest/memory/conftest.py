"""Programs that stand in for a process of vLLM's, with the witness of torch's allocator in them."""

import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Protocol

import pytest

from fixtures.memory.allocator import AllocatorReport, ProcessReport
from fixtures.memory.allocator_folder import PLUGIN, VARIABLE, emptied, read_allocator
from fixtures.runtimes.environments import CHECKOUT

STANDIN = CHECKOUT / "suites" / "selftest" / "standin" / "engine_torch"

# A program of vLLM's, as far as the plugin sees of it.
PRELUDE = """
import json, multiprocessing, os, pathlib, signal, sys, threading, time
import torch
from torch import _C

def load():
    from importlib.metadata import entry_points
    for plugin in entry_points(group="vllm.general_plugins"):
        plugin.load()()

def lines(kind):
    found = []
    for path in pathlib.Path(os.environ["FOLDER"]).glob(f"allocator-{os.getpid()}*.jsonl"):
        for line in path.read_bytes().split(b"\\n")[:-1]:
            found.append(json.loads(line).get(kind))
    return [line for line in found if line is not None]

def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)

def seen(peak):
    wait_for(lambda: any(look["reserved_peak"] == peak for look in lines("look")))

def begin():
    load()
    torch.cuda._lazy_init()
    wait_for(lambda: lines("look"))
"""


class Engine(Protocol):
    """Runs a program as one of vLLM's processes, and reads what the witness wrote of it."""

    def __call__(self, code: str, **env: str) -> AllocatorReport:
        """Run it to its end, which must be silent and good."""
        ...


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the witness writes."""
    return emptied(tmp_path / "allocator", for_anybody=False)


def _run(code: str, env: dict[str, str], python: Path = Path(sys.executable)) -> str:
    """What it said; nothing else may be on its standard error."""
    run = subprocess.run(
        [python, "-c", code], env=env, capture_output=True, text=True, timeout=90, check=False
    )
    assert run.stderr == ""
    assert run.returncode == 0
    return run.stdout


@pytest.fixture
def engine(folder: Path, tmp_path: Path) -> Engine:
    """A process with the stand-in's torch. Of a file, for spawned children to find it."""

    def run(code: str, **env: str) -> AllocatorReport:
        program = tmp_path / "program.py"
        program.write_text(PRELUDE + "if __name__ == '__main__':\n" + indented(code))
        surroundings = {
            "PYTHONPATH": f"{STANDIN}:{PLUGIN}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "FOLDER": str(folder),
            VARIABLE: str(folder),
            **env,
        }
        runs = f"import runpy; runpy.run_path({str(program)!r}, run_name='__main__')"
        assert _run(runs, surroundings) == ""
        return read_allocator(folder, 0.0)

    def indented(code: str) -> str:
        return "".join(f"    {line}\n" for line in dedent(code).splitlines())

    return run


def only(report: AllocatorReport) -> ProcessReport:
    """The report of its one process."""
    (process,) = report.processes
    return process
