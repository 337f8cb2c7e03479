from collections.abc import Iterator

import pytest

from fixtures.deployments.robustness_section import robustness_record
from fixtures.questions.catalogue import Question
from fixtures.questions.hostile.probe import (
    REFUSED,
    RIGHT,
    Manner,
    Probe,
    Target,
    asked,
    control_probe,
    encoded,
)
from fixtures.questions.hostile.probes import candidates, probes
from fixtures.questions.probing import Probed, probe_all, send
from fixtures.verdicts.robustness import judge_robustness
from fixtures.verdicts.verdict import Verdict
from suites.selftest.questions.probed import PATIENCE_S, TARGET, Careful, Server
from suites.selftest.specimens import NOT_SEEN

pytestmark = pytest.mark.selftest

CONTROL = candidates()[0]
BAD = b"[1, 2, 3]"
"""What does harm to the stand-ins that something does harm to."""


def _three(_target: Target, _question: Question) -> list[Probe]:
    """Something harmless, something bad, something harmless."""
    return [
        Probe("before", "", b"{}", REFUSED),
        Probe("the bad one", "", BAD, REFUSED, deadline_s=1.0),
        Probe("after", "", b"{}", REFUSED),
    ]


def _many(_target: Target, _question: Question) -> list[Probe]:
    return [Probe(f"number {i}", "", BAD if i == 1 else b"{}", REFUSED) for i in range(9)]


def _judged(probed: Probed) -> Verdict:
    return judge_robustness(robustness_record(probed, NOT_SEEN), NOT_SEEN)


def _came(probed: Probed) -> list[tuple[str, bool]]:
    """What came of each probe, and whether the control question was answered right after it."""
    return [(result.came, not result.control) for result in probed.results]


def test_a_careful_server_passes_all_probes() -> None:
    """Who refuses each mistake with a reason, and answers what is good, keeps the promise."""
    with Server(Careful) as server:
        probed = probe_all(server.endpoint, TARGET, probes, server.why_down)
        assert server.broken_off.wait(PATIENCE_S)
    assert _judged(probed).outcome == "pass", _judged(probed).reason
    assert [r.probe for r in probed.results] == list(probes(TARGET, CONTROL))
    # Eight clients leave twice, twenty are half open; every request has its control.
    assert server.accepted == 2 * len(probed.results) + 2 * 7 + 20 + 3


class _Failing(Careful):
    def respond(self, body: bytes) -> None:
        if body == BAD:
            self.tell(500, {"error": {"message": "list indices must be integers"}})
        else:
            super().respond(body)


class _Hanging(Careful):
    def respond(self, body: bytes) -> None:
        if body == BAD:
            self.server.over.wait(PATIENCE_S)
        else:
            super().respond(body)


class _Dying(Careful):
    def respond(self, body: bytes) -> None:
        if body == BAD:
            self.server.die()
        else:
            super().respond(body)


class _Confused(Careful):
    """Answers wrong as soon as it was sent something bad."""

    def respond(self, body: bytes) -> None:
        if body == BAD:
            self.server.harmed.set()
        super().respond(body)

    def answer(self, word: str) -> None:
        super().answer("mauve" if self.server.harmed.is_set() else word)


class _Mute(Careful):
    """Refuses without a reason."""

    def respond(self, body: bytes) -> None:
        if body == BAD:
            self.send_error(400)
        else:
            super().respond(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        del message, explain
        self.send_response(code)
        self.end_headers()


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (_Failing, "the bad one: status 500: list indices must be integers"),
        (_Hanging, "the bad one: timeout: no whole response within 1 s"),
        (_Mute, "the bad one: status 400 without a reason"),
    ],
)
def test_one_bad_response_fails_alone(handler: type[Careful], reason: str) -> None:
    """What is wrong with one response is told of that one, and the rest is still sent."""
    with Server(handler) as server:
        probed = probe_all(server.endpoint, TARGET, _three, server.why_down)
    assert _judged(probed) == Verdict("robustness", "fail", reason)
    assert [came for came, _ in _came(probed)][::2] == ["response", "response"]


