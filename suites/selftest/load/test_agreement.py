import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.load.agreement import Agreement, Seen, compare, seen_by_client
from fixtures.load.counters import Cache, Counters, Sum
from fixtures.load.generator import Round
from fixtures.load.reply import failed
from fixtures.load.unknown import Unknown
from suites.selftest.load.kept import ROUNDS, Kept, counters_of, round_of

pytestmark = pytest.mark.selftest


def _of(name: Kept) -> Agreement:
    return compare(seen_by_client(round_of(name)), counters_of(name), distinct_pictures=True)


def _names(agreement: Agreement) -> list[str]:
    return [finding.name for finding in agreement.findings]


def _found(**changes: object) -> list[str]:
    """What is found when the server's counters of a good round are changed."""
    counters = counters_of("direct")._replace(**changes)  # type: ignore[arg-type]
    return _names(compare(seen_by_client(round_of("direct")), counters, distinct_pictures=True))


def test_a_real_round_agrees() -> None:
    """Client and server tell the same, everything is compared, and nothing is found."""
    assert _of("direct") == Agreement((), ())


def test_short_answers_agree_too() -> None:
    """With two tokens each, an answer's end is not taken for a slow token."""
    assert _of("short") == Agreement((), ())


def test_a_proxy_that_delays_tokens_is_named() -> None:
    """10 ms for every piece, planted between a real server and its client."""
    agreement = _of("delayed")
    assert _names(agreement) == ["tokens delayed"]
    assert "8.7 ms on average at the client, 2.9 ms by the server's" in agreement.findings[0].said


@pytest.mark.parametrize("name", ["direct", "short", "starved"])
def test_ten_milliseconds_a_token_are_named(name: Kept) -> None:
    """However long the answers are, and though the machine is busy."""
    seen = seen_by_client(round_of(name))
    assert not isinstance(seen.itl_s, Unknown)
    # A piece for each token and three for the end: finish reason, usage, last chunk.
    pieces = seen.intervals + 3
    slower = seen._replace(itl_s=seen.itl_s + 0.01 * pieces / seen.intervals)
    agreement = compare(slower, counters_of(name), distinct_pictures=True)
    assert _names(agreement) == ["tokens delayed"]


def test_a_generator_that_was_not_run_blames_nobody() -> None:
    """Its own waiting makes first tokens late; that they are not compared is told."""
    agreement = _of("starved")
    assert agreement.findings == ()
    assert len(agreement.not_compared) == 1
    assert agreement.not_compared[0].startswith("first tokens delayed: the load generator itself")


def test_first_tokens_that_come_late_are_named() -> None:
    """As when somebody gathers an answer before he hands it on."""
    seen = seen_by_client(round_of("direct"))
    assert not isinstance(seen.ttft_s, Unknown)
    agreement = compare(
        seen._replace(ttft_s=seen.ttft_s + 0.06), counters_of("direct"), distinct_pictures=True
    )
    assert _names(agreement) == ["first tokens delayed"]


def test_the_client_waits_from_sending() -> None:
    """How long a request waited to be sent is not the server's time to first token."""
    good = round_of("direct")
    waited = Round(tuple(line._replace(due_s=line.due_s - 5) for line in good.timelines), good.own)
    assert seen_by_client(waited) == seen_by_client(good)


def test_repeated_pictures_are_named_unless_that_is_meant() -> None:
    """Requests sent a second time are answered with pictures from the cache."""
    agreement = _of("repeated")
    assert _names(agreement) == ["answered from a cache"]
    assert "24 of 24 pictures (100%)" in agreement.findings[0].said
    seen = seen_by_client(round_of("repeated"))
    assert not compare(seen, counters_of("repeated"), distinct_pictures=False).findings


@pytest.mark.parametrize(
    ("hits", "names"), [(128, []), (256, []), (300, ["answered from a cache"])]
)
def test_a_common_template_explains_some_prefix_hits(hits: int, names: list[str]) -> None:
    """8 prompts share up to 32 tokens each before their pictures; more is a picture's own."""
    assert _found(prefix_cache=Cache(675, hits)) == names


def test_a_known_common_beginning_is_allowed_for() -> None:
    """Who puts 80 tokens before the picture says so."""
    counters = counters_of("direct")._replace(prefix_cache=Cache(675, 600))
    seen = seen_by_client(round_of("direct"))
    said = compare(seen, counters, distinct_pictures=True, shared_tokens=80)
    assert not said.findings


@pytest.mark.parametrize(
    ("tokens", "names"),
    [
        (192, []),
        (191, []),
        (193, []),
        (189, ["output tokens"]),
        (195, ["output tokens"]),
        (0, ["nothing generated"]),
    ],
)
def test_output_tokens_agree_within_a_percent(tokens: int, names: list[str]) -> None:
    """192 were told by the answers; none at all is a cache in front of the server."""
    assert _found(generation_tokens=tokens) == names


