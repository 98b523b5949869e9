"""The interpreter ends in peace, whatever is being computed at that moment."""

import re

import pytest
from fresh import python
from repository import ROOT

# What a daemon thread calls again and again, each call a millisecond or so: every entry of the
# compiled core that gives up the GIL, with one thread and with those of the pool.
CALLS = {
    "online": "fs.online(x, out=y)",
    "online, one thread": "fs.online(x, out=y, threads=1)",
    "online, a new result": "fs.online(x)",
    "online, another axis": "fs.online(x, axis=0)",
    "online, float16": "fs.online(h)",
    "surrogate": "fs.online(x, 'quad16')",
    "log_softmax": "fs.log_softmax(x)",
    "normalizer": "fs.normalizer(x)",
    "logsumexp": "fs.logsumexp(x)",
    "topk": "fs.topk(x, 5)",
    "topk, float16": "fs.topk(h, 5)",
    "topk, sorted": "fs.topk(x, 1500)",
    "scan": "fs.scan(x)",
    "int8": "fs.int8.softmax(b, 0.1)",
    "hccs": "fs.hccs.softmax(b, params)",
    "heinsen": "fs.heinsen.attention(q, q, q)",
    "heinsen, a state": "state.update(q, q)",
    "MaxSum": "fs.MaxSum(200).update(x)",
    "weight": "_core.weight(variant, isa, *wide[:2])",
    "update": "_core.update(variant, isa, *wide, 10)",
}

DAEMON = """
import threading
import numpy as np
import fastsoftmax as fs
from fastsoftmax import _core, hccs, heinsen, int8, reference

x = np.random.default_rng(0).standard_normal((200, 2000), dtype=np.float32)
y, b, h = -np.abs(x), x.astype(np.int8), x.astype(np.float16)
q = x[:, :64].copy()
x[0] = y[0]
params = hccs.Params(0.1, 600, 1, 60, 2000, "wide")
state = heinsen.State((), 64, 64)
wide = np.tile(y[:1], (4, 50))
variant, isa = fs.variants("update")[0], fs.isas()[-1]

called = threading.Event()
def work():
    while True:
        {call}
        called.set()

threading.Thread(target=work, daemon=True).start()
assert called.wait(60)
"""


def ends(code: str, *options: str, **environment: str) -> None:
    """Run the script, which has to end as it should and say nothing."""
    result = python(*options, "-c", code, **environment)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("name", CALLS)
def test_a_daemon_thread_at_work(name: str) -> None:
    """It may not have the GIL any more, and nothing comes of it."""
    ends(DAEMON.format(call=CALLS[name]))


def test_a_daemon_thread_whose_call_fails() -> None:
    """What the work throws goes on with the GIL, or not at all."""
    call = """
        try:
            fs.online(x, "nonsense")
        except ValueError:
            pass"""
    ends(DAEMON.format(call=call))


def test_several_daemon_threads() -> None:
    """One has the pool, the others work alone."""
    ends(
        DAEMON.format(call=CALLS["online"])
        + "for _ in range(3): threading.Thread(target=work, daemon=True).start()\n"
    )


AT_EXIT = """
import atexit, threading
import numpy as np
import fastsoftmax as fs

x = np.random.default_rng(0).standard_normal((200, 2000), dtype=np.float32)
expected = fs.online(x, threads=1) if {before} else None

def last():
    p = fs.online(x, threads=2)
    assert expected is None or np.array_equal(p, expected)

class Late:
    def __init__(self): self.online = fs.online
    def __del__(self): self.online(x, threads=2)

atexit.register(last)
late = Late()
threading._register_atexit(last)
"""


@pytest.mark.parametrize("before", [False, True])
def test_calls_at_exit(before: bool) -> None:
    """Functions that run at exit, and objects that go last, find everything in place."""
    ends(AT_EXIT.format(before=before))


def test_the_gil_is_given_up_in_one_place() -> None:
    """A thread that wants it back while the interpreter ends has to be stopped: that is there."""
    if not (ROOT / "python").is_dir():
        pytest.skip("not a checkout")
    gives_up = re.compile(
        r"gil_scoped_release|call_guard|PyEval_(Save|Release|Restore)Thread|ALLOW_THREADS"
    )
    sources = [
        path
        for folder in ("python", "cuda", "cpp", "bench", "tests/hostcuda")  # by name: folders
        for path in (ROOT / folder).rglob("*.?pp")
        if gives_up.search(path.read_text())
    ]
    assert [path.name for path in sources] == ["without_gil.hpp"]
