"""A fresh interpreter: for what is decided when the package is imported."""

import os
import subprocess
import sys


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run this interpreter with FASTSOFTMAX_* and OMP_* unset but for what is given."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FASTSOFTMAX_", "OMP_"))}
    return subprocess.run(
        [sys.executable, *arguments],
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def output(*arguments: str, **environment: str) -> str:
    """Give what the interpreter prints; it has to succeed."""
    result = python(*arguments, **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout
