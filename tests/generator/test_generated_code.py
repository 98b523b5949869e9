"""The C++ that the generator writes, compiled and compared bit for bit with NumPy."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from expression_numpy import Array, evaluate_update, evaluate_weight
from generator_cases import GOOD_D, GOOD_G, entry_text
from generator_run import SHIPPED_TEXT, generate
from repository import SURROGATES

# What the shipped entries don't use: h(d) unmasked, min, unary minus, let upon let, both orders of
# a constant in max, products that feed two sums, and a product subtracted from another.
EXTRA = GOOD_D | {
    "expression": '"max(half * d + 1, 0.0) * (1 + 0 * b) + min(a - a * b, -(a - b * a))"',
    "let": '{ half = "0.5", a = "0.25 * half", b = "max(0.0, abs(d) - -1e-3) - 1e-3" }',
    "squarings": "0",
    "domain": "[-2.0, 0.0]",
    "value_at_zero": "0.875",
    "monotone": "false",
    "measured_error": "0.261",
    "operations": "18",
}
TEXT = SHIPPED_TEXT + entry_text(EXTRA, "extra") + entry_text(GOOD_G, "line")
ENTRIES: dict[str, dict[str, Any]] = tomllib.loads(TEXT)["surrogates"]
RAW = [name for name, entry in ENTRIES.items() if entry["raw"]]
POINTS = 200_000
TUPLES = 50_000

# folder of results, and the description of each variant by name
Ran = tuple[Path, dict[str, list[str]]]

PROGRAM = r"""
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>
#include "surrogates.hpp"

// The smallest vector type: one lane, no fused multiply-add.
template <class T> struct Lane {
    using scalar = T;
    T v;
    static Lane set(double a) { return {T(a)}; }
    friend Lane operator+(Lane a, Lane b) { return {a.v + b.v}; }
    friend Lane operator-(Lane a, Lane b) { return {a.v - b.v}; }
    friend Lane operator*(Lane a, Lane b) { return {a.v * b.v}; }
    static Lane fma(Lane a, Lane b, Lane c) { return a * b + c; }
    static Lane fnma(Lane a, Lane b, Lane c) { return c - a * b; }
    static Lane fms(Lane a, Lane b, Lane c) { return a * b - c; }
    static Lane max(Lane a, Lane b) { return a.v > b.v ? a : b; }
    static Lane min(Lane a, Lane b) { return a.v < b.v ? a : b; }
    static Lane abs(Lane a) { return {__builtin_signbit(a.v) ? -a.v : a.v}; }
    static Lane greater(Lane a, Lane b) { return {a.v > b.v ? T(1) : T(0)}; }
};

template <class T> std::vector<T> read(const std::string &path) {
    std::vector<T> data;
    std::FILE *file = std::fopen(path.c_str(), "rb");
    for (T value; std::fread(&value, sizeof value, 1, file) == 1;)
        data.push_back(value);
    std::fclose(file);
    return data;
}

template <class T> void write(const std::string &path, const std::vector<T> &data) {
    std::FILE *file = std::fopen(path.c_str(), "wb");
    std::fwrite(data.data(), sizeof(T), data.size(), file);
    std::fclose(file);
}

template <class S, class T> void weigh(const std::string &folder, const char *name) {
    std::vector<T> d = read<T>(folder + "/" + name + ".d");
    const T low = T(S::domain);
    for (T &value : d) {
        T a = low > value ? low : value;
        if (S::argument_is_u)
            a = a - low;
        const T h = S::template h<Lane<T>>({a}).v;
        value = S::masked && value <= low ? T(0) : h;
    }
    write(folder + "/" + name + ".h", d);
}

template <class S, class T> void update(const std::string &folder, const std::string &type) {
    std::vector<T> m = read<T>(folder + "/m." + type), s = read<T>(folder + "/s." + type);
    const std::vector<T> x = read<T>(folder + "/x." + type);
    for (std::size_t i = 0; i < x.size(); ++i)
        s[i] = S::template g<Lane<T>>({m[i]}, {s[i]}, {x[i]}).v;
    write(folder + "/" + S::info().name + "." + type, s);
}

template <class S> void describe() {
    constexpr fastsoftmax::VariantInfo i = S::info();
    std::printf("%s|%s|%a|%s|%a|%a|%a|%d|%d|%s|%s\n", i.name, i.form, i.bound, i.bound_kind,
                i.domain, i.value_at_zero, i.tail, i.monotone, i.operations, i.rescale, i.source);
}

