import json

import pytest

from fixtures.questions.hostile.probe import asked, encoded
from fixtures.questions.hostile.probes import candidates
from suites.selftest.hostile.mutations import EXAMPLES, MORE, hunt, paths_of
from suites.selftest.questions.probed import TARGET, Careful, Server
from suites.selftest.specimens import NOT_SEEN

pytestmark = pytest.mark.selftest


def _hunted(server: Server) -> int:
    return hunt(server.endpoint, TARGET, NOT_SEEN, server.why_down)


def test_a_careful_server_is_not_harmed() -> None:
    """Every example is sent, and the same ones again."""
    seen = []
    for _ in range(2):
        with Server(Careful) as server:
            assert _hunted(server) >= EXAMPLES
        seen.append(server.bodies)
    assert seen[0] == seen[1]
    assert len(set(seen[0])) > EXAMPLES // 2


class _LackingTheModel(Careful):
    """Has an error of its own where the model's name is missing."""

    def respond(self, body: bytes) -> None:
        if b'"user"' in body and b"minicpm-v" not in body:
            self.tell(500, {"error": {"message": "KeyError: 'model'"}})
        else:
            super().respond(body)


class _Dying(Careful):
    """Dies of any picture that is no PNG."""

    def respond(self, body: bytes) -> None:
        if b"image/png" in body:
            super().respond(body)
        else:
            self.server.die()


def test_an_error_is_found_and_made_small() -> None:
    """What the server said stands with a body in which nothing else was changed."""
    with Server(_LackingTheModel) as server, pytest.raises(AssertionError) as found:
        _hunted(server)
    fault, _, told = str(found.value).partition(": b'")
    assert fault == "status 500: KeyError: 'model'"
    changed = json.loads(told.partition("'\n")[0].removesuffix("'"))
    whole = json.loads(encoded(asked(TARGET, candidates()[0], **MORE)))
    assert {key for key in whole if changed.get(key) != whole[key]} == {"model"}


def test_a_death_is_told_with_what_was_sent_last() -> None:
    """A dead server is asked nothing more, and the last body is the one that is told."""
    with Server(_Dying) as server, pytest.raises(pytest.fail.Exception) as found:
        _hunted(server)
    assert str(found.value) == f"the engine died, after: {server.bodies[-1]!r}"


def test_every_value_of_a_request_can_be_changed() -> None:
    """Paths lead to fields and items, at any depth."""
    value = json.loads('{"a": [{"b": 1}], "c": 2}')
    assert list(paths_of(value)) == [("a",), ("a", 0), ("a", 0, "b"), ("c",)]
