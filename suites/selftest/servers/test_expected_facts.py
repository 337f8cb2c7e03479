from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from fixtures.cells.cards import CardKind
from fixtures.servers.expected_facts import NEWEST, StartedAs, absent_because, expected_facts
from fixtures.servers.facts import Runner, StartFacts, facts_in
from suites.selftest.servers.starts import STARTS

pytestmark = pytest.mark.selftest

OF_THE_LOG: Final = {"runner", "skipped", "unknown_memory_lines"}
FIELDS: Final = sorted(set(StartFacts._fields) - OF_THE_LOG)
SHOULD_TELL: Final = "should tell"


def started(
    version: str, *, kind: CardKind = "gpu", eager: bool = False, runner: Runner | None = None
) -> StartedAs:
    """A start of that version."""
    return StartedAs(Version(version), kind, eager=eager, runner=runner)


@pytest.mark.parametrize("name", STARTS)
def test_the_table_and_the_logs_agree(name: str) -> None:
    """What a version is said to tell is exactly what its log tells."""
    facts = facts_in((1.0, line) for line in STARTS[name])
    version, _, rest = name.partition("-")
    start = StartedAs(
        version=Version(version),
        kind="cgroup" if rest.startswith("cpu") else "gpu",
        eager=rest == "cpu-recorded",
        runner=facts.runner,
        skipped=facts.skipped,
    )
    told = {field for field in FIELDS if getattr(facts, field) is not None}
    assert expected_facts(start) == told
    assert {f for f in FIELDS if SHOULD_TELL in absent_because(f, start)} == told


@pytest.mark.parametrize("name", STARTS)
def test_a_version_is_known_by_its_usual_runner(name: str) -> None:
    """Before anything is read of a log, the runner is the one that the version comes with."""
    facts = facts_in((1.0, line) for line in STARTS[name])
    version, _, rest = name.partition("-")
    kind: CardKind = "cgroup" if rest.startswith("cpu") else "gpu"
    if facts.runner and name != "0.8.5.post1-cpu":
        assert started(version, kind=kind).running == facts.runner


@pytest.mark.parametrize(
    ("field", "start", "said"),
    [
        (
            "kv_available_bytes",
            started("0.8.5", runner="V1"),
            "no memory that is left for the KV cache with its runner V1: told from 0.9.1 on",
        ),
        (
            "kv_available_bytes",
            started("0.19.1", kind="cgroup"),
            "no memory that is left for the KV cache: told from 0.20.0 on",
        ),
        ("weights", started("0.29.0", kind="cgroup"), "the CPU build of vLLM tells no size of the"),
        (
            "graphs_bytes",
            started("0.29.0", eager=True),
            "vLLM 0.29.0 tells no size of the CUDA graphs with --enforce-eager",
        ),
        (
            "encoder_profile",
            started("0.29.0", kind="cgroup", eager=True),
            "vLLM 0.29.0 tells no profile of the encoder with --enforce-eager",
        ),
        ("encoder_profile", started("0.7.3"), "no profile of the encoder with its runner V0"),
        (
            "encoder_profile",
            started("0.26.0"),
            "no profile of the encoder with its runner V2: told from 0.27.0 on",
        ),
        (
            "encoder_profile",
            started("0.29.0")._replace(skipped=frozenset({"encoder_profile"})),
            "no profile of the encoder: it was told to leave the encoder out of its profile",
        ),
        (
            "peak_activation_bytes",
            started("0.16.0"),
            "with its runner V1: told from 0.10.2 until 0.11.0 and from 0.26.0 on",
        ),
        ("weights", started("0.5.3"), "older than 0.5.4: whether it tells the size of the weights"),
    ],
)
def test_why_a_fact_is_absent_is_one_sentence(field: str, start: StartedAs, said: str) -> None:
    """Version, build, runner or a flag explain a fact that cannot be there."""
    assert said in absent_because(field, start)
    assert field not in expected_facts(start)


def test_a_line_that_should_have_come_is_a_finding() -> None:
    """Where nothing else explains it, the log has changed or the start ended before."""
    assert absent_because("kv_cache", started("0.29.0")) == (
        "the log of vLLM 0.29.0 should tell the size of the KV cache, as that version does, but "
        "the line did not come: its wording changed, or the start did not get so far"
    )


def test_a_newer_version_is_expected_to_tell_what_the_newest_known_does() -> None:
    """A release that the table does not know counts as its newest, and the sentence says so."""
    newer = started("0.41.0")
    assert expected_facts(newer) == expected_facts(started(str(NEWEST)))
    assert "as 0.33.0 did" in absent_because("kv_cache", newer)


@pytest.mark.parametrize("version", ["0.27.0rc1", "0.27.0.dev5+g1234", "0.27.0+cu129"])
def test_a_build_counts_as_its_release(version: str) -> None:
    """A build on the way to a release, or of another CUDA, tells what the release does."""
    assert expected_facts(started(version)) == expected_facts(started("0.27.0"))


def test_what_is_no_fact_is_refused() -> None:
    """A misspelt name is no fact that is absent."""
    with pytest.raises(KeyError):
        absent_because("graph_bytes", started("0.29.0"))


@given(
    st.sampled_from(FIELDS),
    st.builds(
        StartedAs,
        version=st.builds(Version, st.from_regex(r"0\.[0-9]{1,2}\.[0-9]", fullmatch=True)),
        kind=st.sampled_from(["gpu", "cgroup"]),
        eager=st.booleans(),
        runner=st.sampled_from([None, "V0", "V1", "V2"]),
    ),
)
def test_every_fact_is_either_expected_or_explained(field: str, start: StartedAs) -> None:
    """A change of the log is claimed of exactly those facts that are expected."""
    said = absent_because(field, start)
    assert (SHOULD_TELL in said) == (field in expected_facts(start))
    assert "\n" not in said
