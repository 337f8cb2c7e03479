from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from packaging.version import Version

from fixtures.cells.allocators import ALLOCATORS, CUDA_ALLOCATORS, HOST_ALLOCATORS
from fixtures.cells.cards import CARDS, GIB, MIB, Gpu
from fixtures.cells.case import Case
from fixtures.cells.cell import Cell
from fixtures.cells.models import PROFILES
from fixtures.runtimes.dialect import Setting, Unsupported, Words, words_of
from fixtures.runtimes.flags import FLAGS, flag_named
from suites.selftest.runtimes.golden import A6000, setting_of
from suites.selftest.runtimes.ladder import BETWEEN, RUNGS
from suites.selftest.specimens import a_case

pytestmark = pytest.mark.selftest

FURTHER = sorted(
    FLAGS.keys() - {"--max-num-seqs", "--max-model-len", "--gpu-memory-utilization"}
    | {"--block_size=32", "--of_the_future", "-O3"}
)
ADDED = st.lists(st.sampled_from(FURTHER), max_size=2)


@st.composite
def cases(draw: st.DrawFn, added: st.SearchStrategy[list[str]] = ADDED) -> Case:
    """Any case that a matrix could have, with flags of the table and others."""
    card = draw(st.sampled_from(list(CARDS.values())))
    fitting = HOST_ALLOCATORS if card.kind == "cgroup" else CUDA_ALLOCATORS
    cell = Cell(
        max_num_seqs=draw(st.integers(1, 512)),
        max_model_len=draw(st.integers(1, 32768)),
        allocator=draw(st.sampled_from(sorted(fitting))),
        gpu_memory_utilization=draw(st.sampled_from([None, 0.5, 0.95, 1.0])),
        extra_flags=tuple(draw(added)),
    )
    model = draw(st.sampled_from(sorted(PROFILES)))
    return Case(card_name=card.name, model_name=model, cell=cell, budget_bytes=GIB)


def _gpu_case(share: float | None = None, allocator: str = "default", *added: str) -> Case:
    cell = Cell(
        max_num_seqs=4,
        max_model_len=2048,
        allocator=allocator,
        gpu_memory_utilization=share,
        extra_flags=added,
    )
    return Case(card_name="gpu48", model_name="minicpmv-2.6", cell=cell, budget_bytes=GIB)


def _of(case: Case, version: str) -> Words | Unsupported:
    return words_of(case, Version(version), setting_of(case))


def _words(case: Case, version: str) -> Words:
    words = _of(case, version)
    assert isinstance(words, Words)
    return words


def _why(case: Case, version: str) -> str:
    words = _of(case, version)
    assert isinstance(words, Unsupported)
    assert words.version == version
    return words.why


def _value(words: Words, flag: str) -> str | None:
    """The last value that a flag is given."""
    at = [i for i, word in enumerate(words.argv) if word == flag]
    return words.argv[at[-1] + 1] if at else None


@given(cases(), st.sampled_from([*RUNGS, *BETWEEN]))
def test_every_version_is_told_flags_that_it_has(case: Case, version: Version) -> None:
    """Whatever the case: words that the version knows, with the cell's figures, or a reason."""
    words = words_of(case, version, setting_of(case))
    assert words == words_of(case, version, setting_of(case))
    rung = BETWEEN.get(version, version)
    if isinstance(words, Unsupported):
        assert words.version == str(version)
        assert words.why
        return
    known = [flag for word in words.argv if (flag := flag_named(word)) is not None]
    assert [flag.name for flag in known if not flag.is_in(rung)] == []
    assert _value(words, "--max-num-seqs") == str(case.cell.max_num_seqs)
    assert _value(words, "--max-model-len") == str(case.cell.max_model_len)
    assert words.argv[len(words.argv) - len(case.cell.extra_flags) :] == case.cell.extra_flags
    assert {**words.env, **ALLOCATORS[case.cell.allocator]} == words.env


@given(cases(st.just([])), st.sampled_from([*RUNGS, *BETWEEN]))
def test_what_the_suite_says_itself_is_in_the_table(case: Case, version: Version) -> None:
    """No word of the dialect's own, and none of a model's, is unknown to the table."""
    words = words_of(case, version, setting_of(case))
    if isinstance(words, Words):
        said = [word for word in words.argv if word.startswith("--")]
        assert [word for word in said if flag_named(word) is None] == []


