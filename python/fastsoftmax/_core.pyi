from typing import Any, Literal

from numpy import float32, float64, int32
from numpy.typing import NDArray

Floats = NDArray[float32] | NDArray[float64]

compiler: str
most_threads: int
version: str

def lies_apart(array: object) -> bool: ...
def online(
    logits: object,
    variant: object,
    axis: object,
    scale: object,
    mask: object,
    sink: object,
    out: object,
    threads: object,
    isa: object,
    bfloats: bool,
) -> Any: ...
def log_softmax(
    logits: object,
    variant: object,
    axis: object,
    scale: object,
    mask: object,
    sink: object,
    out: object,
    threads: object,
    isa: object,
    bfloats: bool,
) -> Any: ...
def normalizer(
    logits: object,
    variant: object,
    axis: object,
    scale: object,
    mask: object,
    sink: object,
    threads: object,
    isa: object,
    bfloats: bool,
) -> Any: ...
def logsumexp(
    logits: object,
    variant: object,
    axis: object,
    scale: object,
    mask: object,
    sink: object,
    threads: object,
    isa: object,
    bfloats: bool,
) -> Any: ...
def topk(
    logits: object,
    k: object,
    variant: object,
    axis: object,
    scale: object,
    mask: object,
    sink: object,
    threads: object,
    isa: object,
    bfloats: bool,
) -> Any: ...
def scan(
    logits: object, variant: object, axis: object, threads: object, isa: object
) -> tuple[Floats, Floats] | Literal[False]: ...
def weight(variant: str, isa: str, d: Floats, out: Floats) -> None: ...
def update(
    variant: str, isa: str, m: Floats, s: Floats, x: Floats, out: Floats, repeats: int
) -> None: ...
def heinsen_tokens(
    isa: str,
    state: Floats,
    q: Floats,
    k: Floats,
    v: Floats,
    out: Floats,
    d_k: int,
    d_v: int,
) -> None: ...
def heinsen(
    states: Floats,
    q: Floats | None,
    k: Floats | None,
    v: Floats | None,
    d_k: int,
    d_v: int,
    log_values: bool,
    log_output: bool,
    out: Floats | None,
    threads: int | None,
    isa: str | None,
) -> Any: ...
def heinsen_step(
    states: Floats,
    q: object,
    k: object,
    v: object,
    batch: tuple[int, ...],
    d_k: int,
    d_v: int,
) -> Any: ...
def heinsen_start(states: Floats, d_k: int, d_v: int, zeros: bool, log_values: bool) -> None: ...

heinsen_layout: dict[str, Any]

def heinsen_size(d_k: int, d_v: int, log_values: bool) -> int: ...
def hccs(
    x: object,
    heads: NDArray[int32],
    n: int,
    mode: object,
    axis: object,
    mask: object,
    out: object,
    dtype: object,
    threads: object,
    isa: object,
) -> NDArray[Any] | Literal[False]: ...
def int8_softmax(
    x: object,
    scale: object,
    table: object,
    axis: object,
    mask: object,
    out: object,
    dtype: object,
    threads: object,
    isa: object,
) -> NDArray[Any] | Literal[False]: ...
def hccs_problem(B: int, S: int, Dmax: int, mode: str, n: int) -> str: ...
def surrogate_text() -> dict[str, tuple[str, str, str]]: ...
def kernels() -> list[dict[str, Any]]: ...
def variants(op: str) -> list[str]: ...
def isas(all: bool) -> list[str]: ...
def environment_problem() -> str: ...
def default_isa(op: str) -> str: ...
def default_threads() -> int: ...
