"""Templates of C text, and what goes into them."""

import re
from pathlib import Path
from string import Template

_FOLDER = Path(__file__).parent / "c"
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_WIDTH = 100


def filled(template: str, **values: object) -> str:
    """Text of a template with its values; KeyError if one is missing."""
    text = (_FOLDER / f"{template}.h.in").read_text(encoding="utf-8")
    return Template(text).substitute(values)


def checked_name(name: object) -> str:
    """`name` if C takes it as the beginning of identifiers."""
    if not isinstance(name, str):
        raise TypeError(f"name must be text, not {type(name).__name__}")
    if not _IDENTIFIER.fullmatch(name):
        raise ValueError(
            f"name is {name!r}; the functions' names begin with it, so it must be a letter, then "
            "letters, digits and _ (ASCII)"
        )
    return name


def braced(values: list[int]) -> str:
    """Return a C initialiser of numbers, in lines of the usual width."""
    lines, line = [], "   "
    for value in values:
        if len(line) + len(f" {value},") > _WIDTH:
            lines.append(line)
            line = "   "
        line += f" {value},"
    return "{\n" + "\n".join([*lines, line]) + "\n}"


def comment(lines: list[str]) -> str:
    """Lines of a C comment that has been opened."""
    return "\n".join(f" * {line}" for line in lines)
