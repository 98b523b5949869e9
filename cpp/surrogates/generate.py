"""Generate C++ from surrogates.toml: `python generate.py surrogates.toml --out DIR`.

Writes DIR/surrogates.hpp, one struct for each entry, DIR/surrogates.def, the list of them, and
DIR/surrogates_c.def, each as C text for `fastsoftmax.export`.
A malformed or untruthful entry stops the build: status 2, one line with file, entry and reason.
Standard library only: this runs before anything is installed. Nothing in the file is executed.
"""

from __future__ import annotations

import argparse
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


def read_entries(path: Path) -> list[Entry]:
    """Read and check the entries of a file in order; raise RefusedError at the first bad one."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RefusedError(f"can't be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RefusedError(f"is not TOML: {error}") from None
    return [_read(name, table) for name, table in _tables(data).items()]


def _tables(data: dict[str, Any]) -> dict[str, Any]:
    for key in data:
        if key not in ("schema", "surrogates"):
            raise RefusedError(f"unknown key '{key}'; known: schema, surrogates")
    if type(data.get("schema")) is not int or data["schema"] != SCHEMA:
        raise RefusedError(f"schema = {data.get('schema')!r}, but this generator reads {SCHEMA}")
    tables = data.get("surrogates")
    if not isinstance(tables, dict) or not tables:
        raise RefusedError("there is no table [surrogates.NAME]")
    return tables


def _read(name: str, table: object) -> Entry:
    try:
        entry = read_entry(name, table)
        check_claims(entry)
    except RefusedError as reason:
        raise RefusedError(f"entry '{name}': {reason}") from None
    return entry


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
        # Names and texts of an entry may hold line breaks; the report is one line.
        print(" ".join(f"{source.name}: {reason}".split()), file=sys.stderr)
        return 2
    out.mkdir(parents=True, exist_ok=True)
    _write_if_changed(out / "surrogates.hpp", header(entries, source.name))
    _write_if_changed(out / "surrogates.def", definitions(entries, source.name))
    _write_if_changed(out / "surrogates_c.def", c_definitions(entries, source.name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
