"""Faults planted in records of soaks."""

import numpy as np
import pytest

from fixtures.cells.cards import MIB
from fixtures.records.schema import Unmeasured
from fixtures.records.soak_schema import ServerToldRecord, SliceRecord, SoakRecord
from fixtures.verdicts.soak import judge_soak
from suites.selftest.specimens import NOT_SEEN

pytestmark = pytest.mark.selftest

HOST, GPU = "host memory", "GPU memory"
ABOUTS = ["requests", HOST, "latency", "leavers", "caches"]


def _told(lookups: float, hits: float, **kept: float | Unmeasured) -> ServerToldRecord:
    figures: dict[str, float | Unmeasured] = {"running": 0.0, "waiting": 0.0, "kv_cache_usage": 0.0}
    return ServerToldRecord(
        at_s=0.0, picture_lookups=lookups, picture_hits=hits, **(figures | dict(kept))
    )


def _soak(  # noqa: PLR0913 - each is a fault of its own
    *,
    slices: int = 90,
    leak_mib_per_hour: float = 0.0,
    slower: float = 1.0,
    machine_slower: float = 1.0,
    noise_mib: float = 0.7,
    last: ServerToldRecord | None = None,
) -> SoakRecord:
    """Ten minutes of slices, with a heap that settles by 60 MiB a factor e and noise of 0.7 MiB."""
    rng = np.random.default_rng(11)
    each_s = 600 / slices
    return SoakRecord(
        minutes=10,
        clients=5,
        pictures=64,
        slices=[
            SliceRecord(
                from_s=turn * each_s,
                to_s=(turn + 1) * each_s,
                answered=64,
                left=10,
                e2e_p50_s=0.1
                * (slower * machine_slower) ** (turn / slices)
                * float(np.exp(rng.normal(0, 0.05))),
                yardstick_s=0.05 * machine_slower ** (turn / slices),
                quiet_bytes={
                    HOST: int(
                        MIB
                        * (
                            3000
                            + 60 * np.log(turn + 1)
                            + leak_mib_per_hour * turn * each_s / 3600
                            + rng.normal(0, noise_mib)
                        )
                    )
                },
            )
            for turn in range(slices)
        ],
        failed=0,
        errors=[],
        told=[_told(0, 0), _told(200, 136), last or _told(5000, 4936)],
    )


def _outcomes(soak: SoakRecord | Unmeasured, *kinds: str) -> dict[str, str]:
    return {
        verdict.about.removeprefix("soak: "): verdict.outcome
        for verdict in judge_soak(soak, kinds or (HOST,))
    }


def test_a_server_that_only_settles_passes() -> None:
    """A heap and caches that grow to their width are no leak."""
    assert _outcomes(_soak()) == dict.fromkeys(ABOUTS, "pass")


def test_a_leak_fails_with_its_figures() -> None:
    """100 MiB an hour fail, and are told for each hour and each 1000 requests."""
    soak = _soak(leak_mib_per_hour=100)
    verdict = judge_soak(soak, (HOST,))[1]
    assert verdict.outcome == "fail"
    assert "MiB an hour" in verdict.reason
    assert "per 1000 requests" in verdict.reason
    assert _outcomes(soak) == dict.fromkeys(ABOUTS, "pass") | {HOST: "fail"}


def test_answers_that_get_slower_fail() -> None:
    """Twice as long at the end as at the beginning is a drift, and no leak."""
    assert _outcomes(_soak(slower=2.0)) == dict.fromkeys(ABOUTS, "pass") | {"latency": "fail"}


def test_a_machine_that_gets_slower_is_no_drift_of_the_server() -> None:
    """Nor is it a pass: what hides behind it is not known. What is beyond it is the server's."""
    verdict = judge_soak(_soak(machine_slower=1.6), (HOST,))[2]
    assert verdict.outcome == "inconclusive"
    assert "the machine 1.3" in verdict.reason
    assert _outcomes(_soak(slower=2.0, machine_slower=1.6))["latency"] == "fail"


def test_without_a_yardstick_a_drift_is_the_servers() -> None:
    """As in records of before."""
    soak = _soak(machine_slower=2.0)
    bare = [one.model_copy(update={"yardstick_s": NOT_SEEN}) for one in soak.slices]
    assert _outcomes(soak.model_copy(update={"slices": bare}))["latency"] == "fail"


def test_latency_in_which_no_drift_shows_does_not_pass() -> None:
    """Where even three times as slow would be lost, nothing is told."""
    soak = _soak()
    took_s = np.random.default_rng(3).lognormal(-2, 1.5, len(soak.slices))
    busy = [
        one.model_copy(update={"e2e_p50_s": float(took)})
        for one, took in zip(soak.slices, took_s, strict=True)
    ]
    assert _outcomes(soak.model_copy(update={"slices": busy}))["latency"] == "inconclusive"


def test_a_failed_request_fails() -> None:
    """One of thousands is one too many, and is told."""
    failed = _soak().model_copy(update={"failed": 1, "errors": ["HTTP 500: engine"]})
    verdict = judge_soak(failed, (HOST,))[0]
    assert (verdict.outcome, "HTTP 500" in verdict.reason) == ("fail", True)


@pytest.mark.parametrize("kept", ["running", "waiting", "kv_cache_usage"])
def test_who_left_and_is_still_served_fails(kept: str) -> None:
    """What is in work, or held, while nobody asks is a client's that left."""
    assert _outcomes(_soak(last=_told(5000, 4936, **{kept: 0.5})))["leavers"] == "fail"
    silent = _told(5000, 4936, **{kept: NOT_SEEN})
    assert _outcomes(_soak(last=silent))["leavers"] == "unmeasured"


def test_a_cache_that_forgets_its_pictures_is_inconclusive() -> None:
    """Where the pool does not fit, growth may be the cache's."""
    assert _outcomes(_soak(last=_told(5000, 3000)))["caches"] == "inconclusive"


def test_a_soak_too_short_to_see_a_leak_does_not_pass() -> None:
    """Slices too few are unmeasured, whatever they show."""
    few = _outcomes(_soak(slices=9))
    assert (few[HOST], few["latency"]) == ("unmeasured", "unmeasured")


def test_noise_in_which_no_leak_shows_does_not_pass() -> None:
    """Where even 600 MiB an hour would be lost, nothing is told."""
    noisy = _soak(noise_mib=30.0)
    assert _outcomes(noisy)[HOST] == "inconclusive"


def test_what_was_not_seen_is_unmeasured() -> None:
    """A GPU that nobody looked at, and a soak that was not reached, do not pass."""
    assert _outcomes(_soak(), HOST, GPU)[GPU] == "unmeasured"
    assert set(_outcomes(NOT_SEEN, HOST, GPU).values()) == {"unmeasured"}
    assert set(_outcomes(NOT_SEEN, HOST, GPU)) == {*ABOUTS, GPU}
