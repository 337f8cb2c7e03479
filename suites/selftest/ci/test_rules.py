"""What holds for every job, in every file."""

import re

import pytest

from fixtures.cells.cards import CARDS
from fixtures.runtimes.environments import CHECKOUT, FLEET_LOCK, LOCKS
from suites.selftest.ci.files import (
    BUILDKITE,
    GITLAB,
    NAMES,
    WORKFLOWS,
    Step,
    is_on_a_gpu,
    jobs,
    read,
    steps,
    workflow,
)

pytestmark = pytest.mark.selftest

PINNED = re.compile(r"uses: (\S+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+$")
GPUS = [card.name for card in CARDS.values() if card.kind == "gpu"]
ALL_JOBS = [(name, key) for name in NAMES for key in jobs(name)]
GPU_JOBS = [(name, key) for name, key in ALL_JOBS if is_on_a_gpu(jobs(name)[key])]
ALL_STEPS = [(name, step) for name in NAMES for step in steps(name)]
SERVERS = ("Run the suite", "Run the shard", "Compare")
"""Steps that start servers."""


def _of(name: str, job: str) -> list[Step]:
    return [step for step in steps(name) if step.job == job]


def test_no_workflow_is_left_out() -> None:
    """Those that the other tests look at are all that there are."""
    assert {path.stem for path in WORKFLOWS.iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_is_allowed_nothing(name: str) -> None:
    """What a job may do it says itself, and none may write; no secret is asked for."""
    assert workflow(name)["permissions"] == {}
    for job in jobs(name).values():
        assert job["permissions"] in ({}, {"contents": "read"})
    assert "secrets" not in (WORKFLOWS / f"{name}.yml").read_text().replace("no secrets", "")


@pytest.mark.parametrize(("name", "key"), ALL_JOBS)
def test_a_job_ends_and_has_a_name(name: str, key: str) -> None:
    """A job that hangs does not keep its machine for GitHub's six hours, or a fleet's five days."""
    job = jobs(name)[key]
    assert 0 < job["timeout-minutes"] <= 600
    assert job["name"]


@pytest.mark.parametrize("name", NAMES)
def test_an_action_is_what_was_looked_at(name: str) -> None:
    """Pinned by its commit, the release beside it; one commit of each in all files."""
    lines = (WORKFLOWS / f"{name}.yml").read_text().splitlines()
    used = [line.strip() for line in lines if re.match(r"\s*(- )?uses: [^.]", line)]
    assert used
    assert [line for line in used if not PINNED.search(line)] == []


def test_one_commit_of_each_action() -> None:
    """An action is the same in all workflows."""
    pins = {
        found.groups()
        for path in WORKFLOWS.iterdir()
        for found in map(PINNED.search, path.read_text().splitlines())
        if found
    }
    of_repository = {("/".join(action.split("/")[:2]), commit) for action, commit in pins}
    assert len(of_repository) == len({repository for repository, _ in of_repository})


@pytest.mark.parametrize(
    ("name", "step"), ALL_STEPS, ids=lambda value: getattr(value, "name", value)
)
def test_no_expression_stands_in_shell(name: str, step: Step) -> None:
    """What is put into a script's text could end it and go on; and no token stays on the disk."""
    assert "${{" not in step.script, name
    if str(step.told.get("uses", "")).startswith("actions/checkout@"):
        assert step.told["with"] == {"persist-credentials": False}


@pytest.mark.parametrize("name", NAMES)
def test_shell_stops_at_what_fails(name: str) -> None:
    """Also within a pipe, and at a name that nobody has set."""
    assert "-euo pipefail" in workflow(name)["defaults"]["run"]["shell"]


@pytest.mark.parametrize(("name", "key"), GPU_JOBS)
def test_a_gpu_is_one_jobs(name: str, key: str) -> None:
    """Groups by card and number, in which a job is never cut short nor thrown out of the queue."""
    group = jobs(name)[key]["concurrency"]
    assert re.fullmatch(
        r"gpu-\$\{\{ (matrix|inputs)\.card \}\}-(\$\{\{ matrix\.shard \}\}|1)", group["group"]
    )
    assert (group["cancel-in-progress"], group["queue"]) == (False, "max")


def test_newer_commits_end_older_checks_and_no_night() -> None:
    """A pull request's check is worth nothing once there is a newer commit; a night is."""
    ends = {name: workflow(name)["concurrency"]["cancel-in-progress"] for name in NAMES}
    assert ends == {"pull-request": True, "nightly": False, "release-gate": False}


def test_no_pull_request_gets_to_a_gpu() -> None:
    """Workflows with such jobs start by themselves, by hand, or where they are called."""
    started_by = {name: set(workflow(name)["on"]) for name, _ in GPU_JOBS}
    assert started_by == {
        "nightly": {"schedule", "workflow_dispatch"},
        "release-gate": {"workflow_dispatch", "workflow_call"},
    }
    assert jobs("release-gate")["compare"]["needs"] == "asked"
    runs_on = {job["runs-on"] for job in jobs("pull-request").values()}
    assert runs_on == {"ubuntu-latest"}
    assert "pull_request_target" not in workflow("pull-request")["on"]


def test_forks_have_no_nights() -> None:
    """Only a repository that says which cards it has asks for runners."""
    for job in jobs("nightly").values():
        assert "vars.GPU_CARDS != ''" in job["if"]


@pytest.mark.parametrize(
    ("name", "key"), [(name, step.job) for name, step in ALL_STEPS if step.name in SERVERS]
)
def test_after_servers_nothing_is_left_and_records_are_kept(name: str, key: str) -> None:
    """However the job went: first the reaper, and then the records, of which there must be some."""
    ran, *after = (step for step in _of(name, key) if step.name in SERVERS or step.always)
    assert re.match(r"exec (ci/in-cgroup )?ci/suite\b", ran.script.splitlines()[-1])
    assert after[0].script == "ci/reap"
    assert after[-1].told["uses"].startswith("actions/upload-artifact@")
    assert after[-1].told["with"]["if-no-files-found"] == "error"


def test_every_shard_of_a_night_is_run_and_awaited() -> None:
    """The numbers in the matrix are those that the merging job counts to."""
    nightly = workflow("nightly")
    shards = nightly["jobs"]["gpu"]["strategy"]["matrix"]["shard"]
    assert shards == list(range(1, int(nightly["env"]["SHARDS"]) + 1))
    merge = nightly["jobs"]["merge"]
    assert (merge["needs"], merge["if"].split(" ")[0]) == ("gpu", "always()")


def test_a_failed_shard_stops_no_other() -> None:
    """A night tells of every cell."""
    for key in ("gpu", "merge"):
        assert jobs("nightly")[key]["strategy"]["fail-fast"] is False


def test_the_night_begins_once_a_day() -> None:
    """Not at a full hour, when GitHub is late."""
    (when,) = workflow("nightly")["on"]["schedule"]
    minute, hour, *days = when["cron"].split()
    assert 0 < int(minute) < 60
    assert 0 <= int(hour) < 24
    assert days == ["*", "*", "*"]


def test_checks_to_be_required_have_their_names() -> None:
    """Rulesets name them, so that another name would leave a branch without its check."""
    assert jobs("pull-request")["cpu"]["name"] == "selftest and cpu"
    answer = jobs("release-gate")["answer"]
    assert (answer["name"], answer["if"]) == ("may it ship", "always()")
    assert set(answer["needs"]) == set(jobs("release-gate")) - {"answer"}


def test_the_gate_offers_the_cards_that_there_are() -> None:
    """In the form, and in what it takes from a caller."""
    inputs = workflow("release-gate")["on"]
    assert inputs["workflow_dispatch"]["inputs"]["card"]["options"] == GPUS
    assert set(inputs["workflow_dispatch"]["inputs"]) == set(inputs["workflow_call"]["inputs"])
    (asked,) = [step for step in _of("release-gate", "asked") if step.script]
    assert f"{' | '.join(GPUS)}) ;;" in asked.script


def test_environments_are_kept_for_their_locks() -> None:
    """A changed lock is another key, on GitHub and on GitLab; so is another Python."""
    (cache,) = [step for step in steps("pull-request") if "actions/cache@" in str(step.told)]
    assert "hashFiles('ci/locks/*.txt')" in cache.told["with"]["key"]
    assert "steps.python.outputs.python-version" in cache.told["with"]["key"]
    named = read(GITLAB)["cpu"]["cache"]["key"]["files"]
    # No job runs a fleet, and GitLab takes two files.
    assert {CHECKOUT / name for name in named} == set(LOCKS.glob("*.txt")) - {FLEET_LOCK}


def test_gitlabs_gpu_jobs_keep_to_the_rules() -> None:
    """A time, a GPU of their own, records and the reaper always, and no merge request."""
    told = read(GITLAB)
    assert told[".gpu"]["timeout"]
    assert told[".gpu"]["rules"] == [{"if": '$CI_PIPELINE_SOURCE != "merge_request_event"'}]
    assert told[".kept"]["after_script"] == ["ci/reap"]
    assert told[".kept"]["artifacts"]["when"] == "always"
    assert told[".kept"]["artifacts"]["reports"]["junit"] == "junit.xml"
    for name in ("gpu48", "gpu80"):
        assert told[name]["resource_group"] == f"{name}-$CI_NODE_INDEX"
        assert told[name]["tags"] == [told[name]["variables"]["CARD"]] == [name]
        assert told[f"{name}-merge"]["needs"] == [name]
        assert told[f"{name}-merge"]["variables"] == told[name]["variables"]


def test_buildkites_steps_keep_to_the_rules() -> None:
    """A time and their records, each; the GPU's only at night, and no more than there are."""
    cpu, gpu, merge = read(BUILDKITE)["steps"]
    for step in (cpu, gpu, merge):
        assert step["timeout_in_minutes"] <= 600
        assert step["artifact_paths"]
    assert (
        gpu["if"]
        == merge["if"]
        == ('build.source == "schedule" && build.branch == pipeline.default_branch')
    )
    assert gpu["concurrency_group"] == gpu["agents"]["queue"] == gpu["key"]
    assert gpu["concurrency"] == gpu["parallelism"]
    assert (merge["depends_on"], merge["allow_dependency_failure"]) == (gpu["key"], True)
