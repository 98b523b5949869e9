"""Check that each ISA's object defines its table and nothing else that a linker could share.

A weak or global copy of a function, compiled for AVX-512, may be the one that the linker keeps for
everybody: older CPUs would crash. And a unit that calls libm isn't what its row says.

    python no_weak_symbols.py NM OBJECT...
"""

from __future__ import annotations

import re
import subprocess
import sys

# What compilers may call on their own account.
ALLOWED_UNDEFINED = {
    "_GLOBAL_OFFSET_TABLE_",
    "__stack_chk_fail",
    "memcpy",
    "memmove",
    "memset",
}
UNDEFINED = "Uvw"
LOCAL = "abdrst"
# Constant, or filled in by the loader: the addresses of the kernels are.
TABLE = "RDS"
# "address kind name", no address where undefined
SYMBOL = re.compile(r"[0-9a-f]* *([A-Za-z]) (.+)")


def problems(nm: str, path: str) -> list[str]:
    """Return what is wrong with one object."""
    listing = subprocess.run(
        [nm, "--demangle", path], check=True, capture_output=True, text=True
    ).stdout
    tables, undefined, wrong = [], [], []
    for line in listing.splitlines():
        match = SYMBOL.fullmatch(line)
        if not match:
            raise ValueError(f"{nm} prints a line of another kind: {line}")
        kind, name = match.groups()
        if kind in UNDEFINED:
            undefined.append(name)
            if name not in ALLOWED_UNDEFINED:
                wrong.append(f"{path}: needs {name} ({kind})")
        elif kind in TABLE and re.fullmatch(r"fastsoftmax::\w+::(state_)?table", name):
            tables.append(name)
        elif kind not in LOCAL:
            wrong.append(f"{path}: defines {name} ({kind})")
    if len(tables) != 1:
        wrong.append(f"{path}: defines {len(tables)} tables")
    print(f"{' '.join(tables)}: undefined: {' '.join(sorted(undefined)) or 'nothing'}")
    return wrong


def main() -> int:
    """Check every object that the command line names."""
    nm, *objects = sys.argv[1:]
    wrong = [problem for path in objects for problem in problems(nm, path)]
    print("\n".join(wrong))
    if not objects:
        print("no object was checked")
    return int(bool(wrong) or not objects)


if __name__ == "__main__":
    raise SystemExit(main())
