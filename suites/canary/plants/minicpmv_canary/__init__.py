"""Faults of a stated size in the serving path of a vLLM: what an upgrade gate must name.

    MINICPMV_CANARY=peak:2%,decode:5% ──> order ──> one file a fault ──> hooks in vLLM

vLLM loads `plant` into each of its processes; a fault is planted in the one where it belongs.
Without the variable nothing is imported and nothing changed. With MINICPMV_CANARY_REPORT, a
folder, each fault counts what it did in a file there (`report.py`).
"""

import os

VARIABLE = "MINICPMV_CANARY"


def plant() -> None:
    """Plant what the environment says in this process.

    Raises:
        ValueError: the order is not understood; the server then does not start.
    """
    if order := os.environ.get(VARIABLE):
        # Not at the top: a server without an order has to be the one that it is without this.
        from .faults import plant_all  # noqa: PLC0415

        plant_all(order)
