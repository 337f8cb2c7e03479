from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.cells.cards import MIB
from fixtures.memory.gpu_trace import GRAPHICS_IGNORED_BYTES, Listed, Unseen, parse_gpu_recording
from fixtures.memory.gpu_witness import read_gpu_recording
from suites.selftest.memory.gpu_traces import (
    ONE,
    TWO,
    UNREAD,
    account,
    files,
    gpu,
    process,
    recording,
    refusal,
)

pytestmark = pytest.mark.selftest

Files = tuple[bytes, str, str]
Damage = Callable[[bytes, str, str], Files]
SIZES = st.integers(UNREAD, 2**50)
TABLES = st.lists(st.tuples(st.integers(0, 10**9), SIZES, SIZES), max_size=30)
LISTS = st.lists(
    st.none() | st.dictionaries(st.integers(1, 6), st.integers(0, 2**40), max_size=6),
    min_size=1,
    max_size=10,
)


@given(TABLES, st.integers(0, 23))
def test_each_gpu_has_its_own_column_and_only_what_was_read(
    rows: list[tuple[int, int, int]], cut: int
) -> None:
    """A series holds the moments at which its GPU could be read, whatever the other one did."""
    times_s = [at_ns / 1e9 for at_ns in np.cumsum([step for step, _, _ in rows]).tolist()]
    samples = [(at_s, one, two) for at_s, (_, one, two) in zip(times_s, rows, strict=True)]
    raw, told, lines = files([gpu(ONE), gpu(TWO)], samples)
    seen = parse_gpu_recording(raw + raw[:cut], told, lines, 1.5)
    for uuid, column in ((ONE, 1), (TWO, 2)):
        series = seen.series(uuid)
        read = [
            (at_s, row[column]) for at_s, row in zip(times_s, rows, strict=True) if row[column] >= 0
        ]
        assert series.held_bytes.tolist() == [size for _, size in read]
        assert np.allclose(series.times_s, [at_s - 1.5 for at_s, _ in read], atol=1e-6)


def test_a_moment_that_could_not_be_read_is_a_gap() -> None:
    """While a GPU does not answer nobody looks, and the largest gap says how long."""
    samples = [(0.0, 1, 1), (0.1, UNREAD, 1), (0.2, UNREAD, 1), (0.3, 1, 1)]
    seen = recording([gpu(ONE), gpu(TWO)], samples)
    assert seen.series(ONE).largest_gap_s() == pytest.approx(0.3)
    assert seen.series(TWO).largest_gap_s() == pytest.approx(0.1)


def test_a_gpu_that_was_not_there_is_an_error() -> None:
    """No series is made up for a UUID that nobody recorded."""
    with pytest.raises(KeyError, match=TWO):
        recording([gpu(ONE), gpu(None)]).series(TWO)


@given(LISTS, st.sets(st.integers(1, 6)))
def test_the_tree_is_the_sum_of_the_servers_processes(
    lists: list[Mapping[int, int | None] | None], own: set[int]
) -> None:
    """At each list, exactly our processes are summed up; what was not listed is no moment."""
    everybody = {pid for used in lists for pid in used or ()}
    seen = recording(
        [gpu(ONE, processes=[process(pid, 1) for pid in everybody])],
        lists=[(at_s / 10, ONE, used) for at_s, used in enumerate(lists)],
    )
    tree = seen.tree_processes(ONE, own)
    if not everybody & own or lists[-1] is None:
        assert isinstance(tree, Unseen)
        return
    assert isinstance(tree, Listed)
    read = [(at_s / 10, used) for at_s, used in enumerate(lists) if used is not None]
    sums = [sum(size or 0 for pid, size in used.items() if pid in own) for _, used in read]
    assert tree.series.held_bytes.tolist() == sums
    assert np.allclose(tree.series.times_s, [at_s for at_s, _ in read])
    assert tree.largest_gap_s == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("facts", "lists", "why"),
    [
        (
            gpu(ONE, refusals=[refusal("processes", "Not Supported")]),
            [None],
            "the driver lists no processes: Not Supported",
        ),
        (gpu(ONE, processes=[process(7, None)]), [{7: None}], "gives no memory per process"),
        (
            gpu(ONE, processes=[process(7, None)], mig="enabled"),
            [{7: None}],
            "MIG is on: the driver gives no memory per process",
        ),
        (
            gpu(ONE, processes=[process(4_000_007, 9, name=None, command=None)]),
            [{4_000_007: 9}],
            "NVML names process ids of the host",
        ),
        (gpu(ONE, processes=[process(8, 9)]), [{8: 9}], "none of the server's processes"),
        (gpu(ONE), [{}], "lists no process, though 900 MiB more came into use"),
    ],
    ids=["not-supported", "no-memory", "mig", "host-pids", "others-only", "empty"],
)
def test_a_tree_that_cannot_be_seen_has_its_reason(
    facts: dict[str, object], lists: list[dict[int, int | None] | None], why: str
) -> None:
    """Each way in which NVML hides the server's processes is told from the others."""
    samples = [(0.0, 100 * MIB), (0.1, 1000 * MIB), (0.2, 100 * MIB)]
    seen = recording([facts], samples, [(0.1, ONE, used) for used in lists])
    tree = seen.tree_processes(ONE, {7})
    assert isinstance(tree, Unseen)
    assert why in tree.why