def test_a_server_that_dies_is_found_dead() -> None:
    """The probe after which it was down is named, and nothing more is sent."""
    with Server(_Dying) as server:
        probed = probe_all(server.endpoint, TARGET, _three, server.why_down)
    assert _came(probed) == [("response", True), ("closed", False), ("not sent", True)]
    assert _judged(probed) == Verdict(
        "robustness",
        "fail",
        "the bad one: closed: closed without a byte of a response, the server is down: the engine "
        "died; 1 more not sent: the server is down: the engine died",
    )


def test_a_wrong_control_answer_fails_the_probe_before_it() -> None:
    """A probe that was refused well and left the server confused is named; three are enough."""
    with Server(_Confused) as server:
        probed = probe_all(server.endpoint, TARGET, _many, server.why_down)
    right = ("response", True)
    assert _came(probed) == [right, *[("response", False)] * 3, *[("not sent", True)] * 5]
    verdict = _judged(probed)
    assert verdict.outcome == "fail"
    expected = f"then the control question: expected '{CONTROL.answer}', got 'mauve'"
    assert f"number 1: {expected}; number 2: {expected}; number 3: {expected}" in verdict.reason
    assert verdict.reason.endswith(
        "; 5 more not sent: the control question failed 3 times in a row"
    )


class _Ignorant(Careful):
    def answer(self, word: str) -> None:
        super().answer(f"not {word}")


def test_without_a_right_control_answer_nothing_is_sent() -> None:
    """A server that answers wrong from the start is not blamed on the probes."""
    with Server(_Ignorant) as server:
        probed = probe_all(server.endpoint, TARGET, _three, server.why_down)
    assert probed.control is None
    assert probed.results == []
    assert BAD not in server.bodies
    verdict = _judged(probed)
    assert verdict.outcome == "unmeasured"
    assert "no control question was answered right before the first probe" in verdict.reason


def test_a_port_where_nobody_listens_is_unreachable() -> None:
    """A connection that is refused is told, and not raised."""
    with Server(Careful) as server:
        endpoint = server.endpoint
    assert send(endpoint, control_probe(TARGET, CONTROL)).came == "unreachable"
    probed = probe_all(endpoint, TARGET, _three)
    assert _judged(probed).outcome == "unmeasured"
    assert "unreachable" in _judged(probed).reason


@pytest.fixture
def careful() -> Iterator[Server]:
    """A server that does right."""
    with Server(Careful) as server:
        yield server


@pytest.mark.parametrize("manner", ["whole", "sent slowly", "read slowly", "half-open"])
def test_a_request_arrives_whole_however_it_is_sent(careful: Server, manner: Manner) -> None:
    """Slow and crowded clients send the same bytes, and read the whole answer."""
    body = encoded(asked(TARGET, CONTROL))
    probe = Probe("x", "", body, RIGHT, CONTROL.answer, manner=manner, connections=5)
    result = send(careful.endpoint, probe)
    assert (result.came, result.status, result.said) == ("response", 200, CONTROL.answer)
    assert careful.bodies == [body]
    assert careful.accepted == (6 if manner == "half-open" else 1)


class _Garbling(Careful):
    def answer(self, word: str) -> None:
        self.tell(200, {"error": word})


class _BreakingOff(Careful):
    def answer(self, word: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(word.encode())


@pytest.mark.parametrize(("handler", "came"), [(_Garbling, "garbled"), (_BreakingOff, "closed")])
def test_half_a_response_is_none(handler: type[Careful], came: str) -> None:
    """A 200 without an answer, or without its end, is told as what it is."""
    with Server(handler) as server:
        result = send(server.endpoint, control_probe(TARGET, CONTROL))
    assert (result.came, result.said != "") == (came, True)
