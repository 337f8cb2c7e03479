import pytest

from fixtures.deployments.deployment import Deployment
from suites.selftest.hostile.mutations import EXAMPLES, hunt

# A cell that only the night judges: what strange requests cost in memory is no fault of the cell's.
pytestmark = [
    pytest.mark.selftest,
    pytest.mark.only_case("cpu-tiny-seqs=16-len=4096-alloc=arena1"),
]


def test_no_changed_request_does_harm(serving: Deployment) -> None:
    """Valid requests with something changed are refused or answered, and never a server's error.

    What it finds is told with its smallest body. To keep it, give that body a name: a row in
    `fixtures/questions/hostile/picture_probes.py` where the picture was changed, else a change in
    `_wrong_fields` of `request_probes.py`. If a release of vLLM cannot be mended, what it does
    stands in `fixtures/verdicts/deviations.py`.
    """
    version = serving.record.provenance.vllm_version
    sent = hunt(serving.endpoint, serving.target, version, serving.why_down)
    assert sent >= EXAMPLES
