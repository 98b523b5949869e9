"""Files that earlier versions wrote load, and say the same when they are written again.

tests/data holds what `save` wrote before anything was released. Nobody writes these files anew: a
new format gets new files beside them.
"""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastsoftmax import hccs, heinsen
from repository import ROOT

DATA = ROOT / "tests" / "data"

#: Heads of the files of `Params`.
PARAMS = {
    "params_one_head.json": hccs.Params(scale=0.1, B=600, S=9, Dmax=63, n=128),
    "params_heads.json": hccs.Params(
        [[0.0625, 0.1], [1e-3, 0.3], [5e300, 7.0]],
        [[600, 32767], [1, 2], [300, 301]],
        [[9, 0], [0, 1], [2, 3]],
        [[63, 0], [255, 1], [127, 64]],
        n=65538,
    ),
    "params_paper.json": hccs.Params(
        [0.5, 0.25], [300, 301], 2, 127, n=100, profile="paper", mode="i8+clb"
    ),
}

#: Tokens of the files of `State`, by feature: one maximum met three times, one met once, none.
KEYS = [[[0.0, -math.inf, -math.inf], [0, 5, -math.inf], [0, -math.inf, -math.inf]]] * 2
VALUES = [[[1.0, -2], [2, 4], [3, 10]], [[0.5, 0], [0, 0], [-8, 1]]]
#: Maximum of a feature that has seen nothing.
FLOOR = {"float32": float(np.float32(-1e38)), "float64": -1e300}


def npz(file: Any) -> dict[str, np.ndarray]:
    """Read the arrays of a file."""
    with np.load(file) as found:
        return {name: found[name] for name in found.files}


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    """Whether two files hold the same arrays of the same dtypes."""
    return a.keys() == b.keys() and all(
        a[name].dtype == b[name].dtype and np.array_equal(a[name], b[name]) for name in a
    )


def test_every_file_is_loaded() -> None:
    """None lies there unread."""
    found = {path.name for path in DATA.iterdir()}
    assert found == {*PARAMS, *(f"{name}.npz" for name in (*STATS, *STATES))}


@pytest.mark.parametrize("name", PARAMS)
def test_params(name: str, tmp_path: Path) -> None:
    """The very numbers, and the very text again."""
    loaded, wanted = hccs.Params.load(DATA / name), PARAMS[name]
    assert loaded == wanted
    for field in ("scale", "B", "S", "Dmax"):
        found = getattr(loaded, field)
        assert found.dtype == getattr(wanted, field).dtype
        assert np.array_equal(found, getattr(wanted, field))
    assert (loaded.n, loaded.profile, loaded.mode) == (wanted.n, wanted.profile, wanted.mode)
    loaded.save(tmp_path / name)
    assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes()


def even_rows() -> hccs.HeadStats:
    """Give statistics of rows whose logits are all the same."""
    found = hccs.HeadStats(0.25)
    found.update(np.zeros((1, 3, 4)))
    return found


def two_heads() -> hccs.HeadStats:
    """Give statistics of two heads, each with its own scale, one with a row masked out."""
    found = hccs.HeadStats()
    logits = np.array([[[0.0, -51, -255], [-1, -1, 0]], [[0, -1, 0], [-510, 0, -510]]])
    mask = np.array([[[True] * 3, [True] * 3], [[False] * 3, [True] * 3]])
    found.update(logits, mask=mask)
    return found


STATS = {"stats_even_rows": even_rows, "stats_two_heads": two_heads}
#: Scale and rows of them.
COUNTED = {"stats_even_rows": ([0.25], [3]), "stats_two_heads": ([1.0, 2.0], [2, 1])}


