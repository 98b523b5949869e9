"""Runs the surrogate generator as the build does: as a script, from another folder."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from repository import SURROGATES

SHIPPED_TEXT = (SURROGATES / "surrogates.toml").read_text(encoding="utf-8")
HEADER, LIST = "surrogates.hpp", "surrogates.def"


def brief_surrogates() -> str:
    """Return the text with the first surrogate of each form."""
    head, *tables = SHIPPED_TEXT.split("\n[surrogates.")
    forms: dict[str, str] = {}
    for table in tables:
        (entry,) = tomllib.loads("[surrogates." + table)["surrogates"].values()
        forms.setdefault(entry["form"], table)
    return "\n[surrogates.".join([head, *forms.values()])


def generate_file(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Run the generator on a file."""
    command = [sys.executable, "-B", *map(str, (SURROGATES / "generate.py", source, "--out", out))]
    return subprocess.run(command, cwd=out.parent, capture_output=True, text=True, check=False)


def generate(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the generator on a text, written to `folder`; its output is in `folder`/out."""
    source = folder / "surrogates.toml"
    source.write_text(text, encoding="utf-8")
    return generate_file(source, folder / "out")
