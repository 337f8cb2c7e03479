import shutil
from pathlib import Path

import pytest

from fixtures.cells.cards import MIB
from fixtures.memory.recorder import SAMPLE
from fixtures.memory.series import SampleSeries
from fixtures.records.part import Unmeasured
from fixtures.records.runs import read_whole
from fixtures.records.schema import CaseRecord, MemoryRecord
from fixtures.reports.html.recorded import read_series
from fixtures.reports.html.thinning import gaps_of
from suites.selftest.memory.gpu_traces import ONE, TWO, files, gpu
from suites.selftest.specimens import a_gpu, a_memory, a_phase, a_record

pytestmark = pytest.mark.selftest

RECORDED = Path(__file__).parent / "recorded"


@pytest.fixture
def folder(tmp_path: Path, record: CaseRecord) -> Path:
    """A copy of the recorded case's folder."""
    return Path(shutil.copytree(RECORDED / record.case_id, tmp_path / "case"))


@pytest.fixture
def record() -> CaseRecord:
    """The recorded case."""
    (record,) = read_whole(str(RECORDED), RECORDED).cases
    return record


def _rewritten(folder: Path, first: int, last: int) -> None:
    """The samples without those from `first` to `last`."""
    path = folder / "samples.bin"
    rows = [
        path.read_bytes()[i : i + SAMPLE.size] for i in range(0, path.stat().st_size, SAMPLE.size)
    ]
    path.write_bytes(b"".join(rows[:first] + rows[last:]))


def test_samples_are_in_the_records_seconds(folder: Path, record: CaseRecord) -> None:
    """The first is where the record says that looking began, the peak at its moment."""
    series = read_series(folder, record)
    assert isinstance(series, SampleSeries)
    assert isinstance(record.memory, MemoryRecord)
    assert series.times_s[0] == record.memory.phases[0].start_s
    peak = series.peak()
    assert peak is not None
    assert peak.at_s == pytest.approx(record.memory.peak_at_s, abs=1e-6)


def test_a_gap_in_the_samples_is_seen(folder: Path, record: CaseRecord) -> None:
    """Half a second in which nobody looked."""
    _rewritten(folder, 100, 116)
    series = read_series(folder, record)
    assert isinstance(series, SampleSeries)
    (gap,) = gaps_of(series, 0.05)
    assert gap.end_s - gap.start_s == pytest.approx(17 * 0.032, abs=0.01)


def test_samples_of_another_start_are_refused(folder: Path, record: CaseRecord) -> None:
    """A curve that does not hold the record's peak at its moment is none of this start."""
    path = folder / "samples.bin"
    path.write_bytes(path.read_bytes()[40 * SAMPLE.size :])
    found = read_series(folder, record)
    assert found == Unmeasured(
        unmeasured="the samples beside the record are those of another start"
    )


def test_what_is_not_there_or_damaged_is_told(folder: Path, record: CaseRecord) -> None:
    """By its file, and never as an empty curve."""
    raw = (folder / "samples.bin").read_bytes()
    (folder / "samples.bin").write_bytes(raw[SAMPLE.size * 9 :] + raw)
    damaged = read_series(folder, record)
    assert isinstance(damaged, Unmeasured)
    assert "not in the order of time" in damaged.unmeasured
    (folder / "samples.bin").write_bytes(b"")
    assert isinstance(read_series(folder, record), Unmeasured)
    (folder / "marks.json").unlink()
    gone = read_series(folder, record)
    assert gone == Unmeasured(unmeasured="its samples are not here: no marks.json")


def test_of_a_gpu_what_the_server_added_is_drawn(tmp_path: Path) -> None:
    """Of the server's own GPU, less what was used before, from the first time it answered."""
    idle = a_phase("idle", 0).model_copy(update={"start_s": -2.0, "end_s": 0.0})
    ours = a_gpu(assigned=True, foreign=[]).model_copy(update={"uuid": TWO})
    memory = a_memory().model_copy(update={"phases": [idle], "gpus": [ours]})
    used = [(100, 9, -1), (101, 9, 50), (102, 9, 50), (104, 9, 90), (105, 9, 40)]
    samples = [(at_s, *(mib * MIB if mib >= 0 else -1 for mib in both)) for at_s, *both in used]
    raw, told, processes = files([gpu(ONE), gpu(TWO, number=1)], samples)
    (tmp_path / "gpu-samples.bin").write_bytes(raw)
    (tmp_path / "gpu.json").write_text(told, "utf-8")
    (tmp_path / "gpu-processes.jsonl").write_text(processes, "utf-8")
    series = read_series(tmp_path, a_record().model_copy(update={"memory": memory}))
    assert isinstance(series, SampleSeries)
    assert series.times_s.tolist() == [-2, -1, 1, 2]
    assert (series.held_bytes // MIB).tolist() == [0, 0, 40, 0]
