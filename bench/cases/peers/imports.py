"""What `import fastsoftmax` costs beyond NumPy's own import, in interpreters started for it."""

import statistics
import subprocess
import sys

from lib import targets
from lib.case import Progress
from lib.report import Table, show
from peers.ground import Ground, member

TIMES, QUICK_TIMES = 15, 2
CODE = (
    "import numpy, time; t = time.perf_counter(); import fastsoftmax; "
    "print((time.perf_counter() - t) * 1e3)"
)


def _once() -> float:
    """Milliseconds, in a fresh interpreter."""
    command = [sys.executable, "-c", CODE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _run(ground: Ground, progress: Progress) -> list[Table]:
    progress.expect(1)
    progress.next("import")
    times = [_once() for _ in range(QUICK_TIMES if ground.options.quick else TIMES)]
    limit, best = ground.wanted.import_ms, min(times)
    table = Table(
        "import beyond numpy",
        ["what", "median", "ms", "target", ""],
        note=f"of {len(times)} interpreters, files in the system's cache",
    )
    median = statistics.median(times)
    table.add("import fastsoftmax", median, best, limit, targets.verdict(best, limit))
    return [table]


def headline(tables: list[Table]) -> str | None:
    """Say what the import costs."""
    return f"{tables[0].title} {show(tables[0].records()[0]['ms'])} ms"


CASE = member("import", "import beyond NumPy", (), _run, headline)
