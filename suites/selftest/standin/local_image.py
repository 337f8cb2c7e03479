"""A real engine of this machine, and an image for it that no registry is asked for.

The image is a root with nothing in it: its python3 is this machine's, whose /usr is mounted.
"""

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from fixtures.runtimes.container_command import Mount
from fixtures.runtimes.engine import ContainerError, Engine, ask, find_engine, last_line

MOUNTS: Final = (Mount(Path("/usr"), "/usr"),)
ENV: Final = {"LD_LIBRARY_PATH": "/usr/local/lib"}
_LINKS: Final = ("bin", "lib", "lib64")
_FOLDERS: Final = ("usr", "tmp", "etc", "proc", "sys", "dev", "run", "models", "plugins")


def _empty_root() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name in _FOLDERS:
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(folder)
        for name in _LINKS:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
            tar.addfile(link)
    return content.getvalue()


@contextmanager
def real_engine() -> Iterator[tuple[Engine, str]]:
    """The engine that runs containers here, and an image in it; skips, saying why, where none."""
    if not all(Path("/", link).is_symlink() for link in _LINKS):
        pytest.skip("this machine's programs do not all stand in /usr")
    try:
        engine = find_engine()
    except ContainerError as error:
        pytest.skip(str(error))
    image = f"localhost/minicpmv-selftest:{os.getpid()}"
    subprocess.run(
        [engine.program, "import", "-", image], input=_empty_root(), check=True, capture_output=True
    )
    try:
        program = ("--entrypoint", "python3", image, "-c", "")
        tried = ask(engine.program, "run", "--rm", "-v", "/usr:/usr:ro", *program)
        if tried.returncode:
            pytest.skip(f"{engine.name} is here and runs no container: {last_line(tried.stderr)}")
        yield engine, image
    finally:
        ask(engine.program, "image", "rm", "--force", image)
