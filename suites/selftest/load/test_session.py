from collections.abc import Sequence

import pytest

from fixtures.load import session
from fixtures.load.session import Loaded, LoadSession
from fixtures.load.shots import Shot
from fixtures.questions.asking import Endpoint
from fixtures.questions.catalogue import held_out
from suites.selftest.load.stubs import stubbed
from suites.selftest.load.test_generator import bodies
from suites.selftest.programs import PATIENCE_S
from suites.selftest.standin.streaming_stub import Script

pytestmark = pytest.mark.selftest


def _shots(number: int) -> list[Shot]:
    (question,) = held_out("colour", "single", 1)
    return [Shot(question, body) for body in bodies(number)]


@pytest.mark.parametrize(
    ("scatter_up_to", "rounds"), [(2, 3), (3, 6), (99, 9)], ids=["calm", "moody", "restless"]
)
def test_rounds_are_repeated_at_most_twice(
    monkeypatch: pytest.MonkeyPatch, scatter_up_to: int, rounds: int
) -> None:
    """Only as long as those so far scatter; all that were run are kept."""

    def scatters(rates: Sequence[float]) -> bool:
        return len(rates) <= scatter_up_to

    monkeypatch.setattr(session, "scatters", scatters)
    monkeypatch.setattr(session, "_rate_of_the_server", lambda _: 1.0)
    with stubbed(Script()) as stub:
        loaded = Loaded(Endpoint(stub.base_url, "stub"), 4, PATIENCE_S)
        under_load = LoadSession(loaded, _shots)
        under_load.repeat(3)
        under_load.repeat_where_they_tell_little(3)
        assert len(under_load.end().rounds) == rounds


def test_rounds_that_did_not_measure_the_server_are_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever their rates: fewer than three of the server's own tell nothing."""
    monkeypatch.setattr(session, "_rate_of_the_server", lambda _: None)
    with stubbed(Script()) as stub:
        under_load = LoadSession(Loaded(Endpoint(stub.base_url, "stub"), 4, PATIENCE_S), _shots)
        under_load.repeat(3)
        under_load.repeat_where_they_tell_little(2)
        assert len(under_load.end().rounds) == 3 + 2 * 2
