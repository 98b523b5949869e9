"""The first CUDA device: its kernels, random numbers on it, and times by its own events."""

import importlib
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import fastsoftmax as fs

from lib.case import Options

Call = Callable[[], Any]
#: Nanoseconds of a call of each, minimum and median.
Timed = Callable[[dict[str, Call]], dict[str, tuple[float, float]]]


class Events:
    """Times by events on the current stream: what the device took, not what the host waited."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch

    def milliseconds(self, call: Call, repeats: int) -> float:
        """Time of `repeats` calls, one after another."""
        begin, end = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(repeats):
            call()
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end))


def timed(clock: Any, calls: dict[str, Call], rounds: int) -> dict[str, tuple[float, float]]:
    """Nanoseconds of a call of each, minimum and median; they take turns."""
    repeats = {}
    for name, call in calls.items():
        call()
        once = clock.milliseconds(call, 3) / 3
        repeats[name] = max(1, min(100, int(2 / max(once, 1e-3))))
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            taken[name].append(clock.milliseconds(call, repeats[name]) / repeats[name] * 1e6)
    return {name: (min(times), statistics.median(times)) for name, times in taken.items()}


@dataclass(frozen=True)
class Device:
    """Where the cases of the group cuda run; `kernels` are those of the user's choice."""

    kernels: list[fs.Kernel]
    torch: Any
    rounds: int

    @property
    def place(self) -> Any:
        """The device as torch names it."""
        return self.torch.device(self.kernels[0].device, 0)

    def random(self, shape: tuple[int, ...]) -> Any:
        """Draw numbers of N(0, 1)."""
        return self.torch.randn(shape, device=self.place)

    def timed(self, calls: dict[str, Call]) -> dict[str, tuple[float, float]]:
        """Time the calls in turn."""
        return timed(Events(self.torch), calls, self.rounds)


def find(options: Options) -> Device | None:
    """Give the device, None if there is none or no kernel for it is left."""
    kernels = [
        kernel
        for kernel in fs.kernels()
        if kernel.device != "cpu"
        and kernel.available
        and (not options.variants or kernel.variant in options.variants)
    ]
    if not kernels:
        return None
    return Device(kernels, importlib.import_module("torch"), options.rounds // 3)
