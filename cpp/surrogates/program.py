"""Programs: a graph as straight-line steps, products fused into sums, and their evaluation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from expression import Graph
from single import fused_multiply_add, to_single


@dataclass(frozen=True)
class Step:
    """One operation of V: the value of node `target` from the values of other nodes.

    `operation` is that of a node, or fma (a * b + c), fnma (c - a * b), fms (a * b - c).
    """

    operation: str
    arguments: tuple[int, ...]
    target: int


@dataclass(frozen=True)
class Program:
    """Steps that compute the node `root` of a graph."""

    graph: Graph
    root: int
    steps: tuple[Step, ...]


def schedule(graph: Graph, root: int) -> Program:
    """Order the operations under `root`; a product that feeds one sum alone is fused into it."""
    order = graph.reachable(root)
    uses = Counter(argument for index in order for argument in graph.nodes[index].arguments)
    fused: dict[int, Step] = {}
    absorbed: set[int] = set()
    for index in order:
        node = graph.nodes[index]
        if node.operation not in ("add", "subtract"):
            continue
        for place, argument in enumerate(node.arguments):
            factor = graph.nodes[argument]
            if factor.operation == "multiply" and uses[argument] == 1:
                other = node.arguments[1 - place]
                name = "fma" if node.operation == "add" else ("fms", "fnma")[place]
                fused[index] = Step(name, (*factor.arguments, other), index)
                absorbed.add(argument)
                break
    steps = [
        fused.get(index, Step(graph.nodes[index].operation, graph.nodes[index].arguments, index))
        for index in order
        if graph.nodes[index].arguments and index not in absorbed
    ]
    return Program(graph, root, tuple(steps))


Operation = Callable[..., float]

#: Python's own arithmetic, a fused step rounded twice.
DOUBLE: dict[str, Operation] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "abs": abs,
    # As V::max and V::min: the second when either is NaN.
    "max": lambda a, b: a if a > b else b,
    "min": lambda a, b: a if a < b else b,
    "greater": lambda a, b: float(a > b),
    "fma": lambda a, b, c: a * b + c,
    "fnma": lambda a, b, c: c - a * b,
    "fms": lambda a, b, c: a * b - c,
}

#: float32, a fused step rounded twice, as where the ISA has no fma.
SINGLE: dict[str, Operation] = DOUBLE | {
    "add": lambda a, b: to_single(a + b),
    "subtract": lambda a, b: to_single(a - b),
    "multiply": lambda a, b: to_single(a * b),
    "fma": lambda a, b, c: to_single(to_single(a * b) + c),
    "fnma": lambda a, b, c: to_single(c - to_single(a * b)),
    "fms": lambda a, b, c: to_single(to_single(a * b) - c),
}

#: float32, a fused step rounded once.
SINGLE_FUSED: dict[str, Operation] = SINGLE | {
    "fma": fused_multiply_add,
    "fnma": lambda a, b, c: fused_multiply_add(-a, b, c),
    "fms": lambda a, b, c: fused_multiply_add(a, b, -c),
}


def _double_fma(a: float, b: float, c: float) -> float:
    """Return a * b + c rounded once; math.fma came with Python 3.13 only."""
    if not math.isfinite(a * b + c):
        return a * b + c
    return float(Fraction(a) * Fraction(b) + Fraction(c))


#: double, a fused step rounded once.
DOUBLE_FUSED: dict[str, Operation] = DOUBLE | {
    "fma": _double_fma,
    "fnma": lambda a, b, c: _double_fma(-a, b, c),
    "fms": lambda a, b, c: _double_fma(a, b, -c),
}

#: float32 and double, without and with fma: what a variant meets on the various ISAs.
ARITHMETICS = {
    "float32": SINGLE,
    "float32 with fma": SINGLE_FUSED,
    "double": DOUBLE,
    "double with fma": DOUBLE_FUSED,
}


class Evaluator:
    """A program bound to one of the ARITHMETICS."""

    def __init__(self, program: Program, arithmetic: str) -> None:
        operations = ARITHMETICS[arithmetic]
        rounded: Callable[[float], float] = float if "double" in arithmetic else to_single
        nodes = program.graph.nodes
        self._start = [rounded(node.value) for node in nodes]
        self._variables = [(i, n.name) for i, n in enumerate(nodes) if n.operation == "variable"]
        self._steps = [(operations[s.operation], s.arguments, s.target) for s in program.steps]
        self._root = program.root

    def trace(self, **arguments: float) -> list[float]:
        """Return the value of every node that a step writes, at that node's index."""
        values = self._start.copy()
        for index, name in self._variables:
            values[index] = arguments[name]
        for operation, operands, target in self._steps:
            values[target] = operation(*[values[operand] for operand in operands])
        return values

    def result(self, trace: list[float]) -> float:
        """Return the root's value among those of a trace."""
        return trace[self._root]

    def __call__(self, **arguments: float) -> float:
        """Return the root's value."""
        return self.result(self.trace(**arguments))
