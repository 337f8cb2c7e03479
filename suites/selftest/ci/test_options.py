"""What CI calls the suite with is what the suite takes."""

from pathlib import Path

import pytest

from fixtures.commands import WORDS
from fixtures.commands.__main__ import main
from suites.selftest.ci.files import BUILDKITE, GITLAB, NAMES, read, scripts
from suites.selftest.ci.sandbox import Sandbox

pytestmark = pytest.mark.selftest

ENVIRONMENT = {
    "CARD": "gpu48",
    "SHARD": "2",
    "SHARDS": "3",
    "BASELINE": "pypi:vllm==0.32.0",
    "CANDIDATE": "pypi:vllm==0.33.0",
    "MODEL": "a/b",
    "CI_NODE_INDEX": "2",
    "CI_NODE_TOTAL": "3",
    "BUILDKITE_PARALLEL_JOB": "0",
    "BUILDKITE_PARALLEL_JOB_COUNT": "3",
}
CALLERS = [
    (where, script) for where, script in scripts() if "ci/suite" in script and "#!" not in script
]


def _calls(folder: Path, script: str) -> list[list[str]]:
    sandbox = Sandbox(folder / "checkout")
    for run in ("temp/records/a", ".records/a", "records/a", "shards/a", "shards/b", "shards/c"):
        sandbox.put(f"{run}/run.json")
    sandbox.put("merged/summary.md")
    ran = sandbox.run(("bash", "-euo", "pipefail"), script, ENVIRONMENT)
    assert ran.code == 0, ran.out
    return [words[1:] for words in ran.calls if words[0] == "suite"]


def test_every_file_calls_the_suite() -> None:
    """All that would be looked at is looked at."""
    callers = {where.split(":")[0] for where, _ in CALLERS}
    assert callers == {*NAMES, "gitlab", "buildkite"}
    assert read(GITLAB)
    assert read(BUILDKITE)


@pytest.mark.parametrize(("where", "script"), CALLERS, ids=[where for where, _ in CALLERS])
def test_the_suite_takes_what_it_is_called_with(
    where: str,
    script: str,
    tmp_path: Path,
    pytestconfig: pytest.Config,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Options by pytest's own parser, values too; words and their options by the words' help."""
    calls = _calls(tmp_path, script)
    assert calls, where
    for words in calls:
        if not words or words[0].startswith("-"):
            pytestconfig._parser.parse(words)
            continue
        word, *rest = words
        assert word in WORDS
        actions = rest[:1] if word == "history" else []
        with pytest.raises(SystemExit) as ended:
            main([word, *actions, "--help"])
        assert ended.value.code == 0
        told = capsys.readouterr().out
        options = {option.partition("=")[0] for option in rest if option.startswith("--")}
        assert [option for option in options if option not in told] == []


def test_an_option_that_is_none_is_refused(pytestconfig: pytest.Config) -> None:
    """The check is alive: pytest's parser and a word's both know what they do not know."""
    with pytest.raises(pytest.UsageError, match="--no-such-option"):
        pytestconfig._parser.parse(["--no-such-option"])
    with pytest.raises(SystemExit) as ended:
        main(["history", "--no-such-option"])
    assert ended.value.code == 4
