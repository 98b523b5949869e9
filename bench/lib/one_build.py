"""Time one build of fastsoftmax in a process of its own; two_builds.py starts it for each turn.

Reads what is asked from standard input and writes what was found to standard output, in JSON.
"""

import gc
import importlib
import json
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from lib import timing

PACKAGE = "fastsoftmax"
#: Each call is timed in so many passes over all of them, so that no disturbance meets all samples.
PASSES = 3


class OneBuild:
    """Finds the package in one folder, whatever else is installed: an editable build would win."""

    def __init__(self, site: str) -> None:
        self.site = site

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Look in that folder for the package, and in the package for what belongs to it."""
        if name.partition(".")[0] != PACKAGE:
            return None
        found = PathFinder.find_spec(name, [self.site] if path is None else path, target)
        if found is None:
            raise ModuleNotFoundError(f"there is no {name} in {self.site}", name=name)
        return found


def _made(makers: dict[str, Any], names: list[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Make the calls and try each; give those that can be timed, and why others can't."""
    calls: dict[str, Any] = {}
    absent: dict[str, str] = {}
    for name in names:
        if name not in makers:
            absent[name] = "its table has no such kernel"
            continue
        try:
            call = makers[name]()
            if call is not None:
                call()
                calls[name] = call
        except Exception as trouble:  # whatever an older build may raise
            absent[name] = f"{type(trouble).__name__}: {str(trouble)[:200]}"
    return calls, absent


def _timed(calls: dict[str, Any], seconds: float) -> dict[str, float]:
    """Nanoseconds of each call, the minimum of all samples."""
    counts = {name: timing.repeats(call) for name, call in calls.items()}
    gc.disable()
    times = [
        {name: timing.least(call, counts[name], seconds / PASSES) for name, call in calls.items()}
        for _ in range(PASSES)
    ]
    return {name: min(found[name] for found in times) for name in calls}


def main() -> None:
    """Do what is asked: ``site``, ``names`` of calls or null to list all, ``seconds`` for each."""
    asked = json.load(sys.stdin)
    if asked["site"]:
        sys.meta_path.insert(0, OneBuild(asked["site"]))
    timing.pin()
    fs = importlib.import_module(PACKAGE)
    makers = importlib.import_module("lib.build_calls").every()
    if asked["names"] is None:
        folder = str(fs.__file__).rpartition("/")[0]
        build = f"{fs.__version__}, {fs.info().get('compiler', 'unknown')}, in {folder}"
        json.dump({"build": build, "calls": list(makers)}, sys.stdout)
        return
    calls, absent = _made(makers, asked["names"])
    json.dump({"times": _timed(calls, asked["seconds"]), "absent": absent}, sys.stdout)


if __name__ == "__main__":
    main()