@given(cases(st.just([])))
def test_what_a_version_can_say_every_later_one_can(case: Case) -> None:
    """But for the whole card, nothing that the suite says by itself is lost by an upgrade."""
    can = [isinstance(words_of(case, rung, setting_of(case)), Words) for rung in RUNGS]
    lost = [newer for (old, new), newer in zip(pairwise(can), RUNGS[1:], strict=True) if old > new]
    whole = case.card.kind == "gpu" and case.cell.gpu_memory_utilization == 1
    assert lost == ([Version("0.9.1")] if whole and any(can) else [])


@given(cases(), st.sampled_from(sorted(BETWEEN)))
def test_between_two_releases_the_words_are_the_older_ones(case: Case, version: Version) -> None:
    """A build, or a release that nobody read, is told what the rung below it is told."""
    rung = BETWEEN[version]
    # Which release serves a model first is known by itself, and may lie between two that were read.
    assume(not rung < Version(case.model.since) <= version)
    here, there = (words_of(case, each, setting_of(case)) for each in (version, rung))
    if isinstance(there, Words):
        assert here == there
    else:
        assert isinstance(here, Unsupported)


@pytest.mark.parametrize("version", ["0.5.3.post1", "0.5.4.dev3", "0.4.0", "0.0.1"])
def test_what_is_older_than_the_table_is_refused(version: str) -> None:
    """Nothing is known of the flags of an older version; a build of 0.5.4 is 0.5.4."""
    if version.startswith("0.5.4"):
        assert _words(_gpu_case(), version)
    else:
        assert _why(_gpu_case(), version) == "older than 0.5.4"


@pytest.mark.parametrize("version", ["0.9.1", "0.9.1.dev2", "0.29.0", "1.0"])
def test_the_whole_card_cannot_be_asked_for_from_0_9_1_on(version: str) -> None:
    """vLLM asks for the free memory that it may use before it starts: all is never free."""
    assert "--gpu-memory-utilization 1.0 cannot start from 0.9.1" in _why(_gpu_case(1.0), version)
    assert _value(_words(_gpu_case(0.99), version), "--gpu-memory-utilization") == "0.99"
    assert _value(_words(_gpu_case(1.0), "0.9.0.1"), "--gpu-memory-utilization") == "1.0"


def test_the_whole_share_is_moot_on_the_cpu_card() -> None:
    """The KV cache's size is said outright there, so that the share asks for nothing."""
    cell = a_case().cell.model_copy(update={"gpu_memory_utilization": 1.0})
    words = _words(a_case().model_copy(update={"cell": cell}), "0.29.0")
    assert _value(words, "--gpu-memory-utilization") == "1.0"
    assert words.env["VLLM_CPU_KVCACHE_SPACE"] == "1"


@pytest.mark.parametrize(
    ("images", "videos", "version", "said"),
    [
        (2, None, "0.5.5", "image=2"),
        (2, None, "0.8.5", "image=2"),
        (2, None, "0.8.5.post1", '{"image": 2}'),
        (2, 0, "0.7.3", "image=2,video=0"),
        (None, 0, "0.29.0", '{"video": 0}'),
        (2, 1, "0.29.0", '{"image": 2, "video": 1}'),
        (None, None, "0.29.0", None),
        (1, None, "0.5.4", None),
        (1, 0, "0.5.4", None),
        (None, 0, "0.5.4", None),
    ],
)
def test_limits_are_said_as_the_version_reads_them(
    monkeypatch: pytest.MonkeyPatch, images: int | None, videos: int | None, version: str, said: str
) -> None:
    """Pairs at first, JSON later; what is 0.5.4's own limit needs no flag."""
    model = PROFILES["minicpmv-2.6"]._replace(images_per_prompt=images, videos_per_prompt=videos)
    monkeypatch.setitem(PROFILES, model.name, model)
    assert _value(_words(_gpu_case(), version), "--limit-mm-per-prompt") == said


