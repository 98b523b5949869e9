"""Generate C++ from surrogates.toml: `python generate.py surrogates.toml --out DIR`.

Writes DIR/surrogates.hpp, one struct for each entry, DIR/surrogates.def, the list of them, and
DIR/surrogates_c.def, each as C text for `fastsoftmax.export`.
A malformed or untruthful entry stops the build: status 2, one line with file, entry and reason.
Standard library only: this runs before anything is installed. Nothing in the file is executed.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from check import check_claims
from emit import definitions, header
from emit_c import c_definitions
from entry import Entry, read_entry
from expression import RefusedError

SCHEMA = 1
# Hundreds of entries' worth; all that takes long is refused before it is read.
MOST_BYTES = 1 << 20
MOST_ENTRIES = 200
LONGEST_REPORT = 500
# A key of so many parts: tomllib takes a time that grows with their square.
DEEP_KEY = re.compile(
    r"""(?<![\w-])((?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){8}""", re.ASCII
)


def read_entries(path: Path) -> list[Entry]:
    """Read and check the entries of a file in order; raise RefusedError at the first bad one."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise RefusedError(f"can't be read: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise RefusedError(f"has more than {MOST_BYTES} bytes")
    try:
        tables = _tables(_parsed(content.decode()))
    except ValueError as error:
        raise RefusedError(f"is not TOML: {error}") from None
    return [_read(name, table) for name, table in tables.items()]


def _parsed(text: str) -> dict[str, Any]:
    """Return what the text says; a ValueError or RefusedError names the place."""
    if deep := DEEP_KEY.search(text):
        line = text.count("\n", 0, deep.start()) + 1
        raise RefusedError(f"{_entry_before(text, deep.end())}line {line} has a key of many parts")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"{_entry_at_fault(text)}can't be read: {error}") from None


def _entry_at_fault(text: str) -> str:
    """Name the table that alone is refused without a place."""
    for table in re.finditer(r"^\[.*\n(?:(?!\[).*(?:\n|\Z))*", text, re.MULTILINE):
        try:
            tomllib.loads(table[0])
        except tomllib.TOMLDecodeError:
            continue
        except (ValueError, RecursionError):
            return _entry_before(text, table.end())
    return ""


def _entry_before(text: str, end: int) -> str:
    names = re.findall(r"^\[surrogates\.([^\]\s]{1,60})\]", text[:end], re.MULTILINE)
    return f"entry '{names[-1]}': " if names else ""


def _tables(data: dict[str, Any]) -> dict[str, Any]:
    for key in data:
        if key not in ("schema", "surrogates"):
            raise RefusedError(f"unknown key '{key}'; known: schema, surrogates")
    if type(data.get("schema")) is not int or data["schema"] != SCHEMA:
        raise RefusedError(f"schema = {data.get('schema')!r}, but this generator reads {SCHEMA}")
    tables = data.get("surrogates")
    if not isinstance(tables, dict) or not tables:
        raise RefusedError("there is no table [surrogates.NAME]")
    if len(tables) > MOST_ENTRIES:
        raise RefusedError(f"has {len(tables)} entries; {MOST_ENTRIES} is the limit")
    return tables


def _read(name: str, table: object) -> Entry:
    try:
        entry = read_entry(name, table)
        check_claims(entry)
    except RefusedError as reason:
        raise RefusedError(f"entry '{name}': {reason}") from None
    except (ValueError, RecursionError) as error:  # numbers and texts too large to be shown
        raise RefusedError(f"entry '{name}': can't be read: {error}") from None
    return entry


def _report(name: str, reason: object) -> str:
    """Return one line: names and texts of an entry may hold anything, of any length."""
    line = " ".join(f"{name}: {reason}".split())
    line = "".join(letter if letter.isprintable() else "?" for letter in line)
    return line if len(line) <= LONGEST_REPORT else f"{line[:LONGEST_REPORT]}..."


def _write_if_changed(path: Path, text: str) -> None:
    """Leave an unchanged file alone, so that nothing that includes it is compiled again."""
    content = text.encode()
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)


def main() -> int:
    """Run from the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Generate C++ from surrogates.toml.")
    parser.add_argument("source", type=Path, help="surrogates.toml")
    parser.add_argument("--out", type=Path, required=True, help="folder for the generated files")
    arguments = parser.parse_args()
    source: Path = arguments.source
    out: Path = arguments.out
    try:
        entries = read_entries(source)
    except RefusedError as reason:
        print(_report(source.name, reason), file=sys.stderr)
        return 2
    texts = {
        "surrogates.hpp": header(entries, source.name),
        "surrogates.def": definitions(entries, source.name),
        "surrogates_c.def": c_definitions(entries, source.name),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            _write_if_changed(out / name, text)
    except OSError as error:
        print(_report(str(out), f"can't be written: {error.strerror}"), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
