"""One entry of surrogates.toml: keys, types and names checked, expression turned into graphs."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from expression import Graph, RefusedError, parse
from program import Program, schedule
from single import to_single

# form -> names of the expression's arguments
FORMS = {"g(m, s, x)": ("m", "s", "x"), "h(d)": ("d",), "h(u)": ("u",)}
RESCALES = ("exp", "h")
# Below this, float32 probabilities count as nothing (also for the exact variant).
LOWEST_DOMAIN = -104.0
MOST_SQUARINGS = 8
LONGEST_NAME = 40
MOST_LETS = 32
# The table of kernels, which names the hand-written variants, those of CUDA alone too.
TABLE = Path(__file__).resolve().parents[1] / "kernels" / "kernels.def"
HAND_WRITTEN = re.compile(r"^FS_(?:EXACT|VARIANT|CUDA_ROWS|CUDA_SCAN)\((\w+)", re.MULTILINE)

KEYS: dict[str, type] = {
    "expression": str,
    "form": str,
    "domain": list,
    "value_at_zero": float,
    "tail": float,
    "monotone": bool,
    "rescale": str,
    "raw": bool,
    "origin": str,
    "measured_error": float,
    "operations": int,
}
OPTIONAL_KEYS: dict[str, type] = {"let": dict, "squarings": int, "published_loss": float}
TYPE_NAMES = {
    str: "text in quotes",
    list: "a list of two decimal numbers",
    float: "a finite decimal number (1.0, not 1)",
    bool: "true or false",
    int: "a whole number",
    dict: 'an inline table { name = "expression" }',
}

# The name becomes a C++ struct with the members info, domain, h and g: it must be neither.
RESERVED_WORDS = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t
    char32_t class compl concept const consteval constexpr constinit const_cast continue co_await
    co_return co_yield decltype default delete do double dynamic_cast else enum explicit export
    extern false float for friend goto if inline int long mutable namespace new noexcept not not_eq
    nullptr operator or or_eq private protected public register reinterpret_cast requires return
    short signed sizeof static static_assert static_cast struct switch template this thread_local
    throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while
    xor xor_eq unix linux
    argument_is_u claims domain g h info masked rescales_by_h fastsoftmax surrogate
"""
RESERVED = frozenset(RESERVED_WORDS.split())


@dataclass(frozen=True)
class Entry:
    """An entry whose keys are well formed. Its claims are checked in check.py."""

    name: str
    expression: str
    form: str
    let: dict[str, str]
    squarings: int
    domain: float
    value_at_zero: float
    monotone: bool
    rescale: str
    raw: bool
    origin: str
    measured_error: float
    operations: int
    #: The weight as a function of d or, for the form h(u), of u.
    weight: Program
    #: The published recurrence in m, s and x; None for the forms h(d) and h(u).
    update: Program | None

    @property
    def argument(self) -> str:
        """The argument of `weight`."""
        return "u" if self.form == "h(u)" else "d"


@cache
def hand_written() -> frozenset[str]:
    """Return the names of all hand-written variants of exp."""
    return frozenset(HAND_WRITTEN.findall(TABLE.read_text(encoding="utf-8")))


