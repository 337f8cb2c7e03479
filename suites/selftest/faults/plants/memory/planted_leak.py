"""A planted fault: while it serves, the API server holds 2 GiB more for 50 ms, once."""

import mmap
import multiprocessing
import sys
import threading
import time
import urllib.error
import urllib.request

LEAK_BYTES = 2 * 1024**3
HELD_S = 0.05


def plant() -> None:
    """Start the fault in the API server alone; vLLM loads a plugin into all its processes."""
    if multiprocessing.parent_process() is None and "--port" in sys.argv:
        port = sys.argv[sys.argv.index("--port") + 1]
        threading.Thread(target=_leak_once_serving, args=(port,), daemon=True).start()


def _leak_once_serving(port: str) -> None:
    while True:
        time.sleep(0.5)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
                if answer.status == 200:
                    break
        except (urllib.error.URLError, OSError):
            continue
    # Past the moment in which the suite looks at the start's peak: this one is the serving's.
    time.sleep(3)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
    with mmap.mmap(-1, LEAK_BYTES, flags=flags):
        time.sleep(HELD_S)
