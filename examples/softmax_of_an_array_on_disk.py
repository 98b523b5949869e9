"""Softmax of a row that lies in a file and never in memory as a whole.

The file is read twice, chunk by chunk: once to add up the state, once to turn logits into
probabilities, which go to a second file. Then the same with two processes, each of which adds up
its own half of the row; their states, of 12 bytes each, are merged before the second pass.

    python examples/softmax_of_an_array_on_disk.py --length 10000000

To show that this is right, both results are compared with `fastsoftmax.online` of the row, which
does take all of it into memory.
"""

import argparse
import tempfile
from collections.abc import Iterator
from functools import partial, reduce
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import fastsoftmax as fs
import numpy as np

DTYPE = np.dtype(np.float32)
WORKERS = 2


def chunks(begin: int, end: int, size: int) -> Iterator[slice]:
    """Pieces of a part of the row."""
    return (slice(i, min(i + size, end)) for i in range(begin, end, size))


def write_logits(path: Path, length: int, size: int) -> None:
    """Fill the file with logits that rise along the row, so that the maximum keeps changing."""
    row = np.memmap(path, DTYPE, "w+", shape=(length,))
    rng = np.random.default_rng(0)
    for part in chunks(0, length, size):
        rise = np.linspace(part.start, part.stop, part.stop - part.start) * (20 / length)
        row[part] = rng.standard_normal(len(rise)) + rise


def add_up(part: tuple[int, int], path: Path, size: int) -> fs.MaxSum:
    """First pass: the state of a part of the row."""
    row = np.memmap(path, DTYPE, "r")
    return reduce(fs.MaxSum.update, (row[piece] for piece in chunks(*part, size)), fs.MaxSum())


def normalize(part: tuple[int, int], path: Path, result: Path, size: int, state: fs.MaxSum) -> None:
    """Second pass: probabilities of a part of the row, from the state of the whole row."""
    row, probabilities = np.memmap(path, DTYPE, "r"), np.memmap(result, DTYPE, "r+")
    for piece in chunks(*part, size):
        state.probabilities(row[piece], out=probabilities[piece])


def report(name: str, state: fs.MaxSum, path: Path, result: Path) -> None:
    """Compare with the plain way, which takes the whole row into memory."""
    row = np.fromfile(path, DTYPE)
    wanted = fs.online(row)
    error = np.abs(np.fromfile(result, DTYPE) / wanted - 1).max()
    difference = abs(state.logsumexp - fs.logsumexp(row))
    print(f"{name}: {state}, logsumexp {state.logsumexp:.6f}")
    print(f"  against online: largest relative difference {error:.1e}")
    if not (error <= 1e-6 and difference <= 1e-5):  # two results of 5e-7 each
        raise SystemExit(f"{name}: not the softmax of the row")


def main() -> None:
    """Run both ways, on files that are removed afterwards."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--length", type=int, default=1_000_000, help="logits in the file")
    parser.add_argument("--chunk", type=int, default=65_536, help="logits in memory at a time")
    options = parser.parse_args()
    if options.length < 1 or options.chunk < 1:
        parser.error("--length and --chunk must be positive")
    length, size = options.length, options.chunk

    with tempfile.TemporaryDirectory() as folder:
        path, result = Path(folder, "logits.f32"), Path(folder, "probabilities.f32")
        write_logits(path, length, size)
        np.memmap(result, DTYPE, "w+", shape=(length,))

        state = add_up((0, length), path, size)
        normalize((0, length), path, result, size, state)
        report("one process", state, path, result)

        np.memmap(result, DTYPE, "r+")[:] = 0
        edges = [length * i // WORKERS for i in range(WORKERS + 1)]
        parts = list(pairwise(edges))
        with get_context("spawn").Pool(WORKERS) as pool:
            states = pool.map(partial(add_up, path=path, size=size), parts)
            total = reduce(fs.MaxSum.merge, states, fs.MaxSum())
            second = partial(normalize, path=path, result=result, size=size, state=total)
            pool.map(second, parts)
        report(f"{WORKERS} processes", total, path, result)


if __name__ == "__main__":
    main()
