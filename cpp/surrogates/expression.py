"""Expressions: from text to a hash-consed graph of float operations, through a whitelist."""

from __future__ import annotations

import ast
import math
import re
import warnings
from dataclasses import dataclass

from single import to_single


class RefusedError(Exception):
    """A reason, in words for the author of an entry, why the entry can't be accepted."""


BINARY = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply"}
FUNCTIONS = {"abs": 1, "max": 2, "min": 2, "greater": 2}
COMMUTATIVE = frozenset({"add", "multiply"})
DECIMAL = re.compile(r"(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
# What is left of Python's character set once the whitelist has had its say: no comments, no
# line continuation, nothing that could end the C++ comment in which the text is repeated.
CHARACTERS = re.compile(r"[A-Za-z0-9_.,+\-*()\s]*", re.ASCII)
LONGEST_TEXT = 4000


@dataclass(frozen=True)
class Node:
    """One operation, constant or variable. Arguments are the indices of earlier nodes."""

    operation: str
    arguments: tuple[int, ...] = ()
    value: float = 0.0
    name: str = ""


class Graph:
    """Nodes in order of creation; the same operation on the same arguments exists once."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._known: dict[object, int] = {}

    def variable(self, name: str) -> int:
        """Return the node of the variable `name`."""
        return self._intern(("variable", name), Node("variable", name=name))

    def constant(self, value: float) -> int:
        """Return the node of a constant; 0.0 and -0.0 are two."""
        return self._intern(("constant", value.hex()), Node("constant", value=value))

    def apply(self, operation: str, *arguments: int) -> int:
        """Return the node of an operation, or a simpler one that gives the same bits."""
        folded = self._fold(operation, arguments)
        if folded is not None:
            return folded
        if operation in ("max", "min") and self._is_constant(arguments[1]):
            # V::max(a, b) is b when either is NaN: a constant in front keeps NaN alive.
            arguments = arguments[::-1]
        # a + b and b + a round alike, so they share a node, written as it came first.
        key = tuple(sorted(arguments)) if operation in COMMUTATIVE else arguments
        return self._intern((operation, key), Node(operation, arguments))

    def negate(self, argument: int) -> int:
        """Return -argument; -1 * a is exact, and vector types need no unary minus."""
        if self._is_constant(argument):
            return self.constant(-self.nodes[argument].value)
        return self.apply("multiply", self.constant(-1.0), argument)

    def reachable(self, root: int) -> list[int]:
        """Return what `root` needs, itself included, arguments before their users."""
        needed = {root}
        for index in range(root, -1, -1):
            if index in needed:
                needed.update(self.nodes[index].arguments)
        return sorted(needed)

    def count_operations(self, root: int) -> int:
        """Return the number of operations that `root` takes; constants and variables are free."""
        return sum(bool(self.nodes[index].arguments) for index in self.reachable(root))

    def _intern(self, key: object, node: Node) -> int:
        index = self._known.setdefault(key, len(self.nodes))
        if index == len(self.nodes):
            self.nodes.append(node)
        return index

    def _is_constant(self, index: int, value: float | None = None) -> bool:
        node = self.nodes[index]
        return node.operation == "constant" and (value is None or node.value == value)

    def _fold(self, operation: str, arguments: tuple[int, ...]) -> int | None:
        """Fold what is the same in every precision; nothing here rounds.

        `0 + a` for `a` can turn the sign of a zero, which no sum of weights sees.
        """
        if len(arguments) != 2:
            return None
        left, right = arguments
        if operation == "add" and self._is_constant(left, 0.0):
            return right
        if operation in ("add", "subtract") and self._is_constant(right, 0.0):
            return left
        if operation == "subtract" and self._is_constant(right):
            value = self.nodes[right].value
            if value < 0.0:  # a - -c and a + c are one operation
                return self.apply("add", left, self.constant(-value))
        if operation == "greater" and self._is_constant(left) and self._is_constant(right):
            a, b = self.nodes[left].value, self.nodes[right].value
            if (a > b) == (to_single(a) > to_single(b)):
                return self.constant(float(a > b))
        return None


def parse(text: str, names: dict[str, int], graph: Graph, used: set[str]) -> int:
    """Add an expression to a graph.

    Parameters
    ----------
    text : str
        Sum, difference, product, unary minus, abs, max, min and greater of decimal literals and
        names.
    names : dict
        Node of each name that may occur.
    graph : Graph
        Takes the new nodes.
    used : set
        Takes the names that occur.

    Returns
    -------
    int
        Node of the value.

    Raises
    ------
    RefusedError
        If anything else stands in the text.
    """
    if len(text) > LONGEST_TEXT:
        raise RefusedError(f"an expression of {len(text)} characters; {LONGEST_TEXT} is the limit")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # e.g. of 1or 2, refused below anyway
            tree = ast.parse(text.strip(), mode="eval")
        node = _Lowering(text.strip(), names, graph, used).lower(tree.body)
    except SyntaxError as error:
        raise RefusedError(f"'{text}' is not an expression: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise RefusedError(f"an expression that can't be read: {error}") from None
    if not CHARACTERS.fullmatch(text):
        raise RefusedError(f"'{text}' holds characters that no expression needs")
    return node


class _Lowering:
    """Walk over Python's syntax tree that knows the whitelist and refuses the rest."""

    def __init__(self, text: str, names: dict[str, int], graph: Graph, used: set[str]) -> None:
        self.text, self.names, self.graph, self.used = text, names, graph, used

    def lower(self, node: ast.expr) -> int:
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.Constant):
            return self._literal(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self.graph.negate(self.lower(node.operand))
        if isinstance(node, ast.BinOp) and type(node.op) in BINARY:
            left, right = self.lower(node.left), self.lower(node.right)
            return self.graph.apply(BINARY[type(node.op)], left, right)
        if isinstance(node, ast.Call):
            return self._call(node)
        raise RefusedError(
            f"'{self._source(node)}' is not allowed; an expression is made of names, decimal "
            "literals, unary minus, + - *, abs(), max(), min() and greater()"
        )

    def _source(self, node: ast.expr) -> str:
        return ast.get_source_segment(self.text, node) or ast.unparse(node)

    def _name(self, node: ast.Name) -> int:
        if node.id not in self.names:
            raise RefusedError(
                f"unknown name '{node.id}'; known here: {', '.join(sorted(self.names))}"
            )
        self.used.add(node.id)
        return self.names[node.id]

    def _literal(self, node: ast.Constant) -> int:
        source = self._source(node)
        if not DECIMAL.fullmatch(source):
            raise RefusedError(f"'{source}' is not a decimal literal")
        value = float(source)
        single = to_single(value)
        if math.isinf(single) or (value != 0.0 and single == 0.0):
            raise RefusedError(f"'{source}' does not fit into float32")
        return self.graph.constant(value)

    def _call(self, node: ast.Call) -> int:
        name = node.func.id if isinstance(node.func, ast.Name) else self._source(node.func)
        if name not in FUNCTIONS:
            raise RefusedError(f"unknown function '{name}'; known: {', '.join(FUNCTIONS)}")
        if node.keywords or len(node.args) != FUNCTIONS[name]:
            raise RefusedError(f"{name}() takes {FUNCTIONS[name]}, got '{self._source(node)}'")
        return self.graph.apply(name, *[self.lower(argument) for argument in node.args])
