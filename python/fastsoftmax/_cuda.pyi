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
    variant: str, x: Array, m: Array, s: Array, threads: int, ahead: bool, stream: int
) -> None: ...
def topk(
    x: Array,
    axis: int,
    k: int,
    p: Array,
    index: Array,
    mask: Array | None,
    scale: float,
    masked_at_most: float,
    stream: int,
) -> None: ...
def heinsen(
    start: Array,
    to: Array,
    q: Array | None,
    k: Array | None,
    v: Array | None,
    y: Array | None,
    d_k: int,
    d_v: int,
    log_values: bool,
    log_output: bool,
    stream: int,
) -> None: ...
def heinsen_size(d_k: int, d_v: int, log_values: bool) -> int: ...
def heinsen_start(
    states: Array, d_k: int, d_v: int, zeros: bool, log_values: bool, stream: int
) -> None: ...
def hccs(
    mode: str,
    x: Array,
    mask: Array | None,
    y: Array,
    each: int,
    sets: int,
    B: int,
    S: int,
    Dmax: int,
    heads: Array | None,
    stream: int,
) -> None: ...
def int8_softmax(
    table: str,
    x: Array,
    mask: Array | None,
    y: Array,
    each: int,
    sets: int,
    scale: float,
    factors: Array | None,
    stream: int,
) -> None: ...
def exp_factors(scales: list[float]) -> bytes: ...
def rows(
    op: str,
    variant: str,
    x: Array,
    axis: int,
    y: Array | None,
    m: Array | None,
    s: Array | None,
    mask: Array | None,
    sink: Array | None,
    scale: float,
    masked_at_most: float,
    stream: int,
    scratch: Callable[[int], Array],
) -> None: ...
