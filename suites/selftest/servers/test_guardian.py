import os
import signal
from pathlib import Path

import pytest

from fixtures.cells.cards import MIB
from fixtures.servers.cgroup import MemoryCgroup
from fixtures.servers.process import GuardedProcess
from suites.selftest.conftest import CardMaker
from suites.selftest.programs import Launcher, is_alive, order_of, program, wait_until

pytestmark = pytest.mark.selftest

STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
FAMILY = """
    child("os.setsid(); tell('own-session', os.getpid()); time.sleep(600)")
    child('''child("tell('orphan', os.getpid()); time.sleep(600)")''').wait()
    tell("main", os.getpid())
    time.sleep(600)
"""


def _family(launch: Launcher) -> list[int]:
    """Ids of the main process, of one in a session of its own, and of an orphan."""
    return [int(launch.told(name)) for name in ("main", "own-session", "orphan")]


def _all_dead(pids: list[int]) -> None:
    wait_until(lambda: not any(map(is_alive, pids)), f"the end of {pids}")


def test_every_kind_of_descendant_is_known(launch: Launcher) -> None:
    """A child in its own session and an orphan of a dead parent count as the server's."""
    process = launch(FAMILY)
    family = _family(launch)
    assert sorted(process.processes()) == sorted(family)
    assert process.exit_status is None


def test_kill_leaves_nobody(launch: Launcher) -> None:
    """Every descendant is dead when `kill` returns, and the main one's end is told."""
    process = launch(STUBBORN + FAMILY.replace("\n    ", "\n"))
    pids = _family(launch)
    assert process.kill() == []
    assert not any(map(is_alive, pids))
    assert process.exit_status == -signal.SIGKILL


def test_what_is_held_still_computes_nothing_until_it_goes_on(launch: Launcher) -> None:
    """Every descendant, whatever its session; and it can be killed all the same."""
    process = launch(FAMILY)
    family = _family(launch)

    def states() -> set[str]:
        return {
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in family
        }

    process.hold_still()
    wait_until(lambda: states() == {"T"}, "the standstill")
    process.go_on()
    wait_until(lambda: states() == {"S"}, "the going on")
    assert process.exit_status is None
    process.hold_still()
    assert process.kill() == []
    assert not any(map(is_alive, family))


def test_terminate_reaches_the_main_process_only(launch: Launcher) -> None:
    """The server is asked as a service manager asks it: one SIGTERM to its main process."""
    process = launch(FAMILY)
    main, *others = _family(launch)
    process.terminate()
    wait_until(lambda: process.exit_status is not None, "the end of the main process")
    assert process.exit_status == -signal.SIGTERM
    assert not is_alive(main)
    assert sorted(process.processes()) == sorted(others)


def test_a_server_may_ignore_sigterm(launch: Launcher) -> None:
    """A process that ignores being asked lives on until it is killed."""
    process = launch(STUBBORN + "tell('up'); wait_for('asked'); tell('deaf'); time.sleep(600)")
    launch.told("up")
    process.terminate()
    launch.tell("asked")
    launch.told("deaf")
    assert process.exit_status is None
    assert process.kill() == []


@pytest.mark.parametrize("status", [0, 3])
def test_the_exit_status_is_told(launch: Launcher, status: int) -> None:
    """A server that ends by itself leaves its exit status."""
    process = launch(f"sys.exit({status})")
    wait_until(lambda: process.exit_status is not None, "its end")
    assert process.exit_status == status


def test_a_program_that_does_not_exist_says_so_in_the_log(launch: Launcher) -> None:
    """What cannot be started ends with status 127, and the log names it."""
    process = launch.order(order_of(("/no/such/python",), launch.folder))
    wait_until(lambda: process.exit_status is not None, "its end")
    assert process.exit_status == 127
    log = (launch.folder / "server.log").read_text()
    assert "cannot start /no/such/python: " in log
    assert os.strerror(2) in log


def test_a_card_that_cannot_be_joined_stops_the_start(launch: Launcher) -> None:
    """A server that could not enter its cgroup never runs outside of it."""
    process = launch("tell('ran')", join=(launch.folder / "no-cgroup" / "cgroup.procs",))
    wait_until(lambda: process.exit_status is not None, "its end")
    assert process.exit_status == 127
    assert not (launch.folder / "ran").exists()


def test_the_log_has_both_outputs_in_order(launch: Launcher) -> None:
    """Standard output and standard error go to the one log; nothing is lost at the end."""
    process = launch("os.write(1, b'one\\n'); os.write(2, b'two\\n'); os.write(1, b'three')")
    wait_until(lambda: process.exit_status is not None, "its end")
    assert (launch.folder / "server.log").read_text() == "one\ntwo\nthree"


