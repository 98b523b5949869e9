"""Hashes of what every kernel computes, so that two builds can be compared bit for bit.

    python tests/support/bits.py > before.txt
    python tests/support/bits.py --against before.txt

The first prints a line for each kernel that runs here, its id, dtype and hash, and one for all.
The second names the kernels whose bits differ and those that are in one build only, and ends with
status 1 if there are any. `--only TEXT` takes the kernels whose id contains the text.

Inputs are made of integers by a generator of our own, so hashes hang on no version of NumPy. They
belong to a machine: another ISA by default or another libm may give other ones. A NaN counts as a
NaN, whatever its sign and payload. The script asks for nothing but the package's functions (for the
operations `weight` and `update`, which have no public one, for those that tests use), so it runs
with older builds, too.
"""

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import fastsoftmax as fs
import ml_dtypes
import numpy as np
from fastsoftmax import hccs, heinsen, int8

Array = np.ndarray[Any, Any]
#: Rows of all kinds: tails of vectors, groups of short rows, passes, pipelines, long rows.
LENGTHS = (
    *(0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 47, 63, 64, 65, 100, 127, 129, 191, 193),
    *(255, 257, 511, 513, 1000, 2047, 2049, 4097, 6143, 6145, 16385, 40001),
)
#: Lengths and numbers of columns: one tile or several, strips, folded rows, blocks down memory.
COLUMNS = tuple(product((1, 2, 15, 17, 130, 2049), (1, 2, 5, 16, 31, 32, 33, 150, 257)))
PAST_CACHE = 25 << 20  # bytes of a batch that goes past the cache
HALVES = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))


def integers(seed: int, shape: Any, bits: int) -> Array:
    """Draw non-negative integers of so many bits: splitmix64 of a counter."""
    count = int(np.prod(shape, dtype=np.int64))
    z = np.arange(1, count + 1, dtype=np.uint64) + np.uint64(seed << 32)
    z *= np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(64 - bits)).astype(np.int64).reshape(shape)


@cache
def logits(dtype: str, shape: tuple[int, ...], seed: int = 0) -> Array:
    """Draw logits about 0 with a standard deviation of 2.3; read-only."""
    sums = integers(2 * seed + 1, shape, 20) + integers(2 * seed + 2, shape, 20)
    made = ((sums - (1 << 20)) / (1 << 18) * 1.4).astype(dtype)
    made.flags.writeable = False
    return made


