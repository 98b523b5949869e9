"""The exact softmax against other libraries, and what one small call costs."""

import inspect
import platform
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from timeit import Timer

import fastsoftmax as fs
import metrics
import numpy as np
import peers
import timing
from data_sets import Float32, Shape, gaussian
from report import Table
from study import Case, Options, Progress, chosen, once_each

SHAPES: tuple[Shape, ...] = ((1024, 128), (64, 4096))
SMALL: Shape = (1, 16)
SIGMA = 2.0
#: What `online` runs when no variant is named.
DEFAULT = inspect.signature(fs.online).parameters["variant"].default


def _candidates(kernels: list[fs.Kernel], out: Float32) -> dict[str, Callable[..., object]]:
    ours = {
        f"fastsoftmax {kernel.variant}/{kernel.isa}": partial(
            fs.online, variant=kernel.variant, isa=kernel.isa, out=out
        )
        for kernel in kernels
    }
    theirs = {name: partial(_swapped, softmax, out) for name, softmax in peers.installed().items()}
    return {**ours, **theirs}


def _swapped(softmax: peers.Softmax, out: Float32, x: Float32) -> None:
    softmax(x, out)


def _compare(shape: Shape, kernels: list[fs.Kernel], rounds: int) -> Table:
    workload = gaussian(shape, SIGMA)
    inputs = workload.inputs()
    out = np.empty_like(inputs[0])
    calls = _candidates(kernels, out)
    ours = next(iter(calls))
    copy = "copy of the data"
    times = timing.interleave({**calls, copy: partial(np.copyto, out)}, inputs, rounds)
    exact = fs.reference.online(inputs[0])
    table = Table(
        f"{workload.name}, float32, one thread",
        [
            "softmax",
            "ns/element",
            "median",
            "x copy",
            "ours/this",
            "max abs error",
            "max rel error",
        ],
        note=(
            "x copy: time over that of a copy of the same data; ours/this: time of "
            f"{ours} over this one's; on minima"
        ),
    )
    for name, taken in times.items():
        each = taken.per(workload.elements)
        ratios = (taken.minimum / times[copy].minimum, times[ours].minimum / taken.minimum)
        if name == copy:
            table.add(name, each.minimum, each.median, *ratios, None, None)
            continue
        calls[name](inputs[0])
        found = metrics.compare(out, exact)
        table.add(name, each.minimum, each.median, *ratios, found.max_abs, found.max_rel)
    return table


def _call_overhead(rounds: int) -> Table:
    """Time one small call as a user writes it; the loop around it is timeit's."""
    x = gaussian(SMALL, SIGMA).make(0)
    out = np.empty_like(x)
    timers = {
        "fastsoftmax.online(x, out=out)": Timer(
            "online(x, out=out)", globals={"online": fs.online, "x": x, "out": out}
        )
    }
    for name, softmax in peers.installed().items():
        timers[name] = Timer("softmax(x, out)", globals={"softmax": softmax, "x": x, "out": out})
    calls = 2000
    samples: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(rounds):
        for name, timer in timers.items():
            samples[name].append(timer.timeit(calls) / calls * 1e9)
    interpreter = f"{platform.python_implementation()} {platform.python_version()}"
    table = Table(
        f"one call on {SMALL[0]}x{SMALL[1]} float32",
        ["call", "ns", "median"],
        note=f"{interpreter}; peers through one more Python function",
    )
    for name, taken in samples.items():
        table.add(name, min(taken), float(np.median(taken)))
    return table


def run(options: Options, progress: Progress) -> list[Table]:
    """Run the shapes, then the small call."""
    kernels = chosen(replace(options, variants=options.variants or (DEFAULT,)), "online", "float32")
    if not options.isas:
        kernels = once_each(kernels)
    if not kernels:
        return []
    shapes = options.shapes or SHAPES
    progress.expect(len(shapes) + 1)
    tables = []
    for shape in shapes:
        progress.next(f"{shape[0]}x{shape[1]}")
        tables.append(_compare(shape, kernels, 3 * options.rounds))
    progress.next("one small call")
    tables.append(_call_overhead(2 * options.rounds))
    return tables


CASE = Case(
    "peers", "exact softmax against other libraries, and the cost of a call", ("online",), run
)
