import pytest

from fixtures.records.schema import ProbeRecord, RobustnessRecord, Unmeasured
from fixtures.verdicts.deviations import KNOWN, Deviation, known_of, remarks_on
from fixtures.verdicts.robustness import judge_robustness
from fixtures.verdicts.verdict import Verdict
from suites.selftest.specimens import NOT_SEEN, a_probe, a_robustness

pytestmark = pytest.mark.selftest

BOMB = KNOWN[0]
VERSION = "0.29.0"


def _judged(probe: ProbeRecord, version: str | Unmeasured = NOT_SEEN) -> Verdict:
    return judge_robustness(a_robustness(a_probe(), probe), version)


def _ran_into(known: Deviation) -> ProbeRecord:
    return a_probe(name=known.probe, status=known.status, said=f"Error: {known.says}!")


def test_refusals_and_right_answers_pass() -> None:
    """A 4xx with a reason, a right answer, any answer where any may be, and a client that left."""
    verdict = judge_robustness(
        a_robustness(
            a_probe(),
            a_probe(may=["answer right", "refuse"], expected="red", status=200, said="red"),
            a_probe(may=["answer", "refuse"], status=200, said=""),
            a_probe(may=[], came="left", status=NOT_SEEN),
        ),
        NOT_SEEN,
    )
    assert verdict == Verdict(
        "robustness", "pass", "4 bad requests, each control question answered right"
    )


@pytest.mark.parametrize(
    ("probe", "reason"),
    [
        (a_probe(status=500, said="oh"), "probe: status 500: oh"),
        (a_probe(status=302, said="there"), "probe: status 302: there"),
        (a_probe(said=""), "probe: status 400 without a reason"),
        (a_probe(status=200, said="red"), "probe: answered with 'red' and not refused"),
        (
            a_probe(may=["answer right"], expected="red"),
            "probe: a good request was refused, status 400: no such thing",
        ),
        (
            a_probe(may=["answer right"], expected="red", status=200, said="blue"),
            "probe: expected 'red', got 'blue'",
        ),
        (a_probe(came="timeout", status=NOT_SEEN, said="late"), "probe: timeout: late"),
        (a_probe(came="closed", status=NOT_SEEN, said="gone"), "probe: closed: gone"),
        (a_probe(came="garbled", status=200, said="{}"), "probe: garbled: {}"),
        (a_probe(may=[], came="timeout", status=NOT_SEEN, said="x"), "probe: timeout: x"),
        (a_probe(control="got 'blue'"), "probe: then the control question: got 'blue'"),
        (a_probe(control="closed", down="killed"), "probe: the server is down: killed"),
        (
            a_probe(may=[], came="left", status=NOT_SEEN, control="timeout"),
            "probe: then the control question: timeout",
        ),
    ],
)
def test_what_must_not_come_fails_with_what_came(probe: ProbeRecord, reason: str) -> None:
    """The probe is named with what came of it and after it."""
    assert _judged(probe) == Verdict("robustness", "fail", reason)


def test_every_fault_is_named() -> None:
    """No failed probe hides another."""
    faulty = a_robustness(a_probe(name="a", status=500), a_probe(), a_probe(name="b", said=""))
    reason = judge_robustness(faulty, NOT_SEEN).reason
    assert reason == "a: status 500: no such thing; b: status 400 without a reason"


def test_what_was_not_sent_does_not_pass() -> None:
    """Nothing sent is unmeasured, a part of it is not enough to tell."""
    unsent = a_probe(came="not sent", status=NOT_SEEN, said="the server is down")
    assert judge_robustness(NOT_SEEN, VERSION).outcome == "unmeasured"
    assert judge_robustness(a_robustness(), VERSION).outcome == "unmeasured"
    assert judge_robustness(a_robustness(unsent), VERSION).outcome == "unmeasured"
    assert judge_robustness(a_robustness(a_probe(), unsent), VERSION) == Verdict(
        "robustness", "inconclusive", "1 more not sent: the server is down"
    )


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.probe)
def test_a_known_deviation_is_a_remark(known: Deviation) -> None:
    """It fails nothing in the version in which it was seen, and stands in the reason."""
    probe = _ran_into(known)
    record = RobustnessRecord(
        control="What colour?", probes=[probe], remarks=remarks_on([probe], VERSION)
    )
    verdict = judge_robustness(record, VERSION)
    assert verdict.outcome == "pass"
    assert f"{known.probe}: status 500, known of vLLM ==0.29.0" in verdict.reason
    assert known.does in verdict.reason


@pytest.mark.parametrize("version", ["0.28.0", "0.30.0", "0.29.1", "dev", NOT_SEEN])
def test_a_deviation_is_known_of_its_versions_alone(version: str | Unmeasured) -> None:
    """Another version that does the same fails, as does one that is not told."""
    assert _judged(_ran_into(BOMB), version).outcome == "fail"
    assert remarks_on([_ran_into(BOMB)], version) == []


def test_a_known_deviation_covers_nothing_else() -> None:
    """Another probe, another status or another message of the same probe is news, and fails."""
    probe = _ran_into(BOMB)
    assert known_of(probe, VERSION) is BOMB
    for change in ({"name": "one pixel"}, {"status": 502}, {"said": "EngineDeadError"}):
        assert _judged(probe.model_copy(update=change), VERSION).outcome == "fail"


def test_a_known_deviation_excuses_no_harm() -> None:
    """A server that is not well afterwards fails, whatever was known of the response."""
    harm = _ran_into(BOMB).model_copy(update={"control": "timeout"})
    assert _judged(harm, VERSION).reason == f"{BOMB.probe}: then the control question: timeout"
