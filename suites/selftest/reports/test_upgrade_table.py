import pytest

from fixtures.records.upgrade_schema import ComparisonRecord, SideRecord, UpgradeRecord
from fixtures.reports.upgrade_table import render_upgrades
from suites.selftest.specimens import NOT_SEEN

pytestmark = pytest.mark.selftest

SIDE = SideRecord(
    runtime="locked",
    vllm_version="0.29.0",
    torch_version="2.13.0",
    model="/models/[bold]a",
    model_digest="0" * 64,
)
SLOWER = ComparisonRecord(
    metric="TTFT p50",
    unit="s",
    relative=True,
    pairs=6,
    baseline=0.0401,
    candidate=0.0482,
    worse_by=0.2,
    low=0.12,
    high=0.27,
    matters=0.1,
    outcome="worse",
    needs_pairs=NOT_SEEN,
    said="TTFT p50: worse",
)
PEAK = SLOWER.model_copy(
    update={
        "metric": "peak, whole life",
        "unit": "bytes",
        "baseline": 3 << 30,
        "candidate": NOT_SEEN,
        "worse_by": NOT_SEEN,
        "low": NOT_SEEN,
        "high": NOT_SEEN,
        "outcome": "unmeasured",
    }
)
RECORD = UpgradeRecord(
    run_id="20260131T120000Z-1a2b",
    case_id="cpu-tiny-seqs=4-len=2048-alloc=glibc",
    card="cpu",
    together=True,
    baseline=SIDE,
    candidate=SIDE.model_copy(update={"vllm_version": "0.33.0"}),
    false_alarm_rate=0.005,
    looks=[4, 6, 8, 12],
    pairs=6,
    starts=[],
    comparisons=[SLOWER, PEAK],
    left_out=["KV cache tokens: not told"],
    answer="do not ship",
    reasons=["TTFT p50: worse, <script> [red]by a lot[/]"],
    more_pairs=NOT_SEEN,
    took_s=930.0,
)


def test_the_answer_comes_first_then_why_then_the_figures() -> None:
    """With the units that people read, and a dash for what was not measured."""
    lines = render_upgrades([RECORD], color=False).splitlines()
    assert lines[0] == (
        "do not ship: cpu-tiny-seqs=4-len=2048-alloc=glibc, vLLM 0.29.0 against 0.33.0"
        " (6 pairs, both up at once, 15.5 min)"
    )
    assert lines[1] == "  - TTFT p50: worse, <script> [red]by a lot[/]"
    slower = next(line for line in lines if line.startswith("TTFT p50 "))
    said = "TTFT p50 40.1 ms 48.2 ms +20.0 % +12.0 % +27.0 % +10.0 % worse"
    assert " ".join(slower.split()) == said
    peak = next(line for line in lines if line.startswith("peak, whole life"))
    assert "3,072 MiB" in peak
    assert peak.rstrip().endswith("unmeasured")
    assert "  not compared: KV cache tokens: not told" in lines
    assert "in 0.5 % of such comparisons at most" in lines[-1]


def test_two_models_are_told_by_their_names() -> None:
    """Where the digests differ; whatever is in a name stays as it is."""
    other = SIDE.model_copy(update={"model": "/models/b", "model_digest": "1" * 64})
    record = RECORD.model_copy(update={"candidate": other})
    first = render_upgrades([record], color=False).splitlines()[0]
    assert "vLLM 0.29.0 /models/[bold]a against 0.29.0 /models/b" in first


def test_what_could_not_be_told_says_what_would_tell() -> None:
    """More pairs, where only they are wanting."""
    record = RECORD.model_copy(update={"answer": "cannot tell", "more_pairs": 9})
    assert "9 more pairs would probably tell (--pairs 15)" in render_upgrades([record], color=False)


def test_words_from_elsewhere_are_shown_and_obeyed_by_nobody() -> None:
    """Of a log, a model's folder or a metric: no terminal's controls, no GitHub's commands."""
    said = "\x1b[2J\n::error::x"
    changes = {"reasons": [said], "left_out": [said], "case_id": said, "remarks": [said]}
    side = SIDE.model_copy(update={"vllm_version": said})
    text = render_upgrades([RECORD.model_copy(update={**changes, "baseline": side})], color=False)
    assert "\x1b" not in text
    assert r"\x1b[2J" in text
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())
