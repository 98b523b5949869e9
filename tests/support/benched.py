"""The benchmark as tests run it: as a user does, or module by module."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from repository import BENCH

Load = Callable[[str], ModuleType]

#: Every sample is one call, however short: what is measured means nothing, but all is run.
HASTY = """
import sys
sys.path.insert(0, {bench!r})
sys.argv[0] = "run.py"
from lib import timing, two_builds
timing.SAMPLE_NS = 1
two_builds.LEAST = two_builds.MOST = 1e-4
import run
sys.exit(run.main())
"""


def run(*arguments: str, hasty: bool = False, environment: dict[str, str] | None = None) -> Any:
    """Run the benchmark as a user does; hastily where figures don't matter."""
    script = ["-c", HASTY.format(bench=str(BENCH))] if hasty else [str(BENCH / "run.py")]
    return subprocess.run(
        [sys.executable, *script, *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env=os.environ | (environment or {}),
    )


def result_of(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run the benchmark and read what it wrote as JSON."""
    file = folder / "result.json"
    done = run(*arguments, "--json", str(file))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def column(table: dict[str, Any], name: str) -> list[Any]:
    """All cells under one heading."""
    place = table["columns"].index(name)
    return [row[place] for row in table["rows"]]
