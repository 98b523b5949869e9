"""The parts of the case peers by name; `--only NAME` runs one alone.

To add one: a module with a `SECTION`, and its name here.
"""

from sections import (
    axes,
    call,
    denormals,
    halves,
    imports,
    logsumexp,
    small,
    softmax,
    threads,
    topk,
)
from sections.base import Section

MODULES = (softmax, logsumexp, halves, axes, threads, small, topk, denormals, call, imports)
SECTIONS: dict[str, Section] = {module.SECTION.name: module.SECTION for module in MODULES}
