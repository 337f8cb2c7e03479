"""The incident's cells: the fix must help, and a death must be explained."""

import pytest

from fixtures.cells.cards import GIB, MIB, Gpu
from fixtures.cells.case import Case
from fixtures.cells.cell import Cell
from fixtures.records.schema import DiagnosisRecord, MemoryRecord, StartRecord, Unmeasured
from fixtures.verdicts.incident import judge_incident
from suites.selftest.frontier.measured import RECORDS

pytestmark = pytest.mark.selftest

FITS = RECORDS["wide-seqs=2-len=4096-alloc=glibc"]
KILLED = RECORDS["wide-seqs=4-len=4096-alloc=glibc"]
INCIDENT = Case(
    card_name="cpu",
    model_name="wide",
    cell=Cell(max_num_seqs=4, max_model_len=4096, allocator="glibc"),
    budget_bytes=6 * GIB,
    role="incident",
)
FIX = INCIDENT.model_copy(update={"role": "fix"})
GPU = Gpu(1, "GPU-52a3a85d", "NVIDIA L40S", 45 * GIB)
assert isinstance(KILLED.start, StartRecord)
DEATH = KILLED.start
assert isinstance(FITS.memory, MemoryRecord)
MEMORY = FITS.memory
DIAGNOSIS = DiagnosisRecord(
    cause="host-out-of-memory",
    phase="encoder-profile",
    detail="out of memory",
    peak_bytes=6 * GIB,
    after_s=30.0,
    evidence=[],
    last_lines=[],
    remedy="lower --max-num-seqs to 2",
    log="server.log",
)


def test_the_fix_passes_with_the_shape_of_its_memory() -> None:
    """Weights, the profile's peak and what stays stand in the reason."""
    verdict = judge_incident(FIX, FITS.start, FITS.memory, None)
    assert verdict.outcome == "pass"
    assert "5,088 MiB in its profile" in verdict.reason
    assert verdict.reason.startswith("weights ")


def test_a_fix_that_does_not_help_fails() -> None:
    """With how it ended."""
    verdict = judge_incident(FIX, DEATH, FITS.memory, None)
    assert verdict.outcome == "fail"
    assert verdict.reason.startswith("the fix does not help: out-of-memory")


def test_a_death_that_is_explained_passes() -> None:
    """Phase and knob are told."""
    start = DEATH.model_copy(update={"phase": "encoder-profile", "diagnosis": DIAGNOSIS})
    assert judge_incident(INCIDENT, start, FITS.memory, None).outcome == "pass"


@pytest.mark.parametrize(
    ("changed", "gpu", "said"),
    [
        ({"phase": "warm"}, None, "died in warm"),
        ({"diagnosis": None}, None, "nothing explains it"),
        (
            {"diagnosis": DIAGNOSIS.model_copy(update={"remedy": "buy memory"})},
            None,
            "does not name max_num_seqs",
        ),
        ({"detail": "out of memory on GPU 0"}, GPU, "GPU-52a3a85d, is not named"),
        ({"outcome": "died"}, None, "did not die of memory"),
    ],
)
def test_a_death_that_leaves_its_reader_alone_fails(
    changed: dict[str, object], gpu: Gpu | None, said: str
) -> None:
    """Each thing that is missing is named."""
    good = {"phase": "encoder-profile", "diagnosis": DIAGNOSIS}
    verdict = judge_incident(INCIDENT, DEATH.model_copy(update=good | changed), FITS.memory, gpu)
    assert verdict.outcome == "fail"
    assert said in verdict.reason


def test_an_incident_that_starts_is_told_with_its_shape() -> None:
    """A newer vLLM, or a larger card: no fault, and the figures are there."""
    assert judge_incident(INCIDENT, FITS.start, FITS.memory, None).outcome == "pass"


def test_what_was_not_measured_does_not_pass() -> None:
    """Neither a start, nor memory, nor phases."""
    why = Unmeasured(unmeasured="nobody looked")
    assert judge_incident(FIX, why, FITS.memory, None).outcome == "unmeasured"
    assert judge_incident(FIX, FITS.start, why, None).outcome == "unmeasured"
    bare = MEMORY.model_copy(update={"phases": []})
    assert judge_incident(FIX, FITS.start, bare, None).outcome == "unmeasured"
    steady = MEMORY.model_copy(
        update={"steady_bytes": why, "phases": [p for p in MEMORY.phases if p.name == "weights"]}
    )
    assert judge_incident(FIX, FITS.start, steady, None).outcome == "unmeasured"
    assert MEMORY.peak_bytes > 5000 * MIB
