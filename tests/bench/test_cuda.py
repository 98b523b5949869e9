"""The parts of the case for CUDA devices that need none."""

from types import SimpleNamespace
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from benched import Load
from cpu_kernels import cpu_kernels


def called(calls: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """Stand in for a clock: every call runs once and takes 16 ns."""
    for call in calls.values():
        call()
    return dict.fromkeys(calls, (16.0, 32.0))


def test_scan_sweep_counts_updates(bench: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU here: every variant on every number of sequences, along the first axis."""
    sweep = bench("cases.cuda.scan")
    monkeypatch.setattr(sweep, "ELEMENTS", 1 << 12)
    kernels = [kernel for kernel in cpu_kernels() if kernel.op in ("scan", "online")]
    shapes: list[tuple[int, ...]] = []

    def timed(calls: dict[str, Any]) -> dict[str, tuple[float, float]]:
        shapes.extend(call()[0].shape for call in calls.values())
        return dict.fromkeys(calls, (16.0, 32.0))

    table = sweep.measure(lambda shape: np.zeros(shape, np.float32), timed, kernels, (2, 128))
    variants = fs.variants("scan")
    assert shapes == [(2,)] * len(variants) + [(128,)] * len(variants)
    assert [row[0] for row in table.rows] == variants * 2
    assert table.rows[0][1:] == [2, 2048, 256.0, 128.0]
    assert table.rows[-1][1:] == [128, 64, 512.0, 256.0]


def test_int8_rows_beside_the_chain_of_floats(bench: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every mode and table of int8 once for each dtype it gives; bandwidths from bytes."""
    module = bench("cases.cuda.int8")
    x = np.random.default_rng(0).integers(-128, 128, (8, 128), dtype=np.int8)
    fake = SimpleNamespace(empty_like=np.empty_like)
    monkeypatch.setattr(module, "chain", lambda torch, x: x)
    kernels = [k for k in cpu_kernels() if k.op in ("hccs", "int8", "online") and k.available]
    copies = type("Copies", (np.ndarray,), {"copy_": lambda self, of: np.copyto(self, of)})
    table = module.measure(fake, x.view(copies), called, kernels)
    named = {(row[0], row[1]) for row in table.rows}
    assert {name for name, _ in named} >= {k.id for k in kernels if k.op != "online"}
    assert not {k.id for k in kernels if k.op == "online"} & {name for name, _ in named}
    assert (next(k.id for k in kernels if k.op == "int8"), "int16") in named
    copy = next(row for row in table.rows if row[0] == module.COPY)
    assert copy[2:6] == [16 / 1024, 32 / 1024, 2 * 1024 / 16, 1.0]
    wide = next(row for row in table.rows if row[1] == "int16")
    assert wide[4] == 3 * 1024 / 16
    assert wide[6] == 1.0


def test_heinsen_beside_ordinary_attention(bench: Load) -> None:
    """Prefill and step of both; a time for each token and head."""
    module = bench("cases.cuda.heinsen")
    shapes: list[tuple[int, ...]] = []

    def attend(q: Any, k: Any, v: Any, is_causal: bool = False) -> Any:
        shapes.append((q.shape[2], k.shape[2], is_causal))
        return q

    fake = SimpleNamespace(
        nn=SimpleNamespace(functional=SimpleNamespace(scaled_dot_product_attention=attend))
    )
    table = module.measure(fake, lambda shape: np.zeros(shape, np.float32), called, ((32, 8),))
    assert shapes == [(32, 32, True), (1, 32, False)]
    assert [row[:3] for row in table.rows] == [
        [name, 32, 8]
        for name in ("prefill", "prefill, log v", "prefill, sdpa", "step", "step, sdpa")
    ]
    assert [row[5] for row in table.rows] == [16 / 2048] * 3 + [16 / 64] * 2
