"""The claims of an entry, checked against its own arithmetic on a sample of its domain.

The sample can refute a claim, not prove it: the tests walk over every float of the domain.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from entry import Entry
from expression import RefusedError
from program import ARITHMETICS, Evaluator
from single import to_single, towards_zero

ZERO_TOLERANCE = 1e-6
# A bound far above the error says nothing of the variant.
LOOSEST_BOUND = 1.5
INCREMENT_TOLERANCE = 1e-9
EVEN_POINTS = 2000
RUNS, RUN_LENGTH = 40, 8
# The sample takes a second for so many; a polynomial of degree 30 takes 60.
MOST_OPERATIONS = 200


class Weight:
    """h as the kernels apply it: d clamped to the domain, 0 at its lower edge and below."""

    def __init__(self, entry: Entry, arithmetic: str) -> None:
        self._round: Callable[[float], float] = float if "double" in arithmetic else to_single
        self.low = self._round(entry.domain)
        self._argument = entry.argument
        self._evaluator = Evaluator(entry.weight, arithmetic)

    def trace(self, d: float) -> list[float]:
        """Return all nodes' values at d >= low."""
        argument = d if self._argument == "d" else max(self._round(d - self.low), 0.0)
        return self._evaluator.trace(**{self._argument: argument})

    def unmasked(self, d: float) -> float:
        """Return what the expression gives at d >= low."""
        return self._evaluator.result(self.trace(d))

    def __call__(self, d: float) -> float:
        """Return the weight of d."""
        return self.unmasked(d) if d > self.low else 0.0


def needs_mask(entry: Entry) -> bool:
    """Return whether the expression leaves anything but 0 at the lower edge of its domain."""
    weights = [Weight(entry, arithmetic) for arithmetic in ARITHMETICS]
    return any(weight.unmasked(weight.low) != 0.0 for weight in weights)


def value_at_zero(entry: Entry) -> float:
    """Return h(0) in float32."""
    return Weight(entry, "float32")(0.0)


def count_weight_operations(entry: Entry) -> int:
    """Count from x with m known: one subtraction, one clamp, the graph of h.

    The form h(u) takes no further subtraction, since m - L is known with m. A mask isn't counted.
    """
    return 2 + entry.weight.graph.count_operations(entry.weight.root)


def count_update_operations(entry: Entry) -> int:
    """Count the graph of g without the sum, which is there for every variant."""
    assert entry.update is not None
    return entry.update.graph.count_operations(entry.update.root) - 1


def check_claims(entry: Entry) -> None:
    """Raise RefusedError if anything that the entry says of itself is untrue on the sample."""
    counted = count_weight_operations(entry)
    if entry.operations != counted:
        raise RefusedError(f"operations = {entry.operations}, but the expression takes {counted}")
    if counted > MOST_OPERATIONS:
        raise RefusedError(f"the expression takes {counted} operations; {MOST_OPERATIONS} at most")
    if entry.update is not None:
        _check_increment(entry)
    largest = 0.0
    for mode in ("float32", "float32 with fma"):
        weight = Weight(entry, mode)
        sample = _sample(entry, weight)
        values = [weight(d) for d in sample]
        for d, value in zip(sample, values, strict=True):
            if not math.isfinite(value):
                raise RefusedError(f"the weight of d = {d:.9g} is {value} in {mode}")
        _check_zero(entry, mode, values[-1])
        _check_monotone(entry, mode, sample, values)
        errors = (abs(value - math.exp(d)) for d, value in zip(sample, values, strict=True))
        largest = max(largest, *errors)
    if largest > entry.measured_error:
        raise RefusedError(
            f"measured_error = {entry.measured_error}, but an error is {largest:.4g}"
        )
    if entry.measured_error > LOOSEST_BOUND * largest:
        raise RefusedError(
            f"measured_error = {entry.measured_error} is more than {LOOSEST_BOUND} times the "
            f"largest error found, {largest:.4g}"
        )


def _check_zero(entry: Entry, mode: str, value: float) -> None:
    if abs(value - entry.value_at_zero) > ZERO_TOLERANCE:
        raise RefusedError(f"value_at_zero = {entry.value_at_zero}, but {mode} gives {value:.9g}")


def _check_monotone(entry: Entry, mode: str, sample: list[float], values: list[float]) -> None:
    if not entry.monotone:
        return
    for i in range(1, len(values)):
        if values[i] < values[i - 1]:
            raise RefusedError(
                f"monotone = true, but {mode} falls from {values[i - 1]:.9g} to "
                f"{values[i]:.9g} between d = {sample[i - 1]:.9g} and {sample[i]:.9g}"
            )


def _check_increment(entry: Entry) -> None:
    """Refuse a g that isn't s + h(x - m) on the domain: g(0, 0, d) would be no weight."""
    assert entry.update is not None
    update = Evaluator(entry.update, "double")
    weight = Evaluator(entry.weight, "double")
    for m in (-2.718281828, 0.0, 1.414213562, 5.656854249):
        for s in (0.0, 1.0, 37.61803399):
            for tenth in range(10):
                x = m + entry.domain * (tenth + 0.3819660113) / 10.4
                got, wanted = update(m=m, s=s, x=x), s + weight(d=x - m)
                if not abs(got - wanted) <= INCREMENT_TOLERANCE * (1.0 + abs(s)):
                    raise RefusedError(
                        f"g(m, s, x) is not s + h(x - m): g({m:.4g}, {s:.4g}, {x:.4g}) = "
                        f"{got:.6g}, s + g(0, 0, x - m) = {wanted:.6g}"
                    )


def _sample(entry: Entry, weight: Weight) -> list[float]:
    """Return float32 points from the lower end of the domain to 0, in order.

    Even points, runs of neighbours, powers of two near both ends, both sides of every jump.
    """
    low = weight.low
    points = {to_single(low * i / EVEN_POINTS) for i in range(EVEN_POINTS + 1)}
    for power in range(1, 31):
        points |= {-(2.0**-power), to_single(low * (1.0 - 2.0**-power))}
    for run in range(RUNS):
        point = to_single(low * (run + 1) / RUNS)
        for _ in range(RUN_LENGTH):
            points.add(point)
            point = towards_zero(point) if point else 0.0
    sample = sorted(point for point in points if low <= point <= 0.0)
    return sorted({*sample, *_jumps(entry, weight, sample)})


def _jumps(entry: Entry, weight: Weight, sample: list[float]) -> set[float]:
    """Return the two neighbouring floats around each change of a greater() within the domain."""
    nodes = entry.weight.graph.nodes
    steps = [i for i, node in enumerate(nodes) if node.operation == "greater"]
    found: set[float] = set()
    if not steps:
        return found
    traces = [weight.trace(d) for d in sample]
    for step in steps:
        for i in range(1, len(sample)):
            if traces[i - 1][step] != traces[i][step]:
                found |= _bisect(weight, step, sample[i - 1], sample[i])
    return found


def _bisect(weight: Weight, step: int, left: float, right: float) -> set[float]:
    before = weight.trace(left)[step]
    while True:
        middle = to_single(0.5 * (left + right))
        if middle in (left, right):
            return {left, right}
        if weight.trace(middle)[step] == before:
            left = middle
        else:
            right = middle
