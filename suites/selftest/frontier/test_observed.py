"""What a record says of a point."""

import pytest

from fixtures.cells.cards import MIB
from fixtures.frontier.estimate import Deployed
from fixtures.frontier.observed import asked_of, deployed_of, observation_of, point_of, said
from fixtures.frontier.point import AtLeast, Point
from fixtures.records.part import Unmeasured
from fixtures.records.schema import (
    CaseRecord,
    DiagnosisRecord,
    MemoryRecord,
    StartRecord,
    VerdictRecord,
)
from suites.selftest.frontier.measured import RECORDS, SHAPES
from suites.selftest.specimens import a_gpu

pytestmark = pytest.mark.selftest

WIDE = RECORDS["wide-seqs=2-len=4096-alloc=glibc"]
KILLED = RECORDS["wide-seqs=4-len=4096-alloc=glibc"]
TINY = RECORDS["tiny-seqs=16-len=4096-alloc=arena1"]


def mib(figure: object) -> int:
    """A figure that was measured whole."""
    assert isinstance(figure, int)
    return figure // MIB


def test_a_start_that_served_tells_both_peaks() -> None:
    """5,088 MiB while profiling, 3,374 from the KV cache on, as the README has them."""
    seen = observation_of(WIDE)
    assert seen.point == Point(2, 4096, "glibc", 16384)
    assert seen.fits is True
    assert (mib(seen.profile_bytes), mib(seen.settled_bytes)) == (5087, 3373)
    assert mib(seen.peak_bytes) == 5087


def test_a_start_that_was_killed_tells_a_bound_and_where() -> None:
    """6,740 MiB were held when the kernel killed the worker in the encoder's profile."""
    seen = observation_of(KILLED)
    assert seen.fits is False
    assert seen.died_at == "encoder-profile"
    assert isinstance(seen.profile_bytes, AtLeast)
    assert round(seen.profile_bytes.bytes / MIB) == 6740
    assert isinstance(seen.settled_bytes, Unmeasured)


def test_a_peak_above_the_budget_does_not_fit() -> None:
    """Although it served: 4,799 MiB of 4,608."""
    seen = observation_of(TINY)
    assert seen.fits is False
    assert seen.reason == "its peak is above the budget: 4,799 MiB of 4,608 MiB"
    assert isinstance(seen.settled_bytes, int)


def judged(record: CaseRecord, *verdicts: tuple[str, str]) -> CaseRecord:
    """The record with other verdicts."""
    told = [VerdictRecord(about="answers", outcome=o, reason=why) for o, why in verdicts]  # type: ignore[arg-type]
    return record.model_copy(update={"verdicts": told})


def test_wrong_answers_do_not_fit_and_what_is_not_known_is_not_claimed() -> None:
    """The suite's own verdicts decide, the failed one before what is open."""
    wrong = judged(WIDE, ("inconclusive", "few"), ("fail", "colour 3 of 75"))
    assert observation_of(wrong).fits is False
    assert observation_of(wrong).reason == "answers: colour 3 of 75"
    open_one = judged(WIDE, ("pass", ""), ("inconclusive", "too few were asked"))
    assert observation_of(open_one).fits == Unmeasured(unmeasured="answers: too few were asked")


@pytest.mark.parametrize("outcome", ["never-ready", "died", "unsupported"])
def test_a_start_that_failed_for_another_reason_says_nothing_of_the_point(outcome: str) -> None:
    """It is neither fitting nor too large."""
    start = KILLED.start
    assert isinstance(start, StartRecord)
    other = start.model_copy(update={"outcome": outcome, "detail": "port taken"})
    seen = observation_of(KILLED.model_copy(update={"start": other}))
    assert seen.fits == Unmeasured(unmeasured="port taken")


def test_a_server_that_died_under_load_does_not_fit_and_took_at_least_so_much() -> None:
    """Although it had got ready."""
    death = DiagnosisRecord(
        cause="cgroup-oom",
        phase="serving",
        detail="the kernel killed 1 process",
        remedy="",
        evidence=[],
        last_lines=[],
        log="",
        peak_bytes=0,
        after_s=60.0,
    )
    seen = observation_of(WIDE.model_copy(update={"death": death}))
    assert seen.fits is False
    assert seen.died_at is None
    assert isinstance(seen.profile_bytes, int)
    assert isinstance(seen.settled_bytes, AtLeast)
    assert seen.reason == "it died while it served: the kernel killed 1 process"


def test_a_record_without_a_start_says_nothing() -> None:
    """Its figures are unmeasured as well."""
    seen = observation_of(WIDE.model_copy(update={"start": Unmeasured(unmeasured="never begun")}))
    assert seen.fits == Unmeasured(unmeasured="never begun")
    assert seen.peak_bytes is None


def test_how_it_was_deployed_is_read_off_its_command_line() -> None:
    """Version, card, data type, KV cache, and what the profile leaves out."""
    wide, tiny = deployed_of(WIDE), deployed_of(TINY)
    assert isinstance(wide, Deployed)
    assert isinstance(tiny, Deployed)
    assert (wide.start.kind, str(wide.start.version), wide.start.eager) == (
        "cgroup",
        "0.29.0",
        False,
    )
    assert (wide.type_bytes, wide.kv_cache_bytes) == (4, 1024 * MIB)
    assert tiny.start.eager
    assert point_of(TINY).max_num_batched_tokens is None


def test_a_gpu_has_less_than_it_is_sold_as() -> None:
    """vLLM's share is one of NVML's total: the emulated card's, else the assigned GPU's own."""
    assigned = a_gpu(assigned=True, foreign=[]).model_copy(update={"total_bytes": 46_068 * MIB})
    other = assigned.model_copy(update={"assigned": False, "total_bytes": 1})
    memory = WIDE.memory
    assert isinstance(memory, MemoryRecord)
    own = WIDE.model_copy(
        update={
            "card": "gpu24",
            "card_capacity_bytes": 24 * 1024 * MIB,
            "memory": memory.model_copy(update={"gpus": [other, assigned]}),
        }
    )
    emulated = own.model_copy(update={"card_emulated": "on NVIDIA L40S"})
    for record, total_mib in ((own, 46_068), (emulated, 22_731)):
        deployed = deployed_of(record)
        assert isinstance(deployed, Deployed)
        assert deployed.total_bytes == total_mib * MIB


def test_the_limits_of_a_request_are_read_in_all_spellings() -> None:
    """JSON with counts or options, and the pairs of old versions."""
    assert asked_of(SHAPES["tiny"], TINY).encoder.images_per_prompt == 2
    assert asked_of(SHAPES["wide"], WIDE).encoder.images_per_prompt is None
    for words, images, videos in (
        ('{"image": {"count": 3, "width": 448}, "video": 0}', 3, 0),
        ("image=4,video=1", 4, 1),
    ):
        flagged = WIDE.provenance.model_copy(update={"argv": [f"--limit-mm-per-prompt={words}"]})
        encoder = asked_of(SHAPES["wide"], WIDE.model_copy(update={"provenance": flagged})).encoder
        assert (encoder.images_per_prompt, encoder.videos_per_prompt) == (images, videos)


def test_of_a_flag_given_twice_the_last_counts() -> None:
    """As vLLM's parser has it; underscores are dashes."""
    words = ["--dtype", "auto", "--max_num_seqs=4", "--dtype=float32", "--last"]
    assert said(words, "--dtype") == "float32"
    assert said(words, "--max-num-seqs") == "4"
    assert said(words, "--last") is None
    assert said(words, "--seed") is None
