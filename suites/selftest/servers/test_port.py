import socket
import threading

import pytest

from fixtures.servers.port import HOST, ReservedPort, is_free, is_freed

pytestmark = pytest.mark.selftest


def _reusing_socket() -> socket.socket:
    """A socket as vLLM makes it."""
    mine = socket.socket()
    mine.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return mine


def test_a_reserved_port_is_given_to_nobody_else() -> None:
    """The kernel hands a held port to none of those who ask for any free one."""
    with ReservedPort() as held:
        others = [ReservedPort() for _ in range(50)]
        assert held.number not in {other.number for other in others}
        for other in others:
            other.release()


def test_a_server_can_take_the_reserved_port() -> None:
    """The server binds and listens while the suite holds the port, and gets the connections."""
    with ReservedPort() as held, _reusing_socket() as server:
        server.bind((HOST, held.number))
        server.listen()
        with (
            socket.create_connection((HOST, held.number), timeout=5) as client,
            server.accept()[0] as accepted,
        ):
            client.sendall(b"hello")
            assert accepted.recv(5) == b"hello"


def test_a_port_in_use_is_refused_to_who_does_not_ask_to_share() -> None:
    """A program that binds plainly does not get a held port by accident."""
    with ReservedPort() as held, socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((HOST, held.number))


def test_a_port_is_free_unless_somebody_listens() -> None:
    """Held without listening is free, listened on is not, closed is free again at once."""
    with ReservedPort() as held:
        assert is_free(held.number)
        with _reusing_socket() as server:
            server.bind((HOST, held.number))
            server.listen()
            assert not is_free(held.number)
            with socket.create_connection((HOST, held.number), timeout=5):
                server.accept()[0].close()
        assert is_free(held.number)
    held.release()
    assert is_free(held.number)


def test_a_port_is_freed_a_moment_after_its_process_is_gone() -> None:
    """A listener that is closed meanwhile is waited for; one that stays is not forgiven."""
    with _reusing_socket() as server:
        server.bind((HOST, 0))
        server.listen()
        number = server.getsockname()[1]
        assert not is_freed(number, within_s=0.1)
        closing = threading.Timer(0.2, server.close)
        closing.start()
        assert is_freed(number, within_s=30.0)
        closing.join()


def test_a_strangers_connection_from_the_port_is_no_listener() -> None:
    """The kernel gives ports to clients too: who comes from one serves nothing there."""
    with socket.create_server((HOST, 0)) as elsewhere, ReservedPort() as held:
        number = held.number
        held.release()
        client = socket.create_connection(elsewhere.getsockname(), 5, (HOST, number))
        with client:
            assert is_free(number)
