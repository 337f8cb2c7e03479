import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.load.counters import Cache, Counters, Gauge, Sum, counters_between, read_metrics
from fixtures.load.unknown import Unknown
from suites.selftest.load.kept import counters_of, metrics

pytestmark = pytest.mark.selftest

# As vLLM 0.6.3 wrote it: names of its own time, no reason before the first request has ended.
OLD = """\
# HELP vllm:request_success_total Count of successfully processed requests.
# TYPE vllm:request_success_total counter
# TYPE vllm:num_preemptions_total counter
vllm:num_preemptions_total{model_name="m"} 1.0
# TYPE vllm:gpu_cache_usage_perc gauge
vllm:gpu_cache_usage_perc{model_name="m"} 0.25
# TYPE vllm:time_per_output_token_seconds histogram
vllm:time_per_output_token_seconds_sum{model_name="m"} 2.0
vllm:time_per_output_token_seconds_bucket{le="+Inf",model_name="m"} 100.0
vllm:time_per_output_token_seconds_count{model_name="m"} 100.0
# TYPE vllm:time_in_queue_requests histogram
vllm:time_in_queue_requests_sum{model_name="m"} 1.0
vllm:time_in_queue_requests_count{model_name="m"} 10.0
"""


def _why(figure: object) -> str:
    assert isinstance(figure, Unknown)
    return figure.why


def test_a_real_round_is_counted_to_the_token() -> None:
    """24 answers of 2 tokens with a picture each, as 0.29.0 counted them."""
    told = counters_of("short")
    assert told.generation_tokens == 48
    assert told.prompt_tokens == 2036
    assert told.finished == {"abort": 0, "error": 0, "length": 0, "repetition": 0, "stop": 24}
    assert told.preemptions == 0
    assert told.prefix_cache == Cache(queries=2036, hits=0)
    assert told.mm_cache == Cache(queries=24, hits=0)
    assert told.running == told.waiting == told.kv_cache_usage == Gauge(0.0, 0.0)
    assert isinstance(told.ttft, Sum)
    assert isinstance(told.itl, Sum)
    assert isinstance(told.queue, Sum)
    assert (told.ttft.observations, told.itl.observations, told.queue.observations) == (24, 24, 24)
    assert told.ttft.mean_s == pytest.approx(0.0335, abs=1e-4)
    assert told.itl.mean_s == pytest.approx(0.00924, abs=1e-4)


def test_pictures_that_were_seen_before_are_hits() -> None:
    """The same requests once more: every picture comes from the cache."""
    assert counters_of("repeated").mm_cache == Cache(queries=24, hits=24)


def test_old_names_are_known() -> None:
    """What an old version calls otherwise is read under that name."""
    after = OLD.replace('_sum{model_name="m"} 2.0', '_sum{model_name="m"} 3.0')
    after = after.replace("100.0", "150.0").replace("0.25", "0.75").replace('"} 10.0', '"} 12.0')
    told = counters_between(OLD, after)
    assert told.kv_cache_usage == Gauge(0.25, 0.75)
    assert told.itl == Sum(1.0, 50)
    assert told.queue == Sum(0.0, 2)


def test_the_newest_name_is_believed_where_both_are_there() -> None:
    """Two names of one thing are not added up."""
    new = OLD.replace("time_per_output_token", "inter_token_latency")
    told = counters_between(OLD + new, OLD + new.replace("100.0", "101.0"))
    assert told.itl == Sum(0.0, 1)


def test_a_counter_without_a_sample_has_counted_nothing() -> None:
    """Old versions declare the finished requests, and show a reason only when one has it."""
    line = 'vllm:request_success_total{finished_reason="stop",model_name="m"} 3.0\n'
    declared = "# TYPE vllm:request_success_total counter\n"
    assert counters_between(OLD, OLD).finished == {}
    assert counters_between(OLD, OLD.replace(declared, declared + line)).finished == {"stop": 3}


def test_what_is_not_there_is_unknown_with_its_names() -> None:
    """A metric that a version does not have is no 0, and its names and versions are said."""
    told = counters_between(OLD, OLD)
    assert _why(told.mm_cache) == "not in /metrics: vllm:mm_cache_queries (from 0.12.0)"
    assert "vllm:gpu_prefix_cache_queries (0.7.3 to 0.11.0)" in _why(told.prefix_cache)
    assert "vllm:prompt_tokens" in _why(told.prompt_tokens)
    assert told.preemptions == 0


def test_engines_of_one_server_are_added_up() -> None:
    """Counts of several engines are added; of their caches the fullest is shown."""
    two = OLD + OLD.replace('model_name="m"', 'engine="1",model_name="m"').replace("0.25", "0.5")
    told = counters_between(
        two, two.replace("total{model", "total{model").replace("} 1.0", "} 4.0")
    )
    assert told.preemptions == 6
    assert told.kv_cache_usage == Gauge(0.5, 0.5)


def test_a_server_that_was_started_anew_is_noticed() -> None:
    """A counter never goes back: what did is another server's."""
    told = counters_between(
        OLD.replace('total{model_name="m"} 1.0', 'total{model_name="m"} 7.0'), OLD
    )
    assert "went back from 7 to 1" in _why(told.preemptions)


def test_no_number_is_no_figure() -> None:
    """NaN is not taken for a number, before or after."""
    told = counters_between(
        OLD,
        OLD.replace("0.25", "NaN").replace(
            'total{model_name="m"} 1.0', 'total{model_name="m"} NaN'
        ),
    )
    assert _why(told.kv_cache_usage)
    assert "no number" in _why(told.preemptions)


@pytest.mark.parametrize("lacking", [(0, 1), (1, 0)])
def test_without_one_reading_nothing_is_known(lacking: tuple[int, int]) -> None:
    """Every figure has the reason of the reading that failed."""
    readings: list[str | Unknown] = [OLD, Unknown("refused")]
    told = counters_between(readings[lacking[0]], readings[lacking[1]])
    assert set(map(_why, told)) == {"refused"}


def _no_figure(told: Counters) -> bool:
    return all(isinstance(figure, Unknown) for figure in told)


@given(st.text())
def test_any_text_can_come(text: str) -> None:
    """What is no metrics makes reasons, and no exception."""
    assert _no_figure(counters_between(OLD, text))


@given(st.integers(0, 11_000), st.text(max_size=5))
def test_damaged_metrics_raise_nothing(at: int, put_in: str) -> None:
    """A real reading with something put into it gives figures or reasons."""
    text = metrics(0)
    damaged = text[:at] + put_in + text[at:]
    assert len(counters_between(damaged, text)) == len(Counters._fields)


@contextmanager
def _serving(status: int, body: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/metrics"
            self.send_response(status if found else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            thread.join()


def test_metrics_lie_at_the_root() -> None:
    """They are asked for beside the API, not below it."""
    with _serving(200, OLD.encode()) as url:
        assert read_metrics(url) == OLD


@pytest.mark.parametrize(
    ("status", "body", "said"), [(404, b"", "HTTP 404"), (200, b"\xff", "UnicodeDecodeError")]
)
def test_a_bad_answer_is_a_reason(status: int, body: bytes, said: str) -> None:
    """Without metrics, or without text, there is a reason."""
    with _serving(status, body) as url:
        assert said in _why(read_metrics(url))


def test_a_server_that_is_gone_is_a_reason() -> None:
    """A refused connection raises nothing."""
    with _serving(200, b"") as url:
        pass
    assert "ConnectionRefusedError" in _why(read_metrics(url))
