import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fixtures.commands import WORDS
from fixtures.commands.parser import BASELINES
from fixtures.records.baseline_files import read_baselines
from fixtures.records.published_schema import FOLDER, PUBLISHED
from fixtures.runtimes.environments import CHECKOUT
from suites.selftest.histories import loaded_at, measured, write_run
from suites.selftest.specimens import DIED

pytestmark = pytest.mark.selftest

CASE = measured().case_id
WAIVER = '[[waiver]]\nmetric = "tokens_per_s"\ncell = "*"\nreason = "known"\nuntil = {until}\n'


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A folder for baselines, with the committed tolerances."""
    folder = tmp_path / "baselines"
    folder.mkdir()
    text = (BASELINES / "tolerances.toml").read_text("utf-8")
    (folder / "tolerances.toml").write_text(text, "utf-8")
    return folder


def _run(*args: str | Path, where: Path = CHECKOUT) -> subprocess.CompletedProcess[str]:
    """What `ci/suite` becomes for a word, with these arguments."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "fixtures.commands", *args],
        cwd=where,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )


def _accept(
    rules: Path, run: Path | str, *options: str, where: Path = CHECKOUT
) -> subprocess.CompletedProcess[str]:
    where_to = ("--baselines", str(rules), "--reason", "as agreed")
    return _run("baseline", "accept", run, *where_to, *options, where=where)


@pytest.mark.parametrize("word", WORDS)
def test_every_word_has_help(word: str) -> None:
    """`ci/suite WORD --help` tells what it does and ends with 0."""
    run = _run(word, "--help")
    assert run.stdout.startswith(f"usage: ci/suite {word} ")
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(
    "args",
    [
        ("baseline",),
        ("baseline", "accept", "run"),
        ("baseline", "accept", "run", "--reason", " "),
        ("baseline", "accept", "no-such-run", "--reason", "x"),
        ("baseline", "show", "--baselines", "/nowhere"),
        ("history", "--last", "none"),
        ("history", "add"),
        ("history", "--file", "/nowhere/history.sqlite"),
        ("history", "--metri", "x"),
        ("schema", "nothing"),
    ],
)
def test_what_cannot_be_done_is_exit_code_4(args: tuple[str, ...]) -> None:
    """Wrong arguments, no such run and no such file are one line, as of the rest of the suite."""
    run = _run(*args)
    assert (run.returncode, run.stdout) == (4, "")
    assert run.stderr.startswith("ci/suite ")
    assert run.stderr.count("\n") == 1


def test_a_run_becomes_a_baseline_and_is_shown(tmp_path: Path, rules: Path) -> None:
    """Each cell has a file, with the reason; a run is found from the caller's own folder."""
    write_run(tmp_path / "here" / "run-1", measured("run-1"))
    accepted = _accept(rules, "run-1", where=tmp_path / "here")
    assert (accepted.returncode, accepted.stderr) == (0, "")
    assert str(rules / f"{CASE}.json") in accepted.stdout
    baseline = read_baselines(rules)[CASE]
    assert (baseline.last.reason, baseline.anchor.run_id) == ("as agreed", "run-1")
    shown = _run("baseline", "show", "--baselines", rules)
    assert shown.returncode == 0
    assert "run-1: as agreed" in shown.stdout
    assert any(
        line.split() == ["kv_cache_tokens", "1,024", "1,024", "+0.0", "%", "-20"]
        for line in shown.stdout.splitlines()
    )


def test_what_changed_is_shown_before_it_is_committed(tmp_path: Path, rules: Path) -> None:
    """A second one has the value before it beside its own, and leaves the anchor."""
    _accept(rules, write_run(tmp_path / "1", measured("run-1")))
    slower = measured("run-2", throughput=loaded_at(90.0))
    accepted = _accept(rules, write_run(tmp_path / "2", slower))
    assert accepted.returncode == 0
    row = next(line for line in accepted.stdout.splitlines() if line.startswith("tokens_per_s"))
    assert row.split()[:6] == ["tokens_per_s", "100.0/s", "100.0/s", "90.0/s", "-10.0", "%"]
    baseline = read_baselines(rules)[CASE]
    assert (baseline.last.run_id, baseline.anchor.run_id) == ("run-2", "run-1")


def test_one_cell_that_is_refused_leaves_all_as_it_was(tmp_path: Path, rules: Path) -> None:
    """Nothing is written of a run with a cell that cannot be a baseline; it is named, with 1."""
    red = measured("run-1", case_id="cpu-red", start=DIED, verdicts=[])
    run = write_run(tmp_path / "run-1", measured("run-1"), red)
    refused = _accept(rules, run)
    assert refused.returncode == 1
    assert "cpu-red: it was not judged" in refused.stderr
    assert refused.stderr.endswith("nothing was written\n")
    assert read_baselines(rules) == {}
    assert _accept(rules, run, "--cell", "cpu-tiny-*").returncode == 0
    assert list(read_baselines(rules)) == [CASE]


