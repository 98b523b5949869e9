"""Exported C headers give the library's bits, natively and on 32-bit Arm, and need no library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from c_headers import SCALES, TARGETS, Program, integer_cases, params_for, surrogate_cases
from fastsoftmax import _core, export, hccs, int8
from fastsoftmax.hccs._params import WIDE

INTEGERS, SURROGATES = integer_cases(), surrogate_cases()
NONE = np.zeros(0, int)
PLAIN = fs.isas(all=True)[-1]


@pytest.fixture(scope="module", params=TARGETS, ids=lambda target: str(target.id))
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """All headers in one program for a target, warnings being errors."""
    cases = [case for case, _ in INTEGERS.values()] + list(SURROGATES.values())
    return Program(request.param, cases, tmp_path_factory.mktemp("headers"))


def logits(rng: np.random.Generator, rows: int, n: int) -> Any:
    """Rows of all spreads, some of them equal throughout."""
    wide = rng.integers(-128, 128, (rows, n))
    return (wide >> rng.integers(0, 9, (rows, 1))).astype(np.int8)


def head_of(params: hccs.Params, head: int) -> hccs.Params:
    """One of several heads."""
    B, S, Dmax = params.heads[head].tolist()
    return hccs.Params(params.scale[head], B, S, Dmax, params.n, params.profile)


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("name", INTEGERS)
def test_integers_have_the_librarys_bits(program: Program, name: str, masked: bool) -> None:
    """Every head, with and without a mask; masks that keep nothing among them."""
    case, variant = INTEGERS[name]
    rng = np.random.default_rng(len(name))
    is_hccs = variant in _core.variants("hccs")
    for head in range(3):
        bound = is_hccs and params_for(variant).profile != WIDE
        for n in (128,) if bound else (1, 77, 1000):
            x = logits(rng, 100, n)
            keep = rng.random(x.shape) < rng.choice([0, 0.05, 0.7, 1], (100, 1)) if masked else None
            if is_hccs:
                params = head_of(params_for(variant), head)
                wanted = hccs.softmax(x, params, mode=variant, out_dtype=case.dtype, mask=keep)
            else:
                wanted = int8.softmax(
                    x, SCALES[head], table=variant, out_dtype=case.dtype, mask=keep
                )
            status, y = program.run(case, head, x, keep)
            assert status == 0
            np.testing.assert_array_equal(y, wanted)


@pytest.mark.parametrize("name", [n for n, (_, v) in INTEGERS.items() if n.startswith("int8")])
def test_table_of_the_longest_row(program: Program, name: str) -> None:
    """Sums beyond 2^24 are rounded as float32 rounds them."""
    case, table = INTEGERS[name]
    x = np.random.default_rng(3).integers(-9, 1, (6, 65536)).astype(np.int8)
    status, y = program.run(case, 1, x)
    assert status == 0
    np.testing.assert_array_equal(y, int8.softmax(x, SCALES[1], table=table, out_dtype=case.dtype))


@pytest.mark.parametrize("name", INTEGERS)
def test_refuses_other_heads_and_lengths(program: Program, name: str) -> None:
    """Nothing is written then."""
    case, _ = INTEGERS[name]
    n = 128 if name.startswith("hccs") else 9
    status, y = program.run(case, 3, np.zeros((1, n), np.int8))
    assert status == 1
    assert set(y.tobytes()) == {0x5A}
    status, y = program.run(case, 0, np.zeros((1, 0), np.int8))
    assert status == 2
    longest = int(case.text.split("_LONGEST ")[1].split("ul")[0])
    if longest < 100_000:
        status, y = program.run(case, 0, np.zeros((1, longest + 1), np.int8))
        assert status == 2
        assert set(y.tobytes()) == {0x5A}


@pytest.mark.parametrize("name", [*INTEGERS, *SURROGATES])
def test_needs_no_library(program: Program, name: str) -> None:
    """No symbol is missing but, where an operator may be a call, the compiler's own helpers."""
    case = INTEGERS[name][0] if name in INTEGERS else SURROGATES[name]
    helpers = program.target.helpers
    allowed = (*helpers[:1] * case.divides, *helpers[1:] * case.floats)
    assert {s for s in program.needs(case) if not s.startswith(allowed or ("\0",))} == set()


