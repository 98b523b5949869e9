"""The script that compares two builds bit for bit: it knows every operation, and sees a change."""

from pathlib import Path

import bits
import fastsoftmax as fs
import numpy as np
import pytest
from fresh import python

SCRIPT = str(Path(bits.__file__))
FEW = "scan/exact"


def test_every_operation_is_hashed() -> None:
    """A new operation is added there, too."""
    assert bits.RESULTS.keys() == {kernel.op for kernel in fs.kernels() if kernel.device == "cpu"}


def test_integers() -> None:
    """The generator is splitmix64: the first number of its published example for seed 0."""
    assert bits.integers(0, 1, 62).tolist() == [0xE220A8397B1DCDAF >> 2]


@pytest.mark.parametrize("value", [np.float32(1) + np.finfo(np.float32).eps, np.nan, -1])
def test_digest_sees_a_bit(value: float) -> None:
    """Any element counts, as do dtype and shape; the payload of a NaN doesn't."""
    one = np.ones((2, 3), np.float32)
    changed = one.copy()
    changed[1, 2] = value
    others = [changed, one.T, one.astype(np.float64), one.astype(np.int8), one[:1]]
    found = {bits.digest(iter([array])) for array in (one, *others)}
    assert len(found) == 6
    nans = np.full(2, np.nan, np.float32)
    assert bits.digest(iter([nans])) == bits.digest(iter([(nans.view("u4") ^ 1).view("f4")]))


def test_comparison(tmp_path: Path) -> None:
    """The same build has the same bits; what differs, is missing or new is named."""
    said = python(SCRIPT, "--only", FEW)
    assert said.returncode == 0, said.stderr
    lines = said.stdout.splitlines()
    assert len(lines) > 2
    file = tmp_path / "before.txt"
    file.write_text(said.stdout)
    again = python(SCRIPT, "--only", FEW, "--against", str(file))
    assert again.returncode == 0
    assert again.stdout == f"0 of {len(lines) - 1} kernels differ\n"
    first, second = (line.rpartition(" ")[0] for line in lines[:2])
    file.write_text("\n".join([f"{first} 0", f"{FEW}/gone float32 0", *lines[2:]]))
    again = python(SCRIPT, "--only", FEW, "--against", str(file))
    assert again.returncode == 1
    told = {f"{first}: other bits", f"{second}: new", f"{FEW}/gone float32: missing now"}
    assert told == set(again.stdout.splitlines()[:-1])
