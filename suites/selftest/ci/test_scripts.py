"""The shell in CI's files, run."""

import json
import subprocess
from pathlib import Path

import pytest

from suites.selftest.ci.files import (
    buildkite_script,
    environment,
    filled,
    gitlab_script,
    scripts,
    shell,
    step,
)
from suites.selftest.ci.sandbox import Ran, Sandbox

pytestmark = pytest.mark.selftest

GATE = {
    "inputs.baseline": "pypi:vllm==0.32.0",
    "inputs.candidate": "pypi:vllm==0.33.0",
    "inputs.card": "gpu48",
    "inputs.model": "",
    "github.event_name": "workflow_dispatch",
    "needs.compare.result": "success",
}
NIGHT = {"matrix.card": "gpu48", "matrix.shard": "2"}
HOSTILE = (
    "; touch pwned",
    "$(touch pwned)",
    "`touch pwned`",
    "' ; touch pwned; '",
    '" ; touch pwned; "',
    "a\ntouch pwned",
    "--help",
    "* ?",
    "a[$(touch pwned)]",
)
THE_SUITE = [
    ("pull-request", "cpu", "Run the suite"),
    ("nightly", "gpu", "Run the shard"),
    ("release-gate", "compare", "Compare"),
]
BASH = ("bash", "-eo", "pipefail")


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """A checkout of the test's own."""
    return Sandbox(tmp_path / "checkout")


def _run(sandbox: Sandbox, where: tuple[str, str, str], **values: str) -> Ran:
    """Run a step of a workflow with the values of its expressions."""
    name, job, _ = where
    told = {**GATE, **NIGHT, **values}
    return sandbox.run(shell(name), step(*where).script, environment(name, job, told))


@pytest.mark.parametrize(("where", "script"), list(scripts()), ids=lambda value: value[:60])
def test_every_script_is_shell(where: str, script: str) -> None:
    """What CI would only find out at night: bash can read all of it."""
    read = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert (read.returncode, read.stderr) == (0, ""), where


@pytest.mark.parametrize("code", [0, 1, 2, 4, 8])
@pytest.mark.parametrize("where", THE_SUITE, ids=lambda where: where[0])
def test_the_suites_exit_code_is_the_steps(
    sandbox: Sandbox, where: tuple[str, str, str], code: int
) -> None:
    """And the suite has the shell's process id, so that a cancelled job's signal goes to it."""
    sandbox.exits["suite"] = sandbox.exits["-m"] = code
    ran = _run(sandbox, where)
    assert ran.code == code
    assert ran.became


def test_what_the_suite_is_called_with(sandbox: Sandbox) -> None:
    """Nothing on pull requests, a shard of the card's night, two vLLMs at the gate."""
    assert _run(sandbox, THE_SUITE[0]).calls == [["suite"]]
    records = str(sandbox.temp / "records")
    assert _run(sandbox, THE_SUITE[1]).calls == [
        ["suite", "-m", "gpu48 and nightly", "--shard=2/3", f"--records={records}"]
    ]
    gate = ["suite", "-m", "upgrade", "--baseline=pypi:vllm==0.32.0"]
    gate += ["--candidate=pypi:vllm==0.33.0", "--card=gpu48"]
    assert _run(sandbox, THE_SUITE[2]).calls == [[*gate, f"--records={records}"]]
    named = _run(sandbox, THE_SUITE[2], **{"inputs.model": "/models/MiniCPM-V-2_6"})
    assert named.calls == [[*gate, "--model=/models/MiniCPM-V-2_6", f"--records={records}"]]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", ["baseline", "candidate", "card", "model"])
def test_an_input_is_never_read_as_shell(sandbox: Sandbox, name: str, value: str) -> None:
    """It comes to the suite as it is, as that option's value, and does nothing else."""
    before = sandbox.files()
    ran = _run(sandbox, THE_SUITE[2], **{f"inputs.{name}": value})
    assert f"--{name}={value}" in ran.calls[0]
    assert sandbox.files() - before == {"calls", "exits.json", "script.sh"}


