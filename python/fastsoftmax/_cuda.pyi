from collections.abc import Callable
from typing import Any

architectures: str
isa: str
topk_most: int

class Array:
    dtype: str
    device_type: int
    device: int
    distinct: bool
    contiguous: bool
    columns: bool
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    def __init__(self, array: object) -> None: ...
    def overlaps(self, other: Array) -> bool: ...
    def same_layout(self, other: Array) -> bool: ...

def kernels() -> list[dict[str, Any]]: ...
def devices() -> tuple[list[tuple[str, tuple[int, int]]], str]: ...
def scan(
    x: Array,
    variant: str,
    m: Array,
    s: Array,
    threads: int,
    ahead: bool,
    stream: int,
) -> None: ...
def topk(
    x: Array,
    k: int,
    axis: int,
    scale: float,
    mask: Array | None,
    masked_at_most: float,
    p: Array,
    index: Array,
    stream: int,
) -> None: ...
def heinsen(
    start: Array,
    to: Array,
    q: Array | None,
    k: Array | None,
    v: Array | None,
    d_k: int,
    d_v: int,
    log_values: bool,
    log_output: bool,
    y: Array | None,
    stream: int,
) -> None: ...
def heinsen_size(d_k: int, d_v: int, log_values: bool) -> int: ...
def heinsen_start(
    states: Array, d_k: int, d_v: int, zeros: bool, log_values: bool, stream: int
) -> None: ...
def hccs(
    x: Array,
    heads: Array | None,
    B: int,
    S: int,
    Dmax: int,
    each: int,
    sets: int,
    mode: str,
    mask: Array | None,
    y: Array,
    stream: int,
) -> None: ...
def int8_softmax(
    x: Array,
    factors: Array | None,
    scale: float,
    each: int,
    sets: int,
    table: str,
    mask: Array | None,
    y: Array,
    stream: int,
) -> None: ...
def exp_factors(scales: list[float]) -> bytes: ...
def rows(
    op: str,
    x: Array,
    variant: str,
    axis: int,
    scale: float,
    mask: Array | None,
    masked_at_most: float,
    sink: Array | None,
    y: Array | None,
    m: Array | None,
    s: Array | None,
    stream: int,
    scratch: Callable[[int], Array],
) -> None: ...
