"""Heinsen attention: a token, a step and a prefill beside other forms, and its cost as n grows."""

import functools
import tracemalloc
from collections.abc import Callable
from typing import Any

import fastsoftmax as fs
import numpy as np
from fastsoftmax import heinsen
from lib import timing
from lib.case import Case, Options, Progress, chosen, core
from lib.data_sets import Float32, Shape
from lib.report import Table, show, times
from lib.targets import Targets, load, verdict
from peers import heinsen as others

HEADS = 8
SHAPES: tuple[Shape, ...] = ((1024, 32), (1024, 64), (1024, 128))
QUICK_SHAPES: tuple[Shape, ...] = ((64, 32),)
GROWTH_WIDTH = 32
LENGTHS = tuple(1 << power for power in range(10, 21, 2))
QUICK_LENGTHS = (256, 1024)
#: Ordinary attention of more tokens than this takes minutes.
QUADRATIC_END = 16384
#: The published form keeps an intermediate for each key feature, value and token.
MOST_INTERMEDIATES = 1 << 26
SECONDS = 40.0
GROWTH = "heinsen growth"
PREFILL, STEP = "prefill", "update, attend"
NUMPY, REFERENCE = "numpy, chunks of 64", "torch, log domain as published"
NUMPY_STEP = "numpy"

Call = Callable[[None], Any]


def tokens(heads: int, n: int, d: int) -> list[Float32]:
    """q, k ~ N(0, 1) and v = exp(N(0, 1)) > 0: ``[heads, n, d]``."""
    rng = np.random.default_rng([heads, n, d])
    q, k, log_v = (rng.standard_normal((heads, n, d)).astype(np.float32) for _ in range(3))
    return [q, k, np.exp(log_v)]


def best_of(kernels: list[fs.Kernel]) -> fs.Kernel:
    """Return the row on the best ISA."""
    return min(kernels, key=lambda kernel: fs.isas().index(kernel.isa))


def _ignoring(call: Callable[[], Any]) -> Call:
    return lambda _: call()


def _single(kernel: fs.Kernel, q: Float32, k: Float32, v: Float32) -> Callable[[], Any]:
    """Tie n tokens of one head, a call of the kernel for each."""
    state = heinsen.State((1,), q.shape[1], v.shape[1]).update(k[None, :1], v[None, :1])
    flat, out = [np.ascontiguousarray(a).ravel() for a in (q, k, v)], np.empty(v.size, np.float32)
    data = state._data.ravel()
    return lambda: core.heinsen_tokens(kernel.isa, data, *flat, out, q.shape[1], v.shape[1])


def per_token(kernels: list[fs.Kernel], options: Options, goals: Targets) -> Table:
    """Time a token of one head on every ISA: alone, and in a causal prefill; values, and logs."""
    table = Table(
        "heinsen, ns per token and head",
        ["n", "d", "what", "kernel", "ns", "median", "target", ""],
        note=f"d = d_k = d_v; {HEADS} heads in a prefill, one else; targets are for the best ISA",
    )
    for n, d in options.shapes or (QUICK_SHAPES if options.quick else SHAPES):
        q, k, v = tokens(HEADS, n, d)
        calls: dict[tuple[str, fs.Kernel], Call] = {}
        for kernel in kernels:
            how: dict[str, Any] = {"isa": kernel.isa, "threads": options.threads}
            if kernel.op == "heinsen":
                calls[STEP, kernel] = _ignoring(_single(kernel, q[0], k[0], v[0]))
            how |= {"v": v} if kernel.op == "heinsen" else {"log_v": np.log(v)}
            calls[PREFILL, kernel] = _ignoring(functools.partial(heinsen.attention, q, k, **how))
        named = {f"{what} {kernel.id}": call for (what, kernel), call in calls.items()}
        taken = timing.interleave(named, [None], options.rounds, SECONDS)
        best = best_of(kernels).isa
        for what, kernel in calls:
            each = taken[f"{what} {kernel.id}"].per(n * HEADS if what == PREFILL else n)
            wanted = kernel.isa == best and kernel.op == "heinsen" and options.threads == 1
            target = goals.heinsen_ns.get(what, {}).get(d) if wanted else None
            mark = verdict(each.minimum, target)
            table.add(n, d, what, kernel.id, each.minimum, each.median, target, mark)
    return table


def beside(title: str, calls: dict[str, Call], goals: dict[str, float], options: Options) -> Table:
    """Time ours, the first, beside others; `goals` say how many times as fast it should be."""
    table = Table(
        title,
        ["who", "us", "median", "x ours", "target", "", "max rel difference"],
        note="x ours: its time over ours, on minima; target: at least; difference: from ours",
    )
    results = {name: np.asarray(call(None)) for name, call in calls.items()}
    taken = timing.interleave(calls, [None], options.rounds, SECONDS)
    ours = next(iter(calls))
    for name, each in taken.items():
        ratio = each.minimum / taken[ours].minimum
        target = goals.get(name) if not options.quick and options.threads == 1 else None
        off = np.max(np.abs(results[name] / results[ours] - 1))
        mark = verdict(target, ratio) if target else None  # the ratio is to be above
        table.add(name, each.minimum / 1e3, each.median / 1e3, ratio, target, mark, float(off))
    return table


