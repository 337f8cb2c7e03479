"""Real servers that fail for one reason each, and the diagnosis that each gets."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from fixtures.cells.cards import GIB
from fixtures.runtimes.dialect import Words
from fixtures.servers.causes import Cause
from fixtures.servers.diagnosis import StartFailure
from fixtures.servers.server import Server
from suites.selftest.failures.conftest import READY_WITHIN_S, Bench, Fault, Told

Starts = dict[str, Future[Told]]
"""By the fault's name."""
Keep = Callable[[str, object], None]


class Failures(NamedTuple):
    """What was said of all of them."""

    starts: Starts
    serving: Future[StartFailure | None]
    """Of the one that was ready before."""


def _adding(*argv: str, **env: str) -> Callable[[Words], Words]:
    return lambda words: Words((*words.argv, *argv), words.env | env)


def _truncate(model: Path) -> None:
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])


def _version(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"version": 9.9}))


def _untrusted(words: Words) -> Words:
    return words._replace(argv=tuple(w for w in words.argv if w != "--trust-remote-code"))


def _a_mib_of_kv_cache(words: Words) -> Words:
    # A KiB a token, and 2,048 are to fit. The variable would win over the flag.
    env = {key: value for key, value in words.env.items() if key != "VLLM_CPU_KVCACHE_SPACE"}
    return Words((*words.argv, "--kv-cache-memory-bytes", str(1 << 20)), env)


def _on_a_taken_port(words: Words) -> Words:
    listener = socket.create_server(("127.0.0.1", 0))
    _listeners.append(listener)
    argv = list(words.argv)
    argv[argv.index("--port") + 1] = str(listener.getsockname()[1])
    return words._replace(argv=tuple(argv))


_listeners: list[socket.socket] = []


def _send(number: signal.Signals, to: str) -> Callable[[Server], None]:
    """Send a signal to the process of this name as soon as it is there."""

    def disturb(server: Server) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            for pid in server.process.processes():
                with suppress(psutil.Error):
                    if to in " ".join(psutil.Process(pid).cmdline()):
                        os.kill(pid, number)
                        return
            time.sleep(0.05)

    return disturb


Faults = dict[str, tuple[Fault, Cause, str, str]]
"""By name: the fault, the cause to be named, and words of the detail and of the remedy. What takes
longest comes first, so that nothing is alone at the end."""

FAULTS: Faults = {
    "worker stopped": (Fault(disturb=_send(signal.SIGSTOP, "VLLM::Worker")), "hang", "stopped", ""),
    "unknown flag": (Fault(words=_adding("--no-such-flag")), "unknown-flag", "--no-such-flag", ""),
    "card of 1 GiB": (Fault(card_bytes=GIB), "host-out-of-memory", "the kernel killed", ""),
}
MORE_FAULTS: Faults = {
    "missing folder": (Fault(damage=shutil.rmtree), "model-not-found", "checkpoint", "config.json"),
    "KV cache too small": (
        Fault(words=_a_mib_of_kv_cache),
        "no-room-for-kv-cache",
        "2048",
        "max_model_len",
    ),
    "worker killed": (Fault(disturb=_send(signal.SIGKILL, "VLLM::Worker")), "engine-died", "", ""),
    "truncated weights": (Fault(damage=_truncate), "corrupt-weights", "weights", ""),
    "unsupported version": (Fault(damage=_version), "unsupported-model", "9", ""),
    "untrusted code": (
        Fault(words=_untrusted),
        "remote-code-not-trusted",
        "execute",
        "--trust-remote-code",
    ),
    "port taken": (Fault(words=_on_a_taken_port), "port-taken", "in use", ""),
    "KV cache above memory": (
        Fault(words=_adding(VLLM_CPU_KVCACHE_SPACE="4000")),
        "memory-not-free",
        "",
        "",
    ),
}


@pytest.fixture
def keep(record_testsuite_property: Keep) -> Keep:
    """Takes a figure for the JUnit file."""
    return record_testsuite_property


@pytest.fixture(scope="module")
def failures(bench: Bench) -> Failures:
    """Faults at work, two at a time: each is a start of its own."""
    with ThreadPoolExecutor(2) as pool:
        serving = pool.submit(_killed_while_serving, bench)
        starts = _started(pool, bench, FAULTS)
    return Failures(starts, serving)


@pytest.fixture(scope="module")
def more_failures(bench: Bench) -> Starts:
    """Those of the other faults."""
    with ThreadPoolExecutor(2) as pool:
        starts = _started(pool, bench, MORE_FAULTS)
    for listener in _listeners:
        listener.close()
    return starts


def _started(pool: ThreadPoolExecutor, bench: Bench, faults: Faults) -> Starts:
    return {name: pool.submit(bench.start, fault) for name, (fault, *_) in faults.items()}


def _killed_while_serving(bench: Bench) -> StartFailure | None:
    """What is found of a server whose worker is killed once it is ready, None within a minute."""
    with ExitStack() as undo:
        server = bench.server(Fault(), undo)
        assert server.wait_until_ready(READY_WITHIN_S, lambda *_: None) is None
        assert server.look() is None
        _send(signal.SIGKILL, "VLLM::Worker")(server)
        deadline = time.monotonic() + 60
        while (failure := server.look()) is None and time.monotonic() < deadline:
            time.sleep(0.2)
        return failure


@pytest.mark.selftest
@pytest.mark.parametrize("name", FAULTS)
def test_a_failed_start_is_explained(failures: Failures, name: str, keep: Keep) -> None:
    """The cause is named, with evidence from the log, and with what to change."""
    _assert_explained(name, failures.starts[name].result(), FAULTS, keep)


@pytest.mark.thorough
@pytest.mark.parametrize("name", MORE_FAULTS)
def test_a_rarer_failed_start_is_explained(more_failures: Starts, name: str, keep: Keep) -> None:
    """The same of what recorded logs tell as well."""
    _assert_explained(name, more_failures[name].result(), MORE_FAULTS, keep)


def _assert_explained(name: str, told: Told, faults: Faults, keep: Keep) -> None:
    _, cause, in_detail, in_remedy = faults[name]
    failure, after_end_s = told
    assert failure is not None, "it got ready all the same"
    keep(f"failed start: {name}", f"{failure.cause}, {after_end_s} s")
    assert failure.cause == cause, failure
    assert in_detail in failure.detail
    assert failure.remedy
    assert in_remedy in failure.remedy
    assert len(failure.evidence) <= 20


@pytest.mark.selftest
def test_a_killed_worker_of_a_serving_server_is_explained(failures: Failures) -> None:
    """What dies while it serves is found by looking, named, and not taken for a failed start."""
    failure = failures.serving.result()
    assert failure is not None, "nobody noticed"
    assert failure.phase == "serving"
    assert failure.cause == "engine-died"
    assert failure.detail.startswith("engine died while serving")
