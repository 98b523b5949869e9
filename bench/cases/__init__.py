"""The cases by name. To add one: a module with a `CASE`, and its name here."""

from lib.case import Case

from cases import (
    cuda,
    error,
    heinsen,
    heinsen_error,
    int8,
    int8_error,
    int8_peers,
    int8_threads,
    peers,
    rows,
    topk,
    update,
)

MODULES = (
    update,
    rows,
    error,
    peers,
    topk,
    int8,
    int8_error,
    int8_peers,
    int8_threads,
    heinsen,
    heinsen_error,
    cuda,
)
CASES: dict[str, Case] = {module.CASE.name: module.CASE for module in MODULES}
