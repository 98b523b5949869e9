"""Heinsen attention on a CUDA device, beside torch's scaled_dot_product_attention."""

from collections.abc import Callable
from functools import partial
from typing import Any

from fastsoftmax import heinsen
from lib.case import Case, Options, Progress
from lib.device import Call, Timed, find
from lib.report import Table, show

HEADS = 64
#: Tokens, and the width of keys and values.
SHAPES = ((1024, 64), (16384, 64), (16384, 128))
QUICK_SHAPES = ((1024, 64),)
COLUMNS = ["what", "tokens", "d", "us", "median", "ns/token and head"]
NOTE = (
    f"{HEADS} heads of float32, d = d_k = d_v; prefill: causal, all tokens; step: one token for "
    "each head after all of them. scaled_dot_product_attention reads all keys, this one state"
)


def measure(
    torch: Any,
    random: Callable[[tuple[int, ...]], Any],
    timed: Timed,
    shapes: tuple[tuple[int, int], ...],
) -> Table:
    """Time prefill and step; `random` makes numbers on the device."""
    table = Table("cuda heinsen", COLUMNS, note=NOTE)
    attend = torch.nn.functional.scaled_dot_product_attention
    for n, d in shapes:
        q, k, v = (random((1, HEADS, n, d)) for _ in "qkv")
        token = [a[:, :, -1] for a in (q, k, v)]
        _, state = heinsen.attention(q, k, v, return_state=True)
        calls: dict[str, Call] = {
            "prefill": partial(heinsen.attention, q, k, v),
            "prefill, log v": partial(heinsen.attention, q, k, log_v=v, log_output=True),
            "prefill, sdpa": partial(attend, q, k, v, is_causal=True),
            "step": partial(state.step, *token),
            "step, sdpa": partial(attend, q[:, :, -1:], k, v),
        }
        for name, (least, median) in timed(calls).items():
            tokens = HEADS * (n if name.startswith("prefill") else 1)
            table.add(name, n, d, least / 1e3, median / 1e3, least / tokens)
    return table


def run(options: Options, progress: Progress) -> list[Table]:
    """Run every number of tokens; nothing without a device."""
    device = find(options)
    if device is None:
        return []
    progress.expect(1)
    progress.next("prefill and step")
    shapes = QUICK_SHAPES if options.quick else SHAPES
    return [measure(device.torch, device.random, device.timed, shapes)]


def headline(tables: list[Table]) -> str | None:
    """Say what a prefill costs."""
    first = tables[0].records()[0]
    return f"Heinsen prefill, d = {first['d']}: {show(first['ns/token and head'])} ns per token"


CASE = Case(
    "cuda/heinsen", "Heinsen attention beside scaled_dot_product_attention", (), run, headline
)
