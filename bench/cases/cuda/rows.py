"""Float rows on a CUDA device, beside torch's operations and a copy of the same data."""

from typing import Any

import fastsoftmax as fs
from lib.case import Case, Options, Progress
from lib.data_sets import Shape
from lib.device import Call, Device, find
from lib.report import Cell, Table, show, times

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


def measure(device: Device, shape: Shape) -> Table:
    """Time all kernels for floats on one shape."""
    torch, kernels = device.torch, device.kernels
    table = Table(f"cuda {shape[0]}x{shape[1]}", COLUMNS, note=NOTE)
    wide = SIGMA * torch.randn(shape, device=device.place, dtype=torch.float64)
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
        times = device.timed(calls)
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
    device = find(options)
    if device is None:
        return []
    shapes = options.shapes or (QUICK_SHAPES if options.quick else SHAPES)
    progress.expect(len(shapes))
    tables = []
    for shape in shapes:
        progress.next(f"{shape[0]}x{shape[1]}")
        tables.append(measure(device, shape))
    return tables


def headline(tables: list[Table]) -> str | None:
    """Say what share of a copy's bandwidth exact softmax has."""
    found = {(each["who"], each["dtype"]): each for each in tables[0].records()}
    each = next((each for (who, _), each in found.items() if who.startswith("online/exact/")), None)
    if each is None:
        return None
    return (
        f"{tables[0].title}, exact softmax of {each['dtype']}: {show(each['GB/s'])} GB/s, "
        f"{show(each['of copy'])} of a copy, {times(each['peer/this'])} torch"
    )


CASE = Case("cuda/rows", "softmax and its kin of float rows", (), run, headline)
