"""Memory that is not given back after the stop: a process that survives and holds it.

It waits, small, for the end of the server's main process, then takes the memory. SIGTERM it does
not hear. Whoever stops servers has to find and kill it; where nobody does, it ends after a minute.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Final

from .order import Planted
from .report import Report

_LIVES_S: Final = 60
# Standard input is a pipe whose other end only the server has.
_PROGRAM: Final = f"""
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.stdin.buffer.read()
held = b"\\1" * int(sys.argv[1])
time.sleep({_LIVES_S})
"""

_kept: list[subprocess.Popen[bytes]] = []


def plant(planted: Planted) -> None:
    """Start that process, in a session of its own."""
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _PROGRAM, str(planted.bytes)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _kept.append(child)
    Report("leftover").add(pid=child.pid)
