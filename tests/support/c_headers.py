"""Exported C headers, compiled for this machine and for 32-bit Arm, and run there."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastsoftmax import _core, export, hccs
from fastsoftmax.hccs._params import WIDE
from numpy.typing import NDArray

REQUIRED = "FASTSOFTMAX_REQUIRE_ARM"  # set in CI: no skip for want of the cross compiler
FLAGS = ["-std=c99", "-O2", "-ffreestanding", "-pedantic", "-Wall", "-Wextra", "-Wconversion"]
FLAGS += ["-Wsign-conversion", "-Wshadow", "-Werror"]
PAPER = hccs.Params(0.1, [240, 200, 255], [1, 1, 3], [100, 127, 63], 128, "paper")
CALIBRATED = hccs.Params(0.1, [32767, 200, 600], [128, 1, 9], [255, 127, 63], 1000)
SCALES = (0.11, 0.02, 0.5)

UNIT = """#include "{name}.h"
int run_{name}(size_t head, const void *x, const uint8_t *keep, size_t n, void *y);
int run_{name}(size_t head, const void *x, const uint8_t *keep, size_t n, void *y) {{
    {call};
}}
"""
MAIN = """#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
typedef int run(size_t head, const void *x, const uint8_t *keep, size_t n, void *y);
{declarations}
static const struct {{ const char *name; run *run; }} all[] = {{ {rows} }};
/* NAME HEAD N ROWS MASKED INPUT OUTPUT: sizes of an element; a row's logits, then its mask */
int main(int argc, char **argv) {{
    size_t head, n, rows, in, out, i, r;
    int masked, status = argc == 8 ? 0 : 9;
    char *x, *y;
    uint8_t *keep;
    if (status)
        return status;
    for (i = 0; strcmp(all[i].name, argv[1]); ++i) {{}}
    head = strtoul(argv[2], 0, 10), n = strtoul(argv[3], 0, 10), rows = strtoul(argv[4], 0, 10);
    masked = atoi(argv[5]), in = strtoul(argv[6], 0, 10), out = strtoul(argv[7], 0, 10);
    x = malloc(n * in), y = malloc(n * out), keep = malloc(n);
    for (r = 0; r < rows && !status; ++r) {{
        if (fread(x, in, n, stdin) != n || (masked && fread(keep, 1, n, stdin) != n))
            return 8;
        memset(y, 0x5a, n * out);
        status = all[i].run(head, x, masked ? keep : 0, n, y);
        fwrite(y, out, n, stdout);
    }}
    return status;
}}
"""


@dataclass(frozen=True)
class Target:
    """A C compiler, and what runs its programs."""

    id: str
    compilers: tuple[str, ...]
    flags: tuple[str, ...]
    emulator: tuple[str, ...]
    helpers: tuple[str, ...]  #: prefixes of what libgcc brings for division and for floats


TARGETS = (
    Target("native", ("cc", "gcc", "clang"), (), (), ()),
    Target(
        "arm",
        ("arm-linux-gnueabi-gcc",),
        ("-static",),
        ("qemu-arm-static",),
        ("__aeabi_uidiv", "__aeabi_f"),
    ),
)


@dataclass(frozen=True)
class Case:
    """One header, what it must equal, and whether it may divide or use floats."""

    name: str
    text: str
    dtype: np.dtype[Any]
    divides: bool = False
    floats: bool = False


def integer_cases() -> dict[str, tuple[Case, str]]:
    """Each mode of HCCS in each of its dtypes, each table in each; the mode or table beside it."""
    found = {}
    for dtype in (np.dtype(np.int16), np.dtype(np.uint8)):
        for mode in _core.variants("hccs"):
            params = params_for(mode)
            name = f"hccs_{mode.replace('+', '_')}_{dtype}"
            try:
                text = export.hccs(params, mode=mode, out_dtype=dtype, name=f"fs_{name}")
            except TypeError:
                continue  # the paper's modes have one dtype each
            found[name] = (Case(name, text, dtype, not mode.endswith("clb")), mode)
        for table in _core.variants("int8"):
            name = f"int8_{table}_{dtype}"
            text = export.int8(SCALES, table=table, out_dtype=dtype, name=f"fs_{name}")
            found[name] = (Case(name, text, dtype), table)
    return found


def surrogate_cases() -> dict[str, Case]:
    """Each generated surrogate: its weights, and its rows."""
    texts = {name: export.surrogate(name) for name in export.surrogates()}
    single = np.dtype(np.float32)
    return {n: Case(n, text, single, divides=True, floats=True) for n, text in texts.items()}


def params_for(mode: str) -> hccs.Params:
    """Parameters that a mode takes."""
    return CALIBRATED if mode == WIDE else PAPER


def _call(case: Case) -> str:
    if not case.floats:
        return f"return fs_{case.name}_softmax(head, x, keep, n, y)"
    return (
        "size_t i;\n    float *out = y;\n    if (head)\n"
        f"        fs_{case.name}_softmax(x, keep, n, out);\n    else\n"
        f"        for (i = 0; i < n; ++i)\n            out[i] = fs_{case.name}_weight("
        "((const float *)x)[i]);\n    return 0"
    )


class Program:
    """All headers in one program for a target."""

    def __init__(self, target: Target, cases: list[Case], folder: Path) -> None:
        self.target, self.folder = target, folder
        self.compiler = _found(target)
        for case in cases:
            (folder / f"{case.name}.h").write_text(case.text)
            (folder / f"{case.name}.c").write_text(UNIT.format(name=case.name, call=_call(case)))
        names = [case.name for case in cases]
        declarations = "".join(f"run run_{name};\n" for name in names)
        rows = ", ".join(f'{{"{name}", run_{name}}}' for name in names)
        (folder / "main.c").write_text(MAIN.format(declarations=declarations, rows=rows))
        self._do(*FLAGS, "-c", *(f"{name}.c" for name in names))
        objects = [f"{name}.o" for name in names]
        self._do("-std=c99", "-O1", *target.flags, "main.c", *objects, "-o", "program")

    def _do(self, *arguments: str) -> None:
        done = subprocess.run(
            [self.compiler, *arguments], cwd=self.folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    def needs(self, case: Case) -> set[str]:
        """Return what an object expects from a library."""
        prefix = self.compiler.removesuffix("gcc") if self.target.emulator else ""
        command = [f"{prefix}nm", "-u", f"{case.name}.o"]
        text = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True)
        return {line.split()[-1] for line in text.stdout.splitlines()}

    def run(
        self, case: Case, head: int, x: NDArray[Any], keep: NDArray[np.bool_] | None = None
    ) -> tuple[int, NDArray[Any]]:
        """Run it on rows; return its status and what it wrote."""
        rows = [x.view(np.uint8)]
        rows += [] if keep is None else [keep.view(np.uint8)]
        sizes = (head, x.shape[1], len(x), int(keep is not None), x.itemsize, case.dtype.itemsize)
        command = [*self.target.emulator, "./program", case.name, *map(str, sizes)]
        text = np.concatenate(rows, axis=1).tobytes()
        done = subprocess.run(command, cwd=self.folder, input=text, capture_output=True)
        y = np.frombuffer(done.stdout, case.dtype)
        return done.returncode, y.reshape(-1, max(x.shape[1], 1))


def _found(target: Target) -> str:
    compiler = next(filter(shutil.which, target.compilers), None)
    missing = [tool for tool in target.emulator if not shutil.which(tool)]
    if compiler is None or missing:
        lacking = ", ".join(missing or target.compilers)
        if os.environ.get(REQUIRED):
            pytest.fail(f"{REQUIRED} is set, but there is no {lacking}")
        pytest.skip(f"no {lacking} here")
    return compiler
