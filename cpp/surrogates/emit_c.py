"""C99 text of checked entries, for `fastsoftmax.export`: float32, no library, nothing fused.

A fused step is written as two statements, so that a compiler that contracts within an expression
gives the bits of the scalar kernels, too.
"""

from __future__ import annotations

from check import needs_mask
from emit import HEADING, INFIX
from entry import Entry
from program import Program, Step
from single import to_single

FUNCTIONS = {
    "max": "{0} > {1} ? {0} : {1}",
    "min": "{0} < {1} ? {0} : {1}",
    "greater": "{0} > {1} ? 1.0f : 0.0f",
    "abs": "{0} > 0.0f ? {0} : 0.0f - {0}",
}
SUMS = {"fma": "{0} + {1}", "fnma": "{1} - {0}", "fms": "{0} - {1}"}


def c_definitions(entries: list[Entry], source: str) -> str:
    """Return the text of surrogates_c.def: a row of name, argument, edge and C text for each."""
    return HEADING.format(source=source) + "".join(_row(entry) for entry in entries)


def _row(entry: Entry) -> str:
    edge = literal(entry.domain)
    text = f'R"c99({_weight(entry)})c99"'
    return f'FS_C_SURROGATE({entry.name}, "{entry.argument}", "{edge}", {text})\n'


def _weight(entry: Entry) -> str:
    """Return the body of a function of the argument: 0 at its lower edge and below."""
    a = entry.argument
    edge = "0.0f" if a == "u" else literal(entry.domain)
    first = f"    {a} = {edge} > {a} ? {edge} : {a};\n"
    if needs_mask(entry):
        first = f"    if ({a} <= {edge})\n        return 0.0f;\n"
    return first + _body(entry.weight)


def _body(program: Program) -> str:
    text: dict[int, str] = {}
    for index, node in enumerate(program.graph.nodes):
        if node.operation == "variable":
            text[index] = node.name
        elif node.operation == "constant":
            text[index] = literal(node.value)
    lines = []
    for count, step in enumerate(program.steps):
        lines += _statements(step, f"t{count}", [text[i] for i in step.arguments])
        text[step.target] = f"t{count}"
    body = "".join(f"    const float {line};\n" for line in lines)
    return f"{body}    return {text[program.root]};\n"


def _statements(step: Step, target: str, arguments: list[str]) -> list[str]:
    if step.operation in INFIX:
        return [f"{target} = {arguments[0]} {INFIX[step.operation]} {arguments[1]}"]
    if step.operation in FUNCTIONS:
        return [f"{target} = {FUNCTIONS[step.operation].format(*arguments)}"]
    product = f"{target}p"
    total = SUMS[step.operation].format(product, arguments[2])
    return [f"{product} = {arguments[0]} * {arguments[1]}", f"{target} = {total}"]


def literal(value: float) -> str:
    """Return a number rounded to float32, as a hexadecimal literal."""
    mantissa, exponent = to_single(value).hex().split("p")
    text = f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}p{exponent}f"
    return f"({text})" if text.startswith("-") else text
