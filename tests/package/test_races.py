"""Arrays that another thread writes meanwhile: any numbers may come out, but nothing crashes."""

import pytest
from fresh import python

#: What runs while a thread writes numbers, NaN and infinities over the arrays that it reads.
RUN = """
import threading
import time
import numpy as np
import fastsoftmax as fs
from fastsoftmax import heinsen, hccs, int8

random = np.random.default_rng(0)
n = 40000
logits = random.standard_normal(n)
single = logits.astype(np.float32)
half = logits.astype(np.float16)
quantised = random.integers(-128, 128, (4, n), dtype=np.int8)
keep = random.random(n) < 0.5
scales = np.full((4, 1), 0.1)[:, 0].copy()
head = hccs.Params(0.1, 600, 9, 63, n)
state = heinsen.State((), 16, 4096)
token = np.ones(16, np.float32), np.ones(16, np.float32), np.ones(4096, np.float32)
arrays = logits, single, half, quantised, keep
special = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-310]
stop = threading.Event()

def write():
    floats = logits.copy()
    bytes = quantised.copy()
    while not stop.is_set():
        random.shuffle(bytes[0])
        floats[random.integers(0, n, 2000)] = random.choice(special, 2000)
        for array in arrays:
            array[...] = bytes if array is quantised else floats > 0 if array is keep else floats
            array[..., ::2] = array[..., 1::2]
            array[...] = array[..., ::-1]

def ranked(x, k, **more):
    _, places = fs.topk(x, k, **more)
    assert ((places >= 0) & (places < n)).all()

def run():
    CALL

np.seterr(all="ignore")
threads = [threading.Thread(target=write) for _ in range(2)]
threads += [threading.Thread(target=lambda: [run() for _ in iter(stop.is_set, True)])]
for thread in threads:
    thread.start()
end = time.monotonic() + 1.5
while time.monotonic() < end:
    run()
stop.set()
for thread in threads:
    thread.join()
print("finished")
"""

CALLS = {
    "topk, sorted, float64": "ranked(logits, 100)",
    "topk, sorted, float32": "ranked(single, 5000)",
    "topk, sorted, all": "ranked(single, n)",
    "topk, sorted, float16": "ranked(half, 100)",
    "topk, sorted, mask": "ranked(single, 100, mask=keep)",
    "topk, one pass": "ranked(single, 64)",
    "topk, scalar": "ranked(logits, 64, isa='scalar')",
    "online": "fs.online(single), fs.online(single, mask=keep), fs.online(half)",
    "log_softmax": "fs.log_softmax(single), fs.log_softmax(logits.reshape(40, -1), axis=0)",
    "logsumexp": "fs.logsumexp(half), fs.normalizer(single, 'quad16'), fs.scan(logits)",
    "int8": "int8.softmax(quantised, 0.1, mask=keep), int8.softmax(quantised, 0.1)",
    "int8, scalar": "int8.softmax(quantised, 0.1, isa='scalar', out_dtype=np.int16)",
    "hccs": "hccs.softmax(quantised, head, mask=keep), hccs.softmax(quantised, head)",
    "MaxSum": "fs.MaxSum((), np.float64).update(logits).probabilities(logits)",
    "heinsen": "state.step(*token)",
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_nothing_crashes(call: str) -> None:
    """Two threads write while two compute; indices stay within the row."""
    result = python("-c", RUN.replace("CALL", call))
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["finished"]
