from collections.abc import Callable
from typing import Any

architectures: str
isa: str

class Array:
    dtype: str
    device_type: int
    device: int
    distinct: bool
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
    stream: int,
    scratch: Callable[[int], Array],
) -> None: ...
