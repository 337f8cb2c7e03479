"""The same cell on each host: a host that is unlike the others is named, and no other is."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.cells.cards import GIB
from fixtures.fleet.controls import Control, compared_hosts, controls_for, names_of, outliers
from fixtures.fleet.needs import Offer
from fixtures.fleet.plan import Work
from fixtures.fleet.received import Attempt, read_controls
from fixtures.fleet.schedule import lower_bound_s, schedule
from fixtures.fleet.told import Result, hosts_told, plan_lines
from fixtures.records.part import Unmeasured
from fixtures.records.schema import CaseRecord, VerdictRecord
from fixtures.records.tolerances import Tolerance
from suites.selftest.histories import loaded_at, measured, memory_of, on_host

pytestmark = pytest.mark.selftest

TOLERANCES = (
    Tolerance(metrics=("*tokens_per_s",), better="higher", relative=0.1, absolute=0),
    Tolerance(metrics=("peak_bytes", "peak_bytes.*"), better="lower", relative=0.02, absolute=0),
)
CPU = Offer(cores=8, memory_bytes=15 * GIB, gpus=0, cards={"cpu": 1})
GPU = Offer(cores=64, memory_bytes=200 * GIB, gpus=8, cards={"gpu48": 8})


def _work(case_id: str, card: str, takes_s: float, *, timed: bool = True) -> Work:
    return Work(case_id, card, 1, 3, takes_s, is_known=True, timed=timed)


def _at(*rates: float) -> list[Control]:
    return [
        Control(f"host-{number}", measured(throughput=loaded_at(rate)))
        for number, rate in enumerate(rates)
    ]


def _with(control: Control, record: CaseRecord) -> Control:
    return control._replace(record=record)


def test_hosts_that_are_alike_are_not_named() -> None:
    """Nor is a single one, which nothing is known against."""
    assert outliers(_at(100.0, 103.0, 97.0, 101.0), TOLERANCES) == []
    assert outliers(_at(100.0), TOLERANCES) == []
    assert outliers([], TOLERANCES) == []


def test_the_slow_host_is_named_and_what_it_differs_in() -> None:
    """Against the median, so that one slow host makes no other one look fast."""
    (found,) = outliers(_at(100.0, 70.0, 102.0), TOLERANCES)
    assert found.host == "host-1"
    (said,) = found.said
    assert said.startswith("worse than the median of 3: tokens_per_s 100.0/s -> 70.0/s")


def test_a_host_that_is_better_than_the_others_is_unlike_them_too() -> None:
    """Its figures would make a baseline that no other host keeps."""
    (found,) = outliers(_at(100.0, 130.0, 102.0), TOLERANCES)
    assert (found.host, found.said[0].partition(":")[0]) == (
        "host-1",
        "better than the median of 3",
    )


def test_of_two_hosts_the_worse_one_is_told_as_such() -> None:
    """Which of them is odd nobody can say."""
    (found,) = outliers(_at(100.0, 70.0), TOLERANCES)
    assert found.host == "host-1"
    assert found.said[0].startswith("worse than the other one of two: ")


def test_hosts_of_another_kind_are_not_compared() -> None:
    """A faster processor is no reason to doubt a slower one."""
    slow, *others = _at(60.0, 100.0, 101.0)
    other = _with(slow, on_host(slow.record, processor="another"))
    assert outliers([other, *others], TOLERANCES) == []
    assert compared_hosts([other, *others]) == {"host-1", "host-2"}


def test_memory_that_one_host_takes_more_of_is_told() -> None:
    """Peaks repeat: what differs there is the host's driver, or somebody on its GPU."""
    controls = _at(100.0, 100.0, 100.0)
    more = measured(throughput=loaded_at(100.0), memory=memory_of(3300))
    (found,) = outliers([*controls[:2], _with(controls[2], more)], TOLERANCES)
    assert found.host == "host-2"
    assert any("peak_bytes" in line for line in found.said)


