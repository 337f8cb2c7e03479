import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.cells.cards import GIB, MIB
from fixtures.records.schema import GpuRecord, Unmeasured
from fixtures.verdicts.isolation import MOVES_BYTES, judge_isolation
from fixtures.verdicts.verdict import Outcome
from suites.selftest.specimens import NOT_SEEN

pytestmark = pytest.mark.selftest

PYTHON = "pid 123 python (1,024 MiB)"
LOST = Unmeasured(unmeasured="GPU is lost")
BASELINE = 600 * MIB
BYTES = st.integers(0, 200 * GIB)


def a_gpu(
    number: int = 0,
    moved_bytes: int = 0,
    *,
    assigned: bool = False,
    foreign: list[str] | None = None,
    own_processes: bool = False,
) -> GpuRecord:
    """One of the machine's GPUs, idle unless told otherwise."""
    return GpuRecord(
        number=number,
        uuid=f"GPU-{number}",
        name="NVIDIA L40S",
        assigned=assigned,
        total_bytes=46_068 * MIB,
        reserved_bytes=NOT_SEEN,
        baseline_bytes=BASELINE,
        peak_bytes=BASELINE + moved_bytes,
        largest_gap_s=0.05,
        foreign=foreign or [],
        own_processes=own_processes,
    )


OURS = a_gpu(1, 20 * GIB, assigned=True, own_processes=True)


@given(st.lists(st.integers(-MOVES_BYTES, MOVES_BYTES), min_size=1))
def test_gpus_that_stay_as_they_were_pass(moves_bytes: list[int]) -> None:
    """What a driver keeps books with is no use of a GPU, whoever else is on it."""
    others = [a_gpu(n, moved, foreign=[PYTHON]) for n, moved in enumerate(moves_bytes, 2)]
    assert judge_isolation([*others, OURS]).outcome == "pass"


@given(BYTES.filter(lambda size: abs(size - BASELINE) > MOVES_BYTES))
def test_a_gpu_whose_use_moves_fails(peak_bytes: int) -> None:
    """Up or down, without a process that could have done it."""
    moved = a_gpu().model_copy(update={"peak_bytes": peak_bytes})
    assert judge_isolation([moved, OURS]).outcome == "fail"


@pytest.mark.parametrize(("held_gib", "outcome"), [(10, "pass"), (9, "inconclusive")])
def test_what_others_servers_held_explains_as_much(held_gib: int, outcome: Outcome) -> None:
    """Where several suites share a host; of what moved beyond that nobody knows whose it is."""
    beside = a_gpu(2, 10 * GIB, foreign=[PYTHON]).model_copy(
        update={"foreign_bytes": held_gib * GIB}
    )
    assert judge_isolation([beside, OURS]).outcome == outcome


def test_a_process_of_the_server_fails_whatever_others_held() -> None:
    """Another suite's server on the same GPU hides nothing."""
    touched = a_gpu(2, 10 * GIB, foreign=[PYTHON], own_processes=True)
    touched = touched.model_copy(update={"foreign_bytes": 40 * GIB})
    assert judge_isolation([touched, OURS]).outcome == "fail"


def test_the_gpu_that_was_touched_is_named() -> None:
    """Its number, its UUID, by how much its use moved, and that nobody else was there."""
    verdict = judge_isolation([a_gpu(0, 1536 * MIB), OURS, a_gpu(2)])
    assert verdict.reason == (
        "GPU 0 (GPU-0, NVIDIA L40S): its use moved by +1,536 MiB, more than 64 MiB, and nobody"
        " else's process is listed there"
    )
    assert "moved by -500 MiB" in judge_isolation([a_gpu(0, -500 * MIB), OURS]).reason


def test_a_movement_that_others_may_have_made_is_inconclusive() -> None:
    """Somebody else's process on the GPU is named, and it neither passes nor fails."""
    verdict = judge_isolation([a_gpu(0, 1536 * MIB, foreign=[PYTHON]), OURS])
    assert verdict.outcome == "inconclusive"
    assert not verdict.ships
    assert verdict.reason == (
        f"GPU 0 (GPU-0, NVIDIA L40S): its use moved by +1,536 MiB, maybe by others there: {PYTHON}"
    )


@given(st.booleans(), st.sampled_from([0, GIB, -MIB]), st.sampled_from([[], [PYTHON]]))
def test_a_process_of_the_server_on_another_gpu_fails(
    unseen: bool,  # noqa: FBT001 - drawn
    moved_bytes: int,
    foreign: list[str],
) -> None:
    """It fails whatever the use, measured or not, and whoever else is there."""
    other = a_gpu(0, moved_bytes, foreign=foreign, own_processes=True)
    if unseen:
        other = other.model_copy(update={"peak_bytes": LOST})
    verdict = judge_isolation([other, OURS])
    assert verdict.outcome == "fail"
    assert "GPU 0 (GPU-0, NVIDIA L40S): a process of the server was on it" in verdict.reason


@pytest.mark.parametrize("figure", ["baseline_bytes", "peak_bytes"])
def test_a_gpu_that_was_not_seen_is_unmeasured(figure: str) -> None:
    """Which GPU is told, and which of its figures, and why."""
    verdict = judge_isolation([a_gpu(3).model_copy(update={figure: LOST}), OURS])
    assert verdict.outcome == "unmeasured"
    assert verdict.reason.startswith("GPU 3 (GPU-3, NVIDIA L40S): its use is unmeasured: ")
    assert verdict.reason.endswith(": GPU is lost")


def test_a_machine_with_one_gpu_passes_and_says_so() -> None:
    """There is nothing that could be touched, however much its own use moves."""
    verdict = judge_isolation([OURS.model_copy(update={"foreign": [PYTHON]})])
    assert verdict == ("other GPUs", "pass", "there is no other GPU in this machine")


@pytest.mark.parametrize("gpus", [NOT_SEEN, [], [a_gpu(), a_gpu(1)]], ids=["all", "none", "whose"])
def test_without_the_servers_own_gpu_nothing_is_measured(
    gpus: Unmeasured | list[GpuRecord],
) -> None:
    """Neither an empty list nor one without an assigned GPU is a machine with one GPU."""
    assert judge_isolation(gpus).outcome == "unmeasured"


OTHERS: dict[Outcome, GpuRecord] = {
    "fail": a_gpu(2, GIB),
    "unmeasured": a_gpu(3).model_copy(update={"peak_bytes": LOST}),
    "inconclusive": a_gpu(4, GIB, foreign=[PYTHON]),
    "pass": a_gpu(5),
}


@given(st.lists(st.sampled_from(sorted(OTHERS)), min_size=1))
def test_of_several_the_worst_counts(outcomes: list[Outcome]) -> None:
    """The verdict is the heaviest one, and names every GPU that it is about, and no other."""
    verdict = judge_isolation([OURS, *(OTHERS[outcome] for outcome in outcomes)])
    expected = next(outcome for outcome in OTHERS if outcome in outcomes)
    assert verdict.outcome == expected
    named = {n for n in (1, 2, 3, 4, 5) if f"GPU {n} (" in verdict.reason}
    assert named == {OTHERS[expected].number}
