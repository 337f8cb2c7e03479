import os
from pathlib import Path

import pytest

from fixtures.servers import guardian
from fixtures.servers.process import GuardedProcess
from suites.selftest.programs import Launcher, is_alive, order_of, program, wait_until

pytestmark = pytest.mark.selftest

WAITS = "tell('up', os.getpid()); time.sleep(600)"
NOTES = """
    with (folder / "notes").open("a") as notes:
        notes.write((NOTE) + "\\n")
"""


def _notes(folder: Path) -> list[str]:
    path = folder / "notes"
    return path.read_text().split() if path.exists() else []


def _command(folder: Path, note: str = "'ran'") -> tuple[str, ...]:
    """A command that leaves a note."""
    return program(NOTES.replace("NOTE", note), folder)


def _launch(launch: Launcher, code: str, *commands: tuple[str, ...]) -> GuardedProcess:
    order = order_of(program(code, launch.folder), launch.folder)
    return launch.order(order._replace(at_end=commands or (_command(launch.folder),)))


def test_killing_runs_the_commands(launch: Launcher) -> None:
    """What belongs to another daemon is ended too when everything is killed, and not later."""
    process = _launch(launch, WAITS)
    pid = int(launch.told("up"))
    assert process.kill() == []
    assert not is_alive(pid)
    assert _notes(launch.folder) == ["ran", "ran"]
    process.close()
    assert _notes(launch.folder) == ["ran", "ran"]


def test_the_commands_run_while_the_server_lives_and_after(launch: Launcher) -> None:
    """They come before the kill, and again when nobody is left who could start anything."""
    note = "'alive' if Path('/proc/' + (folder / 'up').read_text()).exists() else 'dead'"
    process = _launch(launch, WAITS, _command(launch.folder, note))
    launch.told("up")
    process.kill()
    assert _notes(launch.folder) == ["alive", "dead"]


def test_a_server_that_its_command_ends_is_not_killed(launch: Launcher) -> None:
    """A command line whose container is removed ends by itself, with its own exit status."""
    process = _launch(
        launch,
        "tell('up'); wait_for('removed'); sys.exit(137)",
        program("tell('removed')", launch.folder),
    )
    launch.told("up")
    assert process.kill() == []
    assert process.exit_status == 137


def test_an_orderly_end_runs_the_commands_once(launch: Launcher) -> None:
    """A server that ended by itself may have left something with the daemon all the same."""
    process = _launch(launch, "pass")
    wait_until(lambda: process.exit_status is not None, "its end")
    assert _notes(launch.folder) == []
    process.close()
    process.close()
    assert _notes(launch.folder) == ["ran"]


def test_letting_go_of_a_living_server_runs_the_commands(launch: Launcher) -> None:
    """A server that is closed while it runs is killed, with what the daemon has of it."""
    process = _launch(launch, WAITS)
    pid = int(launch.told("up"))
    process.close()
    assert not is_alive(pid)
    assert _notes(launch.folder) == ["ran", "ran"]


def test_a_killed_suite_leaves_the_commands_to_the_guardian(launch: Launcher) -> None:
    """After a SIGKILL of the suite itself the guardian runs them."""
    suite = launch.suite(
        f"""
        from fixtures.servers.process import GuardedProcess
        from suites.selftest.programs import order_of, program
        order = order_of(program({WAITS!r}, folder), folder)
        order = order._replace(at_end=({_command(launch.folder)!r},))
        tell("guardian", GuardedProcess(order).guardian_pid)
        time.sleep(600)
        """
    )
    pids = [int(launch.told("guardian")), int(launch.told("up"))]
    suite.kill()
    suite.wait()
    wait_until(lambda: not any(map(is_alive, pids)), f"the end of {pids}")
    assert _notes(launch.folder) == ["ran", "ran"]


def test_a_command_that_fails_hinders_nothing(launch: Launcher) -> None:
    """What cannot be run, or fails, is told in the log, and the next command is run."""
    process = _launch(
        launch,
        WAITS,
        ("/no/such/docker", "rm"),
        program("sys.exit(3)", launch.folder),
        _command(launch.folder),
    )
    pid = int(launch.told("up"))
    assert process.kill() == []
    assert not is_alive(pid)
    assert _notes(launch.folder) == ["ran", "ran"]
    log = (launch.folder / "server.log").read_text()
    assert "/no/such/docker" in log
    assert "returned non-zero exit status 3" in log


def test_a_command_has_the_servers_environment_and_no_input(launch: Launcher) -> None:
    """It finds the daemon that the server was started by, and takes nothing from the suite."""
    note = "os.environ['LANG'] + repr(sys.stdin.read())"
    process = _launch(launch, "pass", _command(launch.folder, note))
    process.close()
    assert _notes(launch.folder)[0] == "C.UTF-8''"


def test_a_command_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that does not answer holds nothing up for ever: the command is killed."""
    monkeypatch.setattr(guardian, "COMMAND_WITHIN_S", 3.0)
    server = guardian._Server.__new__(guardian._Server)
    hangs = program("tell('pid', os.getpid()); time.sleep(600)", tmp_path)
    server.order = {
        "at_end": [hangs, _command(tmp_path)],
        "env": dict(os.environ),
        "log": str(tmp_path / "log"),
    }
    server.run_commands()
    assert not is_alive(int((tmp_path / "pid").read_text()))
    assert "timed out" in (tmp_path / "log").read_text()
    assert _notes(tmp_path) == ["ran"]
