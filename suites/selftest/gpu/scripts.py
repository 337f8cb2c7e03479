"""The incident in the words of a pretend vLLM: 29.1 GiB for an instant, 19.0 to stay."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from fixtures.cells.cards import GIB, MIB
from suites.selftest.servers.starts import STARTS
from suites.selftest.standin.gpus import CONTEXT_BYTES

VERSION: Final = "0.29.0"
WEIGHTS_GIB: Final = 15.8
PROFILE_GIB: Final = 29.1
STEADY_GIB: Final = 19.0
GRAPHS_GIB: Final = 0.5

PROFILE_LINES: Final = ("Model loading took ", "Encoder cache will be initialized ")
"""Begin the lines that tell of the profile's begin."""
CACHE_LINES: Final = ("Available KV cache memory: ", "GPU KV cache size: ")
"""Begin the lines that tell of the KV cache's."""

Step = list[Any]
_MIB_OF_GIB: Final = GIB // MIB
_PARTS: Final = 4
_GRAPHS_MIB: Final = GRAPHS_GIB * _MIB_OF_GIB
# The suite reads the log every 50 ms, and later where the machine is busy: so long before its
# edges memory stays as it is.
_REST: Final[Step] = ["pause", 0.3]
_HELD: Final[Step] = ["pause", 0.25]


class Script(NamedTuple):
    """One start of the incident's shape, and what is wrong with it.

    `steady_gib` is what stays: a vLLM that fills its share of the card takes more for its KV cache
    than its profile took, and takes it as soon as it has said so. `silent` are beginnings of
    messages that the log does not have. `first` comes before the GPU is opened, `at_peak` while the
    profile's memory is held, `late` when all of it has been taken, and `at_end` after SIGTERM,
    before anything is given back.
    """

    steady_gib: float = STEADY_GIB
    silent: tuple[str, ...] = ()
    first: tuple[Step, ...] = ()
    at_peak: tuple[Step, ...] = ()
    late: tuple[Step, ...] = ()
    at_end: tuple[Step, ...] = ()

    def write(self, folder: Path, max_num_seqs: int) -> None:
        """Let the server with so many sequences act so."""
        told = {"start": self._start(), "stop": list(self.at_end)}
        (folder / f"{max_num_seqs}.json").write_text(json.dumps(told))

    def _start(self) -> list[Step]:
        steps = list(self.first)
        for line in STARTS[VERSION]:
            if not any(words in line for words in self.silent):
                steps.append(["log", line])
            steps += next((after for words, after in self._between() if words in line), ())
        return [*steps, ["ready"]]

    def _between(self) -> Sequence[tuple[str, Sequence[Step]]]:
        """What happens after which line."""
        weights_mib = WEIGHTS_GIB * _MIB_OF_GIB - CONTEXT_BYTES / MIB
        profile_mib = (PROFILE_GIB - WEIGHTS_GIB) * _MIB_OF_GIB
        cache_mib = (self.steady_gib - WEIGHTS_GIB) * _MIB_OF_GIB - _GRAPHS_MIB
        take: Step = ["take", "weights", weights_mib / _PARTS]
        profile: Step = ["take", "profile", profile_mib]
        return (
            ("Using V2 Model Runner", (["context"], _REST)),
            ("Loading model from scratch", (_REST, *[take] * _PARTS, _REST)),
            (
                "Encoder cache will be initialized",
                (_REST, profile, *self.at_peak, _HELD, ["free", "profile"], _REST),
            ),
            ("GPU KV cache size: ", (["take", "cache", cache_mib], _HELD)),
            ("CUDA graph pool memory: ", (["take", "graphs", _GRAPHS_MIB], _HELD)),
            ("init engine (profile", (*self.late, _HELD)),
        )
