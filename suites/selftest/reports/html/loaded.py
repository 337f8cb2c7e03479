"""A record in which everything was measured that can be drawn, with curves of its memory."""

from typing import Final

import numpy as np

from fixtures.cells.cards import MIB
from fixtures.memory.series import SampleSeries
from fixtures.records.crosscheck_schema import ClientRecord, CrosscheckRecord
from fixtures.records.runs import Run
from fixtures.records.schema import CaseRecord
from fixtures.records.soak_schema import ServerToldRecord, SliceRecord, SoakRecord
from fixtures.records.throughput_schema import FigureRecord, SaturationRecord
from fixtures.records.upgrade_schema import StartOfSide
from fixtures.reports.html.page import Curves
from suites.selftest.reports.html.pages import CASE, a_run, judged
from suites.selftest.reports.test_upgrade_table import RECORD
from suites.selftest.specimens import NOT_SEEN

SATURATION: Final = SaturationRecord(
    tokens_per_s={
        1: FigureRecord(mean=100.0, low=90.0, high=110.0, rounds=3),
        2: FigureRecord(mean=180.0, low=NOT_SEEN, high=NOT_SEEN, rounds=1),
        4: NOT_SEEN,
        8: FigureRecord(mean=200.0, low=190.0, high=210.0, rounds=3),
    },
    failures=["8 at once: 1 of 40 requests failed"],
    concurrency=2,
    surpassed=True,
)
SOAK: Final = SoakRecord(
    minutes=2.0,
    clients=5,
    pictures=64,
    slices=[
        SliceRecord(
            from_s=60.0 * i,
            to_s=60.0 * i + 50,
            answered=64,
            left=2,
            e2e_p50_s=0.2 if i else NOT_SEEN,
            yardstick_s=0.05 if i else NOT_SEEN,
            quiet_bytes={"host memory": (3000 + i) * MIB, "GPU memory": NOT_SEEN},
        )
        for i in range(3)
    ],
    failed=1,
    errors=["503 for a moment"],
    told=[
        ServerToldRecord(
            at_s=1.0,
            running=0.0,
            waiting=0.0,
            kv_cache_usage=0.0,
            picture_lookups=NOT_SEEN,
            picture_hits=3.0,
        )
    ],
)
CROSSCHECK: Final = CrosscheckRecord(
    concurrency=4,
    ours=[ClientRecord(requests=64, failed=0, requests_per_s=55.5, output_tokens_per_s=888.0)],
    theirs=NOT_SEEN,
    result="",
)
STARTS: Final = [
    StartOfSide(pair=1, side=side, record=f"{side}.json", values={"TTFT p50": at})  # type: ignore[arg-type]
    for side, at in (("baseline", 0.04), ("candidate", 0.05))
]
# A second in which nobody looked, after the first half.
SERIES: Final = SampleSeries(
    np.concatenate([np.arange(0, 10, 0.02), np.arange(11, 20, 0.02)]),
    np.linspace(0, 3 * 1024, 950).astype(np.int64) * MIB,
)


def loaded() -> CaseRecord:
    """A record that passed with everything in it."""
    return judged(saturation=SATURATION, soak=SOAK, crosscheck=CROSSCHECK)


def loaded_run() -> tuple[Run, Curves]:
    """A run of it, in which two vLLMs were compared too."""
    compared = RECORD.model_copy(update={"starts": STARTS})
    run = a_run(loaded(), compared=[RECORD.case_id])._replace(comparisons=[compared])
    return run, Curves({CASE: SERIES}, {"baseline.json": SERIES, "candidate.json": SERIES})
