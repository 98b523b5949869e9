"""Threads change neither bits nor behaviour: any count, several callers, the environment."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from fresh import output, python
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
SHAPES = [
    (4096, 33),
    (1024, 128),
    (257, 1000),
    (64, 4096),
    (3, 300_000),
    (1, 500_000),
    (7, 1, 90_000),
]


def _logits(shape: tuple[int, ...]) -> Float32:
    return np.random.default_rng(len(shape)).standard_normal(shape, dtype=np.float32) * 3


@pytest.mark.parametrize("shape", SHAPES)
def test_same_bits_for_every_number_of_threads(shape: tuple[int, ...]) -> None:
    """More threads than rows or CPUs, rows in memory order or gathered, every operation."""
    x = _logits(shape)
    for isa in fs.isas("online"):
        for view in (x, x[..., ::-1], np.asfortranarray(x)):
            alone = fs.online(view, threads=1, isa=isa)
            state = fs.normalizer(view, threads=1, isa=isa)
            logs = fs.log_softmax(view, threads=1, isa=isa)
            for threads in (2, 3, 7, 16):
                np.testing.assert_array_equal(fs.online(view, threads=threads, isa=isa), alone)
                shared = fs.normalizer(view, threads=threads, isa=isa)
                np.testing.assert_array_equal(shared, state)
                shared_logs = fs.log_softmax(view, threads=threads, isa=isa)
                np.testing.assert_array_equal(shared_logs, logs)
            np.testing.assert_array_equal(fs.online(view, isa=isa), alone)


def test_an_error_free_row_beside_bad_ones() -> None:
    """NaN stays in its row whichever thread has it."""
    x = _logits((2000, 200))
    x[::7, 3] = np.nan
    p = fs.online(x, threads=4)
    assert np.isnan(p[::7]).all()
    assert np.isfinite(np.delete(p, np.s_[::7], axis=0)).all()


def test_every_variant() -> None:
    """Surrogates' rows aren't shared, but threads divide them; short rows and long ones."""
    for variant in fs.variants("online"):
        for shape in ((3, 100_000), (700, 300)):
            x = _logits(shape)
            alone = fs.online(x, variant, threads=1)
            for threads in (2, 7):
                np.testing.assert_array_equal(fs.online(x, variant, threads=threads), alone)


def test_one_job_after_another() -> None:
    """Threads that still look out for work, that sleep already, and that come too late."""
    x = _logits((512, 512))
    expected = fs.online(x, threads=1)
    for pause in (0.0, 0.0, 1e-5, 3e-5, 1e-4, 1e-3) * 20:
        time.sleep(pause)
        np.testing.assert_array_equal(fs.online(x, threads=2), expected)
        np.testing.assert_array_equal(fs.online(x[:260], threads=3), expected[:260])


def test_several_python_threads_at_once() -> None:
    """The pool is one; whoever comes second works alone, and right."""
    x = _logits((600, 1000))
    expected = fs.online(x, threads=1)
    with ThreadPoolExecutor(4) as pool:
        for p in pool.map(lambda _: fs.online(x, threads=2), range(40)):
            np.testing.assert_array_equal(p, expected)


@pytest.mark.parametrize(
    ("threads", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (1.5, TypeError),
        (True, TypeError),
        ("2", TypeError),
        (10**6, ValueError),
        (10**30, ValueError),
    ],
)
def test_bad_numbers_of_threads(threads: Any, error: type[Exception]) -> None:
    """Refused in words, by every operation."""
    x = _logits((2, 8))
    for f in (fs.online, fs.normalizer, fs.logsumexp, fs.scan):
        with pytest.raises(error, match="threads"):
            f(x, threads=threads)


def test_integers_of_other_kinds() -> None:
    """What has __index__ is a number of threads, as it is an axis."""
    x = _logits((2, 8))
    assert np.array_equal(fs.online(x, threads=np.int64(2)), fs.online(x))  # type: ignore[arg-type]


def test_the_environment_sets_the_default() -> None:
    """FASTSOFTMAX_NUM_THREADS is read once; nonsense is refused at import, in words."""
    code = "import fastsoftmax; print(fastsoftmax.info()['threads by default'])"
    assert output("-c", code, FASTSOFTMAX_NUM_THREADS="3").strip() == "3"
    for value in ("0", "-2", "two", "1e3", "2 ", "5000"):
        result = python("-c", "import fastsoftmax", FASTSOFTMAX_NUM_THREADS=value)
        assert result.returncode != 0
        assert "FASTSOFTMAX_NUM_THREADS" in result.stderr
        assert value in result.stderr


def test_the_affinity_mask_sets_the_default() -> None:
    """A process held to one CPU starts no threads."""
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "import fastsoftmax; print(fastsoftmax.info()['threads by default'])"
    )
    assert output("-c", code).strip() == "1"
