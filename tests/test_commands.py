"""The sub-commands, run as a user would."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fastsoftmax import hccs


def calibrate(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the sub-command."""
    command = [sys.executable, "-m", "fastsoftmax", "calibrate", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("granularity", "shape"), [("head", (2, 3)), ("layer", (2, 1)), ("global", ())]
)
def test_calibrate(granularity: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    """Parameters are written, and each set of them has its line."""
    x = np.random.default_rng(0).normal(0, 2, (2, 3, 9, 20)) * np.arange(1, 4)[:, None, None]
    np.savez(tmp_path / "x.npz", logits=x, mask=x > -5)
    out = tmp_path / "p.json"
    done = calibrate(str(tmp_path / "x.npz"), "-o", str(out), "--granularity", granularity)
    assert done.returncode == 0, done.stderr
    assert hccs.Params.load(out).shape == shape
    assert len(done.stdout.splitlines()) == 2 + int(np.prod(shape))


def test_calibrate_refuses_nan(tmp_path: Path) -> None:
    """In words, with nothing written."""
    np.savez(tmp_path / "x.npz", logits=np.full((1, 2, 3), np.nan))
    done = calibrate(str(tmp_path / "x.npz"), "-o", str(tmp_path / "p.json"))
    assert done.returncode == 1
    assert "NaN" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "p.json").exists()