@cache
def edges(dtype: str, n: int) -> Array:
    """Rows of infinities, NaN, denormals, zeros of both signs and logits near the cut-offs."""
    x = logits(dtype, (13, n)).copy()
    limits = np.finfo(x.dtype)
    far = 87.3 if x.dtype == np.float32 else 708.2
    x[0] = -np.inf
    x[1, n // 2] = np.nan
    x[2, n // 3] = np.inf
    x[3, ::3] = -np.inf
    x[4] = limits.smallest_subnormal * integers(7, n, 8).astype(x.dtype)
    x[5] = np.where(integers(8, n, 1), 0.0, -0.0)
    x[6] = limits.max
    x[7] = -limits.max
    x[8, :-1] -= x.dtype.type(30000)
    x[9] = -far + (integers(9, n, 10) - 512).astype(x.dtype) / 2048
    x[9, n // 2] = 0
    x[10] = np.arange(n, dtype=x.dtype) / 8
    x[11] = -np.arange(n, dtype=x.dtype) / 8
    x[12, :1] = limits.max
    return x


def chosen(dtype: str, shape: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    """Give the options of an operation on rows: scale, masks, sinks and some of them together."""
    keep = integers(3, shape, 2) > 0
    added = np.where(keep, (integers(4, shape, 8) / 64).astype(dtype), -np.inf).astype(dtype)
    sink = (integers(5, shape[:-1], 8) / 32).astype(dtype)
    yield {"scale": 0.125}
    yield {"mask": keep}
    yield {"mask": keep[..., :1, :]}
    yield {"mask": added}
    yield {"scale": -0.7, "mask": added[..., :1, :]}
    yield {"sink": 1.5}
    yield {"scale": 1.3, "mask": keep, "sink": sink}


def adapted(call: Callable[..., Any], dtype: str, sinks: bool = True) -> Iterator[Any]:
    """Give the results of an operation with every option, on rows and on columns."""
    for shape in ((5, 1), (33, 17), (9, 100), (3, 700), (2, 7001)):
        for options in chosen(dtype, shape):
            if sinks or "sink" not in options:
                yield call(logits(dtype, shape), **options)
    for options in chosen(dtype, (3, 33, 40)):
        if sinks or "sink" not in options:
            options = {k: v.swapaxes(1, 2) if k == "mask" else v for k, v in options.items()}
            yield call(logits(dtype, (3, 40, 33)), axis=1, **options)


def layouts(call: Callable[..., Any], dtype: str) -> Iterator[Any]:
    """Give the results of an operation for all lengths and layouts, and at the edges."""
    for n in LENGTHS:
        yield call(logits(dtype, (min(37, 1 + 60000 // (n + 1)), n)))
    for shape in COLUMNS:
        yield call(logits(dtype, shape), axis=0)
    for n in (1, 5, 16, 67, 600, 7000):
        yield call(edges(dtype, n))
        yield call(edges(dtype, n).T, axis=0)
        yield call(edges(dtype, n), mask=~np.isnan(edges(dtype, n)), sink=1.0)
    yield call(logits(dtype, (7, 600))[:, ::2])
    yield call(logits(dtype, (5, 3, 40, 7)), axis=2)
    yield call(logits(dtype, (41, 1000))[:, 1:-2])
    for threads in (1, 2, 3):
        yield call(logits(dtype, (300, 900)), threads=threads)
        yield call(logits(dtype, (1, 300001)), threads=threads)
        yield call(logits(dtype, (3000, 50)), axis=0, threads=threads)


def halves(call: Callable[..., Any], dtype: str) -> Iterator[Any]:
    """Give the results for float16 and bfloat16, which the kernels of float32 take."""
    for half in HALVES if dtype == "float32" else ():
        for shape in ((37, 5), (9, 67), (3, 1000), (2, 7001)):
            yield call(logits(dtype, shape).astype(half))
            yield call(logits(dtype, shape).astype(half), axis=0)
            yield call(logits(dtype, shape).astype(half), scale=0.3, sink=0.5)


def rows(kernel: fs.Kernel) -> Iterator[Any]:
    """Give the results of softmax and its logarithm."""

    def call(x: Array, **options: Any) -> Any:
        return getattr(fs, kernel.op)(x, kernel.variant, isa=kernel.isa, **options)

    yield from layouts(call, kernel.dtype)
    yield from adapted(call, kernel.dtype)
    yield from halves(call, kernel.dtype)
    for n in (2049, 5003):
        x = logits(kernel.dtype, (PAST_CACHE // 5003 // np.dtype(kernel.dtype).itemsize, 5003))
        flat = x.reshape(-1)[: x.size // n * n].reshape(-1, n)
        yield call(flat, out=np.empty_like(flat))
    for shape in ((50, 3), (9, 400), (3, 7001)):
        inside = logits(kernel.dtype, shape).copy()
        yield call(inside, out=inside)


def states(kernel: fs.Kernel) -> Iterator[Any]:
    """Give the results of the sum and of its logarithm."""
    for op in (fs.normalizer, fs.logsumexp):

        def call(x: Array, *, op: Any = op, **options: Any) -> Any:
            return op(x, kernel.variant, isa=kernel.isa, **options)

        yield from layouts(call, kernel.dtype)
        yield from adapted(call, kernel.dtype)
        yield from halves(call, kernel.dtype)


def ranked(kernel: fs.Kernel) -> Iterator[Any]:
    """Give the largest probabilities and where they are."""
    for k in (0, 1, 2, 8, 64, 65):

        def call(x: Array, *, k: int = k, sink: None = None, axis: int = -1, **options: Any) -> Any:
            return fs.topk(x, min(k, x.shape[axis]), axis=axis, isa=kernel.isa, **options)

        yield from (call(logits(kernel.dtype, (9, n))) for n in LENGTHS)
        yield from (call(edges(kernel.dtype, n)) for n in (5, 67, 600, 7000))
        yield from adapted(call, kernel.dtype, sinks=False)
        yield call(logits(kernel.dtype, (200, 7)), axis=0)
        yield call(np.round(logits(kernel.dtype, (20, 500))))


def steps(kernel: fs.Kernel) -> Iterator[Any]:
    """Give the results of the recurrence along rows and columns."""
    for n in (1, 2, 3, 9, 64, 100, 1001):
        for x in (logits(kernel.dtype, (5, n)), edges(kernel.dtype, n)):
            yield fs.scan(x, kernel.variant, isa=kernel.isa)
            yield fs.scan(x.T, kernel.variant, axis=0, isa=kernel.isa)


def single_steps(kernel: fs.Kernel) -> Iterator[Any]:
    """Give the results of one step of the recurrence, and of some more."""
    x = np.concatenate([logits(kernel.dtype, (500,)), edges(kernel.dtype, 40).ravel()])
    m, s = np.roll(x, 7), np.abs(np.roll(x, 13))
    for repeats in (1, 3):
        out = np.zeros_like(x)
        fs._core.update(kernel.variant, kernel.isa, m, s, x, out, repeats)
        yield out


def weights(kernel: fs.Kernel) -> Iterator[Any]:
    """Give the weights of distances over the whole domain, and beyond it."""
    far = 110 if kernel.dtype == "float32" else 760
    fine = -(integers(1, 60000, 40) * 2.0**-40)
    for d in (far * fine, fine, fine * 2.0**-30, -edges(kernel.dtype, 30).ravel()):
        given = np.ascontiguousarray(d.astype(kernel.dtype))
        out = np.zeros_like(given)
        fs._core.weight(kernel.variant, kernel.isa, given, out)
        yield out


def bytes_of(shape: tuple[int, ...]) -> Array:
    """Draw int8 logits; every other row of narrow spread, the last one all the same."""
    x = (integers(6, shape, 8) - 128).astype(np.int8)
    x[1::2] //= 8
    x[-1:] = -128
    return x


def quantised(call: Callable[..., Any], lengths: tuple[int, ...]) -> Iterator[Any]:
    """Give the results of an operation on int8 logits."""
    for n in lengths:
        x = bytes_of((37 if n < 2000 else 5, n))
        keep = integers(3, x.shape, 2) > 0
        yield call(x)
        yield call(x, mask=keep)
        yield call(x, mask=keep[:1], threads=2)
        yield call(np.ascontiguousarray(x.T), axis=0)
        yield call(x[:, ::-1])
        yield call(x, mask=np.zeros_like(keep))


def table(kernel: fs.Kernel) -> Iterator[Any]:
    """Give the results of softmax by a table of exp."""
    lengths = tuple(n for n in LENGTHS if n < 20000)
    for dtype, scale in product((np.uint8, np.int16), (0.011, 0.1, 2.0)):

        def call(x: Array, *, dtype: Any = dtype, scale: Any = scale, **options: Any) -> Any:
            options |= {"out_dtype": dtype, "isa": kernel.isa, "table": kernel.variant}
            return int8.softmax(x, scale, **options)

        yield from quantised(call, lengths if scale == 0.1 else (0, 1, 33, 129, 1000))
    heads = (integers(2, 4, 6) + 1) / 128
    yield int8.softmax(bytes_of((3, 4, 5, 70)), heads, table=kernel.variant, isa=kernel.isa)


def calibrated(kernel: fs.Kernel) -> Iterator[Any]:
    """Give the results of HCCS in a mode, with parameters of its profile."""
    wide = kernel.variant == "wide"  # by name: the profile's
    for n in [n for n in LENGTHS if 2 < n < 20000 and (wide or n < 300)]:
        given: list[Any] = [((32767 * 16) // (n + 16), 9, 63)] if wide else [(32767 // n, 0, 127)]
        given += [(30000, 117, 255)] if wide else [(32767 // n, min(127, 32767 // n // 80), 64)]
        for B, S, Dmax in given:
            if B < 1 or B - S * Dmax < 1 or (not wide and n * (B - S * Dmax) < 256):
                continue
            params = hccs.Params(0.1, B, S, Dmax, n, kernel.variant if wide else "paper")

            def call(x: Array, *, params: Any = params, **options: Any) -> Any:
                return hccs.softmax(x, params, mode=kernel.variant, isa=kernel.isa, **options)

            yield from quantised(call, (n,))
            if wide:
                yield call(bytes_of((9, n)), out_dtype=np.uint8)
            floats = logits("float32", (9, n))
            yield hccs.softmax_float(floats, params, mode=kernel.variant, isa=kernel.isa)


def attention(kernel: fs.Kernel) -> Iterator[Any]:
    """Give the answers of Heinsen attention, of a state token by token too, and the state."""
    log = kernel.op.endswith("log")
    for d_k, d_v, n in ((1, 1, 1), (3, 5, 7), (16, 16, 40), (17, 33, 65), (64, 70, 130)):
        q, k = (logits(kernel.dtype, (2, n, d_k), seed) for seed in (1, 2))
        v = logits(kernel.dtype, (2, n, d_v), 3)
        mixed: dict[str, Any] = {"log_v": v} if log else {"v": v}
        bad = k.copy()
        bad[0, n // 2, 0] = np.nan
        bad[1, :, -1] = -np.inf
        bad[1, n // 3, 0] = 3e38
        for key, causal, threads in ((k, True, 1), (k, False, 2), (bad, True, 2), (bad, False, 1)):
            options: Any = {"causal": causal, "threads": threads, "isa": kernel.isa}
            y, state = heinsen.attention(q, key, **mixed, **options, return_state=True)
            yield y
            yield state.attend(q, isa=kernel.isa)
        one = heinsen.State((2,), d_k, d_v, initial="zeros", dtype=kernel.dtype)
        for t in range(min(n, 20)):
            token = {name: value[:, t] for name, value in mixed.items()}
            one.update(k[:, t], **token, isa=kernel.isa)
            yield one.attend(q[:, t], isa=kernel.isa)
        if log:
            yield one.attend(q, log_output=True, isa=kernel.isa)


#: What computes the results of an operation's kernels.
RESULTS: dict[str, Callable[[fs.Kernel], Iterator[Any]]] = {
    "online": rows,
    "log_softmax": rows,
    "normalizer": states,
    "topk": ranked,
    "scan": steps,
    "update": single_steps,
    "weight": weights,
    "int8": table,
    "hccs": calibrated,
    "heinsen": attention,
    "heinsen_log": attention,
}


def digest(results: Iterator[Any]) -> str:
    """Hash results, arrays or tuples of them: dtypes, shapes and bits."""
    found = hashlib.sha256()
    for result in results:
        for part in result if isinstance(result, tuple) else (result,):
            array = np.array(part, order="C")
            if array.dtype.kind not in "iub":
                array[np.isnan(array)] = np.nan
            found.update(f"{array.dtype.name} {array.shape}\n".encode())
            found.update(array.tobytes())
    return found.hexdigest()[:32]


def hashes(only: str) -> Iterator[tuple[str, str]]:
    """Give the name and the hash of every kernel that runs here."""
    for kernel in fs.kernels():
        if kernel.device == "cpu" and kernel.available and only in kernel.id:
            with np.errstate(all="ignore"):
                yield f"{kernel.id} {kernel.dtype}", digest(RESULTS[kernel.op](kernel))


def compare(before: dict[str, str], now: dict[str, str]) -> int:
    """Say which kernels differ; return the status to end with."""
    told = {name: "other bits" for name in before.keys() & now.keys() if before[name] != now[name]}
    told |= dict.fromkeys(before.keys() - now.keys(), "missing now")
    told |= dict.fromkeys(now.keys() - before.keys(), "new")
    for name in sorted(told):
        print(f"{name}: {told[name]}")
    print(f"{len(told)} of {len(before | now)} kernels differ")
    return 1 if told else 0


def main() -> int:
    """Print hashes, or compare them with a file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--against", type=Path, help="a file that this script printed")
    parser.add_argument("--only", default="", help="part of the kernels' ids")
    arguments = parser.parse_args()
    before: dict[str, str] = {}
    if arguments.against:
        lines = [line.rpartition(" ") for line in arguments.against.read_text().splitlines()]
        before = {name: value for name, _, value in lines if arguments.only in name}
        before.pop("all", None)
    now = {}
    for name, value in hashes(arguments.only):
        now[name] = value
        if not arguments.against:
            print(name, value, flush=True)
    if not now:
        sys.exit(f"no kernel that runs here has an id with {arguments.only!r}")
    if arguments.against:
        return compare(before, now)
    print("all", hashlib.sha256("".join(now.values()).encode()).hexdigest()[:32])
    return 0


if __name__ == "__main__":
    sys.exit(main())
