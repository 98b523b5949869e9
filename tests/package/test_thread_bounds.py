"""What bounds the threads of a call: the environment, the affinity mask, threadpoolctl."""

import os
from pathlib import Path

import pytest
from fresh import output

DEFAULT = "import fastsoftmax; print(fastsoftmax.info()['threads by default'])"


@pytest.mark.parametrize(
    ("value", "threads"),
    [("3", 3), ("4,2", 4), (" 2 ", 2), ("\t5 , 1", 5), ("5000", 4096), ("4096,x", 4096)]
    + [(v, None) for v in ("", " ", "0", "-2", "two", "3x", "1e3", ",3", "9" * 30, "-" + "9" * 30)],
)
def test_openmp_s_number_of_threads(value: str, threads: int | None) -> None:
    """OMP_NUM_THREADS counts where ours is unset or empty, and where it says nothing, nothing."""
    unset = output("-c", DEFAULT).strip()
    expected = unset if threads is None else str(threads)
    assert output("-c", DEFAULT, OMP_NUM_THREADS=value).strip() == expected
    empty = {"FASTSOFTMAX_NUM_THREADS": "", "OMP_NUM_THREADS": value}
    assert output("-c", DEFAULT, **empty).strip() == expected
    ours = {"FASTSOFTMAX_NUM_THREADS": "7", "OMP_NUM_THREADS": value}
    assert output("-c", DEFAULT, **ours).strip() == "7"


# Every operation on a job that is worth two threads, and how many threads were started.
EVERY = """
import os
import numpy as np
import fastsoftmax as fs
from fastsoftmax import hccs, heinsen, int8

x = np.random.default_rng(0).standard_normal((4000, 1000), dtype=np.float32)
b, q = np.ones((4000, 1000), np.int8), x[:, :128].copy()
params = hccs.Params(0.1, 600, 1, 60, 1000, "wide")

def every(threads):
    before = len(os.listdir("/proc/self/task"))
    for f in fs.online, fs.log_softmax, fs.normalizer, fs.logsumexp, fs.scan:
        f(x, threads=threads)
    fs.online(x, axis=0, threads=threads), fs.online(x[:1].repeat(1000, 1), threads=threads)
    fs.online(x.astype(np.float16), threads=threads), fs.topk(x, 3, threads=threads)
    fs.int8.softmax(b, 0.1, threads=threads), fs.hccs.softmax(b, params, threads=threads)
    fs.heinsen.attention(q, q, q, threads=threads)
    return len(os.listdir("/proc/self/task")) - before

def default():
    return fs.info()["threads by default"]

"""

needs_tasks = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="this system has no /proc/self/task"
)
needs_two_cpus = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="one CPU, or a system without affinity masks",
)


@needs_tasks
def test_openmp_s_number_bounds_every_operation() -> None:
    """Workers that joblib holds to one thread start none; `threads` is asked for."""
    code = EVERY + "print(every(None), every(2))"
    assert output("-c", code, OMP_NUM_THREADS="1").split() == ["0", "1"]


AFFINITY = """
cpus = os.sched_getaffinity(0)
one = {min(cpus)}
all = default()
os.sched_setaffinity(0, one)
print(default(), every(None))
os.sched_setaffinity(0, cpus)
print(default() == all, every(None) > 0)
os.sched_setaffinity(0, one)
print(default())
child = os.fork()
if child:
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
else:
    narrow = default() == 1 and every(None) == 0
    os.sched_setaffinity(0, cpus)
    os._exit(0 if narrow and default() == all and every(None) > 0 else 1)
"""


@needs_tasks
@needs_two_cpus
def test_the_affinity_mask_may_change() -> None:
    """Each call goes by the mask of its time, in a child of fork as well."""
    before = "import warnings; warnings.simplefilter('ignore')\n"
    found = output("-c", before + EVERY + AFFINITY).split()
    assert found == ["1", "0", "True", "True", "1", "0"]


LIMIT = """
import threadpoolctl
from fastsoftmax import threadpool

def ours():
    (found,) = (i for i in threadpoolctl.threadpool_info() if i["user_api"] == "fastsoftmax")
    return found["num_threads"]

threadpool.register()
threadpool.register()
unlimited, expected = default(), fs.online(x, threads=1)
assert ours() == unlimited
with threadpoolctl.threadpool_limits(1):
    assert ours() == default() == 1
    assert np.array_equal(fs.online(x), expected)
    assert every(None) == every(2) == 0
    with threadpoolctl.threadpool_limits({"fastsoftmax": 3}):
        assert ours() == 3 and default() == min(unlimited, 3)
    assert ours() == default() == 1
with threadpoolctl.threadpool_limits(1, user_api="blas"):
    assert ours() == default() == unlimited
assert ours() == default() == unlimited
assert every(2) == 1 and every(4) > 0
print("good")
"""


@needs_tasks
@pytest.mark.parametrize("first", ["", "import threadpoolctl\n"])
def test_threadpoolctl_bounds_every_operation(first: str) -> None:
    """Its limit holds below `threads` as well, and leaves nothing behind."""
    assert output("-c", first + EVERY + LIMIT, OMP_NUM_THREADS="2").strip() == "good"


def test_threadpoolctl_finds_the_library() -> None:
    """Without a word from us it does so where it came first; nobody but the user imports it."""
    code = "import sys, {}; print(len(threadpoolctl.threadpool_info()))"
    alone = int(output("-c", "import numpy\n" + code.format("threadpoolctl")))
    assert int(output("-c", code.format("threadpoolctl, fastsoftmax"))) == alone + 1
    code = "import sys, fastsoftmax; print('threadpoolctl' in sys.modules)"
    assert output("-c", code).strip() == "False"
