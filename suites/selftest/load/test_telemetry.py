import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fixtures.load.gpu_state import REASONS, GpuTelemetry, reasons_in
from fixtures.load.host_load import HostTelemetry, host_over, look_at_host
from fixtures.load.spread import Spread, spread_of
from fixtures.load.telemetry import MachineWatch, Telemetry, remarks
from fixtures.load.unknown import Unknown

pytestmark = pytest.mark.selftest

STAT = "cpu  {user} 0 {system} {idle} {iowait} 0 0 {steal} 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
PRESSURE = "some avg10=1.70 avg60=1.54 avg300=13.44 total={us}\nfull avg10=0.00 total=0\n"
CPUINFO = "processor\t: 0\ncpu MHz\t\t: 2000.0\n\nprocessor\t: 1\ncpu MHz\t\t: 3000.0\n"
QUIET = HostTelemetry(
    cores=2,
    load_average=Spread(1.0, 1.5, 2.0),
    shares={"user": 0.5, "system": 0.1, "idle": 0.38, "iowait": 0.01, "steal": 0.01},
    pressure=0.1,
    mhz=Spread(2600.0, 2600.0, 2600.0),
)
COOL = GpuTelemetry(
    uuid="GPU-0",
    sm_mhz=Spread(1700.0, 1750.0, 1800.0),
    sm_most_mhz=1980.0,
    memory_mhz=Spread(2619.0, 2619.0, 2619.0),
    temperature_c=Spread(40.0, 50.0, 60.0),
    power_w=Spread(100.0, 300.0, 400.0),
    power_limit_w=700.0,
    utilisation=Spread(0.9, 0.95, 1.0),
    reasons={"idle": 0.1},
)


def _proc(folder: Path, us: int = 0, **ticks: int) -> Path:
    (folder / "pressure").mkdir(parents=True, exist_ok=True)
    zero = {"user": 0, "system": 0, "idle": 0, "iowait": 0, "steal": 0}
    (folder / "stat").write_text(STAT.format(**{**zero, **ticks}))
    (folder / "loadavg").write_text("1.50 2.0 3.0 2/210 25296\n")
    (folder / "pressure/cpu").write_text(PRESSURE.format(us=us))
    (folder / "cpuinfo").write_text(CPUINFO)
    return folder


def _remarks(host: HostTelemetry = QUIET, gpu: GpuTelemetry | Unknown = COOL) -> list[str]:
    return remarks(Telemetry(10.0, 11, host, gpu))


def test_shares_are_of_what_lies_between_two_moments(tmp_path: Path) -> None:
    """What was spent before the round is not the round's."""
    before = look_at_host(_proc(tmp_path, us=500, user=1000, steal=1000, idle=1000))
    _proc(tmp_path, us=250_500, user=1060, system=10, idle=1020, steal=1010)
    after = look_at_host(tmp_path)._replace(at_s=before.at_s + 1)
    told = host_over([before, after])
    assert isinstance(told.shares, dict)
    assert {state: share for state, share in told.shares.items() if share} == {
        "user": 0.6,
        "system": 0.1,
        "idle": 0.2,
        "steal": 0.1,
    }
    assert told.pressure == 0.25
    assert told.load_average == Spread(1.5, 1.5, 1.5)
    assert told.mhz == Spread(2500.0, 2500.0, 2500.0)


def test_what_proc_does_not_have_is_unknown(tmp_path: Path) -> None:
    """A kernel without pressure, or a /proc that shows nothing, has reasons and no zeros."""
    told = host_over([look_at_host(tmp_path), look_at_host(tmp_path)])
    for figure in (told.shares, told.pressure, told.load_average, told.mhz):
        assert isinstance(figure, Unknown)
        assert "No such file or directory" in figure.why


def test_a_clock_that_stands_still_gives_no_shares(tmp_path: Path) -> None:
    """Some sandboxes show zeros for ever: 0 % idle would be read from them."""
    moment = look_at_host(_proc(tmp_path))
    assert isinstance(host_over([moment, moment]).shares, Unknown)