@pytest.mark.parametrize("value", [*HOSTILE, "gpu4", "cpu", "", "gpu48 gpu80"])
def test_only_a_card_gets_to_a_runner(sandbox: Sandbox, value: str) -> None:
    """A workflow that calls the gate may name anything: what is no card is refused, and not run."""
    before = sandbox.files()
    where = ("release-gate", "asked", "Refuse strangers, and cards that are none")
    assert _run(sandbox, where, **{"inputs.card": value}).code == 1
    assert sandbox.files() - before == {"exits.json", "script.sh"}


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ("push", 0),
        ("schedule", 0),
        ("workflow_dispatch", 0),
        ("pull_request", 1),
        ("pull_request_target", 1),
        ("issue_comment", 1),
        ("workflow_run", 1),
    ],
)
def test_only_who_may_write_gets_to_a_gpu(sandbox: Sandbox, event: str, code: int) -> None:
    """A call of the gate from a pull request is refused, whoever's it is."""
    where = ("release-gate", "asked", "Refuse strangers, and cards that are none")
    ran = _run(sandbox, where, **{"github.event_name": event})
    assert ran.code == code
    assert ("::error title=Refused::" in ran.out) == (code != 0)


@pytest.mark.parametrize("result", ["success", "failure", "cancelled", "skipped", ""])
def test_the_required_check_is_green_for_ship_alone(sandbox: Sandbox, result: str) -> None:
    """A comparison that was refused, cancelled or never begun does not ship."""
    where = ("release-gate", "answer", "Only a comparison that said so ships")
    ran = _run(sandbox, where, **{"needs.compare.result": result})
    assert ran.code == (0 if result == "success" else 1)


@pytest.mark.parametrize(
    ("told", "title"),
    [
        ({"exit_code": 0}, "::notice title=Ship::"),
        ({"exit_code": 1}, "::error title=Do not ship::"),
        ({"exit_code": 8}, "::error title=Cannot tell::"),
        ({"exit_code": 4}, "::error title=No answer::"),
        ({"exit_code": {"unmeasured": "it was killed"}}, "::error title=No answer::"),
        ({}, "::error title=No answer::"),
        (None, "::error title=No answer::"),
    ],
    ids=str,
)
def test_each_answer_has_a_title_of_its_own(
    sandbox: Sandbox, told: dict[str, object] | None, title: str
) -> None:
    """As the run's record tells it; a run that left none has no answer."""
    if told is not None:
        sandbox.put("temp/records/20261125T000000Z-abcd/run.json", json.dumps(told))
    ran = _run(sandbox, ("release-gate", "compare", "Say the answer"))
    assert ran.code == 0
    assert ran.out.startswith(title)
    assert len(ran.out.splitlines()) == 1


def _merge(sandbox: Sandbox, shards: int) -> Ran:
    for number in range(shards):
        sandbox.put(f"shards/20261125T00000{number}Z-abcd/run.json")
    return _run(sandbox, ("nightly", "merge", "Merge"))


def test_every_shard_is_merged(sandbox: Sandbox) -> None:
    """Each run's folder is named, and green is green."""
    ran = _merge(sandbox, 3)
    runs = [f"shards/20261125T00000{number}Z-abcd/" for number in range(3)]
    assert ran.calls == [["suite", "merge", *runs, "--into", "merged"]]
    assert (ran.code, "::error" in ran.out) == (0, False)


@pytest.mark.parametrize("shards", [0, 1, 2])
def test_a_missing_shard_is_red(sandbox: Sandbox, shards: int) -> None:
    """Whatever merging says of it; what is there is merged all the same."""
    ran = _merge(sandbox, shards)
    assert ran.code != 0
    assert f"::error title=Shards are missing::records of {shards} of 3 are here" in ran.out
    assert len(ran.calls[0]) == 4 + shards


@pytest.mark.parametrize("code", [1, 4])
def test_a_refusal_to_merge_is_red(sandbox: Sandbox, code: int) -> None:
    """All shards are here, and a cell is missing in them."""
    sandbox.exits["merge"] = code
    assert _merge(sandbox, 3).code == code


REPORTS = {
    "pull-request": ("cpu", ".records/20261125T000000Z-abcd"),
    "release-gate": ("compare", "temp/records/20261125T000000Z-abcd"),
}


@pytest.mark.parametrize("name", REPORTS)
def test_each_run_has_its_report(sandbox: Sandbox, name: str) -> None:
    """Of the one run that the job has, killed or not; a report that cannot be made is red."""
    job, folder = REPORTS[name]
    sandbox.put(f"{folder}/run.json")
    where = (name, job, "Write the report")
    (call,) = _run(sandbox, where).calls
    assert call[:2] == ["suite", "report"]
    assert (sandbox.folder / call[2]) == sandbox.folder / folder
    sandbox.exits["report"] = 4
    assert _run(sandbox, where).code == 4


