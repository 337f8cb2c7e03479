"""What others' checkers say of CI's files, without asking anybody on the net."""

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from suites.selftest.ci.files import BUILDKITE, GITLAB, NAMES, WORKFLOWS

pytestmark = pytest.mark.selftest

BIN = Path(sys.executable).parent
FILES = {
    "github-workflows": [WORKFLOWS / f"{name}.yml" for name in NAMES],
    "gitlab-ci": [GITLAB],
    "buildkite": [BUILDKITE],
}


class Fault(NamedTuple):
    """A mistake to be made in a workflow, and how zizmor calls it."""

    file: str
    right: str
    wrong: str
    ident: str


CHECKOUT_PIN = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
LEAVES_NOTHING = "        with:\n          persist-credentials: false\n"
FAULTS = [
    Fault("nightly", CHECKOUT_PIN, "actions/checkout@v7", "unpinned-uses"),
    Fault("nightly", LEAVES_NOTHING, "", "artipacked"),
    Fault("nightly", "permissions: {}", "permissions: write-all", "excessive-permissions"),
    Fault("pull-request", "  pull_request:", "  pull_request_target:", "dangerous-triggers"),
    Fault("release-gate", '--card="$CARD"', "--card=${{ inputs.card }}", "template-injection"),
]


def _zizmor(*files: Path) -> set[str]:
    """The kinds of what it finds."""
    how = ("--offline", "--no-config", "--no-ignores", "--persona=pedantic", "--strict-collection")
    ran = subprocess.run(
        [BIN / "zizmor", *how, "--quiet", "--no-progress", "--format=json-v1", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    found = {finding["ident"] for finding in json.loads(ran.stdout)}
    # 0 nothing found, 10 and more something; less is a failure of its own.
    assert ran.returncode == 0 or (ran.returncode >= 10 and found), ran.stderr
    return found


def _schema(name: str, *files: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", f"vendor.{name}", *files],
        capture_output=True,
        text=True,
        check=False,
    )


def test_zizmor_finds_nothing() -> None:
    """With the rules for code that merely smells as well, and with no ignored line."""
    assert _zizmor(*FILES["github-workflows"]) == set()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.ident)
def test_zizmor_finds_what_is_planted(fault: Fault, tmp_path: Path) -> None:
    """The check is alive: each mistake is named."""
    text = (WORKFLOWS / f"{fault.file}.yml").read_text()
    assert fault.right in text
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    planted = folder / f"{fault.file}.yml"
    planted.write_text(text.replace(fault.right, fault.wrong))
    assert fault.ident in _zizmor(planted)


@pytest.mark.parametrize("name", FILES)
def test_files_are_as_their_readers_schema_says(name: str) -> None:
    """By the schemas that come with the checker."""
    checked = _schema(name, *FILES[name])
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("github-workflows", "timeout-minutes: 600", "timeout-minute: 600"),
        ("gitlab-ci", "interruptible: true", "interruptible: sometimes"),
        ("buildkite", "timeout_in_minutes: 600", "timeout_in_minutes: long"),
    ],
)
def test_a_planted_mistake_is_against_the_schema(
    name: str, right: str, wrong: str, tmp_path: Path
) -> None:
    """The check is alive: a misspelt key and a wrong type are told."""
    texts = [path.read_text() for path in FILES[name]]
    text = next(text for text in texts if right in text)
    planted = tmp_path / "planted.yml"
    planted.write_text(text.replace(right, wrong))
    assert _schema(name, planted).returncode == 1
