"""The engine dies at the first picture, after a start without a fault (as 0.31.0 to 0.32.0 do)."""

from __future__ import annotations

from typing import Any

from .order import Planted
from .report import Report


def plant(_: Planted) -> None:
    """Raise in the worker's step that would encode a picture; start-up profiles are none."""
    from vllm.v1.worker.worker_base import WorkerWrapperBase  # noqa: PLC0415 - the worker's own

    report = Report("crash")
    execute = WorkerWrapperBase.execute_model

    def dying(self: object, scheduled: Any, *args: object, **kwargs: object) -> object:  # noqa: ANN401 - vLLM's own
        if scheduled.scheduled_encoder_inputs:
            report.add(pictures=1)
            msg = "canary: planted crash at the first picture"
            raise RuntimeError(msg)
        return execute(self, scheduled, *args, **kwargs)

    WorkerWrapperBase.execute_model = dying
