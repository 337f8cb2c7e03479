"""What every start of `wide` in its space showed, on a card that is larger than any of them.

    ci/suite frontier --card cpu12 --exhaustive
    PYTHONPATH=. PYTHON -m suites.selftest.frontier.exhaustive RUN > THE_FILE

A start's memory does not depend on the card until the kernel ends it there, so that this one run
tells of every smaller card what it would have shown.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final, NamedTuple

from fixtures.frontier.observed import observation_of
from fixtures.frontier.point import Point
from fixtures.records.frontier_schema import FRONTIERS, FrontierRecord
from fixtures.records.schema import CaseRecord

_FILE: Final = Path(__file__).with_name("measured") / "exhaustive" / "wide.json"


_KNOBS: Final = ("max_num_seqs", "max_model_len", "max_num_batched_tokens")


class Peaks(NamedTuple):
    """Of one start, in bytes."""

    profile: int
    """Until there is room for the KV cache."""
    settled: int
    """From then on, under full load."""


def measured() -> dict[Point, Peaks]:
    """By the point of its space."""
    told = json.loads(_FILE.read_text("utf-8"))
    return {
        Point(seqs, length, "glibc", batched): Peaks(profile, settled)
        for seqs, length, batched, profile, settled in told["starts"]
    }


def _told(folder: Path) -> str:
    """The file, from the folder of such a run; it fails where a start told no whole peak."""
    (path,) = (folder / FRONTIERS).glob("*.json")
    found = FrontierRecord.model_validate_json(path.read_text("utf-8"))
    rows = []
    for tried in found.tried:
        record = CaseRecord.model_validate_json((folder / tried.record).read_text("utf-8"))
        seen, knobs = observation_of(record), tried.knobs
        if not isinstance(seen.profile_bytes, int) or not isinstance(seen.settled_bytes, int):
            msg = f"{tried.case_id}: {seen}"
            raise TypeError(msg)
        rows.append([*(knobs[name] for name in _KNOBS), seen.profile_bytes, seen.settled_bytes])
    about = {
        "columns": [*_KNOBS, "profile_bytes", "settled_bytes"],
        "vllm": found.vllm_version,
        "model_digest": found.model_digest,
        "card": found.card,
    }
    lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
    head = json.dumps(about, indent=1)[:-2]
    return f'{head},\n "starts": [\n{lines}\n ]\n}}\n'


if __name__ == "__main__":
    sys.stdout.write(_told(Path(sys.argv[1])))
