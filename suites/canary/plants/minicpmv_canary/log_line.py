"""A known line of the log has another wording: the size of the KV cache is called its capacity."""

from __future__ import annotations

import logging

from .order import Planted
from .report import Report

KNOWN = "KV cache size: "
RENAMED = "KV cache capacity: "


def plant(_: Planted) -> None:
    """Rename it wherever it is logged: which module says it has changed over versions."""
    report = Report("log-line")
    make = logging.getLogRecordFactory()

    def renamed(*args: object, **kwargs: object) -> logging.LogRecord:
        record = make(*args, **kwargs)
        if isinstance(record.msg, str) and KNOWN in record.msg:
            record.msg = record.msg.replace(KNOWN, RENAMED)
            report.add(lines=1)
        return record

    logging.setLogRecordFactory(renamed)