def test_a_promise_that_is_broken_on_one_host_alone_is_told() -> None:
    """What fails everywhere is the runtime's, and the run's own cell says so."""
    red = [VerdictRecord(about="other GPUs", outcome="fail", reason="GPU 3 moved")]
    controls = _at(100.0, 100.0, 100.0)
    failing = measured(throughput=loaded_at(100.0), verdicts=red)
    (found,) = outliers([_with(controls[0], failing), *controls[1:]], TOLERANCES)
    assert found.said == ("its control fails: other GPUs: GPU 3 moved",)
    everywhere = [
        _with(one, measured(throughput=loaded_at(100.0), verdicts=red)) for one in controls
    ]
    assert outliers(everywhere, TOLERANCES) == []


def test_the_control_is_the_shortest_timed_cell_that_hosts_have_in_common() -> None:
    """One a host, before anything else; a host that shares none with another has none."""
    works = [
        _work("cpu-long", "cpu", 90),
        _work("cpu-short", "cpu", 60),
        _work("cpu-untimed", "cpu", 20, timed=False),
        _work("gpu48-a", "gpu48", 300),
    ]
    found = controls_for(works, {"a": CPU, "b": CPU, "c": GPU})
    assert {host: work.case_id for host, work in found.items()} == {
        "a": "cpu-short",
        "b": "cpu-short",
    }
    assert all(work.control_of == host for host, work in found.items())
    assert controls_for(works, {"a": CPU}) == {}


def test_a_plan_counts_its_controls() -> None:
    """They come first, take their time, and are no cells of the run."""
    works = [_work("cpu-long", "cpu", 90.0), _work("cpu-short", "cpu", 60.0)]
    controls = dict(enumerate(controls_for(works, {"0": CPU, "1": CPU}).values()))
    plan = schedule(works, [CPU, CPU], controls)
    assert plan.makespan_s == 150.0
    lines = plan_lines(plan, lower_bound_s([*works, *controls.values()], [CPU, CPU]), ["a", "b"])
    assert [line.split()[1] for line in lines[:2]] == ["control", "control"]
    assert lines[-1] == "2 cells on 2 hosts: 2.5 min expected, not under 2.2 min"


def test_two_hosts_of_one_name_are_told_apart() -> None:
    """By the beginnings of their ids."""
    told = names_of([("0123456789", "a"), ("abcdefghij", "a"), ("9876543210", "b")])
    assert [*told.values()] == ["a-01234567", "a-abcdefgh", "b"]


def test_a_run_has_its_hosts(tmp_path: Path) -> None:
    """Which cells each ran, its control, and in what that is unlike the others'."""
    control = _work("cpu-short", "cpu", 60.0)._replace(control_of="id")
    results = [
        Result(_work("cpu-long", "cpu", 90.0), "a", 0, 91.0, ()),
        Result(control, "a", 0, 61.0, ()),
        Result(control, "b", None, 0.0, ("its host was lost",)),
    ]
    (outlier,) = outliers(_at(100.0, 70.0), TOLERANCES)
    a, b = hosts_told(results, {"a"}, [outlier._replace(host="a")])
    assert (a.name, a.cells, a.control) == ("a", ["cpu-long"], "cpu-short")
    assert a.unlike == list(outlier.said)
    assert (b.cells, b.control) == ([], Unmeasured(unmeasured="its host was lost"))
    assert b.unlike == []

    (alone,) = hosts_told([Result(control, "a", 0, 61.0, ())], set(), [])
    assert isinstance(alone.control, Unmeasured), "nothing to compare with is not alike"

    record = measured(throughput=loaded_at(100.0))
    kept = Attempt(tmp_path / "controls" / "a", record.case_id, 1)
    kept.keep(f"run/{record.case_id}.json", record.model_dump_json().encode())
    assert read_controls(tmp_path) == [Control("a", record)]
