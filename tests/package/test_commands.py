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
    assert done.stderr.splitlines()[-1] == f"search: {np.prod(shape):.0f} of {np.prod(shape):.0f}"


def test_calibrate_refuses_nan(tmp_path: Path) -> None:
    """In words, with nothing written."""
    np.savez(tmp_path / "x.npz", logits=np.full((1, 2, 3), np.nan))
    done = calibrate(str(tmp_path / "x.npz"), "-o", str(tmp_path / "p.json"))
    assert done.returncode == 1
    assert "NaN" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "p.json").exists()


def stored(folder: Path) -> str:
    """Logits of two heads, one much broader than the other."""
    x = np.random.default_rng(0).normal(0, 1, (2, 9, 20)) * np.array([1, 8])[:, None, None]
    np.savez(folder / "x.npz", logits=x)
    return str(folder / "x.npz")


def test_calibrate_draws(tmp_path: Path) -> None:
    """A picture beside the parameters."""
    pytest.importorskip("matplotlib")
    picture = tmp_path / "heads.png"
    done = calibrate(stored(tmp_path), "-o", str(tmp_path / "p.json"), "--picture", str(picture))
    assert done.returncode == 0, done.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_no_picture_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install is said before anything is computed or written."""
    (tmp_path / "matplotlib.py").write_text("raise ModuleNotFoundError('none here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = calibrate(stored(tmp_path), "-o", str(tmp_path / "p.json"), "--picture", "heads.png")
    assert done.returncode == 1
    assert "pip install 'fastsoftmax[bench]'" in done.stderr
    assert not (tmp_path / "p.json").exists()


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (("--scale", "0.25"), {"scale": 0.25}),
        (("--profile", "paper", "--mode", "i8+clb", "--n", "64"), {"mode": "i8+clb", "n": 64}),
    ],
)
def test_calibrate_passes_options_on(
    options: tuple[str, ...], wanted: dict[str, object], tmp_path: Path
) -> None:
    """Scale, profile, mode and length arrive in the file."""
    out = tmp_path / "p.json"
    done = calibrate(stored(tmp_path), "-o", str(out), *options)
    assert done.returncode == 0, done.stderr
    params = hccs.Params.load(out)
    for name, value in wanted.items():
        assert np.all(getattr(params, name) == value)


def test_calibrate_wants_an_npz(tmp_path: Path) -> None:
    """A file of something else is named, without a traceback."""
    (tmp_path / "x.npz").write_text("no archive")
    done = calibrate(str(tmp_path / "x.npz"), "-o", str(tmp_path / "p.json"))
    assert done.returncode == 1
    assert "no .npz file" in done.stderr
    assert "Traceback" not in done.stderr
