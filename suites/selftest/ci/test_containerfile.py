"""The container file of a runner, as a linter would look at it; it is not built here."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.runtimes.environments import CHECKOUT

pytestmark = pytest.mark.selftest

FILE = CHECKOUT / "ci" / "Containerfile"
SECRET = re.compile(r"(token|secret|passw|api_?key)", re.IGNORECASE)
Instruction = tuple[str, str]


def _instructions(text: str) -> list[Instruction]:
    """Word and rest of each instruction, continued lines joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    split = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(word.upper(), " ".join(rest.split())) for word, rest in split]


def _last(instructions: list[Instruction], word: str) -> str:
    return next((rest for named, rest in reversed(instructions) if named == word), "")


def _is_exec_form(rest: str) -> bool:
    try:
        return isinstance(json.loads(rest), list)
    except ValueError:
        return False


def _faults_of_the_whole(told: list[Instruction]) -> Iterator[str]:
    base, entry = _last(told, "FROM"), _last(told, "ENTRYPOINT")
    if ":" not in base or base.endswith(":latest"):
        yield "the base has no version"
    if _last(told, "USER") in ("", "root", "0"):
        yield "it runs as root"
    if not _is_exec_form(entry):
        yield "a shell stands between the signals and the suite"
    elif "tini" not in json.loads(entry)[0]:
        yield "nobody buries orphans"


def _faults_of_one(word: str, rest: str) -> Iterator[str]:
    if word == "ADD":
        yield "ADD fetches and unpacks"
    if word in ("ENV", "ARG", "COPY") and SECRET.search(rest):
        yield "a secret stays in a layer"
    if word != "RUN":
        return
    if re.search(r"\b(curl|wget|sudo)\b", rest):
        yield "it fetches, or becomes somebody else"
    if "apt-get install" in rest:
        if not all(
            part in rest for part in ("--no-install-recommends", "rm -rf /var/lib/apt/lists")
        ):
            yield "more is installed than is needed, or lists are kept"
        if "apt-get update" not in rest:
            yield "it installs from lists of another day"


def _faults(text: str) -> list[str]:
    """What is wrong with a container file."""
    told = _instructions(text)
    of_one = [fault for word, rest in told for fault in _faults_of_one(word, rest)]
    return [*_faults_of_the_whole(told), *of_one]


def test_it_keeps_to_the_rules() -> None:
    """A base with a version, no root, no secret, nothing fetched, signals and orphans cared for."""
    assert _faults(FILE.read_text()) == []


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        ("debian:bookworm-slim", "debian", "the base has no version"),
        ("debian:bookworm-slim", "debian:latest", "the base has no version"),
        ("WORKDIR /suite", "ADD https://a.example/b.tar /", "ADD fetches and unpacks"),
        ("LANG=C.UTF-8", "HF_TOKEN=x", "a secret stays in a layer"),
        ("USER runner", "USER root", "it runs as root"),
        ("USER runner", "", "it runs as root"),
        (
            'ENTRYPOINT ["/usr/bin/tini", "--", "ci/suite"]',
            "ENTRYPOINT exec ci/suite",
            "a shell stands between the signals and the suite",
        ),
        ('"/usr/bin/tini", "--", ', "", "nobody buries orphans"),
        (
            "    && rm -rf /var/lib/apt/lists/*",
            "    && true",
            "more is installed than is needed, or lists are kept",
        ),
        ("apt-get update \\\n    && ", "", "it installs from lists of another day"),
        ("RUN useradd", "RUN curl https://a.example | sh; useradd", "it fetches, or becomes"),
    ],
)
def test_a_planted_fault_is_told(right: str, wrong: str, fault: str) -> None:
    """The check is alive: each fault is named, and no other."""
    text = FILE.read_text()
    assert right in text
    (told,) = _faults(text.replace(right, wrong))
    assert told.startswith(fault)


def test_what_the_suite_needs_is_in_it() -> None:
    """Python with venv, git, a browser for the reports, and no GPU that nobody named."""
    told = _instructions(FILE.read_text())
    installed = next(rest for word, rest in told if word == "RUN" and "apt-get" in rest).split()
    assert {"python3", "python3-venv", "git", "chromium", "tini"} <= set(installed)
    env = _last(told, "ENV").split()
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility" in env
    assert "NVIDIA_VISIBLE_DEVICES=void" in env
    assert Path(json.loads(_last(told, "ENTRYPOINT"))[-1]) == Path("ci/suite")
