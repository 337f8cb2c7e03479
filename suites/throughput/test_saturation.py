"""How many clients it takes to get all that a server gives."""

import pytest

from fixtures.deployments.deployment import Deployment
from fixtures.load.session import Loaded, LoadSession, Rounds
from fixtures.load.shots import fresh_shots
from fixtures.plugin.serving import Judge
from fixtures.verdicts.saturation import judge_saturation

pytestmark = [pytest.mark.needs_answers, pytest.mark.saturation]
_ROUNDS = 4
_OUTPUT_TOKENS = 16
_TIMEOUT_S = 120.0


def test_more_clients_stop_to_help_somewhere(serving: Deployment, judge: Judge) -> None:
    """Rounds at 1, 2, 4 ... clients; pictures of those that wait are prepared meanwhile."""
    most = 4 * serving.case.cell.max_num_seqs
    numbers = [2**i for i in range(most.bit_length()) if 2**i < most]
    serving.keep_saturation([_rounds(serving, n) for n in (*numbers, most)], _OUTPUT_TOKENS)
    judge(judge_saturation(serving.record.saturation))


def _rounds(serving: Deployment, concurrency: int) -> Rounds:
    loaded = Loaded(serving.endpoint, concurrency, _TIMEOUT_S, serving.why_down, serving.gpu_uuid)
    session = LoadSession(loaded, fresh_shots(serving.endpoint, _OUTPUT_TOKENS))
    session.warm_up()
    session.repeat(_ROUNDS)
    return session.end()
