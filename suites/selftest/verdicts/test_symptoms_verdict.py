import pytest

from fixtures.records.schema import AnswersRecord, SymptomRecord, Unmeasured
from fixtures.verdicts.symptoms import judge_symptoms, judge_symptoms_under_load
from suites.selftest.specimens import NOT_SEEN, a_round, a_throughput, an_answers

pytestmark = pytest.mark.selftest


def _showing(*chances: float) -> AnswersRecord:
    shown = [
        SymptomRecord(name=f"fault {i}", evidence=f"{i} of 9 are wrong", chance=chance)
        for i, chance in enumerate(chances)
    ]
    return an_answers().model_copy(update={"symptoms": shown})


def test_no_symptom_passes_and_says_so() -> None:
    """A pass is a search that found nothing, not a search that was not made."""
    verdict = judge_symptoms(_showing())
    assert (verdict.about, verdict.outcome) == ("answers by symptom", "pass")
    assert verdict.reason == "no symptom of a fault found"


def test_a_symptom_fails_by_its_name_evidence_and_chance() -> None:
    """The reason is what is wrong, in words and numbers."""
    verdict = judge_symptoms(_showing(2e-9))
    assert verdict.outcome == "fail"
    assert verdict.reason == "fault 0: 0 of 9 are wrong (by chance: 2e-09)"


def test_the_least_likely_symptom_comes_first() -> None:
    """What chance explains least is most likely what is wrong."""
    reason = judge_symptoms(_showing(1e-4, 1e-30)).reason
    assert reason.index("fault 1") < reason.index("; also fault 0")


@pytest.mark.parametrize(("chance", "outcome"), [(0.00099, "fail"), (0.001, "pass"), (1.0, "pass")])
def test_what_chance_shows_once_in_1000_runs_is_no_symptom(chance: float, outcome: str) -> None:
    """The limit is the one of the accuracy's verdict."""
    assert judge_symptoms(_showing(chance)).outcome == outcome


def test_what_was_not_looked_for_does_not_pass() -> None:
    """Answers that were not reached, and records without symptoms, are unmeasured."""
    assert judge_symptoms(NOT_SEEN).outcome == "unmeasured"
    assert judge_symptoms_under_load(NOT_SEEN).outcome == "unmeasured"
    old = AnswersRecord(concurrency=4, skills={}, wrong=[])
    assert isinstance(old.symptoms, Unmeasured)
    assert judge_symptoms(old).outcome == "unmeasured"


def test_answers_under_load_are_judged_as_their_own() -> None:
    """The symptoms of the throughput rounds have a verdict of another name."""
    good = a_throughput(a_round())
    bad = good.model_copy(update={"answers": _showing(1e-9)})
    assert judge_symptoms_under_load(good).outcome == "pass"
    assert judge_symptoms_under_load(bad).outcome == "fail"
    assert judge_symptoms_under_load(good).about == "answers under load by symptom"
