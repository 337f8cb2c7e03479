"""The files that CI reads, as data."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from fixtures.runtimes.environments import CHECKOUT

WORKFLOWS: Final = CHECKOUT / ".github" / "workflows"
GITLAB: Final = CHECKOUT / ".gitlab-ci.yml"
BUILDKITE: Final = CHECKOUT / ".buildkite" / "pipeline.yml"
NAMES: Final = ("pull-request", "nightly", "release-gate")

_EXPRESSION: Final = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


class Step(NamedTuple):
    """A step of a GitHub workflow's job."""

    job: str
    name: str
    told: Mapping[str, Any]

    @property
    def script(self) -> str:
        """What it runs; empty for an action."""
        return str(self.told.get("run", ""))

    @property
    def always(self) -> bool:
        """Whether it runs however the job went so far."""
        return self.told.get("if") == "always()"


def read(path: Path) -> dict[str, Any]:
    """A file of YAML, with GitHub's `on` under that name."""
    told: dict[Any, Any] = yaml.safe_load(path.read_text())
    # YAML 1.1, which PyYAML speaks and GitHub does not, reads `on` as true.
    return {("on" if key is True else str(key)): value for key, value in told.items()}


def workflow(name: str) -> dict[str, Any]:
    """One of the project's workflows."""
    return read(WORKFLOWS / f"{name}.yml")


def jobs(name: str) -> dict[str, dict[str, Any]]:
    """Its jobs."""
    found: dict[str, dict[str, Any]] = workflow(name)["jobs"]
    return found


def is_on_a_gpu(job: Mapping[str, Any]) -> bool:
    """Whether a job runs on a machine of the fleet's."""
    return "self-hosted" in job["runs-on"]


def steps(name: str) -> Iterator[Step]:
    """Every step of a workflow, job by job."""
    for key, job in jobs(name).items():
        for told in job["steps"]:
            yield Step(key, told["name"], told)


def step(name: str, job: str, called: str) -> Step:
    """The step of that name."""
    (found,) = [one for one in steps(name) if (one.job, one.name) == (job, called)]
    return found


def filled(text: object, values: Mapping[str, str]) -> str:
    """A text with its expressions replaced by values."""
    return _EXPRESSION.sub(lambda found: values[found.group(1)], str(text))


def environment(name: str, job: str, values: Mapping[str, str]) -> dict[str, str]:
    """What the workflow and the job put into a script's environment."""
    told = {**workflow(name).get("env", {}), **jobs(name)[job].get("env", {})}
    return {key: filled(value, values) for key, value in told.items()}


def shell(name: str) -> tuple[str, ...]:
    """How a workflow starts its scripts, but for the script's path."""
    *words, path = workflow(name)["defaults"]["run"]["shell"].split()
    assert path == "{0}"
    return tuple(words)


def scripts() -> Iterator[tuple[str, str]]:
    """Every piece of shell that a CI runs, by where it stands."""
    for name in NAMES:
        for one in steps(name):
            if one.script:
                yield f"{name}: {one.job}: {one.name}", one.script
    for key, job in read(GITLAB).items():
        if isinstance(job, dict):
            for part in ("script", "after_script"):
                if part in job:
                    yield f"gitlab: {key}: {part}", gitlab_script(key, part)
    for one in read(BUILDKITE)["steps"]:
        yield f"buildkite: {one['key']}", buildkite_script(one["key"])
    for name in (".buildkite/hooks/pre-exit", "ci/reap", "ci/in-cgroup"):
        path = CHECKOUT / name
        assert os.access(path, os.X_OK)
        yield name, path.read_text()


def gitlab_script(job: str, part: str = "script") -> str:
    """A job's lines, as the runner joins them; its template's where it has none."""
    told = read(GITLAB)
    while part not in told[job]:
        job = told[job]["extends"]
    return "\n".join(told[job][part])


def buildkite_script(key: str) -> str:
    """A step's command, as it is after the upload of the pipeline."""
    (found,) = [one for one in read(BUILDKITE)["steps"] if one["key"] == key]
    return str(found["command"]).replace("$$", "$")