def test_what_is_worse_than_the_anchor_needs_a_new_one(tmp_path: Path, rules: Path) -> None:
    """It is refused by name of the metric, and accepted where the anchor is given up."""
    _accept(rules, write_run(tmp_path / "1", measured("run-1")))
    run = write_run(tmp_path / "2", measured("run-2", throughput=loaded_at(50.0)))
    refused = _accept(rules, run)
    assert refused.returncode == 1
    assert "tokens_per_s 100.0/s -> 50.0/s" in refused.stderr
    assert "--new-anchor" in refused.stderr
    assert _accept(rules, run, "--new-anchor").returncode == 0
    assert read_baselines(rules)[CASE].anchor.run_id == "run-2"


def test_a_cell_that_must_not_fit_is_left_out(tmp_path: Path, rules: Path) -> None:
    """It is told, and others of the run are accepted."""
    dead = measured("run-1", case_id="cpu-dead", expect="out-of-memory", start=DIED)
    accepted = _accept(rules, write_run(tmp_path / "run-1", measured("run-1"), dead))
    assert accepted.returncode == 0
    assert "cpu-dead: left out: it is expected to end in out-of-memory" in accepted.stdout
    assert list(read_baselines(rules)) == [CASE]


def test_a_baseline_that_was_edited_is_told_with_its_file(tmp_path: Path, rules: Path) -> None:
    """A tolerance folded into a value by hand is found by whatever reads it."""
    _accept(rules, write_run(tmp_path / "run-1", measured("run-1")))
    path = rules / f"{CASE}.json"
    table = json.loads(path.read_text("utf-8"))
    table["last"]["metrics"]["peak_bytes"]["value"] *= 1.1
    path.write_text(json.dumps(table), "utf-8")
    shown = _run("baseline", "show", "--baselines", rules)
    assert shown.returncode == 4
    assert shown.stderr.startswith(f"ci/suite baseline: {path}: last: peak_bytes is said to be")


@pytest.mark.parametrize(("days", "code"), [(1, 0), (-2, 1)])
def test_an_expired_waiver_is_red(tmp_path: Path, rules: Path, days: int, code: int) -> None:
    """`show` tells each waiver, and fails on one whose day is over, with its line."""
    _accept(rules, write_run(tmp_path / "run-1", measured("run-1")))
    until = datetime.now(UTC).date() + timedelta(days=days)
    (rules / "waivers.toml").write_text(WAIVER.format(until=until), "utf-8")
    shown = _run("baseline", "show", "--baselines", rules)
    assert f"waived: tokens_per_s of * until {until}: known" in shown.stdout
    assert shown.returncode == code
    assert ("waivers.toml:1: the waiver of tokens_per_s expired" in shown.stderr) == bool(code)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_schema_is_printed(name: str) -> None:
    """As JSON, and as its committed copy has it."""
    printed = _run("schema", name)
    assert (printed.returncode, printed.stderr) == (0, "")
    assert printed.stdout == (FOLDER / f"{name}.json").read_text("utf-8")


def test_the_trend_shows_where_it_changed(tmp_path: Path) -> None:
    """A metric that fell one night has that night, both levels and the vLLM that came with it."""
    file = tmp_path / "history.sqlite"
    for night in range(1, 21):
        late = night > 12
        record = measured(f"run-{night}", throughput=loaded_at(90.0 if late else 100.0))
        changes = {
            "started_at": f"2026-02-{night:02}T03:00:00+00:00",
            "vllm_version": "0.30.0" if late else "0.29.0",
        }
        provenance = record.provenance.model_copy(update=changes)
        write_run(
            tmp_path / "records" / f"run-{night}",
            record.model_copy(update={"provenance": provenance}),
        )
    runs = [f"run-{night}" for night in range(1, 21)]
    records = ("--records", tmp_path / "records", "--file", file)
    added = _run("history", "add", *runs, *records)
    assert added.returncode == 0
    assert added.stdout.splitlines()[-1].startswith("run-20: ")
    assert _run("history", "add", "run-7", *records).stdout == "run-7: was there already\n"
    shown = _run("history", "--file", file)
    assert shown.returncode == 0
    rows = {line.split()[1]: line for line in shown.stdout.splitlines()[1:]}
    assert set(rows) == {"kv_cache_tokens", "peak_bytes", "start_s", "tokens_per_s"}
    told = "2026-02-13 100.0/s -> 90.0/s (-10.0 %), with vLLM 0.29.0 -> 0.30.0"
    assert rows["tokens_per_s"].endswith(told)
    assert "█" * 12 + "▁" * 8 in rows["tokens_per_s"]
    assert rows["peak_bytes"].endswith("none")
    one = _run("history", "--file", file, "--metric", "ttft.*", "--cell", "cpu-*")
    assert [line.split()[1] for line in one.stdout.splitlines()[1:]] == ["ttft.p50_s", "ttft.p90_s"]
    assert _run("history", "--file", file, "--metric", "nothing").returncode == 1