def test_the_summary_of_a_night_is_that_of_the_merged_run(sandbox: Sandbox) -> None:
    """Added to what other steps wrote there; red where nothing was merged."""
    sandbox.summary.write_text("before\n")
    where = ("nightly", "merge", "Write the summary")
    assert _run(sandbox, where).code != 0
    sandbox.put("merged/summary.md", "what it came to\n")
    assert _run(sandbox, where).code == 0
    assert sandbox.summary.read_text() == "before\nwhat it came to\n"


def test_a_night_gets_into_the_history(sandbox: Sandbox) -> None:
    """The merged run, once; a history that cannot be written is red."""
    where = ("nightly", "merge", "Add to the history")
    add = ["suite", "history", "add", "merged", "--file", "history.sqlite"]
    assert _run(sandbox, where).calls == [add]
    sandbox.exits["history"] = 4
    assert _run(sandbox, where).code == 4


def test_what_was_left_is_red(sandbox: Sandbox) -> None:
    """The step that ends what is left hands the reaper's exit status on, at each place."""
    sandbox.exits["reap"] = 1
    for name, job, _ in THE_SUITE:
        ran = _run(sandbox, (name, job, "End what is left"))
        assert (ran.code, ran.calls) == (1, [["reap"]])


@pytest.mark.parametrize("code", [0, 1, 4])
def test_gitlab_deals_a_night_out(sandbox: Sandbox, code: int) -> None:
    """Shards from 1, as GitLab counts them, and the suite's exit code."""
    sandbox.exits["-m"] = code
    env = {"CARD": "gpu48", "CI_NODE_INDEX": "2", "CI_NODE_TOTAL": "3"}
    ran = sandbox.run(BASH, gitlab_script("gpu48"), env)
    options = ["--shard=2/3", "--records=records", "--junitxml=junit.xml"]
    assert (ran.code, ran.calls) == (code, [["suite", "-m", "gpu48 and nightly", *options]])


@pytest.mark.parametrize("code", [0, 1, 4])
def test_gitlab_merges_what_the_shards_left(sandbox: Sandbox, code: int) -> None:
    """All runs are named, and what merging says is the job's; the history comes after it."""
    sandbox.exits["merge"] = code
    for number in range(3):
        sandbox.put(f"records/run{number}/run.json")
    ran = sandbox.run(BASH, gitlab_script("gpu48-merge"))
    runs = [f"records/run{number}/" for number in range(3)]
    assert ran.code == code
    assert ran.calls == [["suite", "merge", *runs, "--into", "merged"]]
    after = sandbox.run(BASH, gitlab_script("gpu48-merge", "after_script"))
    assert [call[1] for call in after.calls] == ["history"]


@pytest.mark.parametrize("code", [0, 1, 4])
def test_buildkite_deals_a_night_out(sandbox: Sandbox, code: int) -> None:
    """Shards from 1, where Buildkite counts from 0, and the suite in the shell's place."""
    sandbox.exits["-m"] = code
    env = {"BUILDKITE_PARALLEL_JOB": "2", "BUILDKITE_PARALLEL_JOB_COUNT": "3"}
    ran = sandbox.run(BASH, buildkite_script("gpu48"), env)
    options = ["--shard=3/3", "--records=records"]
    assert (ran.code, ran.calls) == (code, [["suite", "-m", "gpu48 and nightly", *options]])
    assert ran.became


@pytest.mark.parametrize("code", [0, 1, 4])
def test_buildkite_merges_what_the_shards_left(sandbox: Sandbox, code: int) -> None:
    """What the agent fetched is merged, and what merging says is the step's."""
    sandbox.exits["merge"] = code
    sandbox.put("records/run0/run.json")
    ran = sandbox.run(BASH, buildkite_script("gpu48-merge"))
    assert ran.code == code
    fetched, merged = ran.calls
    assert fetched == ["buildkite-agent", "artifact", "download", "**", ".", "--step", "gpu48"]
    assert merged == ["suite", "merge", "records/run0/", "--into", "merged"]


def test_expressions_are_filled_in_or_missed() -> None:
    """A test that knows no value of an expression fails, and does not run something else."""
    assert filled("a ${{ x.y }} b ${{z}}", {"x.y": "1", "z": "2"}) == "a 1 b 2"
    with pytest.raises(KeyError):
        filled("${{ unknown }}", {})
