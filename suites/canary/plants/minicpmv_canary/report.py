"""What a fault did, counted by itself: a file for each fault and process, rewritten as it grows."""

from __future__ import annotations

import json
import os
from typing import Final

VARIABLE: Final = "MINICPMV_CANARY_REPORT"
# Always as long, so that it is replaced in place with one write, and whoever reads finds it whole.
_LENGTH: Final = 512


class Report:
    """The counts of one fault in this process. Without the variable they are kept nowhere.

    That there is a file says that the fault was planted.
    """

    def __init__(self, fault: str) -> None:
        self._counts: dict[str, float] = {}
        self._file: int | None = None
        if folder := os.environ.get(VARIABLE):
            name = f"{folder}/{fault}-{os.getpid()}.json"
            self._file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        self.add()

    def add(self, **counts: float) -> None:
        """Add to the counts; some 10 microseconds."""
        for name, count in counts.items():
            self._counts[name] = self._counts.get(name, 0) + count
        if self._file is not None:
            os.pwrite(self._file, json.dumps(self._counts).ljust(_LENGTH).encode(), 0)
