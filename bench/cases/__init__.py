"""The one registry: all cases by name.

To add one: a module with a `CASE`, and its name here. A case whose name has a slash is a member of
a group: `--case GROUP` runs all members of it.
"""

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
from cases.cuda import heinsen as cuda_heinsen
from cases.cuda import int8 as cuda_int8
from cases.cuda import rows as cuda_rows
from cases.cuda import scan as cuda_scan
from cases.peers import (
    axes,
    call,
    denormals,
    halves,
    imports,
    logsumexp,
    small,
    softmax,
    threads,
)
from cases.peers import topk as peers_topk

MODULES = (
    update,
    rows,
    error,
    softmax,
    logsumexp,
    halves,
    axes,
    threads,
    small,
    peers_topk,
    denormals,
    call,
    imports,
    topk,
    int8,
    int8_error,
    int8_peers,
    int8_threads,
    heinsen,
    heinsen_error,
    cuda_rows,
    cuda_scan,
    cuda_int8,
    cuda_heinsen,
)
CASES: dict[str, Case] = {module.CASE.name: module.CASE for module in MODULES}
#: What the members of a group have in common: the first line of its package.
GROUPS = {
    package.__name__.partition(".")[2]: str(package.__doc__).partition("\n")[0].rstrip(".")
    for package in (peers, cuda)
}


def members(name: str) -> list[str]:
    """Names of the cases that a name stands for: itself, or all members of a group."""
    return [name] if name in CASES else [case for case in CASES if case.startswith(f"{name}/")]