def test_an_empty_list_of_an_idle_gpu_is_no_measurement_either() -> None:
    """Where nothing was listed and nothing grew, nobody was seen, which is not 0 bytes."""
    seen = recording([gpu(ONE)], [(0.0, 5), (0.1, 5)], [(0.0, ONE, {})])
    assert seen.tree_processes(ONE, {7}) == Unseen("no process was ever listed on this GPU")


def test_foreigners_are_who_computes_and_who_draws_much() -> None:
    """A small desktop disturbs nobody; one of unknown size, and whoever computes, may have."""
    limit = GRAPHICS_IGNORED_BYTES
    listed = [
        process(1, limit, kind="graphics"),
        process(2, limit + 1, kind="graphics"),
        process(3, None, kind="graphics"),
        process(4, 0),
        process(5, None),
        process(6, 10**9),
    ]
    foreign = recording([gpu(ONE, processes=listed)]).foreign(ONE, {6})
    assert [one.pid for one in foreign] == [2, 3, 4, 5]
    assert foreign[0].name == "python3"


def test_accounts_of_our_processes_are_summed_up() -> None:
    """The driver's marks of others do not count."""
    accounts = [account(1, 100), account(2, 20), account(3, 7)]
    assert recording([gpu(ONE, accounted=accounts)]).accounted(ONE, {1, 2, 9}) == 120


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"accounting": "disabled"}, "nvidia-smi --accounting-mode=1"),
        ({"accounting": "Not Supported"}, "accounts for no process: Not Supported"),
        ({"accounting": "Not Supported", "mig": "enabled"}, "MIG is on"),
        ({}, "account of none of the server's processes"),
        ({"refusals": [refusal("accounting", "Unknown Error")]}, "processes: Unknown Error"),
        ({"accounted": [account(7, None)]}, "accounts for no memory"),
        (
            {"accounted": [account(7, 5)], "processes": [process(8, 5)]},
            "no account of process 8, which it listed",
        ),
    ],
)
def test_accounts_that_are_not_there_have_their_reason(facts: dict[str, object], why: str) -> None:
    """No sum is made of a part of the server's processes."""
    accounted = recording([gpu(ONE, **facts)]).accounted(ONE, {7, 8})
    assert isinstance(accounted, Unseen)
    assert why in accounted.why


def test_the_driver_s_last_new_words_are_the_reason() -> None:
    """A refusal that came later explains more than the first one."""
    first, later = refusal("memory", "Unknown Error"), refusal("memory", "GPU is lost")
    facts = recording([gpu(ONE, refusals=[{**later, "first_ns": 9 * 10**9}, first])]).gpu(ONE)
    assert facts.refused("memory") == "GPU is lost"
    assert facts.refused("processes") == ""


def test_a_line_that_is_being_written_is_left_out() -> None:
    """The reader may come while the recorder writes."""
    raw, told, lines = files([gpu(ONE)], [(0.0, 1)], [(0.0, ONE, {}), (0.1, ONE, {7: 1})])
    seen = parse_gpu_recording(raw, told, lines + '{"ns": 12', 0.0)
    assert len(seen.changes[ONE]) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw, told, lines: (raw, told[:-9], lines),
        lambda raw, told, lines: (raw, f"[{told}]", lines),
        lambda raw, told, lines: (raw, told.replace('"mig"', '"mug"'), lines),
        lambda raw, told, lines: (raw, told, lines + "{}\n"),
        lambda raw, told, lines: (raw, told, lines + "nothing\n"),
        lambda raw, told, lines: (raw[16:] + raw[:16], told, lines),
    ],
)
def test_damaged_files_are_an_error(damage: Damage) -> None:
    """What is no recording is not read as one."""
    whole = files([gpu(ONE)], [(0.0, 1), (0.1, 2)], [(0.0, ONE, {})])
    parse_gpu_recording(*whole, 0.0)
    with pytest.raises(ValueError, match=r"damaged|Expecting|line"):
        parse_gpu_recording(*damage(*whole), 0.0)


def test_processes_that_are_no_longer_listed_have_no_peak() -> None:
    """What was listed before the driver stopped is a part."""
    told = gpu(ONE, processes=[process(7, 1)], refusals=[refusal("processes", "GPU is lost")])
    seen = recording([told], lists=[(0.0, ONE, {7: 1}), (0.1, ONE, None)])
    why = "the driver stopped listing processes: GPU is lost"
    assert seen.tree_processes(ONE, [7]) == Unseen(why)


def test_files_that_are_not_there_are_an_error(tmp_path: Path) -> None:
    """A folder without a recording is no empty recording."""
    with pytest.raises(FileNotFoundError):
        read_gpu_recording(tmp_path, 0.0)
