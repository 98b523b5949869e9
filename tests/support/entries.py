"""The published text of the variants, as surrogates.toml holds it."""

import tomllib
from typing import Any

from repository import SURROGATES

TEXT = SURROGATES / "surrogates.toml"
ENTRIES: dict[str, dict[str, Any]] = tomllib.loads(TEXT.read_text())["surrogates"]
RAW = "_raw"


def entry_of(variant: str) -> dict[str, Any] | None:
    """Find the entry behind a variant or its raw form; None for hand-written ones."""
    return ENTRIES.get(variant.removesuffix(RAW))