@pytest.mark.parametrize("name", SURROGATES)
def test_surrogate_has_the_scalar_bits(program: Program, name: str) -> None:
    """Over the domain, at its edge, below it, and for NaN, whose bits are nobody's."""
    row = next(k for k in fs.kernels() if k.id == f"weight/{name}/{PLAIN}")
    edge = np.float32(row.domain)
    near = np.nextafter(edge, np.array([-np.inf, 0], np.float32))
    special = np.array([0.0, -0.0, edge, -1e30, -np.inf, np.nan], np.float32)
    ladder = -np.geomspace(1e-30, 2 * -row.domain, 100_000).astype(np.float32)
    d = np.concatenate([special, near, ladder, np.linspace(row.domain, 0, 50_000, dtype="f4")])
    wanted = np.empty_like(d)
    _core.weight(name, PLAIN, d, wanted)
    status, h = program.run(SURROGATES[name], 0, d[None])
    assert status == 0
    known = ~np.isnan(wanted)
    np.testing.assert_array_equal(np.isnan(h[0]), ~known)
    np.testing.assert_array_equal(h[0][known].view(np.uint32), wanted[known].view(np.uint32))


@pytest.mark.parametrize("name", SURROGATES)
def test_surrogate_rows(program: Program, name: str) -> None:
    """Rows are their weights' exact quotient within 4 units of 2^-24; edges as in the library."""
    x = np.random.default_rng(5).normal(0, 3, (20, 501)).astype(np.float32)
    x[:, 7] = -np.inf
    keep = np.random.default_rng(6).random(x.shape) < 0.6
    keep[0] = False
    m = np.where(keep, x, -np.inf).max(axis=1, keepdims=True)
    m[0] = 0
    h = np.empty(x.size, np.float32)
    _core.weight(name, PLAIN, (x - m).ravel(), h)
    weights = np.where(keep, h.reshape(x.shape), 0).astype(np.float64)
    wanted = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
    status, y = program.run(SURROGATES[name], 1, x, keep)
    assert status == 0
    np.testing.assert_allclose(y, wanted, rtol=4 * 2.0**-24, atol=0)
    broken = np.full((4, 9), -np.inf, np.float32)
    broken[1:, 2] = [np.nan, np.inf, 1]
    status, y = program.run(SURROGATES[name], 1, broken)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(fs.online(broken, variant=name)))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: export.surrogate("exact"), "can't be exported; surrogates: "),
        (lambda: export.int8(0.0), "above 0"),
        (lambda: export.int8([]), "above 0"),
        (lambda: export.int8(0.02, entries=64), "it needs 256"),
        (lambda: export.int8(0.1, entries=65), "may be 'auto' or one of 64, 128, 256"),
        (lambda: export.int8(0.1, name="2"), "must be a letter"),
        (lambda: export.int8(0.1, table="u9"), "unknown table"),
        (lambda: export.hccs(params_for(WIDE), mode="x"), "unknown mode"),
        (lambda: export.hccs(hccs.Params([], NONE, NONE, NONE, 9)), "no head"),
    ],
)
def test_refusals(call: Any, words: str) -> None:
    """Say what was wrong."""
    with pytest.raises(ValueError, match=words):
        call()


def test_hccs_names_a_violated_condition() -> None:
    """Parameters of profile "wide" are no good for a mode of the paper."""
    paper = next(v for v in _core.variants("hccs") if v != WIDE)
    with pytest.raises(ValueError, match=r"head \(0,\) violates 0 <= S <= 127"):
        export.hccs(params_for(WIDE), mode=paper)


def command(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    line = [sys.executable, "-m", "fastsoftmax", "export", *map(str, arguments)]
    return subprocess.run(line, cwd=cwd, capture_output=True, text=True)


def test_command_line_writes_what_the_functions_return(tmp_path: Path) -> None:
    """To a file, and without -o to standard output."""
    params = params_for(WIDE)
    params.save(tmp_path / "params.json")
    done = command("hccs", "params.json", "--lang", "c", "-o", "hccs.h", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "hccs.h").read_text() == export.hccs(params)
    name = export.surrogates()[0]
    assert command(name, cwd=tmp_path).stdout == export.surrogate(name)
    table = _core.variants("int8")[-1]
    done = command("int8", "--scale", 0.1, 0.2, "--table", table, cwd=tmp_path)
    assert done.stdout == export.int8([0.1, 0.2], table=table)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing",), "can't be exported"),
        (("hccs",), "params.json"),
        (("hccs", "absent.json", "-o", "out.h"), "absent.json"),
        (("int8", "-o", "out.h"), "--scale"),
        (("int8", "--scale", "0.1", "--mode", "x", "-o", "out.h"), "--mode"),
        (("int8", "--scale", "-1", "-o", "out.h"), "above 0"),
        (("int8", "--scale", "0.1", "-o", "absent/out.h"), "absent"),
        (("int8", "--scale", "0.1", "--out-dtype", "(1,"), "no dtype"),
    ],
)
def test_command_line_refuses(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    """One sentence, status 2 and no file, not even half of one."""
    done = command(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