@pytest.mark.parametrize(("images", "videos"), [(2, None), (0, None), (1, 1), (None, 2)])
def test_the_oldest_version_takes_one_picture(
    monkeypatch: pytest.MonkeyPatch, images: int | None, videos: int | None
) -> None:
    """0.5.4 has no flag for any other limit, and says so."""
    model = PROFILES["minicpmv-2.6"]._replace(images_per_prompt=images, videos_per_prompt=videos)
    monkeypatch.setitem(PROFILES, model.name, model)
    assert "--limit-mm-per-prompt came with 0.5.5" in _why(_gpu_case(), "0.5.4")


def test_remote_code_is_trusted_where_the_model_brings_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A model that needs no code of its own runs none."""
    assert "--trust-remote-code" in _words(_gpu_case(), "0.29.0").argv
    model = PROFILES["minicpmv-2.6"]._replace(trust_remote_code=False)
    monkeypatch.setitem(PROFILES, model.name, model)
    assert "--trust-remote-code" not in _words(_gpu_case(), "0.29.0").argv


def test_a_model_is_refused_before_its_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """The release that first served the model is told, and compared as it is, not by its rung."""
    monkeypatch.setitem(PROFILES, "minicpmv-2.6", PROFILES["minicpmv-2.6"]._replace(since="0.10.1"))
    assert _why(_gpu_case(), "0.10.0") == "minicpmv-2.6 is served from 0.10.1 on"
    assert _words(_gpu_case(), "0.10.1")
    assert _words(_gpu_case(), "0.10.1rc1")


@pytest.mark.parametrize(
    ("version", "flags"),
    [
        ("0.5.4", {"--disable-log-requests", "--disable-frontend-multiprocessing"}),
        ("0.5.5", {"--disable-log-requests"}),
        ("0.10.1", {"--disable-log-requests"}),
        ("0.10.1.1", set()),
        ("0.16.0", set()),
        ("0.33.0", set()),
    ],
)
def test_requests_are_logged_nowhere_and_the_oldest_front_end_is_its_engine(
    version: str, flags: set[str]
) -> None:
    """Logging is turned off where it is on unless told; 0.5.4 must not wait for a dead child."""
    mine = {word for word in _words(_gpu_case(), version).argv if word.startswith("--disable")}
    assert mine == flags


def test_a_gpu_is_named_as_the_version_can_read_it() -> None:
    """By its number in the order of the buses, and by its UUID from 0.24 on."""
    before, after = (_words(_gpu_case(), version).env for version in ("0.23.0", "0.24.0"))
    assert before["CUDA_VISIBLE_DEVICES"] == str(A6000.number)
    assert after["CUDA_VISIBLE_DEVICES"] == A6000.uuid
    assert before["CUDA_DEVICE_ORDER"] == after["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


def test_without_a_gpu_none_is_named() -> None:
    """No device given, or a card that is none: the server sees what is there."""
    nowhere = Setting("/m", "m", "::1", 1)
    for case, device in ((_gpu_case(), None), (a_case(), A6000)):
        words = words_of(case, Version("0.29.0"), nowhere._replace(device=device))
        assert isinstance(words, Words)
        assert not [name for name in words.env if name.startswith("CUDA")]


def test_only_gpu_cards_are_told_how_many() -> None:
    """One GPU, whatever the machine has; the CPU build is told nothing."""
    assert _value(_words(_gpu_case(), "0.29.0"), "--tensor-parallel-size") == "1"
    assert _value(_words(a_case(), "0.29.0"), "--tensor-parallel-size") is None


def test_no_start_learns_from_an_earlier_one() -> None:
    """A plan kept from the last start is turned off in the versions that keep one."""
    assert "VLLM_ENABLE_STARTUP_PLAN" not in _words(_gpu_case(), "0.25.1").env
    assert _words(_gpu_case(), "0.26.0").env["VLLM_ENABLE_STARTUP_PLAN"] == "0"


@pytest.mark.parametrize("version", ["0.5.4", "0.29.0"])
def test_the_cuda_allocator_is_set_by_the_name_that_every_torch_reads(version: str) -> None:
    """One variable for all versions: torch 2.9.1 does not listen to the newer name."""
    env = _words(_gpu_case(None, "expandable"), version).env
    assert env["PYTORCH_CUDA_ALLOC_CONF"] == "expandable_segments:True"
    assert "PYTORCH_ALLOC_CONF" not in env


@pytest.mark.parametrize(
    ("flag", "version", "why"),
    [
        ("--kv-cache-memory-bytes=1", "0.10.1.1", "--kv-cache-memory-bytes came with 0.10.2"),
        ("--swap_space=0", "0.29.0", "--swap-space was removed in 0.18.1"),
    ],
)
def test_a_flag_that_the_version_has_not_is_told(flag: str, version: str, why: str) -> None:
    """A cell's further flag that is known to be missing makes a reason, not a crash at start."""
    assert _why(_gpu_case(None, "default", flag), version) == why