@given(
    st.text(),
    st.text(),
    st.text(),
    st.text("0123456789.²٣").map("cpu MHz\t\t: {}".format) | st.text(),
)
@example("cpu 1 2 3 4 5 6 7 ²", "²", "some total=", "cpu MHz\t: 1.2.3")
def test_any_proc_is_read(stat: str, loadavg: str, pressure: str, cpuinfo: str) -> None:
    """Whatever stands there, there is a figure or a reason."""
    with tempfile.TemporaryDirectory() as name:
        folder = _proc(Path(name))
        for file, text in {
            "stat": stat,
            "loadavg": loadavg,
            "pressure/cpu": pressure,
            "cpuinfo": cpuinfo,
        }.items():
            (folder / file).write_text(text)
        assert host_over([look_at_host(folder)] * 2).cores >= 1


def test_a_real_machine_is_watched() -> None:
    """The host is looked at again and again, and work shows in its shares."""
    with MachineWatch(None, every_s=0.05) as watch:
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            pass
    told = watch.telemetry()
    assert told.samples >= 3
    assert told.seconds >= 0.5
    assert told.gpu == Unknown("no GPU is used")
    assert isinstance(told.host.shares, dict)
    assert sum(told.host.shares.values()) == pytest.approx(1)
    assert told.host.shares["user"] > 0


def test_a_spread_leaves_out_what_is_unknown() -> None:
    """A sensor that was silent once has not shown 0."""
    assert spread_of([1.0, Unknown("silent"), 4.0]) == Spread(1.0, 2.5, 4.0)
    assert spread_of([Unknown("silent"), Unknown("lost")]) == Unknown("lost")
    assert spread_of([]) == Unknown("never sampled")


@given(st.sets(st.sampled_from(sorted(REASONS))))
def test_reasons_are_said_in_words(bits: set[int]) -> None:
    """Each of NVML's bits has its words, all at once too."""
    assert reasons_in(sum(bits)) == {REASONS[bit] for bit in bits}


def test_a_reason_of_a_later_driver_is_not_lost() -> None:
    """A bit that has no words yet is told by its number."""
    assert reasons_in(1 << 20 | 0x40) == {"reason 0x100000", "heat (hardware)"}


def test_a_quiet_machine_makes_nothing_doubtful() -> None:
    """No remark on a host and a GPU that do what they can."""
    assert _remarks() == []
    assert _remarks(gpu=Unknown("no GPU is used")) == []


def test_nothing_known_makes_nothing_doubtful() -> None:
    """What no one could see is no reproach."""
    no = Unknown("refused")
    assert not _remarks(HostTelemetry(2, no, no, no, no), no)
    assert not _remarks(gpu=GpuTelemetry("GPU-0", no, no, no, no, no, no, no, no))


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (QUIET._replace(shares={"user": 0.9, "steal": 0.051}), "(steal)"),
        (QUIET._replace(shares={"user": 0.9, "iowait": 0.06}), "waiting for a disk"),
        (QUIET._replace(load_average=Spread(5.0, 9.7, 12.0)), "9.7 tasks wanted to run"),
    ],
)
def test_a_busy_host_is_told(host: HostTelemetry, said: str) -> None:
    """Stolen time, a slow disk and the work of others each have their remark."""
    remark = _remarks(host)
    assert len(remark) == 1
    assert said in remark[0]


@pytest.mark.parametrize(
    ("gpu", "said"),
    [
        (COOL._replace(reasons={"heat (driver)": 0.06}), "6% of the time: heat (driver)"),
        (COOL._replace(reasons={"power brake": 1.0}), "power brake"),
        (COOL._replace(reasons={"power limit": 0.3}), "power limit"),
        (COOL._replace(reasons={"clocks set by somebody": 1.0}), "clocks set by somebody"),
        (COOL._replace(sm_mhz=Spread(800.0, 1500.0, 1900.0)), "1,500 MHz on average, of 1,980"),
    ],
)
def test_a_slow_gpu_is_told(gpu: GpuTelemetry, said: str) -> None:
    """Heat, power and clocks each have their remark."""
    remark = _remarks(gpu=gpu)
    assert len(remark) == 1
    assert said in remark[0]


@pytest.mark.parametrize(
    "gpu",
    [
        COOL._replace(reasons={"heat (driver)": 0.04, "power limit": 0.2}),
        COOL._replace(sm_mhz=Spread(210.0, 300.0, 400.0), utilisation=Spread(0.0, 0.1, 0.4)),
        COOL._replace(reasons={"idle": 1.0, "a display's clocks": 1.0}),
    ],
)
def test_what_moves_no_figure_is_not_told(gpu: GpuTelemetry) -> None:
    """A moment at the limit, or an idle GPU at its idle clocks."""
    assert _remarks(gpu=gpu) == []