int main(int, char **arguments) {
    using namespace fastsoftmax::surrogate;
    const std::string folder = arguments[1];
#define FS_SURROGATE(name)                                                                         \
    describe<name>();                                                                              \
    weigh<name, float>(folder, #name);
#define FS_RAW(name, raw)                                                                          \
    describe<raw>();                                                                               \
    update<raw, float>(folder, "float32");                                                         \
    update<raw, double>(folder, "float64");
#include "surrogates.def"
}
"""


def distances(low: float) -> Array:
    """Return float32 from below the domain to 0: spread, near both ends, and neighbours of -1."""
    rng = np.random.default_rng(2)
    spread = rng.uniform(1.05 * low, 0.0, POINTS // 2)
    near_zero = -np.exp2(-rng.uniform(0.0, 40.0, POINTS // 4))
    near_low = low * (1.0 - np.exp2(-rng.uniform(2.0, 24.0, POINTS // 4)))
    inside = np.nextafter(np.float32(low), np.float32(0))
    edges = np.array([low, inside, -0.0, 0.0, -np.inf])
    steps = np.float32(-1.0044303) + np.arange(-2000, 2000, dtype=np.float32) * 2**-22
    parts: list[Array] = [spread, near_zero, near_low, edges, steps]
    return np.concatenate([part.astype(np.float32) for part in parts])


def tuples(dtype: str) -> dict[str, Array]:
    """Return m, s and x as the published streams have them, and far beyond."""
    rng = np.random.default_rng(3)
    m = rng.normal(3.0, 1.0, TUPLES)
    s = rng.uniform(0.0, 100.0, TUPLES)
    x = rng.normal(0.0, 1.0, TUPLES) * np.where(np.arange(TUPLES) % 10, 1.0, 1e3)
    return {name: part.astype(dtype) for name, part in (("m", m), ("s", s), ("x", x))}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Generate, compile and run; return the folder of results and the descriptions by name."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is not installed")
    folder = tmp_path_factory.mktemp("generated")
    result = generate(TEXT, folder)
    assert (result.returncode, result.stderr) == (0, "")
    for name, entry in ENTRIES.items():
        distances(entry["domain"][0]).tofile(folder / f"{name}.d")
    for dtype in ("float32", "float64"):
        for name, values in tuples(dtype).items():
            values.tofile(folder / f"{name}.{dtype}")
    (folder / "main.cpp").write_text(PROGRAM)
    include = [f"-I{folder / 'out'}", f"-I{SURROGATES.parent}"]
    flags = ["-std=c++20", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *flags, *include, "main.cpp", "-o", "main"], cwd=folder, check=True)
    output = subprocess.run([folder / "main", folder], capture_output=True, text=True, check=True)
    rows = [line.split("|") for line in output.stdout.splitlines()]
    return folder, {row[0]: row[1:] for row in rows}


def assert_same_bits(got: Array, wanted: Array) -> None:
    """Compare as integers, so that 0 isn't -0; any NaN is as good as any other."""
    assert got.dtype == wanted.dtype
    bits = f"i{got.dtype.itemsize}"
    same = (got.view(bits) == wanted.view(bits)) | (np.isnan(got) & np.isnan(wanted))
    assert same.all(), f"{np.count_nonzero(~same)} of {same.size} differ"


@pytest.mark.parametrize("name", ENTRIES)
def test_weight_is_that_of_numpy(name: str, ran: Ran) -> None:
    """H of every entry, float32; where it isn't masked, its own zero at the edge must do."""
    d = distances(ENTRIES[name]["domain"][0])
    assert d.size > 100_000
    got = np.fromfile(ran[0] / f"{name}.h", np.float32)
    assert_same_bits(got, evaluate_weight(ENTRIES[name], d))
    assert (np.abs(got - np.exp(d.astype(np.float64))) <= ENTRIES[name]["measured_error"]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", RAW)
def test_recurrence_is_that_of_numpy(name: str, dtype: str, ran: Ran) -> None:
    """G of every entry that has one: sharing and fusing change no bit on a plain machine."""
    values = tuples(dtype)
    wanted = evaluate_update(ENTRIES[name], values["m"], values["s"], values["x"])
    assert_same_bits(np.fromfile(ran[0] / f"{name}_raw.{dtype}", dtype), wanted)


@pytest.mark.parametrize("name", ENTRIES)
def test_description_is_that_of_the_entry(name: str, ran: Ran) -> None:
    """What the registry will say of a variant."""
    entry, info = ENTRIES[name], ran[1][name]
    form, bound, kind, domain, at_zero, tail, monotone, operations, rescale, source = info
    assert form == ("h(u)" if entry["form"] == "h(u)" else "h(d)")
    assert (float.fromhex(bound), kind) == (entry["measured_error"], "absolute, weight")
    assert (float.fromhex(domain), float.fromhex(tail)) == (entry["domain"][0], 0.0)
    assert float.fromhex(at_zero) == float(evaluate_weight(entry, np.zeros(1, np.float32))[0])
    assert (int(monotone), int(operations)) == (entry["monotone"], entry["operations"])
    assert (rescale, source) == (entry["rescale"], entry["origin"])


@pytest.mark.parametrize("name", RAW)
def test_description_of_a_raw_recurrence_promises_nothing(name: str, ran: Ran) -> None:
    """No bound, no domain, no order, no rescale."""
    info = ran[1][f"{name}_raw"]
    form, bound, kind, domain, at_zero, tail, monotone, operations, rescale, source = info
    assert (form, bound, kind, domain, tail) == ("g(m, s, x)", "inf", "none", "-inf", "nan")
    assert at_zero == ran[1][name][4]
    assert (monotone, rescale, source) == ("0", "nothing", ENTRIES[name]["origin"])
    assert int(operations) >= ENTRIES[name]["operations"] - 2