def check_name(name: str) -> None:
    """Refuse a name that can't be both a variant and a C++ struct."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or len(name) > LONGEST_NAME:
        raise RefusedError(
            "a name is a small letter, then small letters, digits and underscores, "
            f"{LONGEST_NAME} at most"
        )
    if name in hand_written():
        raise RefusedError("the name is that of a hand-written variant")
    if name.endswith("_raw"):
        raise RefusedError("names ending in _raw are given by 'raw = true'")
    if name in RESERVED or "__" in name:
        raise RefusedError("the name is reserved in C++ or in the generated code")


def read_entry(name: str, table: object) -> Entry:
    """Turn the table of one entry into an Entry, or raise RefusedError."""
    check_name(name)
    if not isinstance(table, dict):
        raise RefusedError("is not a table")
    _check_keys(table)
    if table["form"] not in FORMS:
        raise RefusedError(f"form '{table['form']}' is none of {', '.join(FORMS)}")
    if table["rescale"] not in RESCALES:
        raise RefusedError(f"rescale '{table['rescale']}' is none of {', '.join(RESCALES)}")
    if table["tail"] != 0.0:
        raise RefusedError(f"tail = {table['tail']}: a weight below the domain must be 0.0")
    if table["raw"] and table["form"] != "g(m, s, x)":
        raise RefusedError(f"raw = true needs the form g(m, s, x), not {table['form']}")
    if not table["origin"].strip():
        raise RefusedError("origin is empty")
    if not table["origin"].isprintable():
        raise RefusedError("origin holds a line break or another control character")
    squarings = table.get("squarings", 0)
    if not 0 <= squarings <= MOST_SQUARINGS:
        raise RefusedError(f"squarings = {squarings} is not in 0..{MOST_SQUARINGS}")
    let = _check_let(table.get("let", {}), FORMS[table["form"]])
    weight, update = _build(table["expression"], table["form"], let, squarings)
    return Entry(
        name=name,
        expression=" ".join(table["expression"].split()),
        form=table["form"],
        let=let,
        squarings=squarings,
        domain=_lower_end(table["domain"]),
        value_at_zero=table["value_at_zero"],
        monotone=table["monotone"],
        rescale=table["rescale"],
        raw=table["raw"],
        origin=table["origin"],
        measured_error=table["measured_error"],
        operations=table["operations"],
        weight=weight,
        update=update,
    )


def _check_keys(table: dict[str, Any]) -> None:
    known = KEYS | OPTIONAL_KEYS
    for key in table:
        if key not in known:
            raise RefusedError(f"unknown key '{key}'; known: {', '.join(known)}")
    for key in KEYS:
        if key not in table:
            raise RefusedError(f"key '{key}' is missing")
    for key, value in table.items():
        # `type(...) is`: Python's bool is an int, too.
        right = type(value) is known[key]
        if right and isinstance(value, float):
            right = math.isfinite(value)
        if not right:
            raise RefusedError(f"{key} = {value!r} is not {TYPE_NAMES[known[key]]}")


def _lower_end(domain: list[Any]) -> float:
    if len(domain) != 2 or not all(type(end) is float for end in domain):
        raise RefusedError(f"domain = {domain} is not {TYPE_NAMES[list]}")
    low, high = domain
    if not (to_single(low) < 0.0 and high == 0.0):
        raise RefusedError(f"domain = {domain} is not [negative, 0.0]")
    if low < LOWEST_DOMAIN:
        raise RefusedError(
            f"domain = {domain} reaches below {LOWEST_DOMAIN}, where exp counts as 0"
        )
    return float(low)


def _check_let(let: dict[str, Any], arguments: tuple[str, ...]) -> dict[str, str]:
    if len(let) > MOST_LETS:
        raise RefusedError(f"let: {len(let)} names; {MOST_LETS} is the limit")
    reserved = {*arguments, "abs", "max", "min", "greater"}
    for name, text in let.items():
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            raise RefusedError(f"let: '{name}' is not a name")
        if name in reserved:
            raise RefusedError(f"let: '{name}' is defined already")
        if not isinstance(text, str):
            raise RefusedError(f"let: {name} = {text!r} is not {TYPE_NAMES[str]}")
    return dict(let)


def _build(
    expression: str, form: str, let: dict[str, str], squarings: int
) -> tuple[Program, Program | None]:
    """Return the weight and, for the form g(m, s, x), the update."""
    if form != "g(m, s, x)":
        return _lower(expression, FORMS[form], {}, let, squarings), None
    # m and s are 0 in the weight: h(d) = g(0, 0, d), x being d above a maximum of 0.
    update = _lower(expression, ("m", "s", "x"), {}, let, squarings)
    weight = _lower(expression, ("x",), {"m": 0.0, "s": 0.0}, let, squarings)
    return weight, update


def _lower(
    expression: str,
    arguments: tuple[str, ...],
    fixed: dict[str, float],
    let: dict[str, str],
    squarings: int,
) -> Program:
    graph = Graph()
    names = {name: graph.constant(value) for name, value in fixed.items()}
    for name in arguments:
        names[name] = graph.variable("d" if fixed and name == "x" else name)
    used: set[str] = set()
    for name, text in let.items():
        try:
            names[name] = parse(text, dict(names), graph, used)
        except RefusedError as reason:
            raise RefusedError(f"let: {name}: {reason}") from None
    root = parse(expression, names, graph, used)
    for name in (*arguments, *fixed, *let):
        if name not in used:
            raise RefusedError(f"'{name}' is not used")
    for _ in range(squarings):
        root = graph.apply("multiply", root, root)
    return schedule(graph, root)