def test_a_models_own_flag_is_held_to_the_table_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that needs a flag is not served by a version without it."""
    model = PROFILES["minicpmv-2.6"]._replace(flags=("--media-io-kwargs", "{}"))
    monkeypatch.setitem(PROFILES, model.name, model)
    assert _why(_gpu_case(), "0.9.1") == "--media-io-kwargs came with 0.9.2"


@pytest.mark.parametrize(
    "added", [("--max-num-batched-tokens", "4096"), ("--max_num_batched_tokens=4096",)]
)
def test_a_cells_flag_stands_in_the_place_of_its_models(added: tuple[str, ...]) -> None:
    """However it is spelled it is said once, and the model's other flags keep their values."""
    own = PROFILES["wide"].flags
    at = own.index("--max-num-batched-tokens")
    cell = a_case().cell.model_copy(update={"extra_flags": added})
    case = a_case().model_copy(update={"model_name": "wide", "cell": cell})
    assert case.flags == (*own[:at], *own[at + 2 :], *added)


def test_a_flag_that_nobody_knows_is_vllms_to_judge() -> None:
    """A flag newer than the table is passed on as it stands."""
    assert _words(_gpu_case(None, "default", "--of_the_future=1"), "0.5.4").argv[-1] == (
        "--of_the_future=1"
    )


def _on_h100(case: Case, version: str) -> Words | Unsupported:
    h100 = CARDS["gpu48"].on(Gpu(1, "GPU-h100", "NVIDIA H100 80GB HBM3", 81_559 * MIB))
    return words_of(case, Version(version), setting_of(case)._replace(device=h100))


@pytest.mark.parametrize(
    ("share", "version", "said"),
    [
        (None, "0.29.0", "0.5196"),
        (0.9, "0.29.0", "0.5083"),
        (0.9, "0.9.0", "0.9435"),
        (1.0, "0.6.3", "0.5648"),
    ],
)
def test_an_emulated_cards_share_is_said_of_the_gpu(
    share: float | None, version: str, said: str
) -> None:
    """vLLM plans by the GPU's total: what is meant of the card is rescaled, and always said."""
    words = _on_h100(_gpu_case(share), version)
    assert isinstance(words, Words)
    assert _value(words, "--gpu-memory-utilization") == said
    assert words.argv.count("--gpu-memory-utilization") == 1


def test_an_emulated_card_schedules_its_own_tokens_unless_the_cell_says_more() -> None:
    """The card's default is said where the GPU's is another; a cell's own flag comes after it."""
    words = _on_h100(_gpu_case(), "0.29.0")
    assert isinstance(words, Words)
    assert _value(words, "--max-num-batched-tokens") == "2048"
    own = _on_h100(_gpu_case(None, "default", "--max-num-batched-tokens", "4096"), "0.29.0")
    assert isinstance(own, Words)
    assert _value(own, "--max-num-batched-tokens") == "4096"


def test_on_the_card_itself_nothing_is_rescaled() -> None:
    """What emulation adds is said nowhere else."""
    words = _words(_gpu_case(), "0.29.0")
    assert not {"--gpu-memory-utilization", "--max-num-batched-tokens"} & set(words.argv)


def test_the_whole_of_an_emulated_card_is_refused_where_that_of_a_real_one_is() -> None:
    """A cell that a version cannot express is not made expressible by another GPU."""
    assert _on_h100(_gpu_case(1.0), "0.9.1") == _of(_gpu_case(1.0), "0.9.1")
