"""Kernels on a CUDA device, beside torch's operations and a copy of the same data."""

import statistics
from collections.abc import Callable
from typing import Any

import fastsoftmax as fs
from lib.case import Case, Options, Progress
from lib.data_sets import Shape
from lib.report import Cell, Table
from peers.prepared_call import library

from cases import cuda_heinsen, cuda_int8, cuda_scan

SHAPES: tuple[Shape, ...] = ((65536, 1024), (16384, 4096), (2048, 32768), (64, 1048576))
QUICK_SHAPES: tuple[Shape, ...] = ((16384, 1024), (512, 32768))
SIGMA = 2.0
K = 32
COPY = "copy"
COLUMNS = ["who", "dtype", "ns/element", "median", "GB/s", "of copy", "peer/this", "max error"]
NOTE = (
    "CUDA events, minimum and median of samples; GB/s counts each element read once, each result "
    "written once; of copy: share of the bandwidth of a copy of the same data; peer/this: how many "
    "times as fast as torch's operation; max error: of probabilities or logarithms against float64"
)
HALVES = ("float16", "bfloat16")

Call = Callable[[], Any]


class Events:
    """Times by events on the current stream: what the device took, not what the host waited."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch

    def milliseconds(self, call: Call, repeats: int) -> float:
        """Time of `repeats` calls, one after another."""
        begin, end = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(repeats):
            call()
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end))


def timed(clock: Any, calls: dict[str, Call], rounds: int) -> dict[str, tuple[float, float]]:
    """Nanoseconds of a call of each, minimum and median; they take turns."""
    repeats = {}
    for name, call in calls.items():
        call()
        once = clock.milliseconds(call, 3) / 3
        repeats[name] = max(1, min(100, int(2 / max(once, 1e-3))))
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            taken[name].append(clock.milliseconds(call, repeats[name]) / repeats[name] * 1e6)
    return {name: (min(times), statistics.median(times)) for name, times in taken.items()}


def peers(torch: Any, x: Any) -> dict[str, Call]:
    """Tie torch's operations, by that of ours which each stands beside."""
    return {
        "online": lambda: torch.softmax(x, -1),
        "log_softmax": lambda: torch.log_softmax(x, -1),
        "normalizer": lambda: torch.logsumexp(x, -1),
        "topk": lambda: torch.topk(torch.softmax(x, -1), K),
    }


def ours(kernel: fs.Kernel, x: Any) -> Call | None:
    """Tie a kernel to its rows; None for operations that take other data."""
    if kernel.op == "normalizer":
        return lambda: fs.logsumexp(x, kernel.variant)
    if kernel.op == "topk":
        return lambda: fs.topk(x, K)
    function = {"online": fs.online, "log_softmax": fs.log_softmax}.get(kernel.op)
    return None if function is None else lambda: function(x, kernel.variant)


def error(result: Any, wanted: Any) -> float:
    """Largest difference, of values if there are indices beside them."""
    result, wanted = (r[0] if isinstance(r, tuple) else r for r in (result, wanted))
    return float((result.double() - wanted).abs().max())


def written(kernel: fs.Kernel, x: Any) -> int:
    """Bytes that results take."""
    if kernel.op in ("online", "log_softmax"):
        return int(x.nbytes)
    return int(x.shape[0] * (K * (x.itemsize + 8) if kernel.op == "topk" else x.itemsize))


def measure(
    torch: Any, device: Any, clock: Any, shape: Shape, kernels: list[fs.Kernel], rounds: int
) -> Table:
    """Time all kernels for floats on one shape."""
    table = Table(f"cuda {shape[0]}x{shape[1]}", COLUMNS, note=NOTE)
    wide = SIGMA * torch.randn(shape, device=device, dtype=torch.float64)
    for dtype in sorted({k.dtype for k in kernels}) + list(HALVES):
        x = wide.to(getattr(torch, dtype))
        target = torch.empty_like(x)
        exact = peers(torch, x.double())
        beside = peers(torch, x)
        calls: dict[str, Call] = {COPY: lambda to=target, of=x: to.copy_(of)}  # type: ignore[misc]
        tied: dict[str, fs.Kernel] = {}
        computed = "float32" if dtype in HALVES else dtype
        for kernel in kernels:
            call = ours(kernel, x) if kernel.dtype == computed else None
            if call is None or (dtype in HALVES and kernel.variant != "exact"):
                continue
            tied[kernel.id], calls[kernel.id] = kernel, call
            calls[f"torch {kernel.op}"] = beside[kernel.op]
        times = timed(clock, calls, rounds)
        copied = 2 * x.nbytes / times[COPY][0]
        for name, (least, median) in times.items():
            row: list[Cell] = [name, dtype, least / x.numel(), median / x.numel()]
            if name in tied:
                kernel = tied[name]
                rate = (x.nbytes + written(kernel, x)) / least
                peer = times[f"torch {kernel.op}"][0]
                off = error(calls[name](), exact[kernel.op]())
                table.add(*row, rate, rate / copied, peer / least, off)
            else:
                rate = copied if name == COPY else None
                table.add(*row, rate, 1.0 if name == COPY else None, None, None)
    return table


def run(options: Options, progress: Progress) -> list[Table]:
    """Run every shape; nothing without a device."""
    kernels = [
        k
        for k in fs.kernels()
        if k.device != "cpu"
        and k.available
        and (not options.variants or k.variant in options.variants)
    ]
    if not kernels:
        return []
    torch = library("torch")
    shapes = options.shapes or (QUICK_SHAPES if options.quick else SHAPES)
    of_bytes = cuda_int8.QUICK_SHAPES if options.quick else cuda_int8.SHAPES
    progress.expect(len(shapes) + len(of_bytes) + 2)
    tables = []
    device = torch.device(kernels[0].device, 0)

    def random(shape: tuple[int, ...]) -> Any:
        return torch.randn(shape, device=device)

    def events(calls: dict[str, Call]) -> dict[str, tuple[float, float]]:
        return timed(Events(torch), calls, options.rounds // 3)

    for shape in shapes:
        progress.next(f"rows {shape[0]}x{shape[1]}")
        tables.append(measure(torch, device, Events(torch), shape, kernels, options.rounds // 3))
    progress.next("scan")
    tables.append(
        cuda_scan.measure(
            random,
            events,
            kernels,
            cuda_scan.QUICK_SEQUENCES if options.quick else cuda_scan.SEQUENCES,
        )
    )
    for shape in of_bytes:
        progress.next(f"int8 rows {shape[0]}x{shape[1]}")
        x = (24 * random(shape)).round().clamp(-128, 127).to(torch.int8)
        tables.append(cuda_int8.measure(torch, x, events, kernels))
    progress.next("heinsen")
    sizes = cuda_heinsen.QUICK_SHAPES if options.quick else cuda_heinsen.SHAPES
    tables.append(cuda_heinsen.measure(torch, random, events, sizes))
    return tables


CASE = Case(
    "cuda",  # by name: the case
    "kernels on a CUDA device beside torch and a copy",
    ("online",),
    run,
)
