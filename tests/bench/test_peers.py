"""Other libraries in the benchmark: each one here is right, and none of them is needed."""

import json
from typing import Any

import fastsoftmax as fs
import fresh
import numpy as np
import pytest
from benched import Load
from repository import BENCH

NAMES = (
    "std::exp loop",
    "numpy",
    "scipy",
    "torch",
    "torch.compile",
    "jax",
    "XNNPACK",
    "ONNX Runtime",
    "OpenVINO",
)
INT8_NAMES = ("LiteRT", "ONNX Runtime", "OpenVINO", "torch.compile")


def test_every_peer_has_a_test(bench: Load) -> None:
    """The names below are those of the registries."""
    assert tuple(peer.name for peer in bench("peers.registry").PEERS) == NAMES
    assert tuple(peer.name for peer in bench("peers.int8").PEERS) == INT8_NAMES


CHECK = """
import sys
sys.path.insert(0, {bench!r})
import fastsoftmax as fs
import numpy as np
from peers import registry
surveyed = registry.survey({threads}, ({name!r},))
for reason in surveyed.absent.values():
    print("absent:", reason)
for peer in surveyed.present:
    # a slow one compiles for each shape: the survey's own trial has to do
    for shape in () if peer.slow else ((1, 1), (7, 33), (64, 128), (3, 5000)):
        x = np.random.default_rng(list(shape)).normal(0, 3, shape).astype(np.float32)
        bound = peer.softmax(x, np.zeros_like(x), {threads})
        for _ in range(2):
            exact = fs.reference.online(x)
            assert np.allclose(bound.run_once(), exact, rtol=1e-5, atol=1e-30), shape
        if peer.logsumexp:
            found = peer.logsumexp(x, {threads}).run_once()
            assert np.allclose(found, fs.reference.logsumexp(x), rtol=1e-5, atol=1e-5), shape
    print("right")
"""


@pytest.mark.parametrize(
    ("name", "threads"),
    [(name, n) for name in NAMES for n in ((2,) if name == "torch.compile" else (1, 2))],
)
def test_peer_is_right_or_says_why_it_is_absent(name: str, threads: int) -> None:
    """Softmax and log-sum-exp within 1e-5, run twice; in a process of its own.

    Some of these libraries object when the process that imported them forks, as other tests do.
    """
    code = CHECK.format(bench=str(BENCH), name=name, threads=threads)
    last = fresh.output("-c", code).splitlines()[-1]
    if last.startswith("absent: "):
        pytest.skip(last)
    assert last == "right"


INT8_CHECK = """
import sys
sys.path.insert(0, {bench!r})
import numpy as np
from peers import int8
present, absent = int8.survey({threads}, False, ({name!r},))
for reason in absent.values():
    print("absent:", " ".join(reason.split())[:200])
for peer in present:
    for shape in ((7, 33),) if peer.slow else ((1, 1), (7, 33), (64, 128)):
        x = int8.logits(shape)
        bound = peer.softmax(x, np.zeros(shape, np.uint8), {threads})
        for _ in range(2):
            found = bound.run_once()
            assert np.abs(found - int8.exact(x)).max() <= 1 / 255, shape
    print("right")
"""


@pytest.mark.parametrize("name", INT8_NAMES)
def test_int8_peer_is_right_or_says_why_it_is_absent(bench: Load, name: str) -> None:
    """Within one step of 8 bits, run twice; in a process of its own, as above."""
    slow = next(peer.slow for peer in bench("peers.int8").PEERS if peer.name == name)
    code = INT8_CHECK.format(bench=str(BENCH), name=name, threads=1 if slow else 2)
    last = fresh.output("-c", code).splitlines()[-1]
    if last.startswith("absent: "):
        pytest.skip(last)
    assert last == "right"


def test_int8_peers_that_are_wrong_or_missing_are_absent(
    bench: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with its reason; slow ones are left out of a quick look."""
    peers, bound = bench("peers.int8"), bench("peers.prepared_call")

    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}")

    wrong = peers.Int8Peer("wrong", lambda x, out, threads: bound.keeping(lambda: x / 127))
    for module in (peers, bench("peers.models")):
        monkeypatch.setattr(module, "library", missing)
    monkeypatch.setattr(peers, "PEERS", (*peers.PEERS, wrong))
    peers.survey.cache_clear()
    present, absent = peers.survey(quick=True)
    peers.survey.cache_clear()
    assert present == ()
    assert set(absent) == {*INT8_NAMES, "wrong"}
    assert absent["wrong"].startswith("off by")
    assert "No module named" in absent[INT8_NAMES[0]]
    assert absent[INT8_NAMES[-1]] == "left out of a quick run"


def test_registry_without_any_peer(bench: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be imported is absent with its reason; the note of a table names it."""
    peers, bound = bench("peers.registry"), bench("peers.prepared_call")

    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}")

    for module in (bound, bench("peers.arrays"), bench("peers.models")):
        monkeypatch.setattr(module, "library", missing)
    peers.survey.cache_clear()
    surveyed = peers.survey()
    peers.survey.cache_clear()
    assert tuple(peer.name for peer in surveyed.present) == NAMES[:2]
    assert set(surveyed.absent) == set(NAMES[2:])
    assert "No module named" in surveyed.absent["torch"]
    assert all(name in surveyed.note() for name in NAMES[2:])


