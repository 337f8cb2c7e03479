import json
from pathlib import Path

import pytest

from fixtures.commands.__main__ import main
from suites.selftest.frontier.test_estimate import CONFIG_2_6

pytestmark = pytest.mark.selftest

MEASURED = Path(__file__).parents[1] / "frontier" / "measured"
WIDE = "cpu-wide-seqs=4-len=4096-alloc=glibc"


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A folder with the released model's configuration, and no weights."""
    (tmp_path / "config.json").write_text(json.dumps(CONFIG_2_6))
    return tmp_path


def test_every_cell_of_the_card_is_estimated(capsys: pytest.CaptureFixture[str]) -> None:
    """The locked vLLM's; the incident in small is expected not to fit, its fix may."""
    assert main(["estimate"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("vLLM 0.29.0, a memory cgroup of 6 GiB")
    fits = {line.split()[0]: line.rsplit("  ", 1)[-1].strip() for line in told[2:]}
    assert len(fits) == 11
    assert fits[WIDE] == "does not fit"
    assert fits["cpu-wide-seqs=1-len=2048-alloc=glibc"] == "fits"


def test_a_single_cell_is_told_in_parts(capsys: pytest.CaptureFixture[str]) -> None:
    """Each with where its figure comes from."""
    assert main(["estimate", "--cell", WIDE]) == 0
    told = capsys.readouterr().out
    assert "encoder's profile" in told
    assert "256 pictures at once, 22 MiB each" in told


def test_a_released_model_is_estimated_without_its_weights(
    released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The incident's configuration, on the card that it died on, from config.json alone."""
    options = ["--card", "gpu48", "--vllm", "0.5.4", "--model", str(released)]
    assert main(["estimate", *options]) == 0
    told = capsys.readouterr().out
    incident = "seqs=256-len=8192-alloc=default"
    (line,) = [one for one in told.splitlines() if one.startswith(f"gpu48-minicpmv-2.6-{incident}")]
    assert "128 pictures" in line


def test_the_error_on_what_was_measured_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Of every measured peak, and of all together in one sentence."""
    assert main(["estimate", "--against", str(MEASURED)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[-1].startswith("14 peaks: off by ")
    assert told[-1].endswith("; 15 of 15 within the interval")
    assert sum(line.startswith("cpu-") for line in told) == 16


def test_without_a_run_it_is_told_of_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every run below the folder, with its searches; one that started nothing is none."""
    kept = sorted(MEASURED.glob("*.json"))
    for name, part, files in (
        ("20260101T000000Z-aaaa", "", kept[:3]),
        ("20260102T000000Z-bbbb", "searched", kept[3:5]),
        ("20260103T000000Z-cccc", "", []),
    ):
        folder = tmp_path / name / part
        folder.mkdir(parents=True)
        (tmp_path / name / "run.json").write_text("{}")
        for path in files:
            (folder / path.name).write_bytes(path.read_bytes())
    assert main(["estimate", "--against", "--records", str(tmp_path)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("cpu-") for line in told) == 10
    assert "within the interval" in told[-1]
    assert main(["estimate", "--against", "--records", str(tmp_path / "none")]) == 4
    assert "no run in it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--card", "gpu48"), "which vLLM? name its version with --vllm"),
        (("--cell", "no-such-*"), "no cpu cell is like 'no-such-*'"),
        (("--model", "/no/such"), "/no/such is not on this machine, or has no config.json: name"),
        (("--vllm", "new"), "'new' is no version"),
        (("--against", "20990101T000000Z-0000"), "no run '20990101T000000Z-0000'"),
    ],
    ids=["no-vllm", "no-cell", "no-model", "no-version", "no-run"],
)
def test_what_cannot_be_estimated_is_one_line_and_4(
    options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each names the thing and the remedy."""
    try:
        code = main(["estimate", *options])
    except SystemExit as ended:
        code = int(str(ended.code))
    told = capsys.readouterr()
    assert (code, told.out) == (4, "")
    assert said in told.err
    assert told.err.count("\n") == 1
