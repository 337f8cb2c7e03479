import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fixtures.records.part import NOT_KEPT
from fixtures.records.schema import (
    NOT_REACHED,
    CaseRecord,
    LatencyRecord,
    MemoryRecord,
    StartRecord,
    ThroughputRecord,
    Unmeasured,
    VerdictRecord,
)
from suites.selftest.specimens import NOT_SEEN, a_memory, a_record

pytestmark = pytest.mark.selftest

SECTIONS = (
    *("start", "memory", "answers", "tokens", "invariants"),
    *("throughput", "robustness", "soak", "crosscheck", "stop"),
)
SIZES = st.integers(0, 2**60)
MARKS = st.one_of(SIZES, st.builds(Unmeasured, unmeasured=st.text()))


def _again(record: CaseRecord) -> CaseRecord:
    return CaseRecord.model_validate_json(record.model_dump_json())


@given(st.sets(st.sampled_from(SECTIONS)), SIZES, MARKS, st.text())
def test_a_record_comes_back_as_it_was(
    missing: set[str], peak_bytes: int, mark: int | Unmeasured, reason: str
) -> None:
    """Every section, measured or not, survives the way to JSON and back."""
    memory = a_memory().model_copy(update={"peak_bytes": peak_bytes, "card_mark_bytes": mark})
    verdict = VerdictRecord(about="start", outcome="fail", reason=reason)
    sections = {"memory": memory, "verdicts": [verdict]} | dict.fromkeys(missing, NOT_SEEN)
    record = a_record().model_copy(update=sections)
    assert _again(record) == record


def test_what_was_not_reached_says_so() -> None:
    """A section that nobody filled in is unmeasured, with a reason, and no number."""
    bare = a_record().model_dump(exclude=set(SECTIONS))
    record = CaseRecord.model_validate(bare)
    assert all(getattr(record, section) == NOT_REACHED for section in SECTIONS)


@pytest.mark.parametrize("nothing", [None, {}, "", []])
def test_nothing_is_no_measurement(nothing: object) -> None:
    """An empty value cannot stand where a section or a figure belongs."""
    table = a_record().model_dump(mode="json")
    with pytest.raises(ValidationError):
        CaseRecord.model_validate(table | {"memory": nothing})
    memory = a_memory().model_dump(mode="json")
    with pytest.raises(ValidationError):
        MemoryRecord.model_validate(memory | {"card_mark_bytes": nothing})


def test_a_negative_size_is_refused() -> None:
    """No number of bytes is below 0."""
    with pytest.raises(ValidationError):
        MemoryRecord.model_validate(a_memory().model_dump() | {"peak_bytes": -1})


def test_unknown_keys_are_refused() -> None:
    """A key that the schema does not have is an error, at the top and inside."""
    table = a_record().model_dump(mode="json")
    with pytest.raises(ValidationError, match="color"):
        CaseRecord.model_validate(table | {"color": "red"})
    inside = table["memory"] | {"peak_mib": 3072}
    with pytest.raises(ValidationError, match="peak_mib"):
        CaseRecord.model_validate(table | {"memory": inside})


def test_another_version_of_the_schema_is_refused() -> None:
    """A record says which schema it is of, and is read by no other."""
    table = json.loads(a_record().model_dump_json())
    assert table["schema_version"] == 3
    with pytest.raises(ValidationError, match="schema_version"):
        CaseRecord.model_validate(table | {"schema_version": 1})


def test_a_record_does_not_change() -> None:
    """What was recorded is not written over in memory."""
    record = a_record()
    assert isinstance(record.start, StartRecord)
    with pytest.raises(ValidationError):
        record.start.after_s = 0.0


def test_a_throughput_section_of_before_is_read() -> None:
    """What was not kept then says so, and is no figure."""
    latency = {"p50_s": 0.1, "p90_s": 0.2, "worst_s": 0.3}
    part = {
        "requests": 24,
        "failed": 0,
        "wall_s": 0.6,
        "requests_per_s": 40.0,
        "completion_tokens_per_s": 80.0,
        "prompt_tokens_per_s": {"unmeasured": "nobody looked"},
        "ttft": latency,
        "e2e": latency,
    }
    answers = a_record().model_dump(mode="json")["answers"]
    before = {"concurrency": 4, "rounds": [part], "answers": answers}
    read = ThroughputRecord.model_validate_json(json.dumps(before))
    assert read.rounds[0].itl == NOT_KEPT
    assert isinstance(read.rounds[0].ttft, LatencyRecord)
    assert read.rounds[0].ttft.p99_s == NOT_KEPT
    assert (read.figures, read.findings, read.kind) == ({}, [], "distinct")