def prefill(shape: Shape, kernel: fs.Kernel, options: Options, goals: Targets) -> Table:
    """Time a causal run of all heads beside NumPy and both torch forms."""
    q, k, v = tokens(HEADS, *shape)
    how: dict[str, Any] = {"isa": kernel.isa, "threads": options.threads}
    calls = {
        kernel.id: _ignoring(lambda: heinsen.attention(q, k, v, **how)),
        NUMPY: _ignoring(others.numpy_chunked(q, k, v)),
    }
    if others.torch_trouble(options.threads) is None:
        calls["torch, quadratic"] = _ignoring(others.torch_quadratic(q, k, v))
        if k.size * shape[1] <= MOST_INTERMEDIATES:
            calls[REFERENCE] = _ignoring(others.torch_log_domain(q, k, v))
    title = f"heinsen, causal prefill of {shape[0]} tokens, {HEADS} heads, d = {shape[1]}"
    return beside(title, calls, {NUMPY: goals.heinsen_prefill}, options)


def step(d: int, options: Options, goals: Targets) -> Table:
    """Time a decoding step of all heads, called from Python, beside NumPy and torch."""
    q, k, v = (a[:, 0].copy() for a in tokens(HEADS, 1, d))
    ours, numpy = heinsen.State((HEADS,), d, d), others.NumpyState.empty(HEADS, d)
    calls = {
        "State.step": _ignoring(lambda: ours.step(q, k, v)),
        NUMPY_STEP: _ignoring(lambda: numpy.step(q, k, v)),
    }
    if others.torch_trouble(options.threads) is None:
        calls[REFERENCE] = _ignoring(others.torch_log_step(q, k, v))
    wanted = {name: goals.heinsen_step[name] for name in (NUMPY_STEP, REFERENCE)} if d == 32 else {}
    return beside(f"heinsen, a step of {HEADS} heads, d = {d}", calls, wanted, options)


def _peak(call: Callable[[], Any]) -> float:
    """KiB that NumPy takes beside the result."""
    tracemalloc.start()
    result = call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return float((peak - result.nbytes) / 1024)


def growth(options: Options, progress: Progress) -> Table:
    """Time prefill and decoding, and count what is kept, as the number of tokens grows."""
    absent = others.torch_trouble(options.threads)
    table = Table(
        GROWTH,
        ["n", "who", "prefill ns/token", "decode ns/token", "kept KiB", "prefill extra KiB"],
        note=f"one head, d = {GROWTH_WIDTH}; kept: state, or keys and values; extra: beside arrays "
        "and result" + (f"; no torch: {absent}" if absent else ""),
    )
    for n in QUICK_LENGTHS if options.quick else LENGTHS:
        progress.next(f"{n} tokens")
        q, k, v = tokens(1, n, GROWTH_WIDTH)
        last = [a[:, -1].copy() for a in (q, k, v)]
        run = functools.partial(heinsen.attention, q, k, v, threads=options.threads)
        y, state = run(return_state=True)
        calls: dict[str, Call] = {"whole": _ignoring(run)}
        calls["one"] = _ignoring(functools.partial(state.step, *last))
        if n <= QUADRATIC_END and absent is None:
            whole = others.torch_attention(q, k, v, causal=True)
            calls["torch whole"] = _ignoring(whole)
        if absent is None:
            one = others.torch_attention(q[:, -1:].copy(), k, v, causal=False)
            calls["torch one"] = _ignoring(one)
        taken = timing.interleave(calls, [None], min(options.rounds, 15), SECONDS)
        ns = {name: each.minimum for name, each in taken.items()}
        kept = state._data.nbytes / 1024
        table.add(n, "heinsen", ns["whole"] / n, ns["one"], kept, _peak(run))
        if absent is None:
            prefill_ns = ns["torch whole"] / n if "torch whole" in ns else None
            table.add(
                n, "torch SDPA", prefill_ns, ns["torch one"], (k.nbytes + v.nbytes) / 1024, None
            )
        assert y.shape == v.shape
    return table


def run(options: Options, progress: Progress) -> list[Table]:
    """Run all of it."""
    rows = [k for op in CASE.operations for k in chosen(options, op, "float32")]
    plain = [kernel for kernel in rows if kernel.op == "heinsen"]
    if not plain:
        return []
    shapes = options.shapes or (QUICK_SHAPES if options.quick else SHAPES)
    goals = load()
    progress.expect(1 + 2 * len(shapes) + len(QUICK_LENGTHS if options.quick else LENGTHS))
    progress.next("tokens")
    tables = [per_token(rows, options, goals)]
    for shape in shapes:
        progress.next(f"prefill {shape[0]}x{shape[1]}")
        tables.append(prefill(shape, best_of(plain), options, goals))
    for shape in shapes:
        progress.next(f"step d = {shape[1]}")
        tables.append(step(shape[1], options, goals))
    tables.append(growth(options, progress))
    return tables


def headline(tables: list[Table]) -> str | None:
    """Say what a prefill and a step cost beside NumPy."""
    prefills = [each for each in tables[0].records() if each["what"] == PREFILL]
    best = min(prefills, key=lambda each: each["ns"])
    said = [f"Heinsen attention, d = {best['d']}: prefill {show(best['ns'])} ns per token and head"]
    for table in tables[1:]:
        others = {each["who"]: each["x ours"] for each in table.records() if "x ours" in each}
        if NUMPY in others:
            said[0] += f" ({times(others[NUMPY])} NumPy)"
        elif NUMPY_STEP in others:
            us = show(table.records()[0]["us"])
            said.append(f"a step of {HEADS} heads {us} us ({times(others[NUMPY_STEP])} NumPy)")
    return ", ".join(said)


CASE = Case(
    "heinsen",
    "attention with a state of constant size: ns per token beside other forms, and as n grows",
    ("heinsen", "heinsen_log"),
    run,
    headline,
)