def test_a_server_does_not_inherit_the_suites_input(launch: Launcher) -> None:
    """A server that reads its input finds it empty, and takes no key from the terminal."""
    launch("tell('read', repr(sys.stdin.read()))")
    assert launch.told("read") == "''"


def _abandoned(launch: Launcher, code: str, card: MemoryCgroup) -> GuardedProcess:
    """A server with a scratch folder and a cgroup that are to go with it."""
    scratch = launch.folder / "scratch"
    (scratch / "cache").mkdir(parents=True)
    order = order_of(
        program(code, launch.folder),
        launch.folder,
        join=(card.procs_file,),
        folders_to_remove=(scratch,),
        cgroups_to_remove=(card.path,),
    )
    return launch.order(order)


def test_a_suite_that_lets_go_leaves_nothing(launch: Launcher, make_card: CardMaker) -> None:
    """When the suite's end of the pipe closes, processes, scratch folder and cgroup go."""
    card = make_card(512 * MIB)
    process = _abandoned(launch, STUBBORN + FAMILY.replace("\n    ", "\n"), card)
    pids = _family(launch)
    process.close()
    assert not any(map(is_alive, pids))
    assert not (launch.folder / "scratch").exists()
    assert not card.path.exists()


def test_a_suite_that_lets_go_before_it_has_begun_leaves_nothing(
    launch: Launcher, make_card: CardMaker
) -> None:
    """A server that its guardian has yet to start is not taken for one that has ended."""
    card = make_card(512 * MIB)
    process = _abandoned(launch, "time.sleep(600)", card)
    process.close()
    assert process.processes() == []
    assert not (launch.folder / "scratch").exists()
    assert not card.path.exists()


def test_a_killed_suite_leaves_nothing(launch: Launcher) -> None:
    """After a SIGKILL of the suite itself its server and the guardian end soon."""
    suite = launch.suite(
        f"""
        from fixtures.servers.process import GuardedProcess
        from suites.selftest.programs import order_of, program
        (folder / "scratch").mkdir()
        order = order_of(program({FAMILY!r}, folder), folder,
                         folders_to_remove=(folder / "scratch",))
        tell("guardian", GuardedProcess(order).guardian_pid)
        time.sleep(600)
        """
    )
    pids = [int(launch.told("guardian")), *_family(launch)]
    suite.kill()
    suite.wait()
    _all_dead(pids)
    assert not (launch.folder / "scratch").exists()


def test_signals_to_the_suites_terminal_do_not_reach_the_server(launch: Launcher) -> None:
    """Ctrl-C goes to the suite, which decides: guardian and server are in sessions of their own."""
    process = launch(FAMILY)
    main, *_ = _family(launch)
    groups = {os.getpgid(0), os.getpgid(process.guardian_pid), os.getpgid(main)}
    assert len(groups) == 3
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(process.guardian_pid, number)
    assert process.kill() == []
    assert is_alive(process.guardian_pid)


def test_a_killed_guardian_takes_the_main_process_along(launch: Launcher) -> None:
    """Should somebody kill the guardian, the kernel kills the server and the suite is told."""
    process = launch("tell('main', os.getpid()); time.sleep(600)")
    main = int(launch.told("main"))
    os.kill(process.guardian_pid, signal.SIGKILL)
    _all_dead([main])
    wait_until(lambda: process.exit_status is not None, "the news")
    assert process.exit_status == -signal.SIGKILL
    process.terminate()
    assert process.kill() == []


def test_shared_memory_of_the_killed_is_removed(launch: Launcher) -> None:
    """What a killed server had mapped in /dev/shm does not stay; a stranger's file does."""
    code = """
        import mmap
        with open(f"/dev/shm/selftest-{os.getpid()}", "w+b") as file:
            file.truncate(4096)
            block = mmap.mmap(file.fileno(), 4096)
        tell("mapped", file.name)
        time.sleep(600)
    """
    mine = launch(code)
    path = Path(launch.told("mapped"))
    stranger = path.with_name(path.name + "-of-somebody-else")
    stranger.touch()
    try:
        assert path.exists()
        mine.close()
        assert not path.exists()
        assert stranger.exists()
    finally:
        stranger.unlink()


def test_a_guardian_that_forgets_tidies_nothing(launch: Launcher) -> None:
    """After an orderly end the guardian leaves the folders to the suite."""
    scratch = launch.folder / "scratch"
    scratch.mkdir()
    order = order_of(program("pass", launch.folder), launch.folder, folders_to_remove=(scratch,))
    process = launch.order(order)
    wait_until(lambda: process.exit_status is not None, "its end")
    process.close()
    assert scratch.exists()
