"""Each fault in the path of the pictures or replies is seen in a real server's answers, by name."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from fixtures.deployments.deployment import Deployment
from fixtures.deployments.recording import tallied
from fixtures.questions.asking import Answer, ask_all
from fixtures.questions.catalogue import LAYOUTS, SKILLS, held_out
from fixtures.records.schema import AnswersRecord, Unmeasured
from fixtures.verdicts.answers import judge_answers
from fixtures.verdicts.symptoms import judge_symptoms
from suites.selftest.standin.faulty_proxy import FAULTS, faulty

# The cell that other selftests question too: no further server is started.
pytestmark = [
    pytest.mark.selftest,
    pytest.mark.only_case("cpu-tiny-seqs=16-len=4096-alloc=arena1"),
]
Note = Callable[[str, object], None]

# The questions of the accuracy's selftest: vLLM keeps what it has processed of each new picture
# (0.7 MiB for a question), and what selftests ask is no fault of the cell's.
_START = 5000


class Planted(NamedTuple):
    """What a fault has to be called, and how many questions of a skill and layout show it."""

    name: str
    each: int = 10


# One answer in 20 is another's: 384 are asked for 19. A third of all pictures is cut into slices,
# and only the questions for a place tell their order.
PLANTED = {
    "channels swapped": Planted("red and blue channels swapped"),
    "picture turned": Planted("picture turned by 90 degrees counter-clockwise"),
    "first picture dropped": Planted("the first picture is not seen"),
    "second picture dropped": Planted("the second picture is not seen"),
    "slices reordered": Planted("slices reordered", 16),
    "picture halved": Planted("picture shrunk"),
    "answer of the previous request": Planted("answers of other requests", 32),
    "stop token ignored": Planted("stop token ignored"),
}
_CLEAN_PASSES = 5
# Of each skill in each of three layouts: with fewer than 27 a skill a pass would tell nothing.
_ENOUGH = 9


def _asked(serving: Deployment, fault: str, each: int, start: int) -> AnswersRecord:
    questions = [q for s in SKILLS for layout in LAYOUTS for q in held_out(s, layout, each, start)]
    with faulty(serving.endpoint, fault) as endpoint:
        answers: list[Answer] = ask_all(
            endpoint, questions, serving.case.cell.max_num_seqs, 60.0, serving.why_down
        )
    assert [answer.error for answer in answers if answer.error] == []
    return tallied(answers, serving.case.cell.max_num_seqs, serving.case.model.accuracy_of_scenes)


def _told(record: AnswersRecord) -> str:
    assert not isinstance(record.symptoms, Unmeasured)
    shown = [f"{s.name} ({s.evidence}), by chance {s.chance:.1g}" for s in record.symptoms]
    asked = sum(score.asked for score in record.skills.values())
    return f"{asked} asked: {'; '.join(shown) or 'nothing'}"


@pytest.mark.parametrize("fault", PLANTED)
def test_a_fault_in_the_path_is_named(
    serving: Deployment, fault: str, record_testsuite_property: Note
) -> None:
    """The verdict is red for this fault, and for no other."""
    planted = PLANTED[fault]
    record = _asked(serving, fault, planted.each, _START)
    record_testsuite_property(f"symptom of: {fault}", _told(record))

    assert judge_symptoms(record).outcome == "fail"
    assert not isinstance(record.symptoms, Unmeasured)
    assert [symptom.name for symptom in record.symptoms] == [planted.name]


@pytest.mark.parametrize("clean", range(_CLEAN_PASSES))
def test_a_path_without_a_fault_shows_nothing(serving: Deployment, clean: int) -> None:
    """Other questions each time, through the same proxy: both verdicts are green."""
    record = _asked(serving, "none", _ENOUGH, _START + _ENOUGH * clean)

    assert judge_answers(serving.case.model.accuracy_of_scenes, record).outcome == "pass"
    assert judge_symptoms(record).outcome == "pass", _told(record)


def test_every_fault_that_can_be_planted_is() -> None:
    """No fault of the proxy goes without a test."""
    assert {*PLANTED, "none"} == {*FAULTS}
