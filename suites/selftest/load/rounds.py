"""Hand-made rounds of load."""

from hypothesis import strategies as st

from fixtures.load.generator import OwnTrace, Round, Timeline
from fixtures.load.reply import Reply, failed

QUIET = OwnTrace(wall_s=2.0, cpu_s=0.02, late_s=(0.0,) * 200)


def an_answer(
    due_s: float = 0.0,
    token_s: tuple[float, ...] = (0.5, 1.0),
    done_s: float = 1.0,
    tokens: int | None = 2,
    late_s: float = 0.0,
) -> Timeline:
    """A request that was answered; `late_s` is from when it was due to its sending."""
    prompt_tokens = None if tokens is None else 70
    reply = Reply("a word", token_s, prompt_tokens, tokens, "stop", None)
    return Timeline(due_s, due_s + late_s, done_s, token_s, reply)


def a_failure(due_s: float = 0.0, done_s: float = 1.0, error: str = "HTTP 500: no") -> Timeline:
    """A request that was sent and has no answer."""
    return Timeline(due_s, due_s, done_s, (), failed(error))


NOT_SENT = Timeline(0.0, 0.0, 0.0, (), failed("not sent: the server is down: it died"))


def a_load(*timelines: Timeline, own: OwnTrace = QUIET) -> Round:
    """A round in which the generator did nothing by itself."""
    return Round(timelines, own)


@st.composite
def some_answers(draw: st.DrawFn) -> Timeline:
    """Any answer whose moments are in order."""
    moments = draw(st.lists(st.floats(0.001, 10), min_size=3, max_size=8, unique=True).map(sorted))
    due_s, *token_s, done_s = moments
    tokens = draw(st.integers(len(token_s), 4 * len(token_s)))
    return an_answer(due_s, tuple(token_s), done_s, tokens)


ANY_REQUEST = st.one_of(
    some_answers(),
    st.builds(lambda due_s: a_failure(due_s, due_s + 1.0), st.floats(0, 9)),
    st.just(NOT_SENT),
)
