import base64
import io
import socket
import threading

import numpy as np
import pytest
from PIL import Image

from fixtures.questions.asked import MAX_TOKENS
from fixtures.questions.asking import Answer, Endpoint, ask_all, messages_of
from fixtures.questions.catalogue import Question, held_out
from fixtures.questions.scenes import draw
from suites.selftest.questions.endpoints import OpenAiHandler, serving

pytestmark = pytest.mark.selftest

SINGLE = held_out("colour", "single", 1)[0]
PAIR = held_out("colour", "pair", 1)[0]


def _questions(number: int) -> list[Question]:
    """Questions whose last word tells which one it is."""
    return [
        Question("colour", "single", f"Say word{i}", f"word{i}", SINGLE.pictures, i)
        for i in range(number)
    ]


def _ask_one(endpoint: Endpoint, timeout_s: float = 10.0) -> Answer:
    (answer,) = ask_all(endpoint, _questions(1), concurrency=1, timeout_s=timeout_s)
    return answer


def test_a_question_is_its_pictures_then_its_text() -> None:
    """One user message holds each picture as a PNG data URL, pixel for pixel, then the words."""
    (message,) = messages_of(PAIR)
    assert message["role"] == "user"
    *pictures, text = message["content"]
    assert text == {"type": "text", "text": PAIR.text}
    assert len(pictures) == len(PAIR.pictures) == 2
    for picture, scene in zip(pictures, PAIR.pictures, strict=True):
        head, _, data = picture["image_url"]["url"].partition(",")
        assert head == "data:image/png;base64"
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
        assert np.array_equal(pixels, draw(scene))


def test_a_streamed_answer_is_put_together() -> None:
    """Pieces become the text; counts, finish reason and times are taken along."""
    with serving(OpenAiHandler) as endpoint:
        answer = _ask_one(endpoint)
    assert (answer.text, answer.error, answer.finish_reason) == ("word0", None, "stop")
    assert (answer.prompt_tokens, answer.completion_tokens) == (70, 2)
    assert answer.ttft_s is not None
    assert 0 < answer.ttft_s <= answer.e2e_s


def test_a_request_asks_for_a_short_and_certain_answer() -> None:
    """The served model is named, nothing is drawn by lot, and the answer is bounded."""
    with serving(OpenAiHandler) as endpoint:
        _ask_one(endpoint)
        (body,) = OpenAiHandler.requests
    assert body["model"] == "minicpm-v"
    assert body["temperature"] == 0
    assert body["max_completion_tokens"] == MAX_TOKENS
    assert body["messages"] == messages_of(_questions(1)[0])


class _Failing(OpenAiHandler):
    def answer(self) -> None:
        self.send_error(500, "the engine is dead")


class _HangingUp(OpenAiHandler):
    def answer(self) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)


class _BreakingOff(OpenAiHandler):
    """Promises more than it sends."""

    def answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.send({"content": "wo"})
        self.connection.shutdown(socket.SHUT_RDWR)


class _Garbling(OpenAiHandler):
    def answer(self) -> None:
        self.begin()
        self.wfile.write(b"data: {not json\n\n")


class _ErringInTheStream(OpenAiHandler):
    def answer(self) -> None:
        self.begin()
        self.send({"content": "wo"})
        self.wfile.write(b'data: {"error": {"message": "EngineDeadError", "code": 500}}\n\n')


class _NeverAnswering(OpenAiHandler):
    done = threading.Event()

    def answer(self) -> None:
        self.done.wait(30)


class _EndingEarly(OpenAiHandler):
    """Closes the stream as if all were said."""

    def answer(self) -> None:
        self.begin()
        self.send({"content": "wo"})


class _WithoutCounts(OpenAiHandler):
    def send_usage(self, prompt: int, completion: int) -> None:
        pass


@pytest.mark.parametrize(
    ("handler", "says", "text"),
    [
        (_Failing, "InternalServerError", ""),
        (_HangingUp, "APIConnectionError", ""),
        (_BreakingOff, "Error", "wo"),
        (_Garbling, "JSONDecodeError", ""),
        (_ErringInTheStream, "EngineDeadError", "wo"),
        (_EndingEarly, "ended", "wo"),
    ],
)
def test_a_fault_becomes_the_answers_error(
    handler: type[OpenAiHandler], says: str, text: str
) -> None:
    """A failing endpoint raises nothing: the answer has the error and what came before it."""
    with serving(handler) as endpoint:
        answer = _ask_one(endpoint)
        assert len(handler.requests) == 1, "a failed request was sent again"
    assert answer.error is not None
    assert says in answer.error
    assert answer.text == text
    assert answer.completion_tokens is None


def test_an_endpoint_that_never_answers_is_given_up() -> None:
    """After the timeout the answer's error says that time was up."""
    with serving(_NeverAnswering) as endpoint:
        answer = _ask_one(endpoint, timeout_s=0.3)
        _NeverAnswering.done.set()
    assert answer.error is not None
    assert answer.error == "no whole answer within 0.3 s"
    assert answer.ttft_s is None


class _Trickling(OpenAiHandler):
    """Sends a piece every so often and never ends."""

    done = threading.Event()

    def answer(self) -> None:
        self.begin()
        while not self.done.wait(0.02):
            self.send({"content": "a"})