def test_prompt_tokens_agree_within_a_percent() -> None:
    """675 were told by the answers."""
    assert _found(prompt_tokens=681) == []
    assert _found(prompt_tokens=700) == ["prompt tokens"]


@pytest.mark.parametrize(
    ("finished", "names"),
    [
        ({"length": 7, "stop": 1}, []),
        ({"length": 8, "abort": 1}, []),
        ({"length": 7, "abort": 1}, ["requests"]),
        ({"length": 9}, ["requests"]),
        ({}, ["requests"]),
    ],
)
def test_every_answer_is_a_request_that_the_server_finished(
    finished: dict[str, int], names: list[str]
) -> None:
    """8 were answered; what was broken off or failed is no answer."""
    assert _found(finished=finished) == names


def test_preemptions_are_told() -> None:
    """A round in which requests began anew is not like others."""
    assert _found(preemptions=2) == ["preemptions"]


def test_requests_that_failed_excuse_what_only_the_server_knows() -> None:
    """It generated for them too; but it must have generated what was answered."""
    good = round_of("direct")
    last = good.timelines[-1]._replace(reply=failed("no whole answer within 1 s"))
    seen = seen_by_client(Round((*good.timelines[:-1], last), good.own))
    counters = counters_of("direct")
    agreement = compare(seen, counters, distinct_pictures=True)
    assert not agreement.findings
    assert [line.split(":")[0] for line in agreement.not_compared] == [
        "first tokens delayed",
        "tokens delayed",
    ]
    fewer = counters._replace(generation_tokens=100)
    assert _names(compare(seen, fewer, distinct_pictures=True)) == ["output tokens"]


def test_what_is_unknown_is_not_compared_and_told() -> None:
    """Without the server's counters there is no finding and no agreement either."""
    nothing = Counters(*[Unknown("refused")] * len(Counters._fields))
    agreement = compare(seen_by_client(round_of("direct")), nothing, distinct_pictures=True)
    assert agreement.findings == ()
    assert len(agreement.not_compared) == 8
    assert all(line.endswith(": refused") for line in agreement.not_compared)


def test_caches_that_are_off_are_not_compared() -> None:
    """A cache that nobody asked has no share of hits."""
    counters = counters_of("direct")._replace(prefix_cache=Cache(0, 0), mm_cache=Cache(0, 0))
    agreement = compare(seen_by_client(round_of("direct")), counters, distinct_pictures=True)
    assert [line.split(":")[0] for line in agreement.not_compared] == [
        "prefixes from a cache",
        "pictures from a cache",
    ]


def test_a_round_without_answers_is_seen_without_figures() -> None:
    """Nothing is divided by nothing."""
    good = round_of("direct")
    none = tuple(line._replace(reply=failed("refused"), token_s=()) for line in good.timelines)
    seen = seen_by_client(Round(none, good.own))
    assert (seen.asked, seen.answered) == (8, 0)
    assert isinstance(seen.completion_tokens, Unknown)
    assert isinstance(seen.ttft_s, Unknown)
    assert isinstance(seen.itl_s, Unknown)


_FIGURE = st.integers(0, 1000) | st.just(Unknown("unknown"))
_TIME = st.floats(0, 10) | st.just(Unknown("unknown"))
_SUM = st.builds(Sum, st.floats(0, 10), st.integers(0, 5)) | st.just(Unknown("unknown"))
_CACHE = st.builds(Cache, st.integers(0, 9), st.integers(0, 9)) | st.just(Unknown("unknown"))
_SEEN = st.builds(
    Seen, st.integers(0, 9), st.integers(0, 9), _FIGURE, _FIGURE, _TIME, _TIME,
    st.floats(0.1, 100), st.floats(0, 1),
)  # fmt: skip
_REASONS = st.dictionaries(st.sampled_from(["stop", "abort"]), st.integers(0, 9))


@given(_SEEN, _FIGURE, _FIGURE, _REASONS, _SUM, _SUM, _CACHE, _CACHE)
def test_each_comparison_ends_in_one_way(  # noqa: PLR0913, PLR0917 - each is drawn
    seen: Seen,
    prompt: int | Unknown,
    output: int | Unknown,
    finished: dict[str, int],
    ttft: Sum | Unknown,
    itl: Sum | Unknown,
    prefix: Cache | Unknown,
    pictures: Cache | Unknown,
) -> None:
    """Whatever the figures are: found, agreed or not compared, and nothing is raised."""
    counters = counters_of("direct")._replace(
        prompt_tokens=prompt,
        generation_tokens=output,
        finished=finished,
        ttft=ttft,
        itl=itl,
        prefix_cache=prefix,
        mm_cache=pictures,
    )
    agreement = compare(seen, counters, distinct_pictures=True)
    assert len(agreement.findings) + len(agreement.not_compared) <= 8


def test_every_kept_round_agrees_on_tokens() -> None:
    """Nothing that was done to a round changed what both sides count."""
    counted = {"output tokens", "prompt tokens", "requests", "nothing generated"}
    assert all(counted.isdisjoint(_names(_of(name))) for name in ROUNDS)