@pytest.mark.parametrize("name", STATS)
def test_stats(name: str, tmp_path: Path) -> None:
    """The very sums, which the same rows give today, and the same again."""
    loaded, wanted = hccs.HeadStats.load(DATA / f"{name}.npz"), STATS[name]()
    scale, rows = COUNTED[name]
    assert loaded.scale is not None
    assert loaded.scale.tolist() == scale
    assert loaded.rows.tolist() == rows
    stored = npz(DATA / f"{name}.npz")
    assert stored.pop("version") == 1
    for field in stored:
        assert np.array_equal(getattr(loaded, f"_{field}"), stored[field]), field
        np.testing.assert_allclose(stored[field], getattr(wanted, f"_{field}"), rtol=1e-12)
    assert hccs.calibrate(loaded, 4) == hccs.calibrate(wanted, 4)
    loaded.save(tmp_path / "again.npz")
    assert same(npz(tmp_path / "again.npz"), npz(DATA / f"{name}.npz"))


def state_of(kind: str, initial: Any, dtype: str) -> heinsen.State:
    """Give a state of two heads that has seen the tokens."""
    state = heinsen.State((2,), 3, 2, initial=initial, dtype=dtype)
    keys = np.array(KEYS, dtype)
    if kind == "v":
        state.update(keys, np.array(VALUES, dtype))
    elif kind == "log_v":
        state.update(keys, log_v=np.zeros_like(np.array(VALUES, dtype)))
    return state


STATES = {
    f"state_{kind}_{initial}_{dtype}": (kind, initial, dtype)
    for kind, initial, dtype in [
        ("v", "empty", "float32"),
        ("v", "empty", "float64"),
        ("v", "zeros", "float32"),
        ("log_v", "empty", "float32"),
        ("log_v", "zeros", "float64"),
        ("none", "empty", "float64"),
        ("none", "zeros", "float32"),
    ]
}


def seen(kind: str, initial: str) -> tuple[np.ndarray, np.ndarray]:
    """Give the weight of each feature and, of each feature and column, the values mixed.

    The phantom of "zeros" has key 0 and value 1 in each feature. Below the maximum 5 it weighs
    exp(-5).
    """
    phantom = float(initial == "zeros")
    below = phantom * math.exp(-5.0)
    values = np.array(VALUES) if kind == "v" else np.ones((2, 3, 2))
    if kind == "none":
        return np.full((2, 3), phantom), np.full((2, 3, 2), phantom)
    z = np.array([[3 + phantom, 1 + below, phantom]] * 2)
    mixed = np.stack(
        [values.sum(axis=1) + phantom, values[:, 1] + below, np.full((2, 2), phantom)], axis=1
    )
    return z, mixed


@pytest.mark.parametrize("name", STATES)
def test_states(name: str) -> None:
    """The weights and values that the tokens leave, in the file and again; and the same answers."""
    kind, initial, dtype = STATES[name]
    path = DATA / f"{name}.npz"
    stored, loaded = npz(path), heinsen.State.load(path)
    assert (loaded.batch_shape, loaded.d_k, loaded.d_v) == ((2,), 3, 2)
    assert (loaded.dtype.name, loaded.kind) == (dtype, None if kind == "none" else kind)
    tops = [0.0, 5.0, 0.0] if kind != "none" else [0.0] * 3
    floor = 0.0 if initial == "zeros" else FLOOR[dtype]
    z, mixed = seen(kind, initial)
    expected_m = np.where(z > 0, tops, floor)
    assert np.array_equal(stored["m"], expected_m)
    np.testing.assert_allclose(stored["z"], z, rtol=1e-6, atol=0)
    values = stored["A"] if kind != "log_v" else stored["S"]
    np.testing.assert_allclose(values, mixed, rtol=1e-6, atol=0)
    if kind == "log_v":
        assert np.array_equal(stored["M"], np.broadcast_to(expected_m[..., None], mixed.shape))
    again = io.BytesIO()
    loaded.save(again)
    again.seek(0)
    assert same(npz(again), stored)
    q = np.zeros((2, 3), dtype)
    twin = state_of(kind, initial, dtype)
    options = {"log_v" if kind == "log_v" else "v": np.ones((2, 2), dtype)}
    answer, other = (state.step(q, q, **options) for state in (loaded, twin))
    np.testing.assert_allclose(answer, other, rtol=1e-6 if dtype == "float32" else 1e-13)