def test_an_endless_answer_is_given_up() -> None:
    """The timeout is for the whole answer: pieces that keep coming do not put it off."""
    with serving(_Trickling) as endpoint:
        answer = _ask_one(endpoint, timeout_s=2.0)
        _Trickling.done.set()
    assert answer.error == "no whole answer within 2 s"
    assert set(answer.text) == {"a"}


def test_a_port_where_nobody_listens_is_an_error() -> None:
    """A refused connection is told like every other fault."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        answer = _ask_one(Endpoint(f"http://127.0.0.1:{bound.getsockname()[1]}/v1", "x"))
    assert answer.error is not None
    assert "APIConnectionError" in answer.error


def test_missing_counts_are_none() -> None:
    """A server that tells no usage leaves the counts unknown, not 0."""
    with serving(_WithoutCounts) as endpoint:
        answer = _ask_one(endpoint)
    assert (answer.text, answer.error) == ("word0", None)
    assert answer.prompt_tokens is answer.completion_tokens is None


class _Backwards(OpenAiHandler):
    """Waits until three requests are there, then answers the last one first."""

    all_here = threading.Barrier(3, timeout=20)
    answered = tuple(threading.Event() for _ in range(3))

    def answer(self) -> None:
        number = int(self.question.removeprefix("Say word"))
        self.all_here.wait()
        for later in self.answered[number + 1 :]:
            later.wait(20)
        super().answer()
        self.answered[number].set()


def test_answers_keep_the_order_of_the_questions() -> None:
    """Whichever answer comes first, the list is in the order that was asked."""
    with serving(_Backwards) as endpoint:
        answers = ask_all(endpoint, _questions(3), concurrency=3, timeout_s=30)
    assert [answer.error for answer in answers] == [None] * 3
    assert [answer.text for answer in answers] == ["word0", "word1", "word2"]


class _DeadAfterTwo(OpenAiHandler):
    """Answers the first two questions, and fails the others once both of them are answered."""

    answered = (threading.Event(), threading.Event())

    def answer(self) -> None:
        number = int(self.question.removeprefix("Say word"))
        if number < len(self.answered):
            super().answer()
            self.answered[number].set()
            return
        for event in self.answered:
            event.wait(20)
        self.send_error(500, "the engine is dead")


def test_a_dead_server_is_not_asked_on() -> None:
    """After enough failures in a row the rest is not asked, and each answer says so."""
    with serving(_DeadAfterTwo) as endpoint:
        answers = ask_all(endpoint, _questions(30), concurrency=2, timeout_s=30)
        asked = len(_DeadAfterTwo.requests)
    errors = [answer.error or "" for answer in answers]
    assert errors[:2] == ["", ""]
    assert all("InternalServerError" in error for error in errors[2:10])
    assert asked < 15
    assert all(error.startswith("not asked: the ") for error in errors[asked:])
    assert len(answers) == 30


class _Counting(OpenAiHandler):
    """Counts the requests that are open at once, and leaves each open for one more to come."""

    lock = threading.Lock()
    open_now = 0
    most_open = 0
    one_too_many = threading.Event()

    def answer(self) -> None:
        with self.lock:
            _Counting.open_now += 1
            _Counting.most_open = max(self.most_open, self.open_now)
            if self.open_now > 2:
                self.one_too_many.set()
        self.one_too_many.wait(0.2)
        # Before it is answered: whoever has the answer sends the next one at once.
        with self.lock:
            _Counting.open_now -= 1
        super().answer()


def test_at_most_the_concurrency_is_in_flight() -> None:
    """As many requests as asked for are open at once, and never one more."""
    with serving(_Counting) as endpoint:
        answers = ask_all(endpoint, _questions(6), concurrency=2, timeout_s=30)
    assert [answer.text for answer in answers] == [f"word{i}" for i in range(6)]
    assert _Counting.most_open == 2


def test_a_dead_server_is_not_asked_to_the_end() -> None:
    """After eight failures in a row the rest is reported as not asked, and is not sent."""
    with serving(_Failing) as endpoint:
        answers = ask_all(endpoint, _questions(12), concurrency=2, timeout_s=10)
        sent = len(_Failing.requests)
    errors = [answer.error or "" for answer in answers]
    assert all(errors)
    assert len([error for error in errors if error.startswith("not asked: ")]) == 12 - sent
    assert 8 <= sent <= 9


class _Silent(OpenAiHandler):
    """Takes every request and never says a word."""

    released = threading.Event()

    def answer(self) -> None:
        self.released.wait(60)


def test_what_is_open_ends_with_the_server() -> None:
    """As soon as the server is known to be down, no time-out is waited for, and the reason told."""
    _Silent.released.clear()
    looks = iter([None, None])
    with serving(_Silent) as endpoint:
        answers = ask_all(
            endpoint, _questions(4), 2, 3600.0, lambda: next(looks, "engine died while serving")
        )
        _Silent.released.set()
    assert {a.error for a in answers} == {"the server is down: engine died while serving"}
    assert [a.question for a in answers] == _questions(4)


def test_a_server_that_is_up_is_not_disturbed_by_looks() -> None:
    """Looks that find nothing change no answer."""
    looks: list[int] = []
    with serving(OpenAiHandler) as endpoint:
        answers = ask_all(endpoint, _questions(3), 1, 10.0, lambda: looks.append(1))
    assert [a.error for a in answers] == [None] * 3
    assert looks