def test_a_peer_that_is_wrong_or_crashes_is_absent(
    bench: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Importing is not enough: a peer must also compute a softmax."""
    peers, bound = bench("peers.registry"), bench("peers.prepared_call")

    def crash() -> None:
        raise RuntimeError("illegal instruction")

    wrong = peers.Peer("wrong", lambda x, out, threads: bound.keeping(lambda: x))
    crashing = peers.Peer("crashing", lambda x, out, threads: bound.Bound(crash, lambda: out))
    monkeypatch.setattr(peers, "PEERS", (wrong, crashing))
    peers.survey.cache_clear()
    surveyed = peers.survey()
    peers.survey.cache_clear()
    assert not surveyed.present
    assert surveyed.absent["wrong"].startswith("off by")
    assert surveyed.absent["crashing"] == "RuntimeError: illegal instruction"


def test_targets_are_complete(bench: Load) -> None:
    """Every shape has both ISAs, every length between the classes a shape to stand beside."""
    targets = bench("lib.targets")
    wanted = targets.load()
    stored = json.loads(targets.STORED.read_text(encoding="utf-8"))
    assert len(wanted.softmax) == len(stored["softmax"]) == 11
    isas = {"avx512", "avx2"}  # by name: the targets are set for these
    assert all(set(ratios) == isas for ratios in wanted.softmax.values())
    lengths = {columns for _, columns in wanted.softmax}
    assert set(wanted.neighbours.values()) <= lengths
    assert wanted.int8 == 20
    assert set(wanted.int8_error.values()) == {0.052, 0.0006}
    assert targets.verdict(0.5, 0.5) == "ok"
    assert targets.verdict(0.51, 0.5) == "MISS"
    assert targets.verdict(0.5, None) is None
    assert targets.at_least(1.3, 1.3) == "ok"
    assert targets.at_least(1.29, 1.3) == "MISS"
    assert targets.at_least(1.3, None) is None


def test_aligned_arrays_are_aligned_and_hold_the_same_logits(bench: Load) -> None:
    """At a multiple of 64 bytes, whatever the size."""
    contest, study = bench("peers.race"), bench("lib.case")
    for shape in ((1, 1), (3, 5), (1000, 129)):
        x, out = contest._arrays(shape, study.Options(aligned=True))
        assert x.ctypes.data % 64 == out.ctypes.data % 64 == 0
        assert x.shape == out.shape == shape
        assert np.array_equal(x, contest._arrays(shape, study.Options())[0])
        assert not np.shares_memory(x, out)


def test_denormal_rows_are_denormal(bench: Load) -> None:
    """One kind has denormal weights, the other normal ones with denormal quotients."""
    denormals = bench("cases.peers.denormals")
    tiny = np.finfo(np.float32).tiny
    for kind, make in denormals.KINDS.items():
        x = make((4, 64)).astype(np.float64)
        weights = np.exp(x - x.max(axis=1, keepdims=True))
        small = weights < 0.5
        results = weights / weights.sum(axis=1, keepdims=True)
        assert (results[small] < tiny).all(), kind
        assert (weights[small] < tiny).all() == (kind == "weights")


def test_a_ratio_is_that_of_the_better_run(bench: Load) -> None:
    """Two runs of one shape make one row, with the other run's ratio beside it."""
    contest, tables = bench("peers.race"), bench("peers.tables")
    timing = bench("lib.timing")
    kernel = next(k for k in fs.kernels() if k.op == "online" and k.variant == "exact")
    name = contest.label(kernel)

    def run(ours: float, peer: float) -> Any:
        times = {name: ours, "slow": 9.0, "quick": peer, contest.COPY: 0.5}
        return contest.Contest(
            (2, 33),
            {name: kernel},
            {key: timing.Timing(value, value) for key, value in times.items()},
            {name: 1e-7, "slow": 1e-6, "quick": 2e-6},
        )

    contests = [run(2.0, 2.0), run(1.5, 2.0)]
    table = tables.against("title", "rel error", "", contests, lambda shape, kernel: 0.7)
    assert len(table.rows) == 1
    found = dict(zip(table.columns, table.rows[0], strict=True))
    assert found["fastest peer"] == "quick"
    assert found["ours/peer"] == pytest.approx(0.75)
    assert found[""] == "MISS"
    assert found["other runs"] == "1.00"
    assert found["ours/copy"] == pytest.approx(3.0)
    assert found["peer's rel error"] == 2e-6
    everybody = tables.everybody("all", contests)
    assert everybody.rows == [["2x33", 1.5, 9.0, 2.0, 0.5]]


def test_a_job_that_wakes_a_thread_is_told_from_one_that_does_not(bench: Load) -> None:
    """By the sleeps that /proc counts; too little work for a second thread wakes none."""
    small = bench("cases.peers.small")
    few, many = np.zeros((1, 1024), np.float32), np.zeros((2048, 1024), np.float32)
    if small.wakes(lambda: None) is None:
        pytest.skip("this system has no /proc/self/task")
    assert not small.wakes(lambda: fs.online(few, threads=2))
    # on a busy machine a woken thread may come too late to be counted
    assert any(small.wakes(lambda: fs.online(many, threads=2)) for _ in range(10))
