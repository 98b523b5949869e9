"""Threads that have nothing to do sleep, and a child process has threads of its own."""

import sys
from pathlib import Path

import pytest
from fresh import output

# Nothing but NumPy and this library: other libraries' threads, or a fork that they object to, are
# not ours to judge.
SLEEP = """
import threading, time
from pathlib import Path
import fastsoftmax as fs
import numpy as np

def states():
    mine = threading.get_native_id()
    tasks = (t for t in Path("/proc/self/task").iterdir() if int(t.name) != mine)
    return [(t / "stat").read_text().rpartition(")")[2].split()[0] for t in tasks]

x = np.ones((2048, 1024), np.float32)
before = len(states())
fs.online(x, threads=2)
print("started", len(states()) - before)
asleep, deadline = 0, time.monotonic() + 60
while asleep < 50 and time.monotonic() < deadline:
    time.sleep(0.001)
    asleep = asleep + 1 if all(state == "S" for state in states()) else 0
print("asleep", asleep)
"""


@pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="this system has no /proc/self/task"
)
def test_idle_threads_sleep() -> None:
    """The pool's thread is found asleep 50 times in a row; one that spins runs, or waits to."""
    assert output("-c", SLEEP).split("\n")[:2] == ["started 1", "asleep 50"]


FORK = """
import multiprocessing
import fastsoftmax as fs
import numpy as np

def child(x, queue):
    queue.put(fs.online(x, threads=2))

x = np.random.default_rng(0).standard_normal((600, 1000), dtype=np.float32)
expected = fs.online(x, threads=2)
context = multiprocessing.get_context("fork")
queue = context.Queue()
process = context.Process(target=child, args=(x, queue))
process.start()
found = queue.get(timeout=60)
process.join(60)
print(process.exitcode, np.array_equal(found, expected))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no fork")
def test_a_forked_child_has_a_pool_of_its_own() -> None:
    """The parent's threads don't exist in the child, which must not wait for them."""
    assert output("-W", "ignore::DeprecationWarning", "-c", FORK).split() == ["0", "True"]


BUSY_FORK = """
import os, threading
import fastsoftmax as fs
import numpy as np

x = np.random.default_rng(0).standard_normal((600, 1000), dtype=np.float32)
expected, stop, failed = fs.online(x, threads=1), threading.Event(), []

def work():
    while not stop.is_set():
        fs.online(x, threads=2)

def forks():
    for _ in range(10):
        child = os.fork()
        if not child:
            os._exit(0 if np.array_equal(fs.online(x, threads=2), expected) else 1)
        failed.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0)

workers = [threading.Thread(target=work) for _ in range(2)]
[w.start() for w in workers]
forks()
forker = threading.Thread(target=forks)
forker.start(), forker.join()
stop.set()
print(len(failed), sum(failed))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no fork")
def test_fork_while_other_threads_are_inside_calls() -> None:
    """From the main thread and from another, whatever the pool's locks were at that moment."""
    assert output("-W", "ignore::DeprecationWarning", "-c", BUSY_FORK).split() == ["20", "0"]
