import json

import pytest

from fixtures.load.counters import standing_of
from fixtures.load.mixture import mixture_for, slice_of
from fixtures.questions.asking import Endpoint

pytestmark = pytest.mark.selftest

MIXTURE = mixture_for(Endpoint("http://nowhere/v1", "minicpm-v"), 2048)


def _pictures(body: bytes) -> list[str]:
    content = json.loads(body)["messages"][0]["content"]
    return [part["image_url"]["url"] for part in content if part["type"] == "image_url"]


def test_a_mixture_has_every_kind_of_request() -> None:
    """None, one and two pictures; lengths as they come and fixed ones; and clients that leave."""
    assert {len(_pictures(body)) for body in MIXTURE.patient} == {0, 1, 2}
    fixed = [json.loads(body).get("ignore_eos", False) for body in MIXTURE.patient]
    assert 0 < sum(fixed) < len(fixed) / 2
    assert all(json.loads(body)["ignore_eos"] for body in MIXTURE.leaving)


def test_all_slices_show_the_same_pictures_and_no_request_twice() -> None:
    """What caches of pictures hold is bounded, and what a prefix cache holds is of no use."""
    first = slice_of(MIXTURE.patient, 0, 1)
    second = slice_of(MIXTURE.patient, len(first), 2)
    assert len({*first, *second}) == 2 * len(MIXTURE.patient)
    shown = [{url for body in one for url in _pictures(body)} for one in (first, second)]
    assert shown[0] == shown[1]
    assert len(shown[0]) == MIXTURE.pictures
    leaving = {url for body in MIXTURE.leaving for url in _pictures(body)}
    assert leaving <= shown[0]


RUNNING = "vllm:num_requests_running"


def test_metrics_are_summed_over_their_labels() -> None:
    """Two engines that each have a request in work have two."""
    page = f'# TYPE {RUNNING} gauge\n{RUNNING}{{engine="0"}} 1.0\n{RUNNING}{{engine="1"}} 1.0\n'
    assert standing_of(page).running == 2.0
