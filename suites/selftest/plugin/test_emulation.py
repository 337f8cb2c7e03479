"""Runs of small suites on a machine whose only GPU is larger than the cells' card."""

import venv
from pathlib import Path

import pytest

from fixtures.cells.cards import CARDS, MIB
from fixtures.records.schema import CaseRecord
from fixtures.runtimes.environments import CHECKOUT
from fixtures.servers.ballast_program import GRAIN_BYTES
from suites.selftest.plugin.conftest import Ended, RunPytest
from suites.selftest.programs import is_alive
from suites.selftest.standin.gpus import CONTEXT_BYTES, Machine

pytestmark = pytest.mark.selftest

RESERVED_BYTES = 512 * MIB
GPU48_BYTES, H100_BYTES = 46_068 * MIB, 81_559 * MIB
UNUSABLE_BYTES = RESERVED_BYTES + CONTEXT_BYTES
ON_H100 = (
    "on NVIDIA H100 80GB HBM3 (81,559 MiB): 35,491 MiB held by a ballast,"
    " utilization rescaled to 0.5196"
)

# A vLLM that tells what it sees of its GPU, and ends.
SERVER = f"""
import sys
sys.path.insert(0, {str(CHECKOUT)!r})
from suites.selftest.standin.cuda import Cuda
print(Cuda().free_and_total_bytes()[0])
"""
LOOKS = """
def test_it(deployment):
    print("\\nSAW", deployment.log_path.read_text().strip(), *deployment.plan.ballast_pids)
"""
KILLS = """
    if "seqs=1-" in deployment.case.id:
        import os, signal
        (pid,) = deployment.plan.ballast_pids
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
"""
CASE = "def test_it(case): pass\n"
TINY = CHECKOUT / "fixtures" / "checkpoints" / "minicpmv-2.6-tiny"
MATRIX = """
[[gpu48]]
model = "minicpmv-2.6"
budget_gib = 40.0
cells = [
  { max_num_seqs = 1, max_model_len = 2048, allocator = "default" },
  { max_num_seqs = 2, max_model_len = 2048, allocator = "default" },
]

[[gpu80]]
model = "minicpmv-2.6"
budget_gib = 70.0
cells = [{ max_num_seqs = 1, max_model_len = 2048, allocator = "default" }]
"""


@pytest.fixture
def h100(machine: Machine) -> Machine:
    """A machine with one H100."""
    machine.add_gpu("NVIDIA H100 80GB HBM3", H100_BYTES, reserved_bytes=RESERVED_BYTES)
    return machine


@pytest.fixture(scope="session")
def runtime_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment in which a vLLM for GPUs seems to be installed."""
    folder = tmp_path_factory.mktemp("runtime")
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    info = packages / "vllm-0.29.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vllm\nVersion: 0.29.0\n")
    module = packages / "vllm" / "entrypoints" / "openai" / "api_server.py"
    module.parent.mkdir(parents=True)
    module.write_text(SERVER)
    return folder


def _run(
    small_suites: RunPytest, folder: Path, runtime_folder: Path, code: str, *arguments: str
) -> Ended:
    matrix = folder / "matrix.toml"
    matrix.write_text(MATRIX)
    (folder / "tmp").mkdir()
    return small_suites(
        {"startup/test_it.py": code},
        *("-s", f"--matrix={matrix}", f"--records={folder / 'records'}"),
        *(f"--runtime=venv:{runtime_folder}", f"--model={TINY}", *arguments),
        # Locks of the run's own.
        env={"TMPDIR": str(folder / "tmp")},
    )


def _saw(ended: Ended) -> list[tuple[int, list[int]]]:
    """What each cell's server saw free, and the ballasts that the suite named, in order."""
    lines = [line.split()[1:] for line in ended.out.splitlines() if line.startswith("SAW ")]
    return [(int(free), [int(pid) for pid in pids]) for free, *pids in lines]


