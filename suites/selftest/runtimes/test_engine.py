import os
from pathlib import Path

import pytest

from fixtures.runtimes.engine import ContainerError, Engine, find_engine, last_line
from suites.selftest.standin.engine import StandIn

pytestmark = pytest.mark.selftest

NO_DAEMON = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."
NOT_ANSWERING = (
    f"docker is here, its daemon does not answer: start it or install podman ({NO_DAEMON})"
)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, empty."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def _write(folder: Path, name: str, script: str) -> Path:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def _docker(folder: Path, answer: str = "echo 28.2.2") -> Path:
    version = 'if [ "$1" = --version ]; then echo "Docker version 28.2.2, build x"; exit; fi\n'
    return _write(folder, "docker", f"{version}{answer}")


def _docker_without_daemon(folder: Path) -> Path:
    return _docker(folder, f"echo '{NO_DAEMON}' >&2; exit 1")


def test_docker_is_first(programs: Path) -> None:
    """Where both work, docker is used."""
    program = _docker(programs)
    _write(programs, "podman", "echo 4.3.1")
    assert find_engine() == Engine("docker", program)


def test_podman_is_next(programs: Path) -> None:
    """Where there is no docker, podman is used."""
    program = _write(programs, "podman", "echo 4.3.1")
    assert find_engine() == Engine("podman", program)


def test_a_docker_without_daemon_is_told_and_podman_is_used(programs: Path) -> None:
    """A command line alone runs nothing: it is passed over, and not silently."""
    _docker_without_daemon(programs)
    program = _write(programs, "podman", "echo 4.3.1")
    said: list[str] = []
    assert find_engine(say=said.append) == Engine("podman", program)
    assert said == [f"{NOT_ANSWERING}; using podman"]


def test_a_docker_without_daemon_alone_is_an_error(programs: Path) -> None:
    """With nothing else here the remedy is in the error, in one line."""
    _docker_without_daemon(programs)
    with pytest.raises(ContainerError) as raised:
        find_engine()
    assert str(raised.value) == NOT_ANSWERING


def test_two_engines_that_do_not_work_are_both_told(programs: Path) -> None:
    """Each says why, and what to do."""
    _docker_without_daemon(programs)
    _write(programs, "podman", "echo 'Error: no storage' >&2; exit 125")
    with pytest.raises(ContainerError, match=r"daemon does not answer.*; podman is here") as raised:
        find_engine()
    assert "Error: no storage" in str(raised.value)


def test_the_one_that_is_named_is_used(programs: Path) -> None:
    """A name is an order: the other is not looked at."""
    _docker(programs)
    program = _write(programs, "podman", "echo 4.3.1")
    assert find_engine("podman") == Engine("podman", program)
    _docker_without_daemon(programs)
    with pytest.raises(ContainerError, match="daemon does not answer"):
        find_engine("docker")


@pytest.mark.parametrize("name", [None, "docker", "podman"])
@pytest.mark.usefixtures("programs")
def test_no_engine_is_an_error_with_a_way_out(name: str | None) -> None:
    """Without one the error names what else a runtime can be."""
    with pytest.raises(ContainerError, match=r"on PATH: install it, or .*venv: or pypi:") as raised:
        find_engine(name)
    wanted = f"{name} is not" if name else "neither docker nor podman is"
    assert str(raised.value).startswith(f"{wanted} on PATH")


def test_an_engine_that_is_not_known_is_refused() -> None:
    """A misspelt name finds nothing by accident."""
    with pytest.raises(ContainerError, match="'nerdctl' is no container engine that is known"):
        find_engine("nerdctl")


def test_a_podman_that_is_called_docker_is_podman(programs: Path) -> None:
    """Which options are given follows from what a program is, not from its name."""
    program = _write(
        programs, "docker", 'test "$1" = --version && echo "podman version 4.3.1" || echo 4.3.1'
    )
    assert find_engine() == Engine("podman", program)


def test_a_program_that_cannot_be_run_is_an_error(programs: Path) -> None:
    """A broken installation is told by its path."""
    program = programs / "podman"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    with pytest.raises(ContainerError, match=f"{program} cannot be run: {os.strerror(2)}"):
        find_engine()


def test_the_stand_in_is_found(docker: StandIn) -> None:
    """The docker of the tests answers as one."""
    assert find_engine() == Engine("docker", docker.program)
    docker.close()
    with pytest.raises(ContainerError, match="its daemon does not answer"):
        find_engine("docker")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "it said nothing"),
        ("\n \n", "it said nothing"),
        ("one\ntwo \n", "two"),
        ("docker: no GPU\n\nRun 'docker run --help' for more information\n", "docker: no GPU"),
        ("Error: unknown flag: --x\nSee 'podman run --help'\n", "Error: unknown flag: --x"),
    ],
)
def test_the_last_thing_said_is_no_hint_at_help(text: str, line: str) -> None:
    """An error is told by what it says, not by the line that every error ends with."""
    assert last_line(text) == line
