from pathlib import Path

import pytest

from fixtures.runtimes.setup.relocating import relocate

pytestmark = pytest.mark.selftest


@pytest.fixture
def env(tmp_path: Path) -> Path:
    """Environment that is about to be renamed from tiny.partial to tiny."""
    env = tmp_path / "tiny.partial"
    (env / "bin").mkdir(parents=True)
    (env / "pyvenv.cfg").write_text(f"command = python3 -m venv {env}\n", "utf-8")
    return env


def test_shebang_follows(env: Path, tmp_path: Path) -> None:
    """A script starts the final Python and stays executable."""
    script = env / "bin" / "tool"
    script.write_text(f"#!{env}/bin/python\nprint()\n", "utf-8")
    script.chmod(0o755)
    relocate(env, tmp_path / "tiny")
    assert script.read_text("utf-8") == f"#!{tmp_path}/tiny/bin/python\nprint()\n"
    assert script.stat().st_mode & 0o777 == 0o755


def test_configuration_follows(env: Path, tmp_path: Path) -> None:
    """pyvenv.cfg names the final path as what was made."""
    relocate(env, tmp_path / "tiny")
    assert (env / "pyvenv.cfg").read_text("utf-8") == f"command = python3 -m venv {tmp_path}/tiny\n"


def test_programs_stay_as_they_are(env: Path, tmp_path: Path) -> None:
    """A compiled program is not rewritten, even where it holds the path: lengths count in it."""
    program = env / "bin" / "compiled"
    content = b"\x7fELF\0" + str(env).encode() + b"\0"
    program.write_bytes(content)
    relocate(env, tmp_path / "tiny")
    assert program.read_bytes() == content


def test_links_are_not_followed(env: Path, tmp_path: Path) -> None:
    """What a link leads to belongs to somebody else."""
    outside = tmp_path / "outside"
    outside.write_text(str(env), "utf-8")
    (env / "bin" / "python").symlink_to(outside)
    relocate(env, tmp_path / "tiny")
    assert outside.read_text("utf-8") == str(env)
    assert (env / "bin" / "python").is_symlink()