@pytest.mark.usefixtures("h100")
def test_cells_of_an_emulated_card_share_a_ballast_that_ends_before_a_real_cards(
    small_suites: RunPytest, tmp_path: Path, runtime_folder: Path
) -> None:
    """Each server starts on what is left, and finds the whole GPU where the GPU is the card."""
    ended = _run(small_suites, tmp_path, runtime_folder, LOOKS, "-m", "gpu48 or gpu80")
    assert ended.code == 0, ended.out + ended.err
    first, second, real = _saw(ended)
    assert first == second
    (pid,) = first[1]
    assert 0 <= first[0] - (GPU48_BYTES - UNUSABLE_BYTES) < GRAIN_BYTES
    assert real == (H100_BYTES - UNUSABLE_BYTES, [])
    assert not is_alive(pid)


@pytest.mark.usefixtures("h100")
def test_that_a_card_is_emulated_is_said_everywhere(
    small_suites: RunPytest, tmp_path: Path, runtime_folder: Path
) -> None:
    """Before the first server, in the record, in the table's rows and below it."""
    ended = _run(small_suites, tmp_path, runtime_folder, LOOKS, "-m", "gpu48")
    assert (
        "gpu48 is emulated on GPU 0, NVIDIA H100 80GB HBM3: a ballast will hold 34.7 of its 79.6"
        " GiB"
    ) in ended.err
    assert ended.out.count(" (emulated) ") == 2
    assert f"gpu48: emulated {ON_H100}" in ended.out.splitlines()
    for path in tmp_path.glob("records/*/*-*.json"):
        record = CaseRecord.model_validate_json(path.read_text())
        assert record.card_emulated == ON_H100
        assert isinstance(record.provenance.argv, list)
        at = record.provenance.argv.index("--gpu-memory-utilization")
        assert record.provenance.argv[at + 1] == "0.5196"


@pytest.mark.usefixtures("h100")
def test_a_ballast_that_ends_makes_its_cell_red_and_no_other(
    small_suites: RunPytest, tmp_path: Path, runtime_folder: Path
) -> None:
    """What was measured on a larger GPU than said does not pass; the next cell has a new one."""
    ended = _run(small_suites, tmp_path, runtime_folder, LOOKS + KILLS, "-m", "gpu48")
    assert ended.code == pytest.ExitCode.TESTS_FAILED
    (red,) = [line for line in ended.out.splitlines() if line.startswith("FAILED")]
    assert "seqs=1-" in red
    assert "was ended by somebody: what was measured since" in ended.out
    assert "1 failed, 1 passed" in ended.out
    (_, first), (_, second) = _saw(ended)
    assert first != second
    verdicts = {
        (verdict.about, verdict.outcome)
        for path in tmp_path.glob("records/*/*seqs=1-*.json")
        for verdict in CaseRecord.model_validate_json(path.read_text()).verdicts
    }
    assert verdicts == {("emulated card", "unmeasured")}


def test_without_room_for_a_ballast_no_server_starts(
    h100: Machine, small_suites: RunPytest, tmp_path: Path, runtime_folder: Path
) -> None:
    """Memory in other hands is told with the remedy, and no figure is taken."""
    h100.set_used(0, 60_000 * MIB)
    ended = _run(small_suites, tmp_path, runtime_folder, LOOKS, "-m", "gpu48")
    assert ended.code == pytest.ExitCode.TESTS_FAILED
    assert "another process holds memory of this GPU (nvidia-smi lists them)" in ended.out
    assert "2 errors" in ended.out
    assert list(tmp_path.glob("records/*/*-*.json")) == []


@pytest.mark.usefixtures("h100")
@pytest.mark.parametrize(
    ("name", "code"), [("gpu24", 0), ("gpu48", 0), ("gpu80", 0), ("gpu141", 4)]
)
def test_every_card_that_the_gpu_has_room_for_can_be_selected(
    small_suites: RunPytest, name: str, code: int
) -> None:
    """Only what is larger than the GPU is refused, with what is here."""
    ended = small_suites({"startup/test_it.py": CASE}, "-m", name, "--collect-only")
    assert ended.code == code
    refusal = f"{name}: needs {CARDS[name].what} or a larger one; here: NVIDIA H100 80GB HBM3"
    assert (refusal in ended.err) == (code != 0)
