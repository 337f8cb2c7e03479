"""`ci/suite advise`: what to deploy by a search, in every form, and what more would take."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from fixtures.cells.case import Case
from fixtures.commands import advise
from fixtures.commands.parser import RED, REFUSED
from fixtures.frontier.searching import search
from fixtures.records.runs import RunError
from fixtures.records.schema import CaseRecord
from suites.selftest.frontier.replayed import kept, record_of, searchable, searching_in
from suites.selftest.standin.pretend_cpu import videos

pytestmark = pytest.mark.selftest

WIDE = searchable("cpu-wide")


def searched(folder: Path, a_video_mib: float) -> Path:
    """A run with a search, on the cpu card."""

    def run(case: Case) -> CaseRecord:
        batched = int(case.cell.extra_flags[-1])
        encoded = videos(case.cell.max_num_seqs, case.cell.max_model_len, batched)
        peaks = (2300 + a_video_mib * encoded, 3400.0)
        return kept(folder, record_of(case, "run/searched", *peaks))

    search(searching_in(folder, WIDE, run))
    return folder / "run"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which 16 sequences fit with a small budget of tokens."""
    return searched(tmp_path_factory.mktemp("advise"), 400)


def said(capsys: pytest.CaptureFixture[str], *args: object) -> str:
    """What the command prints."""
    assert advise.main([str(arg) for arg in args]) == 0
    return capsys.readouterr().out


def test_it_says_what_to_take_and_what_more_would_take(
    found: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The most sequences, the command, and the margin that is left."""
    told = said(capsys, found)
    assert "seqs=16" in told
    assert "--max-num-seqs 16" in told
    assert "--max-num-batched-tokens 4096" in told
    assert "16 requests at once" in told
    assert "MiB left" in told


def test_what_does_not_fit_is_told_with_the_knobs_that_help(
    found: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """16 sequences with 16,384 tokens a step: fewer of either would do."""
    told = said(capsys, found, "--want", "seqs=16-len=8192-batched=16384-alloc=glibc")
    assert "is expected to take" in told
    assert "max_num_batched_tokens = 4096 saves about" in told
    assert "a card for it: " in told


@pytest.mark.parametrize("form", ["shell", "docker", "kubernetes", "compose", "config"])
def test_every_form_is_one_that_can_be_used(
    found: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """Printed alone, with the flags of what fits; YAML is YAML."""
    told = said(capsys, found, "--as", form, "--image", "vllm:cpu")
    assert "16" in told
    if form == "config":
        read = yaml.safe_load(told)
        assert read["max-num-seqs"] == 16
        assert read["trust-remote-code"] is True
        # The cell's own flag comes last, and wins.
        assert read["max-num-batched-tokens"] == 4096
    elif form in ("kubernetes", "compose"):
        assert yaml.safe_load(told)
    else:
        assert "--max-num-seqs 16" in told


def test_a_container_needs_an_image(found: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is no usual one for the cpu card."""
    with pytest.raises(SystemExit) as refused:
        advise.main([str(found), "--as", "docker"])
    assert refused.value.code == REFUSED
    assert "which image? name it with --image" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["--cell", "gpu48-*"], "it has none"),
        (["--want", "sequences=4"], "is none of alloc=, util=, len=, batched=, seqs="),
    ],
)
def test_what_cannot_be_told_is_refused(
    found: Path, capsys: pytest.CaptureFixture[str], args: list[str], why: str
) -> None:
    """Exit code 4 and one line."""
    with pytest.raises(SystemExit) as refused:
        advise.main([str(found), *args])
    assert refused.value.code == REFUSED
    assert why in capsys.readouterr().err


def test_nothing_that_fits_is_red(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, and the length that was asked for."""
    run = searched(tmp_path, 6000)
    assert advise.main([str(run), "--max-model-len", "8192"]) == RED
    assert "with requests of 8192 tokens" in capsys.readouterr().err


def test_a_run_without_a_search_is_named(tmp_path: Path) -> None:
    """Where nothing lies."""
    with pytest.raises(RunError, match="name the folder of one run"):
        advise.main([str(tmp_path)])
