import json
import os
import subprocess
import sys
from textwrap import dedent
from typing import Any

import pytest

from fixtures.runtimes.environments import CHECKOUT
from suites.selftest.programs import Launcher
from suites.selftest.standin.gpus import Machine

pytestmark = pytest.mark.selftest

WATCH = """
    import json
    from fixtures.load.telemetry import MachineWatch, remarks
    with MachineWatch(UUID, every_s=0.02) as watch:
        tell("watches")
        wait_for("enough")
    told = watch.telemetry()
    tell("told", json.dumps([told.gpu, remarks(told)]))
"""
BUSY = {
    "sm_mhz": 1410,
    "sm_max_mhz": 1980,
    "memory_mhz": 2619,
    "temperature_c": 71,
    "power_mw": 350_000,
    "power_limit_mw": 700_000,
    "utilisation_percent": 98,
    "clock_reasons": 0x24,
}


@pytest.fixture
def busy(machine: Machine) -> Machine:
    """A machine whose second GPU is busy, warm and slowed down."""
    machine.add_gpu()
    machine.add_gpu("NVIDIA H100 80GB HBM3")
    machine.set_sensors(1, **BUSY)
    return machine


def _look(uuid: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    """One look of a process of its own at a GPU, and what it makes of it."""
    code = f"""
    import json
    from fixtures.load.gpu_state import WatchedGpu
    gpu = WatchedGpu({uuid!r})
    moment = gpu.look()
    print(json.dumps(gpu.over([moment])._asdict()))
    gpu.close()
    """
    run = subprocess.run(
        [sys.executable, "-c", dedent(code)],
        cwd=CHECKOUT,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    told: dict[str, Any] = json.loads(run.stdout)
    return told


def test_sensors_are_read_in_their_units(busy: Machine) -> None:
    """Clocks in MHz, power in watts, utilisation as a share, reasons in words."""
    assert _look(busy.uuid(1)) == {
        "uuid": busy.uuid(1),
        "sm_mhz": [1410.0] * 3,
        "sm_most_mhz": 1980.0,
        "memory_mhz": [2619.0] * 3,
        "temperature_c": [71.0] * 3,
        "power_w": [350.0] * 3,
        "power_limit_w": 700.0,
        "utilisation": [0.98] * 3,
        "reasons": {"heat (driver)": 1.0, "power limit": 1.0},
    }


def test_an_older_driver_is_asked_by_its_names(busy: Machine) -> None:
    """Temperature and clock reasons had other functions before."""
    before = _look(busy.uuid(1))
    busy.set_sensors(1, old_names=1)
    assert _look(busy.uuid(1)) == before


def test_a_sensor_that_is_not_there_is_unknown(busy: Machine) -> None:
    """NVML's own words stand in its place, and the others are read."""
    busy.set_sensors(1, power_mw=-1, clock_reasons=-1, utilisation_percent=-1)
    told = _look(busy.uuid(1))
    assert told["power_w"] == told["reasons"] == told["utilisation"] == ["NVML: Not Supported"]
    assert told["sm_mhz"] == [1410.0] * 3


def test_a_lost_gpu_is_unknown_in_everything(busy: Machine) -> None:
    """Nothing is raised, and nothing is 0."""
    busy.lose(1)
    told = _look(busy.uuid(1))
    del told["uuid"]
    assert set(map(tuple, told.values())) == {("NVML: GPU is lost",)}


def test_without_a_driver_there_is_its_reason(busy: Machine) -> None:
    """The library alone is a driver that is not loaded."""
    assert _look(busy.uuid(1), {"STANDIN_GPUS": ""})["sm_mhz"] == ["NVML: Driver Not Loaded"]


def test_a_gpu_that_is_not_here_is_told(busy: Machine) -> None:
    """An identity that no GPU has."""
    assert busy
    assert _look("GPU-none")["sm_mhz"] == ["NVML: Not Found"]


def test_what_changes_meanwhile_is_seen(busy: Machine, launch: Launcher) -> None:
    """A clock that falls while a round runs shows in its spread, and in a remark."""
    busy.set_sensors(1, sm_mhz=1980, clock_reasons=0)
    launch.suite(dedent(WATCH).replace("UUID", repr(busy.uuid(1))))
    launch.told("watches")
    busy.set_sensors(1, sm_mhz=500, clock_reasons=0x40)
    launch.suite("time.sleep(0.5)").wait()
    launch.tell("enough")
    gpu, remarks = json.loads(launch.told("told"))
    least, mean, _ = gpu[1]
    assert least == 500
    assert mean < 1980
    assert gpu[8]["heat (hardware)"] > 0.05
    assert any("heat (hardware)" in remark for remark in remarks)
