"""A stand-in for ci/suite on a host: it measures nothing, and writes what a shard would write.

The folder that it lies in tells what: `plan.json`, a template of the record of each cell and of
each shard, and how long a cell takes. It has a server under a guardian, as the suite has one.
`told` lists what it did, a line each. A cell goes through three steps, each after a third of its
time, or where that is "stepwise" as soon as the file `go-1`, `go-2` or `go-3` is there.
"""

import json
import os
import secrets
import shutil
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HERE))

from fixtures.servers.process import GuardedProcess, LaunchOrder  # noqa: E402 - of the checkout


def option(name: str) -> str:
    """The value of an option on the command line."""
    return next(word for word in sys.argv if word.startswith(f"{name}=")).partition("=")[2]


def tell(*words: str) -> None:
    """Add a line to what the test reads."""
    descriptor = os.open(HERE / "told", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{time.time():.3f} {' '.join(words)}\n".encode())
    os.close(descriptor)


def write(path: Path, text: str) -> None:
    """Write a file that appears whole."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text)
    partial.replace(path)


def rest(step: int) -> None:
    """Wait for the time of a step."""
    seconds = (HERE / "seconds").read_text()
    if seconds != "stepwise":
        time.sleep(float(seconds) / 3)
        return
    while not (HERE / f"go-{step}").exists():
        time.sleep(0.02)


def main() -> None:
    """Write the plan, or be a shard."""
    if "--dry-run" in sys.argv:
        shutil.copyfile(HERE / "plan.json", option("--plan"))
        return
    number = option("--shard").partition("/")[0]
    run_id = f"20260101T000000Z-{secrets.token_hex(4)}"
    folder = Path(option("--records")) / run_id
    folder.mkdir(parents=True)
    shard = json.loads((HERE / f"shard-{number}.json").read_text().replace("RUN-ID", run_id))
    (case_id,) = shard["own"]
    tell("began", run_id, case_id)
    asleep = [sys.executable, "-c", "import time; time.sleep(900)", str(HERE)]
    log = HERE / f"server-{number}.log"
    server = GuardedProcess(LaunchOrder(tuple(asleep), dict(os.environ), HERE, log))
    going_on = {"unmeasured": "the run goes on, or was killed"}
    write(folder / "run.json", json.dumps({**shard, "exit_code": going_on, "ended_at": going_on}))
    rest(1)
    case = (HERE / f"case-{number}.json").read_text().replace("RUN-ID", run_id)
    write(folder / f"{case_id}.json", case)
    tell("wrote", run_id, case_id)
    rest(2)
    (folder / case_id).mkdir()
    (folder / case_id / "server.log").write_text(f"log of {case_id}\n")
    rest(3)
    server.kill()
    server.close()
    write(folder / "run.json", json.dumps(shard))
    tell("ended", run_id, case_id)
    sys.exit(shard["exit_code"])


if __name__ == "__main__":
    main()
