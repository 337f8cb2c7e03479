"""A planted fault: the API server never comes to the point of starting its engine."""

import multiprocessing
import sys
import time


def plant() -> None:
    """Stall the API server alone; vLLM loads a plugin into all its processes."""
    if multiprocessing.parent_process() is None and "--port" in sys.argv:
        time.sleep(3600)
