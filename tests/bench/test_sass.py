"""The reader of machine code behind bench/machine_code/report.py, on text as nvdisasm prints it."""

import importlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from repository import BENCH

SCRIPTS = BENCH / "machine_code"

# Loads two chunks, one of them element by element if it is ragged; a loop; a slow way out of line.
LISTING = """
	.section	.text.copy,"ax",@progbits
.text.copy:
        /*0000*/                   LDC R1, c[0x0][0x28] ;
        /*0010*/              @!P0 BRA `(.L_x_1) ;
        /*0020*/                   LDG.E R4, desc[UR6][R2.64] ;
        /*0030*/                   LDG.E R5, desc[UR6][R2.64+0x4] ;
        /*0040*/                   BRA `(.L_x_2) ;
.L_x_1:
        /*0050*/                   LDG.E.128 R4, desc[UR6][R2.64] ;
.L_x_2:
        /*0060*/                   FADD R4, R4, R5 ;
        /*0070*/                   BRA.DIV UR4, `(.L_x_4) ;
        /*0080*/                   SHFL.BFLY PT, R6, R4, 0x1, 0x1f ;
.L_x_3:
        /*0090*/                   MUFU.EX2 R4, R4 ;
        /*00a0*/                   STG.E.128 desc[UR6][R8.64], R4 ;
        /*00b0*/               @P1 BRA `(.L_x_3) ;
        /*00c0*/                   EXIT ;
.L_x_4:
        /*00d0*/                   WARPSYNC.COLLECTIVE R10, `(.L_x_3) ;
        /*00e0*/                   BRA `(.L_x_3) ;
.L_x_5:
        /*00f0*/                   BRA `(.L_x_5) ;
        /*0100*/                   NOP ;
"""


@pytest.fixture
def sass(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Import it from the bench's folder."""
    if not SCRIPTS.is_dir():
        pytest.skip("not a checkout")
    monkeypatch.syspath_prepend(str(SCRIPTS))
    yield importlib.import_module("sass")
    sys.modules.pop("sass")


def test_the_way_of_bulk_data(sass: Any) -> None:
    """It takes the chunk, not the elements, and stays off the slow way."""
    (kernel,) = sass.parse(LISTING).values()
    names = [instruction.name for instruction in kernel.way()]
    assert "LDG.E.128" in names
    assert "LDG.E" not in names
    assert "WARPSYNC.COLLECTIVE" not in names
    assert names[-1] == "EXIT"
    assert sass.bulk_bytes(kernel.way()) == 32
    pipes = sass.pipes(kernel.way())
    assert (pipes["special"], pipes["fma"], pipes["shuffle"], pipes["memory"]) == (1, 1, 1, 2)


def test_loops(sass: Any) -> None:
    """The one loop; what fills the end of the code is none."""
    (kernel,) = sass.parse(LISTING).values()
    (loop,) = kernel.loops
    names = [instruction.name for instruction in kernel.way(loop)]
    assert names == ["MUFU.EX2", "STG.E.128", "BRA"]


def test_widths(sass: Any) -> None:
    """Bytes of an access, by its suffixes."""
    wanted = {"LDG.E.128": 16, "LDG.E.64": 8, "STG.E": 4, "LDG.E.U16": 2, "LDS.S8": 1}
    assert {name: sass.Instruction(False, name, "").width for name in wanted} == wanted
